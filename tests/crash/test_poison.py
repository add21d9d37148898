"""Poison: whatever a file does to its step, it ends as failed in clear words, and nothing stays."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.crash.conftest import described, ended, is_whole, kept_up
from tests.factories import make_job, make_upload, make_user
from tests.support.server import Server, wait_until
from uploads.models import Job
from uploads.states import ItemState, JobState, StepState
from uploads.storage import store

pytestmark = pytest.mark.processes

LIMITS = {
    "TIDEMILL_STEP_MIN_LIMIT_SECONDS": "20",
    "TIDEMILL_STEP_ATTEMPTS": "2",
    "TIDEMILL_MEMORY_MAX_BYTES": "400M",
    "TIDEMILL_OUTPUT_MAX_BYTES": "16M",
    "TIDEMILL_SCRATCH_MAX_BYTES": "32M",
    "TIDEMILL_SCRATCH_MAX_FILES": "300",
    "TIDEMILL_PROCESSES_MAX": "60",
}
# What the file says, the code of its end, and a word of its limit.
POISONS = [
    ("die", "decoder_crashed", "twice"),
    ("shoot", "operation_bug", "not permitted"),
    ("bug", "operation_bug", "a bug on line one"),
    ("breed 7", "too_many_processes", "60"),
    ("herd 6", "out_of_memory", "400 MB"),
    ("eat 500", "out_of_memory", "400 MB"),
    ("fill 48", "scratch_full", "32 MB"),
    ("grow 48", "output_too_large", "16 MB"),
    ("hide 3", "scratch_full", "32 MB"),
    ("files 400", "too_many_outputs", "300"),
    ("open_all 400", "too_many_open", "256"),
    ("shout", "step_timeout", "20 seconds"),
]

Feed = Callable[..., Job]


@pytest.fixture(scope="module")
def running(tmp_path_factory: Any) -> Iterator[Server]:
    """Return a server with low limits; on SQLite alone, for no row behaves differently."""
    server = Server(tmp_path_factory.mktemp("poison") / "data", environment=LIMITS)
    with kept_up(server):
        yield server


@pytest.fixture
def feed(running: Server, tmp_path: Path) -> Iterator[Feed]:
    """Submit a job of one file for each text, named after its first word."""

    def make(
        *texts: str, operation: str = "test.poison", late: bool = False, **options: Any
    ) -> Job:
        owner = User.objects.filter(username="alice").first() or make_user("alice")
        uploads = []
        if late:
            path = tmp_path / "late.txt"
            path.write_text("on its way")
            uploads.append(make_upload(owner, path, complete=False))
        for text in texts:
            path = tmp_path / f"{text.split()[0]}.txt"
            path.write_text(text)
            uploads.append(make_upload(owner, path, media_type="text/plain"))
        return make_job(owner, uploads, operation, **options)

    with running.rows():
        yield make


def strays(server: Server) -> list[str]:
    """Return the processes of steps: their home is in the server's scratch folder."""
    mark = f"HOME={server.data}/scratch/".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def test_every_poison_ends_as_failed_in_clear_words_and_nothing_stays(
    running: Server, feed: Feed
) -> None:
    jobs = [feed(*(text for text, _, _ in POISONS[start::2]), "fine") for start in (0, 1)]
    wait_until(lambda: all(map(ended, jobs)), 300, lambda: "".join(map(described, jobs)))
    for text, code, word in POISONS:
        name = f"{text.split()[0]}.txt"
        item = next(item for job in jobs for item in job.items.filter(name=name))
        told = (item.error_code, item.error_text, item.error_detail)
        assert (item.state, item.error_code) == (ItemState.FAILED, code), told
        assert f"“{name}”" in item.error_text
        assert word in item.error_text, told
        assert item.error_fix
    for job in jobs:
        job.refresh_from_db()
        assert (job.state, job.items_done) == (JobState.PARTIAL, 1)
    assert strays(running) == []
    assert list((running.data / "scratch").iterdir()) == []
    assert is_whole(running)


def test_a_file_whose_worker_always_dies_fails_alone(running: Server, feed: Feed) -> None:
    job = feed("fine", "deaf", "well")
    deaf = job.items.get(name="deaf.txt")

    def kill_its_worker() -> bool:
        deaf.refresh_from_db()
        step = deaf.step
        begun = list((running.data / "scratch").glob(f"*/out/{deaf.pk}"))
        if begun and step is not None and step.state == StepState.RUNNING:
            worker = int(step.lease_owner.rsplit(":", 2)[1])
            if worker in running.workers():
                running.kill(worker)
        return ended(job)

    wait_until(kill_its_worker, 60, lambda: described(job))
    job.refresh_from_db()
    deaf.refresh_from_db()
    assert deaf.error_code == "worker_lost"
    assert "“deaf.txt” stopped its worker 5 times" in deaf.error_text
    assert (job.state, job.items_done) == (JobState.PARTIAL, 2)
    wait_until(lambda: strays(running) == [], 15, "the end of its processes")
    wait_until(lambda: list((running.data / "scratch").iterdir()) == [], 15, "its files to go")
    wait_until(lambda: is_whole(running), 20, "new workers")


def running_step(kind: str) -> Callable[[Job], bool]:
    """Tell when a step of this kind has begun to work on a file."""

    def begun(job: Job) -> bool:
        return job.steps.filter(kind=kind, state=StepState.RUNNING, progress__gt=0).exists()

    return begun


STATES: dict[str, tuple[dict[str, Any], list[str], Callable[[Job], object]]] = {
    "receiving": ({"late": True}, [], lambda job: job.state == JobState.RECEIVING),
    "paused": ({}, ["wait 60"], lambda job: job.pause("alice") or job.is_paused),
    "planning": ({"operation": "test.lines"}, ["slow plan"], running_step("plan")),
    "a batch": ({}, ["fine", "wait 60"], running_step("work")),
    "a program": ({}, ["program 60"], running_step("work")),
    "joining": ({"operation": "test.lines"}, ["slow join\nb"], running_step("join")),
    "waiting for the next try": (
        {"operation": "test.copy"},
        ["flaky"],
        lambda job: job.steps.filter(state=StepState.READY, not_before__gt=timezone.now()),
    ),
    "deaf": ({}, ["deaf"], running_step("work")),
}


def test_cancel_frees_everything_whatever_the_job_does(running: Server, feed: Feed) -> None:
    workers = running.workers()
    took = {}
    for name, (values, texts, reached) in STATES.items():
        job = feed(*texts, **values)
        wait_until(lambda: reached(Job.objects.get(pk=job.pk)), 30, lambda: described(job))  # noqa: B023
        job.cancel("alice")
        begun = time.monotonic()
        wait_until(lambda: freed(running, job), 30, lambda: f"{name}: {described(job)}")  # noqa: B023
        took[name] = round(time.monotonic() - begun, 2)
        assert job.events.filter(kind="ended").count() == 1
    print("seconds from cancel to freed:", took)  # noqa: T201
    assert running.workers() == workers


def freed(server: Server, job: Job) -> bool:
    """Tell whether nothing of a job is left: no running row, no process, no scratch folder."""
    busy = job.steps.filter(state=StepState.RUNNING).exists()
    rest = busy or strays(server) or list((server.data / "scratch").iterdir())
    return ended(job) and not rest


def test_a_stopped_server_goes_on_from_the_checkpoint(running: Server, feed: Feed) -> None:
    job = feed("fine", "count 200", pause=0.05)
    before = 0
    for signals in (1, 2):
        wait_until(lambda: saved(job) > before + 3, 60, lambda: described(job))  # noqa: B023
        for _ in range(signals):
            running.kill(running.role("up"), signal.SIGTERM)
        assert running.reap(30) == 0
        assert running.processes() == strays(running) == []
        before = saved(job)
        if signals == 1:  # by two it is killed, and only a sweep tells of it
            step = job.steps.get(kind="work")
            assert (step.state, step.attempt, step.crashes) == (StepState.READY, 0, 0)
            assert job.items.get(name="fine.txt").state == ItemState.SUCCEEDED
            assert list((running.data / "scratch").iterdir()) == []
        running.start()
        running.wait_ready()
    wait_until(lambda: ended(job), 90, lambda: described(job))
    assert job.items.filter(state=ItemState.SUCCEEDED).count() == 2
    result = job.results.get(item__name="count.txt")
    assert store.path(result.storage_key).read_text() == f"from {before} to 200"
    assert job.steps.get(kind="work").attempt == 1


def saved(job: Job) -> int:
    """Return how far the job's one batch has counted, as its row says."""
    step = job.steps.filter(kind="work").first()
    return int(step.checkpoint["state"]["number"]) if step and step.checkpoint else 0
