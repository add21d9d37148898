"""Disk full under whole servers: work waits with a reason, goes on by itself, and nothing is counted."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from django.contrib.auth.models import User

from tests.crash.conftest import described, ended, kept_up, wait_for, wait_running
from tests.factories import make_job, make_upload, make_user
from tests.support.disks import MIB, Filler, small_disk
from tests.support.server import Server, wait_until
from uploads.models import Event, Job, Step, Token
from uploads.models.snapshot import snapshot
from uploads.states import StepState

pytestmark = pytest.mark.processes

RESERVE = 8 * MIB


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with small_disk(tmp_path_factory.mktemp("disk") / "small", 96) as folder:
        yield folder


@pytest.fixture(scope="module")
def running(disk: Path) -> Iterator[Server]:
    """Return a server on the small disk, with a reserve; on SQLite, whose log is on the same disk."""
    server = Server(disk / "data", environment={"TIDEMILL_DISK_RESERVE_BYTES": str(RESERVE)})
    server.log = disk.parent / "server.log"
    with kept_up(server):
        yield server


@pytest.fixture
def filler(disk: Path, running: Server) -> Iterator[Filler]:
    filler = Filler(disk)
    yield filler
    filler.give_back()


def nothing_counted(job: Job) -> None:
    steps = Step.objects.filter(job=job)
    assert not steps.filter(crashes__gt=0).exists(), described(job)
    assert not steps.filter(attempt__gt=1).exists(), described(job)
    assert not steps.exclude(error="").exists()
    assert not job.items.exclude(error_code="").exists()


def test_below_the_reserve_nothing_starts_and_everybody_is_told(
    running: Server, filler: Filler, submit: Callable[..., Job]
) -> None:
    owner = User.objects.filter(username="alice").first() or make_user("alice")
    _, token = Token.issue(owner, "tests")
    filler.leave(RESERVE - MIB)
    job = submit(2)
    api = httpx.Client(
        base_url=running.address, headers={"Authorization": f"Bearer {token}"}, timeout=30
    )
    with api:
        waiting = api.get(f"/api/v1/jobs/{job.key}/").json()["waiting"]
        assert waiting["reason"] == "disk_full"
        assert "goes on by itself" in waiting["text"]
        page = api.get(f"/jobs/{job.key}/", headers={"Accept": "text/html"})
        assert "nearly full" in page.text
        refused = api.post("/files/", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "5"})
        assert (refused.status_code, refused.json()["code"]) == (507, "disk_full")
    status, body = running.get("/healthz")
    assert status == 503
    assert "nearly full" in body
    assert running.get("/login/")[0] == 200
    # A little room is not enough: it would be short again at once.
    filler.shrink(RESERVE + RESERVE // 16)
    time.sleep(2)
    assert not ended(job)
    filler.give_back()
    wait_for(job, 15)
    nothing_counted(job)


def test_a_step_that_fills_the_disk_gives_back_and_goes_on_when_there_is_room(
    running: Server, filler: Filler, submit: Callable[..., Job]
) -> None:
    filler.leave(RESERVE + 20 * MIB)
    job = make_fat_job(running, 30)
    held = Step.objects.filter(job=job, waiting_code="disk_full", state=StepState.READY)
    wait_until(held.exists, 30, lambda: described(job))
    assert snapshot(job)["waiting"]["reason"] == "disk_full"
    assert held[0].needs_disk_bytes > 10 * MIB
    small = submit(1)
    wait_for(small, 20)  # a step that fits is not kept waiting by one that does not
    filler.give_back()
    wait_for(job, 30)
    nothing_counted(job)
    assert Event.objects.filter(job=job, kind="step_held").exists()


def make_fat_job(running: Server, mebibytes: int) -> Job:
    owner = User.objects.filter(username="alice").first() or make_user("alice")
    path = running.data.parent / "fat.txt"
    path.write_text(f"{mebibytes}\n")
    return make_job(owner, [make_upload(owner, path, media_type="text/plain")], "test.fat")


@pytest.mark.parametrize("moment", ["busy", pytest.param("idle", marks=pytest.mark.soak)])
def test_a_database_that_can_not_write_a_byte_holds_everything_and_loses_nothing(
    moment: str, running: Server, filler: Filler, submit: Callable[..., Job]
) -> None:
    job = submit(3, pause=1.0)
    if moment == "busy":
        wait_running(job)
    filler.leave(0)
    full_until = time.monotonic() + 6
    while time.monotonic() < full_until:
        filler.leave(0)  # what others give back is taken as well
        assert running.get("/healthz")[0] == 503
        time.sleep(0.2)
    filler.give_back()
    wait_for(job, 60)
    nothing_counted(job)
