"""One job of ten thousand photos: its pace against a job of 500, and how pages answer beside and after it."""

import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks.pages import session
from benchmarks.site import arrive, owner, site

FEW, MANY = 500, 10_000
OPTIONS = {"sizes": [320]}


def main() -> dict[str, float]:
    """Print both paces and their ratio, the slowest answers, and the seconds of pages and ZIP."""
    with (
        tempfile.TemporaryDirectory(prefix="tidemill-photos-") as name,
        site(workers=2, web=True) as running,
        httpx.Client(base_url=running["address"], cookies=session(), timeout=300) as client,
    ):
        photos = make_photos(Path(name), MANY)
        paces = []
        for count in (FEW, MANY):
            job, seconds, slowest = run(client, photos[:count])
            paces.append(count / seconds)
            print(
                f"{count:,} photos: {seconds:.1f} s, {count / seconds:.0f} a second, "
                f"slowest answer of its page meanwhile {slowest:.2f} s"
            )
        for path in ("/", "/jobs/", *(f"/jobs/{job}/{place}" for place in ("", "results/"))):
            print(f"{path.replace(job, '…')}: {_seconds(client, path):.2f} s")
        print(f"all results as ZIP: {_seconds(client, f'/jobs/{job}/results.zip'):.1f} s")
    print(f"pace of {MANY:,} against {FEW}: {paces[1] / paces[0]:.2f}")
    return {"pace_ratio": paces[1] / paces[0]}


def make_photos(folder: Path, count: int) -> list[Path]:
    """Make pictures of 640 × 480 that all differ."""
    import pyvips

    grounds = []
    for seed in range(40):
        soft = pyvips.Image.gaussnoise(64, 48, mean=128, sigma=60, seed=seed).resize(10)
        ground = soft.bandjoin([soft.fliphor(), soft.flipver()]).cast("uchar")
        grounds.append(ground.copy(interpretation="srgb").copy_memory())
    paths = []
    for number in range(count):
        place = (number * 7 % 600, number * 13 % 440)
        ink = [number % 256, number // 256 % 256, 0]
        path = folder / f"IMG_{number:05}.jpg"
        ground = grounds[number % len(grounds)]
        ground.draw_rect(ink, *place, 20, 20, fill=True).jpegsave(str(path), Q=85)
        paths.append(path)
    return paths


def run(client: httpx.Client, photos: list[Path]) -> tuple[str, float, float]:
    """Run one job; returns its key, its seconds from submit to end, and its page's slowest answer."""
    from django.db import transaction

    from uploads.models import Job
    from uploads.work.submit import JobRequest, StageRequest, submit

    with transaction.atomic():
        keys = arrive(photos, "image/jpeg")
    request: Any = JobRequest([StageRequest("image.convert", OPTIONS)], keys, anew=True)
    started, slowest = time.monotonic(), 0.0
    key: str = submit(owner(), request).key
    while not Job.objects.filter(key=key).exclude(finished_at=None).exists():
        slowest = max(slowest, _seconds(client, f"/jobs/{key}/"))
        time.sleep(0.5)
    seconds = time.monotonic() - started
    ended = Job.objects.get(key=key)
    if ended.items_done != len(photos):
        raise RuntimeError(f"{ended.items_done} of {len(photos)} photos were done")
    return key, seconds, slowest


def _seconds(client: httpx.Client, path: str) -> float:
    started = time.monotonic()
    client.get(path).raise_for_status()
    return time.monotonic() - started


if __name__ == "__main__":
    main()
