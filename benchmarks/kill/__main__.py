"""Kill several engines on one schedule and print what was lost: `python -m benchmarks.kill`.

A task works 0.3 to 0.5 s and has one durable effect. At each blow three tasks are handed
over: two before and one after it, or all after it when an idle worker is to die. Killed with
SIGKILL is an idle worker, a busy worker, a process that runs no tasks, or everything. Each engine is restarted
as systemd would with `Restart=always`; when nothing has started for 9 s (on a slow
machine: for twice the time of its start) although tasks wait, that counts as a standstill,
and the harness restarts it as a person would.

- lost: accepted, and without effect when nothing has moved for 20 s, twice, with a restart between
- doubled: tasks with more than one effect
- standstill: times that a person was needed
- rework: starts beyond each task's first
- next step: from the kill until any task starts
"""

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks.kill.background_tasks import BackgroundTasks
from benchmarks.kill.celery_redis import CeleryRedis
from benchmarks.kill.django_q2 import DjangoQ2
from benchmarks.kill.engine import CACHE, Engine, peers_python
from benchmarks.kill.report import put_into, table
from benchmarks.kill.schedule import Figures, Trial
from benchmarks.kill.tidemill import Tidemill

ENGINES: dict[str, type[Engine]] = {
    "tidemill": Tidemill,
    "django-q2": DjangoQ2,
    "celery": CeleryRedis,
    "fastapi": BackgroundTasks,
}
RESULTS = CACHE / "kill"


def main() -> int:
    """Run the engines asked for, then print the table of every figure there is."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that engines are ended, too
    RESULTS.mkdir(parents=True, exist_ok=True)
    if not asked.table:
        print(f"{os.cpu_count()} cores, {platform.python_version()}, load {os.getloadavg()[0]:.1f}")
        peers_python()
        for name in asked.engines or ENGINES:
            _run(name, asked.kills, asked.seed)
    found = [RESULTS / f"{name}.json" for name in ENGINES]
    text = table([Figures(**json.loads(path.read_text())) for path in found if path.exists()])
    print(text)
    if not asked.write:
        return 0
    if missing := [path.stem for path in found if not path.exists()]:
        print(f"{asked.write} is left as it is: there are no figures of {', '.join(missing)}.")
        return 1
    put_into(asked.write, text)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("engines", nargs="*", choices=[*ENGINES, []], help="all without any")
    parser.add_argument("--kills", type=int, default=75, help="kills of each engine")
    parser.add_argument("--seed", type=int, default=1, help="the schedule's; the same for all")
    parser.add_argument("--table", action="store_true", help="only print the last figures")
    parser.add_argument("--write", type=Path, help="a page whose table is to be renewed")
    return parser.parse_args()


def _run(name: str, kills: int, seed: int) -> None:
    """Run one engine and keep its figures."""
    engine = ENGINES[name]
    if engine is CeleryRedis and (missing := CeleryRedis.missing()):
        print(f"\n!!! {engine.name} IS LEFT OUT: {missing}\n", flush=True)
        return
    print(f"\n{engine.name}: {engine.note} Seed {seed}.", flush=True)
    with tempfile.TemporaryDirectory(prefix="tidemill-kill-") as folder:
        figures = Trial(
            engine(Path(folder)), kills, seed, lambda text: print(text, flush=True)
        ).run()
    (RESULTS / f"{name}.json").write_text(json.dumps(figures.as_json()))
    print(table([figures]), flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
