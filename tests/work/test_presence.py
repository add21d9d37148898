"""Workers of this host: their names, their rows, and when they count as dead."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from uploads.bell import run_folder
from uploads.models import Worker
from uploads.work import presence


@pytest.fixture
def process() -> Iterator["subprocess.Popen[bytes]"]:
    """A program that has begun: before that it takes no memory yet."""
    pipe = subprocess.PIPE
    with subprocess.Popen(["cat"], stdin=pipe, stdout=pipe) as started:
        assert started.stdin is not None and started.stdout is not None
        started.stdin.write(b"ready\n")
        started.stdin.flush()
        assert started.stdout.readline() == b"ready\n"
        yield started
        started.kill()


@pytest.fixture(autouse=True)
def _nobody_else() -> None:
    for path in run_folder().glob("worker-*"):
        path.unlink()


def test_a_name_is_alive_while_its_very_process_lives(process: "subprocess.Popen[bytes]") -> None:
    started = presence.start_time(process.pid)
    owner = f"{presence.local_prefix()}{process.pid}:{started}"
    assert presence.alive(owner)
    assert not presence.alive(f"{presence.local_prefix()}{process.pid}:1")
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie from now on
    assert not presence.alive(owner)


def test_my_name_can_be_judged_here() -> None:
    assert presence.me().startswith(presence.local_prefix())
    assert presence.pid_of(presence.me()) == os.getpid()
    assert presence.alive(presence.me())


@pytest.mark.django_db
def test_rows_follow_the_workers(
    process: "subprocess.Popen[bytes]", django_assert_num_queries: object
) -> None:
    Worker.objects.create(host="elsewhere", pid=1, start_time="1", lane="cpu")
    register = presence.Register()
    assert register.renew() == 0
    presence.announce(process.pid, "light")
    assert register.renew() == 1
    row = Worker.objects.live().get(pid=process.pid)
    assert (row.lane, row.start_time) == ("light", presence.start_time(process.pid))
    assert row.rss_bytes > 0
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert register.renew() == 0
    process.kill()
    process.wait()
    assert register.renew() == 1
    assert list(Worker.objects.values_list("host", flat=True)) == ["elsewhere"]
