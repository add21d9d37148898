"""What a worker is killed at: each kind of step, each way it may end, and the sweeps after it."""

import os
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from tests.factories import make_job, make_upload, make_user
from tests.support.killpoints_checks import sweep
from tests.support.killpoints_role import Scenario
from uploads.bell import run_folder
from uploads.models import Event, Item, Job, Step, Upload, Worker
from uploads.states import JobState, Lane, StepKind, StepState, UploadState
from uploads.storage import store
from uploads.work import recover, stopping
from uploads.work.perform import perform
from uploads.work.presence import announce, me
from uploads.work.run import drain, run_next
from uploads.work.submit import JobRequest, StageRequest, submit

DEAD = ":999999:1"
LONG = 30 * 86400


def dead_worker() -> str:
    return me().rsplit(":", 2)[0] + DEAD


def owner() -> User:
    return User.objects.filter(username="alice").first() or make_user("alice")


def upload_of(name: str, text: str, *, complete: bool = True) -> Upload:
    path = Path(settings.TIDEMILL_DATA).parent / name
    path.write_text(text)
    return make_upload(owner(), path, media_type="text/plain", complete=complete)


def job_of(name: str, *texts: str, operation: str = "test.copy", notify: str = "") -> Job:
    """Submit a job whose files have these texts."""
    files = [upload_of(f"{name}-{number}.txt", text) for number, text in enumerate(texts)]
    job = make_job(owner(), files, operation)
    Job.objects.filter(pk=job.pk).update(name=name, notify=notify)
    return job


def plan() -> None:
    drain(Lane.LIGHT, LONG)


def light() -> None:
    drain(Lane.LIGHT, LONG)


def cpu() -> None:
    drain(Lane.CPU, LONG)


def claim(lane: str = Lane.CPU, worker: str = "") -> Step:
    step = Step.objects.claim(lane, worker or me())
    assert step is not None
    return step


# --- one worker, one kind of step ----------------------------------------------------


def _some_files() -> None:
    job_of("files", "one", "two", "bad")


def _lines() -> None:
    job_of("lines", "a\nb\n", operation="test.lines")


def _planned(prepare: Callable[[], None]) -> Callable[[], None]:
    def made() -> None:
        prepare()
        plan()

    return made


def _parts_done() -> None:
    _lines()
    plan()
    while Step.objects.filter(kind=StepKind.WORK, state=StepState.READY).exists():
        run_next(Lane.CPU)


def _unfit() -> None:
    job_of("unfit", "one", "two", "")


def _all() -> None:
    job_of("all", "one", "two", operation="test.all")
    plan()


def _chain(at_the_end: dict[str, Any] | None = None) -> None:
    files = [upload_of("chain-1.txt", "a\nb\n"), upload_of("chain-2.txt", "c")]
    links = [StageRequest(operation) for operation in ("test.split", "test.copy")]
    links.append(StageRequest("test.all", at_the_end or {}))
    submit(owner(), JobRequest(links, [file.key for file in files], name="chain"))


def _done_before() -> None:
    """Leave a job of which all but a new file was done in another one."""
    job_of("files", "one", "two")
    _through()
    job_of("files", "one", "two", "three")


def _chain_before() -> None:
    """Leave a chain that differs from another one in its last operation."""
    _chain()
    _through()
    _chain({"shout": True})


def _through() -> None:
    """Work until nothing is left on either lane."""
    while run_next(Lane.LIGHT) or run_next(Lane.CPU):
        pass


def _flaky() -> None:
    job_of("flaky", "one", "flaky")
    plan()


def _flaky_part() -> None:
    job_of("flaky part", "a\nflaky\n", operation="test.lines")
    plan()


def _crashing() -> None:
    job_of("crashing", "one", "crash")
    plan()


def _mail() -> None:
    job_of("mail", "one", notify="alice@example.org")
    plan()
    cpu()


def _unsure_mail() -> None:
    """A worker was killed while it sent the e-mail."""
    _mail()
    Step.objects.filter(kind=StepKind.NOTIFY).update(checkpoint={"sending_at": "then"})


def _letters() -> None:
    path = Path(settings.TIDEMILL_DATA).parent / "people.csv"
    path.write_text("email\none@example.org\ntwo@example.org\n")
    table = make_upload(owner(), path, media_type="text/csv")
    job = make_job(owner(), [table], "mail.batch", subject="Hello", text="Hello", per_minute=6000)
    Job.objects.filter(pk=job.pk).update(name="letters")


def _cancelled() -> None:
    """A worker that hears of the cancel when it looks for the first time."""
    job_of("cancelled", "a\nb\n", operation="test.lines")
    plan()


def _cancel_and_work() -> None:
    step = claim()
    step.job.cancel("alice")
    slow(step)


def _cancel_again() -> None:
    """Repeat the wish, which the person sees was not taken."""
    for job in Job.objects.filter(cancel_requested_at=None):
        job.cancel("alice")


def slow(step: Step) -> None:
    """Run a step whose child takes longer than the first tick."""
    step.stage.options = {**step.stage.options, "pause": 20}
    perform(step)


def _stop_and_work() -> None:
    step = claim()
    stopping.ask()
    slow(step)


def _work_late() -> None:
    """Work on although a sweep has given the step to somebody else."""
    step = claim()
    assert recover.abandon(step)
    perform(step)


def _work_after_a_crash() -> None:
    """Do again what a dead worker had adopted and not committed."""
    recover.recover_dead_workers()
    cpu()


def _left_by_a_dead_worker() -> None:
    _lines()
    plan()
    _leave(claim(worker=dead_worker()))


def _leave(step: Step) -> None:
    """Leave what a worker that was killed between rename and commit leaves."""
    token = step.lease_token
    stray = store.path(f"store/{step.job.key[:2]}/{step.job.key}/{step.pk}-{token}/0.txt")
    stray.parent.mkdir(parents=True)
    stray.write_text("not committed")
    scratch = store.scratch() / f"{step.pk}-{token}" / "out"
    scratch.mkdir(parents=True)
    (scratch / "half.txt").write_text("half")


# --- the sweep process ------------------------------------------------------------------


def _broken_steps() -> None:
    (run_folder() / "worker-cpu-999999-1").touch()
    Worker.objects.create(host=socket.gethostname(), pid=999999, start_time="1", lane=Lane.CPU)
    job_of("dead worker", "one")
    plan()
    _leave(claim(worker=dead_worker()))
    cancelled = job_of("dead and cancelled", "one")
    plan()
    claim(worker=dead_worker())
    cancelled.cancel("alice")
    job_of("poison", "one")
    plan()
    poison = claim(worker=dead_worker())
    Step.objects.filter(pk=poison.pk).update(crashes=2)
    job_of("no plan", "one").steps.all().delete()


def _broken_jobs() -> None:
    joins = job_of("leftover join", "a\nb\n", operation="test.lines")
    plan()
    while joins.steps.filter(kind=StepKind.WORK, state=StepState.READY).exists():
        run_next(Lane.CPU)
    joins.steps.filter(kind=StepKind.JOIN).update(state=StepState.PENDING)
    for name in ("uncounted", "unsettled", "expired"):
        job_of(name, "one")
    plan()
    cpu()
    uncounted = Job.objects.filter(name="uncounted")
    uncounted.update(state=JobState.RUNNING, finished_at=None, settled_at=None, items_done=0)
    Event.objects.filter(job__in=uncounted, kind="ended").delete()
    Job.objects.filter(name="unsettled").update(settled_at=None)
    Job.objects.filter(name="expired").update(expires_at=timezone.now() - timedelta(days=1))


def _broken_files() -> None:
    for name in ("whole.txt", "part.txt"):
        upload = upload_of(name, "whole", complete=False)
        job = make_job(owner(), [upload], "test.copy")
        Job.objects.filter(pk=job.pk).update(name=f"waits for {name}")
    Upload.objects.filter(name="part.txt").update(length=9)
    past = timezone.now() - timedelta(days=1)
    for name, state in (("old.txt", UploadState.COMPLETE), ("gone.txt", UploadState.TERMINATED)):
        upload = upload_of(name, "old")
        Upload.objects.filter(pk=upload.pk).update(expires_at=past, state=state)
    stray = store.path("incoming/ff/" + "f" * 32)
    stray.parent.mkdir(parents=True, exist_ok=True)
    result = store.path(f"store/ff/{'f' * 24}/7-{'0' * 24}/0.txt")
    result.parent.mkdir(parents=True)
    forgotten = store.scratch() / "upload-forgotten"
    for path in (stray, result, forgotten):
        path.write_text("stray")
    (store.scratch() / "forgotten").mkdir()
    old = store.scratch() / f"1-{'0' * 24}" / "out"
    old.mkdir(parents=True)
    (old / "half.txt").write_text("half")
    for path in store.root.rglob("*"):
        if not path.name.startswith("db."):
            os.utime(path, (time.time() - LONG,) * 2)


def _sweep() -> None:
    """Sweep while one worker lives here and another has died."""
    announce(os.getpid(), Lane.CPU)
    sweep()


def _finish_part() -> None:
    """Send the last bytes of the file that a job waits for; a removed upload fails its item."""
    for upload in Upload.objects.filter(name="part.txt", state=UploadState.RECEIVING):
        with store.path(upload.storage_key).open("wb") as file:
            file.write(b"the whole")
    assert Item.objects.filter(upload__name="part.txt").exists()


SCENARIOS = (
    Scenario("worker", "plan", _some_files, light),
    Scenario("worker", "plan with files that do not fit", _unfit, light),
    Scenario("worker", "plan of a divided file", _lines, light),
    Scenario("worker", "batch", _planned(_some_files), cpu),
    Scenario("worker", "batch with a fault that may pass", _flaky, cpu),
    Scenario("worker", "batch whose child crashes", _crashing, cpu),
    Scenario("worker", "all files together", _all, cpu),
    Scenario("worker", "chain", _chain, _through),
    Scenario("worker", "done before", _done_before, _through),
    Scenario("worker", "chain done before", _chain_before, _through),
    Scenario("worker", "part", _planned(_lines), cpu),
    Scenario("worker", "part with a fault that may pass", _flaky_part, cpu),
    Scenario("worker", "join", _parts_done, cpu),
    Scenario("worker", "e-mail", _mail, light, unsure=True),
    Scenario("worker", "e-mail after a crash", _unsure_mail, light),
    Scenario("worker", "letters", _letters, _through, unsure=True),
    Scenario("worker", "cancelled", _cancelled, _cancel_and_work, _cancel_again),
    Scenario("worker", "told to stop", _planned(_lines), _stop_and_work),
    Scenario("worker", "late", _planned(_lines), _work_late),
    Scenario("worker", "after a crash", _left_by_a_dead_worker, _work_after_a_crash),
    Scenario("child", "plan of a divided file", _lines, light),
    Scenario("child", "batch", _planned(_some_files), cpu),
    Scenario("child", "join", _parts_done, cpu),
    Scenario("sweep", "broken steps", _broken_steps, _sweep),
    Scenario("sweep", "broken jobs", _broken_jobs, _sweep),
    Scenario("sweep", "broken files", _broken_files, _sweep, _finish_part),
)
