"""Records how real jobs go, for `benchmarks.eta`: every step's times and every progress told.

One line a session: one job, or two of which the second arrives midway. Run it on a quiet machine:
`python -m benchmarks eta --record 200`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.site import ROOT, arrive, owner, site

LOOK_SECONDS = 0.1
KINDS = ("image", "image", "encode", "encode", "query")
PER_PROCESS = 25
ROWS = (8_000_000, 20_000_000)
QUESTIONS = (
    "SELECT a, count(DISTINCT c) AS n, max(b) AS b FROM data GROUP BY a ORDER BY n DESC, a",
    "SELECT id, a, sum(b) OVER (PARTITION BY a ORDER BY id) AS so_far FROM data",
    "SELECT c, string_agg(DISTINCT a::VARCHAR, ' ') AS all_a FROM data GROUP BY c ORDER BY c",
    "SELECT x.a, count(*) AS n FROM data x JOIN data y ON x.c = y.c AND x.a = y.a GROUP BY x.a",
)
# Scenes of a film, some hard to encode and some easy. Films are short and cut fine, so that a job
# of a minute has as many steps as a long film has in an hour.
SEGMENT_SECONDS = 4
SCENES = ("testsrc2", "mandelbrot", "cellauto=rule=110", "color=c=navy")


@dataclass
class Plan:
    """One job to run: its operation, options, files and what it counts as."""

    kind: str
    operation: str
    options: dict[str, Any]
    files: list[Path]
    media_type: str
    owner: str = "bench"


@dataclass
class Pool:
    """The files that jobs are made of."""

    photos: list[Path] = field(default_factory=list)
    films: list[Path] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)


def make_pool(folder: Path, random: Random) -> Pool:
    """Make pictures of 0.3 to 12 megapixels and films whose scenes differ in difficulty."""
    import imageio_ffmpeg
    import pyvips

    pool = Pool()
    for number in range(30):
        width = random.choice([640, 1024, 1600, 2400, 4000])
        soft = pyvips.Image.gaussnoise(40, 30, mean=128, sigma=70, seed=number).resize(width / 40)
        grain = pyvips.Image.gaussnoise(
            soft.width, soft.height, mean=0, sigma=random.choice([1, 5, 12]), seed=number
        )
        photo = soft.bandjoin([soft.fliphor(), soft.flipver()]) + grain
        path = folder / f"photo-{number:02}.jpg"
        photo.cast("uchar").copy(interpretation="srgb").jpegsave(str(path), Q=88)
        pool.photos.append(path)
    for number in range(6):
        pool.films.append(_film(folder, number, random, imageio_ffmpeg.get_ffmpeg_exe()))
    pool.tables = [_table(folder, rows) for rows in ROWS]
    return pool


def _table(folder: Path, rows: int) -> Path:
    import duckdb

    path = folder / f"table-{rows}.csv"
    columns = "i AS id, hash(i) % 1009 AS a, round(hash(i + 1) % 65537 / 7, 2) AS b, "
    columns += "'place ' || hash(i + 2) % 99730 AS c, TIMESTAMP '2024-01-01' + to_seconds(i) AS d"
    duckdb.sql(f"COPY (SELECT {columns} FROM range({rows}) t(i)) TO '{path}' (HEADER)")
    return path


def _film(folder: Path, number: int, random: Random, ffmpeg: str) -> Path:
    path = folder / f"film-{number}.mp4"
    size, scenes = random.choice(["640x360", "854x480"]), random.randint(12, 30)
    sources, joined = [], ""
    for place in range(scenes):
        scene, length = random.choice(SCENES), random.choice([4, 6, 10])
        mark = ":" if "=" in scene else "="
        grain = random.choice([0, 0, 8, 20])
        sources += ["-f", "lavfi", "-t", str(length), "-i", f"{scene}{mark}s={size}:r=30"]
        joined += f"[{place}:v]noise=alls={grain}:allf=t,format=yuv420p,setsar=1[v{place}];"
    joined += "".join(f"[v{place}]" for place in range(scenes)) + f"concat=n={scenes}[v]"
    command = [ffmpeg, "-v", "error", *sources, "-f", "lavfi", "-i", "sine=frequency=330"]
    command += ["-filter_complex", joined, "-map", "[v]", "-map", f"{scenes}:a", "-shortest"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-g", "60", "-c:a", "aac", str(path)]
    subprocess.run(command, check=True)
    return path


def plan(pool: Pool, random: Random, kinds: Sequence[str] = KINDS) -> Plan:
    """Choose one job at random."""
    kind = random.choice(kinds)
    if kind == "image":
        files = random.choices(pool.photos, k=random.choice([600, 1200, 2400]))
        if random.random() < 0.3:
            files.sort(key=lambda path: path.stat().st_size)  # the heavy ones last
        sizes = random.choice([[1600, 320], [800], [], [320]])
        target = random.choice(["jpeg", "jpeg", "webp"])
        if target == "webp":
            files = files[:400]
        return Plan(kind, "image.convert", {"format": target, "sizes": sizes}, files, "image/jpeg")
    if kind == "encode":
        films = random.choices(pool.films, k=random.choice([1, 2, 3]))
        speed = random.choice(["veryfast", "veryfast", "fast", "medium"])
        options = {"height": random.choice([240, 360]), "speed": speed, "copy_fitting": False}
        return Plan(kind, "video.transcode", options, films, "video/mp4")
    sql = ";\n".join(random.sample(QUESTIONS, random.choice([2, 3, 4])))
    return Plan(kind, "data.query", {"sql": sql}, [random.choice(pool.tables)], "text/csv")


def start(chosen: Plan) -> Any:
    """Submit a job on files that have arrived."""
    from django.contrib.auth.models import User

    from uploads.models import Upload
    from uploads.work.submit import JobRequest, StageRequest, submit

    person = User.objects.get_or_create(username=chosen.owner)[0]
    keys = arrive(chosen.files, chosen.media_type)
    Upload.objects.filter(key__in=keys).update(owner=person)
    return submit(
        person, JobRequest([StageRequest(chosen.operation, chosen.options)], keys, anew=True)
    )


class Failed(Exception):  # noqa: N818
    """A job did not succeed, so it says nothing about the time that jobs take."""


class Session:
    """One job from submit to end, perhaps with a second one; looked at ten times a second."""

    def __init__(self, plans: list[Plan], arrives: float, workers: int) -> None:
        self.plans = plans
        self.arrives = arrives
        self.workers = workers
        self.jobs: list[Any] = []
        self.told: dict[int, list[tuple[float, float]]] = {}

    def run(self) -> dict[str, Any]:
        """Run it and return what was seen; times are seconds since the first submit."""
        from uploads.models import Job

        self.zero = time.time()
        self.jobs.append(start(self.plans[0]))
        guesses = [self.jobs[0].weight_total]
        give_up = time.monotonic() + 600
        while time.monotonic() < give_up:
            self._look()
            if len(self.plans) > len(self.jobs) and self._share() >= self.arrives:
                self.jobs.append(start(self.plans[1]))
                guesses.append(self.jobs[1].weight_total)
            keys = [job.pk for job in self.jobs]
            if not Job.objects.filter(pk__in=keys, finished_at=None).exists():
                jobs = [self._told(*pair) for pair in enumerate(guesses)]
                return {"workers": self.workers, "jobs": jobs}
            time.sleep(LOOK_SECONDS)
        raise RuntimeError("a recorded job did not end within ten minutes")

    def _look(self) -> None:
        from uploads.models import Step

        for pk, share in Step.objects.filter(state="running").values_list("pk", "progress"):
            told = self.told.setdefault(pk, [])
            if share and (not told or told[-1][1] != share):
                told.append((round(time.time() - self.zero, 2), share))

    def _share(self) -> float:
        from uploads.models.glance import glance

        share: float = glance([type(self.jobs[0]).objects.get(pk=self.jobs[0].pk)])[0]["progress"]
        return share

    def _told(self, place: int, guess: float) -> dict[str, Any]:
        job, chosen = self.jobs[place], self.plans[place]
        job.refresh_from_db()
        if job.state != "succeeded":
            raise Failed(f"{job.name}: {job.state}")
        steps = [
            [
                step.kind,
                step.item_id or 0,
                round(step.weight, 3),
                self._at(step.created_at),
                self._at(step.started_at),
                self._at(step.finished_at),
                self.told.get(step.pk, []),
            ]
            for step in job.steps.order_by("pk")
        ]
        return {
            "kind": chosen.kind,
            "owner": chosen.owner,
            "guess": round(guess, 3),
            "files": len(chosen.files),
            "submitted": self._at(job.created_at),
            "finished": self._at(job.finished_at),
            "steps": steps,
        }

    def _at(self, moment: Any) -> float:
        return round(moment.timestamp() - self.zero, 2)


def sessions(random: Random, pool: Pool, workers: int, kinds: Sequence[str]) -> Iterator[Session]:
    """Choose sessions without end; in a quarter of them a second job arrives midway."""
    while True:
        plans = [plan(pool, random, kinds)]
        if random.random() < 0.25:
            plans.append(plan(pool, random, kinds))
            plans[1].owner = random.choice(["bench", "guest"])
        yield Session(plans, random.uniform(0.2, 0.6), workers)


def record(target: Path, jobs: int, seed: int, workers: int, kinds: Sequence[str]) -> None:
    """Append the sessions of one site, until so many jobs have been recorded, to a file."""
    random = Random(seed)
    os.environ["TIDEMILL_VIDEO_SEGMENT_SECONDS"] = str(SEGMENT_SECONDS)
    with tempfile.TemporaryDirectory(prefix="tidemill-eta-") as name:
        pool = make_pool(Path(name), random)
        with site(workers=workers):
            owner()
            done = 0
            for session in sessions(random, pool, workers, kinds):
                try:
                    seen = session.run()
                except Failed as failed:
                    print(f"  left out: {failed}", flush=True)
                    continue
                seen["load"] = round(os.getloadavg()[0], 1)
                with target.open("a") as lines:
                    lines.write(json.dumps(seen, separators=(",", ":")) + "\n")
                done += len(seen["jobs"])
                print(
                    f"  {done} of {jobs}: {', '.join(job['kind'] for job in seen['jobs'])}",
                    flush=True,
                )
                if done >= jobs:
                    return


def record_all(target: Path, jobs: int, kinds: Sequence[str]) -> None:
    """Record until so many jobs are in the file: two thirds with two workers, a third with one.

    What the file holds already counts, so that a broken run goes on, and one kind can be
    recorded anew alone: take its lines out and name it.
    """
    for number in count():
        lines = target.read_text().splitlines() if target.exists() else []
        done = sum(len(json.loads(line)["jobs"]) for line in lines)
        if done >= jobs:
            return
        workers = 1 if number % 3 == 2 else 2
        command = [sys.executable, "-m", "benchmarks.eta_record", str(target)]
        command += [str(min(PER_PROCESS, jobs - done)), str(done), str(workers), *kinds]
        subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    record(Path(sys.argv[1]), *map(int, sys.argv[2:5]), sys.argv[5:] or KINDS)
