"""A Tidemill of its own for a benchmark: real processes on a fresh data folder."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def site(
    *, workers: int = 2, web: bool = False, environment: dict[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Run `manage.py up` and set Django up in this process on the same data folder."""
    with tempfile.TemporaryDirectory(prefix="tidemill-bench-") as folder:
        port = free_port()
        os.environ.update(
            TIDEMILL_DATA=folder,
            TIDEMILL_WORKERS=str(workers),
            TIDEMILL_PORT=str(port),
            TIDEMILL_LOG_LEVEL="WARNING",
            DJANGO_SETTINGS_MODULE="project.settings",
        )
        command = [sys.executable, "manage.py", "up"] + ([] if web else ["--no-web"])
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, env={**os.environ, **(environment or {})}
        )
        try:
            import django

            django.setup()
            address = f"http://127.0.0.1:{port}"
            _wait_for_workers(workers + 2)
            if web:
                _wait_for_web(address)
            yield {"address": address, "process": process, "folder": Path(folder)}
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait_for_workers(count: int) -> None:
    from django.db import DatabaseError

    from uploads.models import Worker

    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        try:
            if Worker.objects.live().count() >= count:
                return
        except DatabaseError:
            pass  # not migrated yet
        time.sleep(0.1)
    raise RuntimeError("the workers did not start within a minute")


def _wait_for_web(address: str) -> None:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        try:
            urllib.request.urlopen(address + "/healthz", timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the web server did not start within a minute")


def owner() -> Any:
    """Return the benchmark's user."""
    from django.contrib.auth.models import User

    return User.objects.get_or_create(username="bench")[0]


def arrive(paths: list[Path], media_type: str) -> list[str]:
    """Make arrived uploads of files, by links; return their keys."""
    from uploads.models import Upload
    from uploads.storage import store

    keys = []
    for path in paths:
        upload = Upload(owner=owner(), name=path.name, length=path.stat().st_size)
        target = store.path(upload.storage_key)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)  # before the row: the sweep gives up a row without its file
        upload.save()
        upload.complete(kind=media_type.partition("/")[0], media_type=media_type)
        keys.append(upload.key)
    return keys


def run_job(keys: list[str], operation: str, options: dict[str, Any]) -> tuple[Any, float]:
    """Submit a job and wait for its end; return it and the seconds from submit to end."""
    from uploads.models import Job
    from uploads.work.submit import JobRequest, StageRequest, submit

    started = time.monotonic()
    job = submit(owner(), JobRequest([StageRequest(operation, options)], keys, anew=True))
    while not Job.objects.filter(pk=job.pk).exclude(finished_at=None).exists():
        time.sleep(0.02)
    seconds = time.monotonic() - started
    job.refresh_from_db()
    return job, seconds
