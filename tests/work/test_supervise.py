"""The supervisor on small children: restart with back-off, leftovers, stopping."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.server import ROOT, wait_until
from uploads.work import kinship
from uploads.work.supervise import Child

Start = Callable[..., "subprocess.Popen[bytes]"]

PROGRAM = """
import errno, logging, os, sys
from functools import partial
from uploads.work.supervise import Child, Supervisor

def fork(real=os.fork):
    if os.path.exists("no-forks"):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return real()

os.fork = fork  # a machine that has no process left now and then
os.chdir(sys.argv[1])
logging.basicConfig(level="INFO", stream=sys.stdout)
shells = [partial(os.execvp, "sh", ["sh", "-c", line]) for line in sys.argv[2:]]
main = Supervisor([Child(str(n), sh) for n, sh in enumerate(shells)], grace_seconds=2).run()
if main:
    main()
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Supervise shell commands in `tmp_path`."""
    started: list[subprocess.Popen[bytes]] = []

    def supervise(*lines: str) -> "subprocess.Popen[bytes]":
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(tmp_path), *lines],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )
        started.append(process)
        return process

    yield supervise
    for process in started:
        process.kill()
        process.wait()


def lives(pid: int) -> bool:
    process = kinship.look(pid)
    return process is not None and process.state != "Z"


def pid_in(path: Path) -> int:
    wait_until(lambda: path.exists() and path.read_text().strip(), what=f"{path.name}")
    return int(path.read_text())


def test_a_child_that_keeps_dying_is_started_less_and_less_often(
    start: Start, tmp_path: Path
) -> None:
    start("echo x >> starts; exit 3", "sleep 60")
    time.sleep(4)  # three at once, then pauses of 0.5, 1 and 2 s: seven starts, not dozens
    assert 5 <= len((tmp_path / "starts").read_text().split()) <= 7
    log = (tmp_path / "log").read_text()
    assert log.count("0 ended with status 3; starting it again") == 3
    assert "0 ended with status 3; again in 0.9 s" in log or "again in 1.0 s" in log


def test_what_a_dead_child_leaves_behind_is_killed(start: Start, tmp_path: Path) -> None:
    start("sleep 60 & echo $! > inner; setsid sleep 61 & echo $! > escaped; echo $$ > me; wait")
    pids = [pid_in(tmp_path / name) for name in ("inner", "escaped", "me")]
    os.kill(pids[2], signal.SIGKILL)
    wait_until(lambda: not any(map(lives, pids)), what="leftovers to die")


def test_a_child_that_ignores_the_stop_is_killed_after_the_grace(
    start: Start, tmp_path: Path
) -> None:
    process = start("trap '' TERM; echo $$ > me; while :; do sleep 0.1; done")
    me = pid_in(tmp_path / "me")
    process.terminate()
    started = time.monotonic()
    assert process.wait(10) == 0
    assert 1.5 < time.monotonic() - started < 8
    assert not lives(me)


def test_a_second_signal_stops_at_once(start: Start, tmp_path: Path) -> None:
    process = start("trap '' TERM; echo $$ > me; while :; do sleep 0.1; done")
    pid_in(tmp_path / "me")
    process.terminate()
    wait_until(lambda: "Stopping" in (tmp_path / "log").read_text(), what="the first signal")
    started = time.monotonic()
    process.terminate()
    assert process.wait(10) == 0
    assert time.monotonic() - started < 1.5


def test_children_die_with_their_supervisor(start: Start, tmp_path: Path) -> None:
    process = start("echo $$ > me; exec sleep 60")
    me = pid_in(tmp_path / "me")
    process.kill()
    wait_until(lambda: not lives(me), what="the child to die")


def test_a_child_that_lived_long_is_started_again_at_once() -> None:
    child = Child("web", lambda: None)
    child.started = time.monotonic() - 60
    child.ended()
    assert child.restart_at <= time.monotonic()
    for _ in range(2):
        child.started = time.monotonic()
        child.ended()
        assert child.restart_at <= time.monotonic()
    for _ in range(20):
        child.started = time.monotonic()
        child.ended()
    assert 29 < child.restart_at - time.monotonic() <= 30


def test_a_child_that_can_not_be_started_is_tried_again_and_ends_nobody(
    start: Start, tmp_path: Path
) -> None:
    process = start("echo $$ > pid; exec sleep 60")
    first = pid_in(tmp_path / "pid")
    (tmp_path / "no-forks").touch()
    (tmp_path / "pid").unlink()
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: "can't be started" in (tmp_path / "log").read_text(), what="its words")
    (tmp_path / "no-forks").unlink()
    assert pid_in(tmp_path / "pid") != first
    assert process.poll() is None
