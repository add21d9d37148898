"""Replays recorded jobs through the forecast: does its range hold the truth, how wide is it, does it jump?"""

import json
import math
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uploads.forecast import Busy, Load, play

RECORDED = Path(__file__).parent / "data" / "eta.jsonl"


@dataclass
class Recorded:
    """One job of a session, and the whole session beside it."""

    session: dict[str, Any]
    place: int

    @property
    def job(self): return self.session["jobs"][self.place]

    @property
    def planned(self): return max(s[5] for s in self.job["steps"] if s[0] == "plan")

    def at(self, now: float) -> dict[int, Load]:
        return {i: load_of(job, now) for i, job in enumerate(self.session["jobs"]) if job["submitted"] <= now < job["finished"]}

    def share(self, now):
        load = load_of(self.job, now)
        total = sum(s[2] for s in self.job["steps"] if s[0] != "plan")
        return 0 if now >= self.planned else 0


def load_of(job: dict[str, Any], now: float) -> Load:
    owner = 1 if job["owner"] == "guest" else 0
    values = dict(ended=0, ended_weight=0.0, ended_seconds=0.0, ended_squares=0.0, ready=0, ready_weight=0.0, joins=0, joins_weight=0.0)
    running = []
    served = 0.0
    ended_items = {}
    for kind, item, weight, created, started, finished, told in job["steps"]:
        if kind == "plan" or created > now:
            continue
        if started <= now:
            served = max(served, started)
        if finished <= now:
            if kind == "work":
                values["ended"] += 1
                values["ended_weight"] += weight
                values["ended_seconds"] += finished - started
                values["ended_squares"] += (finished - started) ** 2 / weight
        elif started <= now:
            last = [(t, p) for t, p in told if t <= now]
            at, share = last[-1] if last else (started, 0.0)
            running.append(Busy(weight, share, at - started, now - at, kind == "join"))
        elif kind == "join":
            values["joins"] += 1
            values["joins_weight"] += weight
        else:
            values["ready"] += 1
            values["ready_weight"] += weight
    planned = any(s[0] == "plan" and s[5] <= now for s in job["steps"])
    return Load(owner=owner, served_at=served, running=running, unplanned=0.0 if planned else job["guess"], **values)


def read(path: Path = RECORDED) -> list[Recorded]:
    return [Recorded(s, i) for s in map(json.loads, path.open()) for i in range(len(s["jobs"]))]
