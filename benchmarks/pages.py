"""How pages answer while every worker burns CPU, against the same pages on a quiet server."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks.images import make_photos
from benchmarks.site import arrive, owner, site

REQUESTS = 300
PAUSE_SECONDS = 0.02
COPIES = 150  # of ten photos: a minute of work for two workers


def main() -> dict[str, float]:
    """Print p50 and p99 of the jobs list and a job's page, quiet and busy, and the ratio of the p99."""
    with (
        tempfile.TemporaryDirectory(prefix="tidemill-photos-") as name,
        site(workers=2, web=True) as running,
        httpx.Client(base_url=running["address"], cookies=session()) as client,
    ):
        photos = make_photos(Path(name), 10)
        first = _submit(arrive(photos[:1], "image/jpeg"))
        _wait(first)
        paths = ["/jobs/", f"/jobs/{first.key}/"]
        quiet = [_measure(client, path) for path in paths]
        copies = [arrive_again(photos) for _ in range(COPIES)]
        busy_job = _submit([key for keys in copies for key in keys])
        time.sleep(2)
        busy = [_measure(client, path) for path in paths]
        assert (
            not type(busy_job).objects.filter(pk=busy_job.pk).exclude(finished_at=None).exists()
        ), "the work ended before the measurement"
        busy_job.cancel("bench")
    worst = 0.0
    for path, before, after in zip(("jobs list", "job page"), quiet, busy, strict=True):
        ratio = after[1] / before[1]
        worst = max(worst, ratio)
        print(
            f"{path}: quiet p50 {before[0]:.1f} ms, p99 {before[1]:.1f} ms; "
            f"busy p50 {after[0]:.1f} ms, p99 {after[1]:.1f} ms; p99 ratio {ratio:.2f}"
        )
    return {"p99_ratio": worst}


def arrive_again(photos: list[Path]) -> list[str]:
    return arrive(photos, "image/jpeg")


def session() -> dict[str, str]:
    """Return the cookie of a signed-in browser of the benchmark's user."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    user = owner()
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return {settings.SESSION_COOKIE_NAME: str(session.session_key)}


def _submit(keys: list[str]) -> Any:
    from uploads.work.submit import JobRequest, StageRequest, submit

    stage = StageRequest("image.convert", {"sizes": [1600, 320]})
    return submit(owner(), JobRequest([stage], keys, anew=True))


def _wait(job: Any) -> None:
    while not type(job).objects.filter(pk=job.pk).exclude(finished_at=None).exists():
        time.sleep(0.05)


def _measure(client: httpx.Client, path: str) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds of sequential requests."""
    taken = []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        answer = client.get(path)
        taken.append(1000 * (time.perf_counter() - started))
        assert answer.status_code == 200, answer.status_code
        time.sleep(PAUSE_SECONDS)
    taken.sort()
    return statistics.median(taken), taken[int(0.99 * len(taken)) - 1]


if __name__ == "__main__":
    main()
