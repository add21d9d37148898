"""No room for a start, and none in the folder of the sockets: words, no traceback, and it goes on by itself."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.conftest import described, is_whole, kept_up, wait_for
from tests.crash.open_page import OpenPage, session_of
from tests.support.disks import MIB, Filler, small_disk
from tests.support.server import ROOT, Server, wait_until
from uploads.models import Job, Step

pytestmark = pytest.mark.processes

NAMES = 200


@pytest.mark.parametrize("left_bytes", [0, 100 * 1024, 2 * MIB], ids=["key", "tables", "static"])
def test_a_start_without_room_is_one_sentence_and_works_once_there_is_room(
    left_bytes: int, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 64) as disk:
        server = Server(disk / "data")
        filler = Filler(disk)
        filler.leave(left_bytes)
        code, said = start(server, "up")
        assert (code, len(said)) == (1, 1), said
        assert "room" in said[0]
        assert "again" in said[0]
        filler.give_back()
        assert start(server, "migrate", "-v0") == (0, [])
        server.end()


def start(server: Server, *arguments: str) -> tuple[int, list[str]]:
    ended = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=server.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, [*ended.stdout.splitlines(), *ended.stderr.splitlines()]


# --- the folder of the sockets ----------------------------------------------------------


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server whose run folder is a small disk of its own."""
    server = Server(tmp_path_factory.mktemp("sockets") / "data")
    with small_disk(server.run_folder, 1, NAMES), kept_up(server):
        yield server
    server.run_folder.rmdir()


@pytest.fixture
def filler(running: Server) -> Iterator[Filler]:
    filler = Filler(running.run_folder)
    yield filler
    filler.give_back()


def test_a_run_folder_without_room_delays_work_and_ends_nothing(
    running: Server, filler: Filler, submit: Callable[..., Job]
) -> None:
    up = running.role("up")
    filler.leave(0)
    filler.take_names()
    status, body = running.get("/healthz")
    assert (status, "TIDEMILL_RUN_DIR" in body) == (503, True), body
    wait_for(submit(2))
    # The next pushers have no bell.
    for lane in ("cpu", "light"):
        running.kill(running.role("pusher", lane))
    running.kill(running.role("web"))
    filler.take_names()
    wait_until(lambda: running.get("/healthz")[0] == 503, 30, "the web process's successor")
    job = submit(2)
    page = OpenPage(running, session_of(running, job.owner), job)
    page.start()
    wait_for(job)
    last = Job.objects.get(pk=job.pk).seq
    wait_until(lambda: page.have >= last, 10, "the end on a page that no bell wakes")
    page.close()
    # New workers can't announce themselves: their lane begins anew, in vain, until a later
    # beginning finds the names that an earlier one left.
    running.kill(running.role("main", "cpu"))
    wait_until(
        lambda: filler.take_names() or "cluster's sentinel failed" in running.output(),
        20,
        "a lane that can't begin",
    )
    job = submit(2)
    filler.give_back()
    wait_for(job, 45)
    wait_until(lambda: is_whole(running), 45, "a whole tree")
    wait_until(lambda: running.get("/healthz")[0] == 200, 15, lambda: running.get("/healthz")[1])
    assert running.role("up") == up
    assert not Step.objects.filter(crashes__gt=0).exists(), described(job)
