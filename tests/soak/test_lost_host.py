"""A host that is lost with all its workers: another one does its steps when their leases end."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import private
from tests.soak.effects import install, read
from tests.soak.orders import arrived, person
from tests.support.server import ROOT, Server, wait_until
from uploads.models import Job, Step
from uploads.states import StepState
from uploads.work import kinship
from uploads.work.submit import JobRequest, StageRequest, submit

pytestmark = [pytest.mark.processes, pytest.mark.soak]

OTHER = "other-host"
FILES = 24


class OtherHost(Server):
    """Workers under another host name, with a scratch folder and run folder of their own.

    The host name is that of a UTS namespace of their own (unshare(1)), so nobody on the
    first host can judge by a pid whether a worker of this one lives.
    """

    def __init__(self, folder: Path, first: Server) -> None:
        super().__init__(folder, first.database_url, ["--no-web"], first.extra)
        folder.mkdir()
        shutil.copy(first.data / "secret_key", folder)
        for shared in ("incoming", "store"):
            (first.data / shared).mkdir(exist_ok=True)
            (folder / shared).symlink_to(first.data / shared)

    def start(self) -> None:
        up = f"hostname {OTHER} && exec {sys.executable} manage.py up --no-web"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "--uts", "sh", "-c", up],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def may_rename() -> bool:
    """Tell whether this user may give a process another host name."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        ["unshare", "--uts", "hostname", OTHER], capture_output=True, check=False
    )
    return tried.returncode == 0


@pytest.mark.skipif(not may_rename(), reason="a second host name needs root and unshare(1)")
@pytest.mark.skipif(private.find_programs() is None, reason=private.MISSING)
def test_another_host_takes_over(
    postgresql: Any,
    start_server: Callable[..., Server],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = start_server(postgresql.create(f"host{os.getpid()}"))
    first.wait_ready()
    other = OtherHost(tmp_path / "other", first)
    try:
        other.start()
        other.wait_ready()
        with first.rows():
            install()
            again, anything = _lose(other, _order())
    finally:
        other.end()
    with capsys.disabled():
        shown = ", ".join(f"{seconds:.1f}" for seconds in sorted(again))
        print(f"\nlost host: next step {anything:.2f} s, its steps again after {shown} s")  # noqa: T201
    assert max(again) < 15  # the lease, the time between two renewals, a sweep


def _order() -> Job:
    owner = person("alice")
    keys = [arrived(owner, f"{n}.txt", b"a file", "text/plain") for n in range(FILES)]
    return submit(owner, JobRequest([StageRequest("test.copy", {"pause": 0.5})], keys))


def _lose(other: Server, job: Job) -> tuple[list[float], float]:
    """Kill the other host in the middle of its steps; return when what went on, and judge the job."""
    theirs = Step.objects.filter(
        job=job, kind="work", state=StepState.RUNNING, lease_owner__startswith=OTHER
    )
    wait_until(theirs.exists, 60, "a step on the other host")
    lost_at = time.time()
    for process in _tree(other):
        other.kill(process.pid)
    lost = set(theirs.values_list("pk", flat=True))
    wait_until(lambda: Job.objects.get(pk=job.pk).is_finished, 120, "the end of the job")
    job.refresh_from_db()
    assert (job.state, job.items_done) == ("succeeded", FILES)
    starts = [e for e in read() if e.what == "running" and e.at > lost_at]
    again = [min(e.at for e in starts if e.step == step) - lost_at for step in lost]
    return again, min(e.at for e in starts) - lost_at


def _tree(other: Server) -> list[kinship.Process]:
    return sorted(other.processes(), key=lambda process: process.pid)
