"""Commands from the console: to one, to the ticked ones, to all that match; done, refused, on record."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from tests.admin.people import COMMAND, JOBS, command, command_all, fail, visit
from tests.factories import make_job
from uploads.admin import batches
from uploads.models import Job, Upload
from uploads.models.staff import OPERATORS

pytestmark = pytest.mark.django_db


@pytest.fixture
def crowd(alice: User, photo: Upload) -> list[Job]:
    """Seven jobs; the last two have failed."""
    jobs = [make_job(alice, [photo], "image.convert") for _ in range(7)]
    for one in jobs[5:]:
        fail(one)
    return jobs


@pytest.fixture
def _short_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each request afford one job only, so that a command needs many of them."""
    monkeypatch.setattr(batches.Batch.advance, "__defaults__", (0.0,))


def said(answer: object) -> str:
    return str(answer.content.decode())  # type: ignore[attr-defined]


# --- one -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "field", "value"),
    [("priority", "priority", -10), ("cancel", "state", "cancelled"), ("pause", "is_paused", True)],
)
def test_one_job_obeys(operator: Client, job: Job, verb: str, field: str, value: object) -> None:
    answer = operator.post(f"{JOBS}{job.key}/{verb}/", {"priority": "-10"}, follow=True)
    assert answer.status_code == 200
    job.refresh_from_db()
    assert getattr(job, field) == value
    assert LogEntry.objects.get().object_id == job.key


def test_a_job_that_refuses_says_why(operator: Client, job: Job) -> None:
    fail(job)
    answer = operator.post(f"{JOBS}{job.key}/pause/", follow=True)
    assert "0 jobs paused. 1 left as it was: 1 had ended." in said(answer)
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("priority", ["101", "-101", "many", ""])
def test_a_senseless_priority_is_refused(operator: Client, job: Job, priority: str) -> None:
    answer = operator.post(f"{JOBS}{job.key}/priority/", {"priority": priority})
    assert answer.status_code == 400
    assert "−100 to 100" in said(answer)


# --- the ticked ones -----------------------------------------------------------


def test_ticked_jobs_are_counted_and_kept_on_record(operator: Client, crowd: list[Job]) -> None:
    answer = command(operator, "pause", crowd[0], crowd[1], crowd[6])
    assert "2 jobs paused. 1 left as it was: 1 had ended." in said(answer)
    assert set(Job.objects.exclude(paused_at=None)) == set(crowd[:2])
    assert set(LogEntry.objects.values_list("object_id", "change_message")) == {
        (crowd[0].key, "Pause: done."),
        (crowd[1].key, "Pause: done."),
    }


def test_nothing_ticked_changes_nothing(operator: Client, crowd: list[Job]) -> None:
    assert "No job was chosen" in said(command(operator, "pause"))
    assert not Job.objects.exclude(paused_at=None).exists()


@pytest.mark.parametrize("verb", ["cancel", "remove"])
def test_what_cant_be_taken_back_is_asked_first(operator: Client, job: Job, verb: str) -> None:
    assert "Yes, " in said(command(operator, verb, job))
    job.refresh_from_db()
    assert job.cancel_requested_at is None
    command(operator, verb, job, sure="yes")
    assert not Job.objects.filter(pk=job.pk, cancel_requested_at=None).exists()
    assert LogEntry.objects.get().object_id == job.key


def test_failed_jobs_are_retried(operator: Client, job: Job) -> None:
    fail(job)
    assert "1 job retried." in said(command(operator, "retry", job))
    job.refresh_from_db()
    assert job.state == "queued"


# --- all that match ------------------------------------------------------------


def test_a_command_to_all_is_asked_first(operator: Client, crowd: list[Job]) -> None:
    body = {"verb": "pause", "scope": "all", "query": "?state=unfinished"}
    page = said(operator.post(COMMAND, body))
    assert "5\u00a0jobs" in page
    assert "State: Unfinished" in page
    assert not Job.objects.exclude(paused_at=None).exists()


@pytest.mark.usefixtures("_short_batches")
def test_all_that_match_obey_in_as_many_requests_as_it_takes(
    operator: Client, crowd: list[Job]
) -> None:
    crowd[0].pause("alice")
    answer = command_all(operator, "pause", "?owner=alice")
    assert "4 jobs paused. 3 left as they were: 2 had ended, 1 was paused already." in said(answer)
    assert Job.objects.exclude(paused_at=None).count() == 5
    assert LogEntry.objects.filter(change_message="Pause: done.").count() == 4
    whole = LogEntry.objects.get(object_id="")
    assert whole.object_repr == "Owner: alice"
    assert whole.change_message.startswith("Pause (all that match): 4 jobs paused.")


def test_more_than_a_page_obeys(operator: Client, alice: User) -> None:
    Job.objects.bulk_create(Job(owner=alice, name="forest") for _ in range(120))
    assert "120 jobs got the new priority." in said(command_all(operator, "priority", priority="7"))
    assert Job.objects.filter(priority=7).count() == 120


@pytest.mark.usefixtures("_short_batches")
def test_jobs_that_come_later_are_not_meant(
    operator: Client, crowd: list[Job], alice: User, photo: Upload
) -> None:
    asked = operator.post(COMMAND, {"verb": "cancel", "scope": "all", "query": ""})
    late = make_job(alice, [photo], "image.convert")
    answer = operator.post(COMMAND, {"batch": asked.context["batch"].text()})
    while answer.status_code == 200:
        answer = operator.post(COMMAND, {"batch": answer.context["batch"].text()})
    late.refresh_from_db()
    assert late.cancel_requested_at is None
    assert not Job.objects.unfinished().exclude(pk=late.pk).exists()


@pytest.mark.usefixtures("_short_batches")
def test_a_part_sent_twice_changes_nothing_more(operator: Client, crowd: list[Job]) -> None:
    asked = operator.post(COMMAND, {"verb": "priority", "priority": "5", "scope": "all"})
    for _ in range(2):
        operator.post(COMMAND, {"batch": asked.context["batch"].text()})
    assert LogEntry.objects.filter(change_message="Set priority to 5: done.").count() == 1


def test_a_command_to_all_is_its_givers_alone(operator: Client, crowd: list[Job]) -> None:
    asked = operator.post(COMMAND, {"verb": "cancel", "scope": "all"})
    text = asked.context["batch"].text()
    other = visit(OPERATORS, "second")
    assert other.post(COMMAND, {"batch": text}).status_code == 403
    assert operator.post(COMMAND, {"batch": text + "x"}).status_code == 400
    assert Job.objects.unfinished().count() == 5


def test_all_failures_of_a_group_are_retried(
    operator: Client, crowd: list[Job], alice: User, photo: Upload
) -> None:
    other = make_job(alice, [photo], "image.convert")
    fail(other, "image_damaged")
    page = operator.get(f"{JOBS}failures/")
    group = next(f for f in page.context["failures"] if f.code == "not_an_image")
    assert (group.items, group.jobs) == (2, 2)
    assert "2 jobs retried." in said(command_all(operator, "retry", group.query))
    assert list(Job.objects.filter(state="failed")) == [other]


def test_deleting_all_that_match_leaves_the_others(operator: Client, crowd: list[Job]) -> None:
    assert "2 jobs deleted." in said(command_all(operator, "remove", "?state=failed"))
    assert Job.objects.count() == 5
    assert LogEntry.objects.filter(change_message="Delete: done.").count() == 2


def test_a_command_to_all_is_asked_about_in_plain_words(operator: Client, crowd: list[Job]) -> None:
    query = "state=unfinished&operation=image.convert"
    body = {"verb": "priority", "scope": "all", "query": query, "priority": "10"}
    page = operator.post(COMMAND, body).content.decode()
    assert "Yes, set priority of 5 jobs to 10" in page
    assert "State: Unfinished" in page
    assert "Operation: image.convert" not in page
