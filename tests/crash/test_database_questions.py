"""Long questions with real workers: cancelled, killed, run again; the database always hears of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User

from tests.crash.conftest import described, ended, kept_up
from tests.factories import make_user
from tests.support.asked import SECRET, Asked
from tests.support.server import Server, wait_until
from tests.work.databases import ask, register
from uploads.models import Connection, Job, Step
from uploads.states import JobState, StepState

pytestmark = [pytest.mark.processes, pytest.mark.postgresql]

# Sleeps until somebody puts a row into the gate.
GATED = (
    "SELECT n, CASE WHEN NOT EXISTS (SELECT FROM gate) THEN pg_sleep(60)::text END "
    "FROM generate_series(1, 500) n"
)
SLOW = "SELECT pg_sleep(60), 1 AS one"


@pytest.fixture(scope="module")
def running(tmp_path_factory: Any) -> Iterator[Server]:
    """Return a server that seals passwords with this process's key; rows differ on no database."""
    folder = tmp_path_factory.mktemp("asking") / "data"
    server = Server(folder, environment={"DJANGO_SECRET_KEY": settings.SECRET_KEY})
    with kept_up(server):
        yield server


@pytest.fixture
def alice(running: Server, asked: Asked) -> Iterator[User]:
    with running.rows():
        yield User.objects.filter(username="alice").first() or make_user("alice")


def connection(asked: Asked) -> Connection:
    found = Connection.objects.filter(name="Shop").first()
    if found is None:
        found = register(**asked.facts())
        found.set_password(SECRET)
        found.save()
    return found


def working(job: Job) -> Step | None:
    return Step.objects.filter(job=job, kind="work", state=StepState.RUNNING).first()


def begun(asked: Asked, job: Job) -> None:
    wait_until(lambda: asked.questions() == 1, 30, lambda: f"the question: {described(job)}")


def test_cancel_ends_the_question_in_the_database(asked: Asked, alice: User) -> None:
    job = ask(alice, connection(asked), SLOW)
    begun(asked, job)
    wait_until(lambda: "working" in said(job), 20, "words while nothing comes")
    job.cancel("alice")
    wait_until(lambda: asked.questions() == 0, 10, "its end in the database")
    wait_until(lambda: ended(job), 20, lambda: described(job))
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


def said(job: Job) -> str:
    step = working(job)
    return step.note if step else ""


@pytest.mark.parametrize("who", ["worker", "child"])
def test_after_a_kill_the_old_question_ends_and_is_asked_again_once(
    asked: Asked, alice: User, running: Server, who: str
) -> None:
    asked.rows("CREATE TABLE IF NOT EXISTS gate (open bool)")
    asked.rows("GRANT SELECT ON gate TO reader")
    asked.rows("TRUNCATE gate")
    job = ask(alice, connection(asked), GATED)
    begun(asked, job)
    pids = backends(asked)
    step = working(job)
    assert step is not None
    worker = int(step.lease_owner.rsplit(":", 2)[1])
    running.kill(worker if who == "worker" else child_of(worker))
    asked.rows("INSERT INTO gate VALUES (true)")
    wait_until(lambda: not (pids & backends(asked)), 10, "the end of the first question")
    wait_until(lambda: ended(job), 60, lambda: described(job))
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED, [item.error_text for item in job.items.all()]
    assert job.results.get(role="result").meta["rows"] == 500


def backends(asked: Asked) -> set[int]:
    sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'Tidemill'"
    return {row[0] for row in asked.rows(sql)}


def child_of(worker: int) -> int:
    children = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    return int(children[0])


def test_the_password_is_nowhere_but_sealed(asked: Asked, alice: User, running: Server) -> None:
    shop = connection(asked)
    shop.pk, shop.key, shop.name = None, "f" * 24, "Shut"
    shop.port = asked.port
    shop.user = "nobody"
    shop.set_password(SECRET)
    shop.save()
    job = ask(alice, shop, "SELECT 1")
    wait_until(lambda: ended(job), 60, lambda: described(job))
    held = [path for path in running.data.rglob("*") if path.is_file()]
    assert any(path.name == "db.sqlite3" for path in held)
    for path in [*held, running.log]:
        assert SECRET.encode() not in path.read_bytes(), path
