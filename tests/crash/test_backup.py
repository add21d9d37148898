"""An old backup of the database, restored beside newer files: every job ends, nothing is thrown away."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from django.db import connection

from tests.crash.conftest import described, ended, wait_for
from tests.factories import make_job, make_upload, make_user
from tests.support.server import Server, wait_until
from uploads.models import Job, Result, Step, Token, Upload
from uploads.states import StepState
from uploads.storage import store
from uploads.work.retention import remove_orphans

pytestmark = pytest.mark.processes

SubmitText = Callable[..., Job]


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    yield server
    server.end()


@pytest.fixture
def submit_text(idle: Server, tmp_path: Path) -> SubmitText:
    def make(name: str, *texts: str, **options: Any) -> Job:
        owner = User.objects.filter(username="alice").first() or make_user("alice")
        uploads = []
        for number, text in enumerate(texts):
            path = tmp_path / f"{number}.txt"
            path.write_text(text)
            uploads.append(make_upload(owner, path, media_type="text/plain"))
        return make_job(owner, uploads, name, **options)

    return make


def back_up(source: Path, target: Path) -> None:
    """Copy a database in use, as `sqlite3 db.sqlite3 .backup` does."""
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)


def restore(copy: Path, target: Path) -> None:
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(copy, target)


def parts_done(job: Job) -> int:
    return Step.objects.filter(job=job, item__isnull=False, state=StepState.SUCCEEDED).count()


def test_every_job_of_an_old_database_ends(
    idle: Server, submit_text: SubmitText, tmp_path: Path
) -> None:
    idle.start()
    idle.wait_ready()
    database, copy = idle.data / "db.sqlite3", tmp_path / "backup.sqlite3"
    with idle.rows():
        done = submit_text("test.copy", "done\n")
        wait_for(done)
        broken = submit_text("test.copy", "broken\n")
        wait_for(broken)
        halfway = submit_text("test.lines", "line\n" * 10, pause=0.5)
        parts = Step.objects.filter(job=halfway, item__isnull=False)
        wait_until(parts.exists, 60, lambda: described(halfway))
        long = submit_text("test.copy", "x\n", "y\n", "z\n", pause=5.0)
        running = Step.objects.filter(job=long, kind="work", state=StepState.RUNNING)
        wait_until(
            lambda: parts_done(halfway) >= 2 and running.exists(),
            60,
            lambda: f"{described(long)}\n{described(halfway)}",
        )
        assert not ended(halfway)
        back_up(database, copy)

        # What happens after the backup is unknown to it.
        later = submit_text("test.copy", "later\n")
        for job in (halfway, long, later):
            wait_for(job, 120)
        kept = [store.path(result.storage_key) for result in Result.objects.filter(job=later)]
        broken_file = store.path(Result.objects.get(job=broken).storage_key)
        Job.objects.get(pk=broken.pk).remove("alice")
        assert not broken_file.exists()
        connection.close()
    idle.stop()
    restore(copy, database)
    with idle.rows():
        assert not Job.objects.filter(pk=later.pk).exists()
        waiting = Upload.objects.filter(inputs__job=long).order_by("pk")[0]
        store.path(waiting.storage_key).unlink()  # not in the copy of the files
        lost = Upload.objects.create(owner=done.owner, name="lost.txt", length=9)
        ahead = Upload.objects.create(owner=done.owner, name="ahead.txt", length=9, offset=7)
        path = store.path(ahead.storage_key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"abc")
        token = Token.issue(done.owner, "tests")[1]
        connection.close()
    idle.start()
    idle.wait_ready()
    with idle.rows():
        for job in (halfway, long):
            wait_until(lambda job=job: ended(job), 150, lambda job=job: described(job))  # type: ignore[misc]
        wait_for(halfway, 1)
        states = dict(Job.objects.values_list("pk", "state"))
        assert states == {
            done.pk: "succeeded",
            broken.pk: "succeeded",
            halfway.pk: "succeeded",
            long.pk: "partial",
        }
        gone = Job.objects.get(pk=long.pk).items.get(state="failed")
        assert gone.error_code == "source_gone"
        assert "is gone from the server" in gone.error_text
        assert not remove_orphans(older_than_seconds=-1) or all(path.exists() for path in kept)
        assert kept
        assert all(path.exists() for path in kept)
        check_doors(idle, token, broken, lost, ahead)


def check_doors(idle: Server, token: str, broken: Job, lost: Upload, ahead: Upload) -> None:
    headers = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
    with httpx.Client(base_url=idle.address, headers=headers, timeout=30) as client:
        assert client.get(f"/jobs/{broken.key}/").status_code == 200
        result = Result.objects.get(job=broken)
        answer = client.get(f"/api/v1/results/{result.key}/content")
        assert (answer.status_code, answer.json()["code"]) == (410, "file_gone")
        assert "is gone from the server" in answer.json()["message"]
        # The file is the truth of an upload's offset, whatever the row says.
        assert client.head(f"/files/{ahead.key}").headers["Upload-Offset"] == "3"
        assert client.head(f"/files/{lost.key}").status_code == 404
