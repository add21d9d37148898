"""200 photos of 12 MP to 1600 px and 320 px: the whole way through queue and database, against vipsthumbnail."""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.site import arrive, run_job, site

PHOTOS = 200
ROUNDS = 3


def make_photos(folder: Path, count: int = PHOTOS) -> list[Path]:
    """Make photo-like 12 MP JPEGs of about 2.4 MB: soft shapes with sensor noise."""
    import pyvips

    different = min(10, count)
    for number in range(different):
        soft = pyvips.Image.gaussnoise(40, 30, mean=128, sigma=70, seed=number).resize(100)
        grain = pyvips.Image.gaussnoise(4000, 3000, mean=0, sigma=5, seed=number + 99)
        bands = [soft, soft.fliphor(), soft.flipver()]
        photo = pyvips.Image.bandjoin(bands[0], bands[1:]) + grain
        photo.cast("uchar").copy(interpretation="srgb").jpegsave(
            str(folder / f"IMG_{number:04}.jpg"), Q=88
        )
    made = sorted(folder.glob("*.jpg"))
    for number in range(different, count):
        shutil.copyfile(made[number % different], folder / f"IMG_{number:04}.jpg")
    return sorted(folder.glob("*.jpg"))


def vipsthumbnail(photos: list[Path], folder: Path) -> float:
    """Run the peer: 25 files a process, two processes, one size after the other."""
    started = time.monotonic()
    for size in (1600, 320):
        target = folder / str(size)
        target.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [
                "xargs",
                "-P2",
                "-n25",
                "vipsthumbnail",
                "--size",
                str(size),
                "-o",
                f"{target}/%s.jpg[Q=80]",
            ],
            input="\n".join(map(str, photos)).encode(),
            check=True,
        )
    return time.monotonic() - started


def main() -> dict[str, float]:
    """Print the medians of interleaved rounds and their ratio."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(
        prefix="tidemill-photos-", dir=os.environ.get("TMPDIR")
    ) as name:
        folder = Path(name)
        photos = make_photos(folder)
        size = sum(photo.stat().st_size for photo in photos) / len(photos) / 1e6
        print(f"{len(photos)} photos of 12 MP, {size:.1f} MB each, to 1600 px and 320 px")
        with site(workers=2):
            for number in range(ROUNDS):
                keys = arrive(photos, "image/jpeg")
                job, seconds = run_job(
                    keys, "image.convert", {"sizes": [1600, 320], "format": "jpeg", "quality": 80}
                )
                assert job.items_done == len(photos), job.state
                ours.append(seconds)
                theirs.append(vipsthumbnail(photos, folder / f"out-{number}"))
                print(
                    f"  round {number + 1}: Tidemill {ours[-1]:.1f} s, vipsthumbnail {theirs[-1]:.1f} s"
                )
    mine, peer = statistics.median(ours), statistics.median(theirs)
    print(
        f"median: Tidemill {mine:.1f} s ({len(photos) / mine:.1f}/s), vipsthumbnail {peer:.1f} s, ratio {peer / mine:.2f}"
    )
    return {"tidemill_s": mine, "vipsthumbnail_s": peer, "times_faster": peer / mine}


if __name__ == "__main__":
    main()
