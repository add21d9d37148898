"""How soon a cancel has freed everything of a job: rows, processes and scratch folder."""

import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.odd import odd_site, processes_of_steps, submit_text, wait_for
from benchmarks.site import arrive, owner

ROUNDS = 5
BIG_MEGABYTES = 6000


def main() -> dict[str, float]:
    """Print, state by state, the seconds from the cancel until nothing is left."""
    with odd_site(TIDEMILL_OUTPUT_MAX_BYTES="20G") as running:
        from uploads.models import Step

        def in_work(kind: str) -> Callable[[Any], bool]:
            def reached(job: Any) -> bool:
                steps = Step.objects.filter(job=job, kind=kind, state="running")
                return steps.filter(progress__gt=0).exists()

            return reached

        def hashing(job: Any) -> bool:
            return any((running["folder"] / "store").glob(f"*/{job.key}")) or _is_written(running)

        film = make_film(running["folder"])
        slowest = {
            "planning": case(running, lambda: submit_text("slow plan", operation="test.lines"), in_work("plan")),
            "a batch": case(running, lambda: submit_text("fine", "wait 60"), in_work("work")),
            "FFmpeg": case(running, lambda: transcode(film), in_work("work")),
            "joining": case(running, lambda: submit_text("slow join\nb", operation="test.lines"), in_work("join")),
            "hashing": case(running, lambda: submit_text(f"grow {BIG_MEGABYTES}"), hashing),
            "deaf": case(running, lambda: submit_text("deaf"), in_work("work")),
        }  # fmt: skip
    for name, times in slowest.items():
        print(f"{name:10} " + "  ".join(f"{seconds:.2f}" for seconds in times))
    return {name: max(times) for name, times in slowest.items()}


def case(
    running: dict[str, Any], start: Callable[[], Any], reached: Callable[[Any], bool]
) -> list[float]:
    """Cancel a job of one kind some times, each when it has got there; return the seconds."""
    times = []
    for _ in range(ROUNDS):
        job = start()
        wait_for(partial(reached, job), f"the moment to cancel {job}")
        job.cancel("bench")
        begun = time.monotonic()
        wait_for(partial(_nothing_left, running, job), f"the end of {job}")
        times.append(time.monotonic() - begun)
    return sorted(times)


def _nothing_left(running: dict[str, Any], job: Any) -> bool:
    """Tell whether the job has ended and nothing of its steps is left."""
    from uploads.models import Job, Step

    return (
        Job.objects.filter(pk=job.pk).exclude(finished_at=None).exists()
        and not Step.objects.filter(job=job, state="running").exists()
        and not processes_of_steps(running["folder"])
        and not any((running["folder"] / "scratch").iterdir())
    )


def _is_written(running: dict[str, Any]) -> bool:
    """Tell whether the big file is whole, so that its child ends and its hash begins."""
    found = list((running["folder"] / "scratch").glob("*/out/*/big"))
    return any(path.stat().st_size == BIG_MEGABYTES << 20 for path in found)


def make_film(folder: Path) -> Path:
    """Make a film that takes long enough to be cancelled."""
    from uploads.operations.ffmpeg import program
    from uploads.operations.limits import Limits

    target = folder / "film.mp4"
    source = ("-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=30:d=20")
    command = [program(Limits()), "-nostdin", "-v", "error", *source, "-preset", "ultrafast"]
    subprocess.run([*command, str(target)], check=True)
    return target


def transcode(film: Path) -> Any:
    """Submit the film."""
    from uploads.work.submit import JobRequest, StageRequest, submit

    keys = arrive([film], "video/mp4")
    return submit(owner(), JobRequest([StageRequest("video.transcode")], keys, anew=True))


if __name__ == "__main__":
    main()
