"""The judge of the storms finds what is lost, stuck, torn or doubled, and nothing else."""

from pathlib import Path
from random import Random
from typing import Any

import odd_operations
import pytest
from django.db import DatabaseError, connection, transaction

from tests.soak import effects
from tests.soak.mailbox import Mailbox
from tests.soak.orders import Desk
from tests.soak.verdict import judge
from tests.work.conftest import work_off
from uploads.models import Item, Job, Result, Step
from uploads.storage import store

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(db: None, settings: Any) -> Desk:
    """Return the storms' desk with two finished orders."""
    settings.TIDEMILL_OPERATIONS_PATH = str(Path(odd_operations.__file__).parent)
    effects.install()
    made = Desk(Random(1))
    made.place_probe()
    made.order("together", notify=False)
    work_off()
    return made


@pytest.fixture
def faults_of(desk: Desk, tmp_path: Path) -> Any:
    mailbox = Mailbox(tmp_path / "letters.txt")
    return lambda: judge(desk.orders, effects.read(), mailbox)


def test_what_came_out_right_has_no_fault(faults_of: Any) -> None:
    assert faults_of() == []
    assert {"running", "succeeded", "result"} <= {e.what for e in effects.read()}


def test_a_lost_result_and_a_torn_file_are_found(faults_of: Any) -> None:
    first, second = Result.objects.filter(role="result")
    store.path(second.storage_key).write_text("torn")
    first.delete()
    said = "\n".join(faults_of())
    assert "LOST: item 0" in said
    assert "TORN: the file" in said


def test_a_second_result_and_a_second_success_are_found(faults_of: Any) -> None:
    result = Result.objects.filter(role="result")[0]
    result.pk, result.key, result.position = None, "another", 7
    result.save()
    Step.objects.filter(pk=result.step_id).update(state="running", lease_owner="host:boot:1:1")
    Step.objects.filter(pk=result.step_id).update(state="succeeded")
    said = "\n".join(faults_of())
    assert "DOUBLED" in said
    assert f"step {result.step_id} succeeded 2 times" in said


def test_a_job_that_hangs_or_miscounts_is_found(faults_of: Any) -> None:
    first, second = Job.objects.order_by("id")
    Job.objects.filter(pk=first.pk).update(settled_at=None)
    Job.objects.filter(pk=second.pk).update(items_done=0)
    said = "\n".join(faults_of())
    assert f"STUCK: job {first.key}" in said
    assert f"job {second.key} counts (0, 0, 0)" in said


def test_a_job_that_nobody_ordered_is_found(faults_of: Any, desk: Desk) -> None:
    order = desk.orders.pop()
    assert faults_of() == [f"job {order.key} was never ordered, or ordered twice"]


def test_a_success_taken_back_is_found(faults_of: Any) -> None:
    Item.objects.all().update(state="open")
    assert any("LOST" in fault for fault in faults_of())


def test_the_log_can_only_be_appended_to(database: str, db: None) -> None:
    effects.install()
    Desk(Random(1)).place_probe()
    assert [effect.what for effect in effects.read()] == ["+ready"]
    for statement in ("UPDATE storm_effects SET at = 0", "DELETE FROM storm_effects"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
