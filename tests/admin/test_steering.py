"""Lanes, pauses, problems, the timeline and the record: what the console tells and lets staff do."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from tests.admin.people import JOBS, command, fail
from uploads.admin import host
from uploads.admin.throughput import round_up
from uploads.admin.timeline import WIDTH, timeline
from uploads.models import EventKind, Hold, Job, LaneLimit, Step, Worker
from uploads.states import Lane, StepKind, StepState

pytestmark = pytest.mark.django_db

HOLD = "/admin/uploads/worker/hold/"
LIMIT = "/admin/uploads/worker/limit/"
RECORD = "/admin/admin/logentry/"


@pytest.fixture
def _live_workers() -> None:
    for pid, lane in enumerate(Lane):
        Worker.objects.create(host="mill", pid=pid, start_time="1", lane=lane)


# --- pauses --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"place": "lane:cpu"}, "Lane cpu: paused."),
        ({"place": "all"}, "All work: paused."),
        ({"owner": "alice"}, "All jobs of alice: paused."),
    ],
)
def test_operators_pause_and_go_on(
    operator: Client, job: Job, form: dict[str, str], words: str
) -> None:
    assert words in operator.post(HOLD, {**form, "do": "hold"}, follow=True).content.decode()
    held = Hold.objects.get()
    assert held.held_by == "staff-Operators"
    page = operator.get("/admin/").content.decode()
    assert "aused by staff-Operators" in page
    again = operator.post(HOLD, {**form, "do": "hold"}, follow=True).content.decode()
    assert "nothing changed, already paused" in again
    operator.post(HOLD, {"place": held.place, "do": "lift"})
    assert not Hold.objects.exists()
    messages = list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))
    assert messages == ["Pause: done.", "Resume: done."]


def test_watchers_see_pauses_and_may_not_lift_them(watcher: Client, operator: Client) -> None:
    operator.post(HOLD, {"place": "all", "do": "hold"})
    page = watcher.get("/admin/").content.decode()
    assert "All work is paused by staff-Operators." in page
    assert HOLD not in page
    answer = watcher.post(HOLD, {"place": "all", "do": "lift"})
    assert answer.status_code == 403
    assert Hold.objects.exists()


@pytest.mark.parametrize("form", [{"place": "lane:gpu"}, {"owner": "nobody"}, {"place": ""}])
def test_unknown_places_are_refused(operator: Client, form: dict[str, str]) -> None:
    page = operator.post(HOLD, {**form, "do": "hold"}, follow=True).content.decode()
    assert "There is no " in page
    assert "Pause more" in page
    assert not Hold.objects.exists()
    assert not LogEntry.objects.exists()


def test_who_is_over_quota_is_told_and_no_command_lifts_that(operator: Client, alice: User) -> None:
    place = f"quota:{alice.pk}"
    Hold.objects.create(place=place, owner=alice)
    page = operator.get("/admin/").content.decode()
    assert "Over quota:" in page
    assert f'value="{place}"' not in page
    answer = operator.post(HOLD, {"place": place, "do": "lift"}, follow=True)
    assert "The quota alone sets and lifts this pause." in answer.content.decode()
    assert Hold.objects.exists()


def test_names_are_offered_to_who_may_pause(operator: Client, watcher: Client, job: Job) -> None:
    for path in ("/admin/", "/admin/uploads/worker/"):
        assert '<option value="alice">' in operator.get(path).content.decode()
        assert '<option value="alice">' not in watcher.get(path).content.decode()


# --- limits --------------------------------------------------------------------


@pytest.mark.usefixtures("_live_workers")
def test_operators_limit_a_lane_and_lift_it(operator: Client, watcher: Client, job: Job) -> None:
    job.steps.update(state=StepState.RUNNING, lane=Lane.CPU)
    page = operator.get("/admin/").content.decode()
    assert '<strong class="big">1</strong><span class="dim"> of 1 running' in page
    assert "No limit. This site has 1\u00a0worker for it." in page
    form = {"lane": "cpu", "max_inflight": "3", "back": "admin:uploads_worker_changelist"}
    answer = operator.post(LIMIT, form, follow=True)
    assert answer.request["PATH_INFO"] == "/admin/uploads/worker/"
    assert "Lane cpu: at most 3 at once." in answer.content.decode()
    again = operator.post(LIMIT, form, follow=True).content.decode()
    assert "Lane cpu: nothing changed, at most 3 at once." in again
    assert "At most 3 at once: set by staff-Operators" in watcher.get("/admin/").content.decode()
    page = operator.get("/admin/").content.decode()
    assert 'placeholder="any" value="3"' in page
    assert "so no more can run" in page
    operator.post(LIMIT, {"lane": "cpu", "do": "lift", "max_inflight": "nonsense"})
    assert not LaneLimit.objects.exists()
    rows = LogEntry.objects.order_by("pk").values_list("object_repr", "change_message")
    assert list(rows) == [("lane cpu", "Limit: at most 3 at once."), ("lane cpu", "Limit: none.")]
    assert len(watcher.get(f"{RECORD}?kind=lanelimit&what=Limit").context["page"].object_list) == 2


@pytest.mark.usefixtures("_live_workers")
def test_a_limit_below_what_runs_says_what_ends_first(
    operator: Client, watcher: Client, job: Job
) -> None:
    job.steps.update(state=StepState.RUNNING, lane=Lane.CPU)
    Step.objects.create(
        job=job,
        stage=job.stages.get(),
        seq=9,
        kind=StepKind.WORK,
        lane=Lane.CPU,
        owner=job.owner,
        state=StepState.RUNNING,
    )
    operator.post(LIMIT, {"lane": "cpu", "max_inflight": "1"})
    page = watcher.get("/admin/").content.decode()
    assert "1\u00a0step ends before another begins" in page


def test_watchers_see_limits_and_may_not_set_them(watcher: Client) -> None:
    assert LIMIT not in watcher.get("/admin/").content.decode()
    assert watcher.post(LIMIT, {"lane": "cpu", "max_inflight": "1"}).status_code == 403
    assert not LaneLimit.objects.exists()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"lane": "cpu", "max_inflight": "0"}, "A limit is a whole number from 1 to 1000"),
        ({"lane": "cpu", "max_inflight": "many"}, "to let nothing run, pause the lane"),
        ({"lane": "gpu", "max_inflight": "1"}, "There is no lane “gpu”."),
        ({}, "There is no lane “”."),
    ],
)
def test_what_is_no_limit_is_refused_in_words(
    operator: Client, form: dict[str, str], words: str
) -> None:
    assert words in operator.post(LIMIT, form, follow=True).content.decode()
    assert not LaneLimit.objects.exists()
    assert not LogEntry.objects.exists()


# --- problems ------------------------------------------------------------------


def test_dead_lanes_come_first(watcher: Client, job: Job) -> None:
    page = watcher.get("/admin/").content.decode()
    assert "No worker of the lane “light” is alive; 1 steps wait for one." in page


@pytest.mark.usefixtures("_live_workers")
def test_all_well_shows_no_problem(watcher: Client, job: Job) -> None:
    assert watcher.get("/admin/").context["problems"] == []


@pytest.mark.usefixtures("_live_workers")
def test_stuck_steps_and_unsent_mail_are_told(watcher: Client, job: Job, alice: User) -> None:
    long_ago = timezone.now() - timedelta(minutes=5)
    job.steps.update(state=StepState.RUNNING, lease_until=long_ago)
    Step.objects.create(
        job=job,
        stage=job.stages.get(),
        seq=9,
        kind=StepKind.NOTIFY,
        lane=Lane.LIGHT,
        owner=alice,
        state=StepState.FAILED,
        error="no such host",
        finished_at=timezone.now(),
    )
    texts = " ".join(problem.text for problem in watcher.get("/admin/").context["problems"])
    assert "1 running step is overdue" in texts
    assert "1 e-mail was not sent in the last 24 hours, or nobody knows: no such host" in texts


@pytest.mark.usefixtures("_live_workers")
def test_a_full_disk_is_told(
    watcher: Client, job: Job, settings: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = host.store.free_bytes()
    settings.TIDEMILL_DISK_RESERVE_BYTES = 2 * free
    (problem,) = watcher.get("/admin/").context["problems"]
    assert problem.level == "bad"
    assert problem.text.startswith("The disk is full")


# --- workers and steps ---------------------------------------------------------


def test_a_worker_shows_its_step_and_its_jobs(watcher: Client, job: Job) -> None:
    step = job.steps.get()
    job.steps.update(state=StepState.RUNNING, progress=0.42, note="page 3 of 9")
    Worker.objects.create(
        host="mill", pid=7, start_time="1", lane="light", step=step, rss_bytes=50 * 1024**2
    )
    page = watcher.get("/admin/uploads/worker/").content.decode()
    assert "page 3 of 9" in page
    assert "42 %" in page
    assert "?worker=mill%3A7" in page
    assert f"{job.key}/change/" in page


def test_the_timeline_marks_what_went_wrong_on_the_way(watcher: Client, job: Job) -> None:
    now = timezone.now()
    step = job.steps.get()
    Job.objects.filter(pk=job.pk).update(created_at=now - timedelta(seconds=100))
    job.steps.update(
        state=StepState.SUCCEEDED,
        created_at=now - timedelta(seconds=100),
        started_at=now - timedelta(seconds=50),
        finished_at=now - timedelta(seconds=25),
        attempt=2,
        crashes=1,
    )
    job.record(EventKind.WORKER_LOST, label=step.label, step=step.pk)
    job.refresh_from_db()
    (bar,) = timeline(job).bars
    assert abs(bar.run - WIDTH / 2) < WIDTH / 20
    assert abs(bar.end - WIDTH * 3 / 4) < WIDTH / 20
    assert [mark.kind for mark in bar.marks] == ["lost"]
    page = watcher.get(f"{JOBS}{job.key}/change/").content.decode()
    assert "The worker of planning died; it is done again." in page
    assert "1\u00a0death" in page


def test_an_open_step_says_why_it_waits(watcher: Client, job: Job) -> None:
    Hold.objects.create(place="lane:light", held_by="olga")
    page = watcher.get(f"{JOBS}{job.key}/change/").content.decode()
    assert '<span class="small dim why">Planning and e-mails are paused by olga.</span>' in page


def test_a_step_that_waits_again_is_not_drawn_as_running(job: Job) -> None:
    job.steps.update(started_at=timezone.now() - timedelta(hours=1))
    (bar,) = timeline(job).bars
    assert (bar.ran, bar.ran_seconds) == (0, None)


@pytest.mark.parametrize(
    ("count", "top"), [(0, 2), (2, 2), (3, 5), (11, 20), (100, 100), (101, 200)]
)
def test_the_charts_scale_is_round(count: int, top: int) -> None:
    assert round_up(count) == top


# --- the record ----------------------------------------------------------------


def test_the_record_tells_and_filters(
    operator: Client, watcher: Client, job: Job, alice: User
) -> None:
    command(operator, "pause", job)
    operator.post(HOLD, {"place": "lane:cpu", "do": "hold"})

    def rows(query: str) -> int:
        return len(watcher.get(f"{RECORD}?{query}").context["page"].object_list)

    assert rows("") == 2
    assert rows("kind=job") == 1
    assert rows("who=staff-Operators") == 2
    assert rows("who=alice") == 0
    assert rows("what=Pause") == 2
    assert rows("what=Cancel") == 0
    assert rows("age=hour") == 2
    assert rows("age=older") == 0
    assert rows(f"q={job.key}") == 1
    page = watcher.get(RECORD).content.decode()
    assert f"{job.key}/change/" in page
    assert "staff-Operators" in page


def test_a_jobs_page_shows_what_staff_did_to_it(operator: Client, job: Job) -> None:
    operator.post(f"{JOBS}{job.key}/pause/")
    page = operator.get(f"{JOBS}{job.key}/change/").content.decode()
    assert "Pause: done." in page


def test_a_deleted_jobs_row_stays_on_record(operator: Client, job: Job) -> None:
    fail(job)
    command(operator, "remove", job, sure="yes")
    page = operator.get(RECORD).content.decode()
    assert job.name in page
    assert f"{job.key}/change/" not in page


def test_a_record_without_rows_says_whether_it_is_filtered(watcher: Client) -> None:
    assert "Nothing on record" in watcher.get(RECORD).content.decode()
    assert "Nothing fits" in watcher.get(f"{RECORD}?who=nobody").content.decode()


def test_nobody_changes_the_record(boss: Client, job: Job) -> None:
    boss.post(f"{JOBS}{job.key}/pause/")
    entry = LogEntry.objects.get()
    for path in (f"{RECORD}{entry.pk}/delete/", f"{RECORD}{entry.pk}/change/", f"{RECORD}add/"):
        assert boss.post(path).status_code in {404, 405}
    assert LogEntry.objects.get() == entry
