"""The machine's clock is set while real processes run: no step is lost, done twice or late."""

import shutil
import struct
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from tests.factories import make_job, make_upload, make_user
from tests.support.invariants import assert_consistent
from tests.support.server import Server, wait_until
from uploads.models import Job, Step, Upload
from uploads.states import JobState, StepState, UploadState

pytestmark = pytest.mark.processes

SHIM = Path(__file__).resolve().parent.parent / "support" / "shifted_clock.c"
HOUR, DAY = 3600, 86400
ALL = (HOUR, -HOUR, 2 * DAY, -2 * DAY, 0)


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: the test that sets real processes' clocks DOES NOT RUN")
    built = tmp_path / "shifted_clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", built, SHIM], check=True)
    return built


@pytest.mark.parametrize("jumps", [(HOUR, -2 * DAY), pytest.param(ALL, marks=pytest.mark.soak)])
def test_no_jump_ends_a_lease_early_or_deletes_what_is_young(
    start_server: Callable[..., Server], shim: Path, tmp_path: Path, jumps: tuple[int, ...]
) -> None:
    shift = tmp_path / "shift"
    shift.write_bytes(struct.pack("l", 0))
    server = start_server(
        LD_PRELOAD=str(shim),
        SHIFTED_CLOCK=str(shift),
        TIDEMILL_LEASE_SECONDS="6",
        TIDEMILL_RENEW_SECONDS="1",
    )
    server.wait_ready()
    path = tmp_path / "text.txt"
    path.write_text("text")
    with server.rows():
        alice = make_user("alice")
        young = make_upload(alice, path, media_type="text/plain")
        Upload.objects.filter(pk=young.pk).update(expires_at=timezone.now() + timedelta(days=1))
        for number, jump in enumerate(jumps):
            files = [make_upload(alice, path, media_type="text/plain") for _ in range(3)]
            job = make_job(alice, files, "test.copy", pause=2.0)
            running = Step.objects.filter(job=job, kind="work", state=StepState.RUNNING)
            wait_until(running.exists, 60, lambda: f"a running step:\n{server.output()}")
            with shift.open("r+b") as file:
                file.write(struct.pack("l", jump))
            wait_until(
                lambda before=number: server.output().count("The clock was set by") > before,
                30,
                lambda: f"the sweep's note:\n{server.output()}",
            )
            check_one_run(job, server)
            wait_until(lambda: server.get("/healthz")[0] == 200, 30, "good health")
        assert Upload.objects.get(pk=young.pk).state == UploadState.COMPLETE
        assert_consistent(at_rest=True)


def check_one_run(job: Job, server: Server) -> None:
    """Wait for the job's end and see that each step ran once and none was taken away."""

    def ended() -> bool:
        job.refresh_from_db()
        return job.is_finished

    wait_until(ended, 90, lambda: f"the job's end:\n{server.output()}")
    assert job.state == JobState.SUCCEEDED
    assert set(job.steps.values_list("attempt", "crashes")) == {(1, 0)}
    assert not job.events.filter(kind="worker_lost").exists()
