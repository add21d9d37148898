"""A power cut at any moment: what was acknowledged is there, the database is whole, all jobs end."""

import base64
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import override_settings
from django.utils import timezone

from tests.crash.conftest import described, kept_up, wait_for
from tests.support.databases import described as database_at
from tests.support.databases import using
from tests.support.power_cut import Disk, Journal, build
from tests.support.server import ODD, ROOT, Server, wait_until
from tests.work.conftest import work_off
from uploads.models import Job, Step
from uploads.states import StepState
from uploads.work.recover import recover_dead_workers

pytestmark = pytest.mark.processes

KIB = 1024
CUTS = 14
SOAK_CUTS = 600
PIECE = {"Content-Type": "application/offset+octet-stream"}
FILES = [b"one file\n" * 30, b"another\n" * 40_000, b"a\nb\nc\n"]


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    """Journal one whole run: uploads in pieces, jobs with batches, parts and a join."""
    folder = tmp_path_factory.mktemp("power")
    made = Journal(folder / "journal")
    server = Server(
        folder / "data",
        environment={
            "LD_PRELOAD": str(build(folder)),
            "FORGETFUL_ROOT": str(folder / "data"),
            "FORGETFUL_JOURNAL": str(made.path),
        },
    )
    with kept_up(server):
        live(server, made)
    yield made


def live(server: Server, journal: Journal) -> None:
    """Do what people do, and note what they are told."""
    named = {"DJANGO_SUPERUSER_PASSWORD": "long-enough-7"}
    manage(server, "createsuperuser", "--noinput", "--username=alice", "--email=a@b.org", **named)
    token = manage(server, "createtoken", "alice").strip()
    headers = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
    with httpx.Client(base_url=server.address, headers=headers, timeout=30) as client:
        keys = [upload(client, journal, data) for data in FILES]
        jobs = [
            submit(client, journal, "test.copy", keys),
            submit(client, journal, "test.lines", keys[2:]),
        ]
        for job in jobs:
            wait_until(lambda job=job: finished(client, job), 40, "the job's end")  # type: ignore[misc]
            journal.tell(finished=job)
        keys.append(upload(client, journal, b"late\n" * 1000))
        submit(client, journal, "test.copy", keys[-1:])


def manage(server: Server, *arguments: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**server.environment, **environment},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


def upload(client: httpx.Client, journal: Journal, data: bytes) -> str:
    name = base64.b64encode(b"a.txt").decode()
    announced = {"Upload-Length": str(len(data)), "Upload-Metadata": f"filename {name}"}
    location = client.post("/files/", headers=announced).headers["Location"]
    key = location.rpartition("/")[2]
    journal.tell(upload=key, data=base64.b64encode(data).decode())
    for start in range(0, len(data), 64 * KIB):
        piece = data[start : start + 64 * KIB]
        answer = client.patch(
            location, headers={**PIECE, "Upload-Offset": str(start)}, content=piece
        )
        assert answer.status_code == 204
        journal.tell(bytes_of=key, offset=start + len(piece))
    return key


def submit(client: httpx.Client, journal: Journal, operation: str, keys: list[str]) -> str:
    answer = client.post("/api/v1/jobs/", json={"operation": operation, "uploads": keys})
    assert answer.status_code == 201, answer.text
    job: str = answer.json()["id"]
    journal.tell(job=job)
    return job


def finished(client: httpx.Client, job: str) -> bool:
    return client.get(f"/api/v1/jobs/{job}/").json()["state"] == "succeeded"


# --- after the cut ----------------------------------------------------------------


class Told:
    """What clients had been told by the moment of the cut."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.offsets: dict[str, int] = {}
        self.jobs: set[str] = set()
        self.finished: set[str] = set()

    def hear(self, fact: Any) -> None:
        if "upload" in fact:
            self.data[fact["upload"]] = base64.b64decode(fact["data"])
        self.offsets |= {fact["bytes_of"]: fact["offset"]} if "bytes_of" in fact else {}
        self.jobs |= {fact["job"]} if "job" in fact else set()
        self.finished |= {fact["finished"]} if "finished" in fact else set()


def check(folder: Path, told: Told) -> None:
    """See that the rebuilt folder holds what was promised."""
    for key, offset in told.offsets.items():
        content = (folder / "incoming" / key[:2] / key).read_bytes()
        assert content[:offset] == told.data[key][:offset], f"bytes of {key} before {offset}"
    if not told.data and not (folder / "db.sqlite3").exists():
        return  # before the first start had got anywhere
    with closing(sqlite3.connect(folder / "db.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
        if "uploads_result" not in tables:
            assert not told.data
            return
        states = dict(database.execute("SELECT key, state FROM uploads_job"))
        assert told.jobs <= states.keys()
        assert {states[key] for key in told.finished} <= {"succeeded"}
        uploads = dict(database.execute("SELECT key, state FROM uploads_upload"))
        assert told.data.keys() <= uploads.keys()
        for key, state in uploads.items():
            path = folder / "incoming" / key[:2] / key
            assert path.exists(), f"{key} has a row, {state}, but no file"
        rows = "SELECT storage_key, sha256 FROM uploads_result"
        for key, digest in database.execute(rows):
            assert sha256((folder / key).read_bytes()).hexdigest() == digest, key


def go_on(folder: Path, run_folder: Path) -> None:
    """Run the sweeps and the work on the rebuilt folder in this process: every job ends."""
    with (
        using(database_at("", folder / "db.sqlite3")),
        override_settings(
            TIDEMILL_DATA=str(folder),
            TIDEMILL_RUN_DIR=str(run_folder),
            TIDEMILL_OPERATIONS_PATH=str(ODD),
        ),
    ):
        recover_dead_workers()
        until = time.monotonic() + 60
        while Job.objects.unfinished().exists():
            Step.objects.filter(state=StepState.READY).update(not_before=timezone.now())
            work_off()
            assert time.monotonic() < until, [described(job) for job in Job.objects.unfinished()]
        for job in Job.objects.all():
            wait_for(job, 1)


def cuts(
    journal: Journal, count: int, seed: int
) -> Iterator[tuple[int, Disk, Told, random.Random]]:
    """Yield the disk at so many moments, evenly spread and shaken by the seed."""
    chance = random.Random(seed)
    total = sum(1 for _ in journal.records())
    chosen = {min(total - 1, int((n + chance.random()) * total / count)) for n in range(count)}
    disk, told = Disk(), Told()
    for number, record in enumerate(journal.records()):
        if record.kind == "A":
            told.hear(record.told)
        else:
            disk.take(record)
        if number in chosen:
            yield number, disk, told, chance


def survives(journal: Journal, folder: Path, count: int, each_goes_on: int) -> None:
    seed = int(os.environ.get("TIDEMILL_SEED") or random.randrange(10**6))
    for index, (number, disk, told, chance) in enumerate(cuts(journal, count, seed)):
        for luck in (None, chance):
            place = folder / f"{number}-{'worst' if luck is None else 'random'}"
            print(f"TIDEMILL_SEED={seed}: cut after record {number}, {place.name}")  # noqa: T201
            disk.rebuild(place, luck)
            check(place, told)
            if told.jobs and index % each_goes_on == 0:
                go_on(place, folder / "run")


def test_what_was_told_survives_a_power_cut_and_work_goes_on(
    journal: Journal, tmp_path: Path
) -> None:
    survives(journal, tmp_path, CUTS, each_goes_on=7)


@pytest.mark.soak
def test_a_server_starts_on_what_a_power_cut_left(journal: Journal, tmp_path: Path) -> None:
    disk, told = Disk(), Told()
    for record in journal.records():
        if record.kind == "A":
            told.hear(record.told)
        else:
            disk.take(record)
        if len(told.jobs) == 2 and record.kind == "A":
            break
    disk.rebuild(tmp_path / "data")
    server = Server(tmp_path / "data")
    try:
        server.start()
        server.wait_ready()
        with server.rows():
            for job in Job.objects.all():
                wait_for(job, 60)
            assert Job.objects.count() == 2
    finally:
        server.end()


@pytest.mark.soak
def test_what_was_told_survives_many_power_cuts(journal: Journal, tmp_path: Path) -> None:
    survives(journal, tmp_path, SOAK_CUTS, each_goes_on=7)
