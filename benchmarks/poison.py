"""What a poisoned file costs its neighbours: how long others' small jobs take beside it."""

import statistics
import time

from benchmarks.odd import odd_site, submit_text, wait_for

JOBS = 15
POISONS = ("hang", "spin 64", "breed 8", "shout", "fill 2000", "herd 8", "files 20000")


def main() -> dict[str, float]:
    """Print the seconds of a small job alone and beside each poison, and their ratio."""
    with odd_site(TIDEMILL_STEP_MIN_LIMIT_SECONDS="300"):
        measure()  # the first ones are slower
        quiet = measure()
        print(f"{'alone':12} p50 {quiet[0]:.2f} s, slowest {quiet[1]:.2f} s")
        return {name: beside(name, quiet) for name in POISONS}


def beside(name: str, quiet: tuple[float, float]) -> float:
    """Measure beside one running poison; return the ratio of the medians."""
    from uploads.models import Job

    poison = submit_text(name, name="poisoner")
    wait_until_running(poison)
    p50, slowest = measure()
    ended = Job.objects.get(pk=poison.pk).is_finished
    poison.cancel("bench")
    wait_for(Job.objects.filter(pk=poison.pk).exclude(finished_at=None).exists, f"{name}'s end")
    told = " (ended by its limit meanwhile)" if ended else ""
    print(f"{name:12} p50 {p50:.2f} s, slowest {slowest:.2f} s: {p50 / quiet[0]:.2f} times{told}")
    return p50 / quiet[0]


def wait_until_running(job: object) -> None:
    """Wait until the job's work step runs."""
    from uploads.models import Step

    steps = Step.objects.filter(job=job, kind="work")
    wait_for(steps.exclude(started_at=None).exists, f"the start of {job}")
    time.sleep(1)  # so that it is at its worst


def measure() -> tuple[float, float]:
    """Run small jobs one after the other; return the median and the slowest, in seconds."""
    from uploads.models import Job

    times = []
    for _ in range(JOBS):
        begun = time.monotonic()
        job = submit_text("fine")
        wait_for(
            Job.objects.filter(pk=job.pk).exclude(finished_at=None).exists, "a small job's end"
        )
        times.append(time.monotonic() - begun)
    return statistics.median(times), max(times)


if __name__ == "__main__":
    main()
