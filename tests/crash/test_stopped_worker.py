"""A real worker is stopped past its lease and woken: what it brings then is nobody's."""

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DATABASES
from tests.factories import make_job, make_upload, make_user
from tests.support.invariants import assert_consistent
from tests.support.server import ROOT, Server, wait_until
from uploads.models import Result, Step
from uploads.states import StepState
from uploads.storage import store
from uploads.work.presence import pid_of

pytestmark = pytest.mark.processes

SHORT = {"TIDEMILL_LEASE_SECONDS": "3", "TIDEMILL_RENEW_SECONDS": "1"}
COMMANDS = {
    "sweep": ["sweep"],
    "light": ["qcluster"],
    "cpu": ["qcluster"],
}


@pytest.fixture(params=DATABASES)
def mill(
    request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: Any
) -> Iterator[Server]:
    """Plain clusters and the sweeps, without `up`, which would kill a stopped process itself."""
    url = ""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql").create(f"stopped{os.getpid()}")
    server = Server(tmp_path / "data", url, (), SHORT)
    started = []
    try:
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v0"],
            cwd=ROOT,
            env=server.environment,
            check=True,
            timeout=120,
        )
        with server.log.open("ab") as log:
            for lane, command in COMMANDS.items():
                started.append(
                    subprocess.Popen(
                        [sys.executable, "manage.py", *command],
                        cwd=ROOT,
                        env={**server.environment, "Q_CLUSTER_NAME": lane},
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )
        wait_until(lambda: len(server.workers()) == 4, 90, "workers")
        with django_db_blocker.unblock(), server.rows():
            yield server
        sys.stdout.write(server.output())
    finally:
        for process in server.processes():
            os.kill(process.pid, signal.SIGKILL)
        for child in started:
            child.wait(10)
        server.end()


def test_a_worker_stopped_past_its_lease_commits_nothing(mill: Server, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("text")
    upload = make_upload(make_user("alice"), text, media_type="text/plain")
    job = make_job(upload.owner, [upload], "test.copy", pause=2.0)
    running = Step.objects.filter(kind="work", state=StepState.RUNNING)
    wait_until(running.exists, 60, "a running step")
    first = running.get()
    # A worker that has not read its own claim yet would find it gone, and have nothing to tell.
    at_work = functools.partial(store.scratch().glob, f"{first.pk}-*")
    wait_until(lambda: any(at_work()), 30, "its scratch")
    stopped = pid_of(first.lease_owner)
    os.kill(stopped, signal.SIGSTOP)

    wait_until(lambda: ended(job), 90, lambda: f"the job's end:\n{mill.output()}")
    second = Step.objects.get(pk=first.pk)
    assert second.state == StepState.SUCCEEDED
    assert second.lease_token != first.lease_token
    assert second.crashes == 1
    kept = Result.objects.get()

    os.kill(stopped, signal.SIGCONT)
    told = f"step {first.pk} belongs to another worker now"
    wait_until(lambda: told in mill.output(), 60, lambda: f"its warning:\n{mill.output()}")
    wait_until(lambda: not any(at_work()), 30, "an empty scratch")
    assert Result.objects.get() == kept
    assert Step.objects.get(pk=first.pk).lease_token == second.lease_token
    for kind in ("step_done", "worker_lost", "ended"):
        assert job.events.filter(kind=kind).count() == 1
    assert store.path(kept.storage_key).read_text() == "text"
    assert_consistent(at_rest=True)


def ended(job: Any) -> bool:
    job.refresh_from_db()
    return bool(job.is_finished)
