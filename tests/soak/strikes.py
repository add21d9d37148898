"""What a storm does to processes, and the operator who starts everything again; knows no jobs."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from tests.support.server import Server
from uploads.work import kinship

LANES = ("cpu", "light")
IN_LANES = ("worker", "pusher", "monitor", "sentinel", "main")
KILL, TERM, STOP = signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP
# Role and signal with their weights; "cluster" is all of a lane's, "everything" all there is.
KINDS: dict[tuple[str, signal.Signals], int] = {
    **{(role, KILL): 2 for role in (*IN_LANES, "web", "sweep", "up", "child")},
    ("busy worker", KILL): 5,
    ("cluster", KILL): 1,
    ("everything", KILL): 2,
    **{(role, TERM): 1 for role in (*IN_LANES, "cluster", "web", "sweep", "up", "child")},
    ("everything", TERM): 1,
    **{(role, STOP): 1 for role in (*IN_LANES, "busy worker", "web", "sweep", "up", "child")},
    ("cluster", STOP): 1,
    ("everything", STOP): 1,
}
LONGEST_STOP_SECONDS = 14.0


@dataclass(frozen=True)
class Strike:
    """One blow: when (Unix time), to which processes, and which lanes it concerns."""

    role: str
    signal: signal.Signals
    lanes: Sequence[str]
    pids: frozenset[int]
    at: float
    after: str = ""

    @property
    def kind(self) -> str:
        return f"{self.signal.name} {self.role}{self.after}"

    def __str__(self) -> str:
        lane = f" ({self.lanes[0]})" if len(self.lanes) == 1 else ""
        return f"{self.kind}{lane}, {len(self.pids)} process{'es' * (len(self.pids) > 1)}"


@dataclass
class _Frozen:
    """Processes that have been stopped, and what shall become of them when."""

    processes: list[kinship.Process]
    until: float
    signal: signal.Signals


@dataclass
class Operator:
    """Starts `up` again whenever it has ended, as systemd or a person does."""

    server: Server
    random: Random
    starts: int = 0

    def look(self) -> None:
        """Start it again if it has ended; left-over processes are killed first, or not."""
        assert self.server.process is not None
        if self.server.process.poll() is None:
            return
        if self.random.random() < 0.5:  # systemd's KillMode; a person just starts it again
            for process in self.server.processes():
                send(process, KILL)
        self.starts += 1
        self.server.start()


@dataclass
class Storm:
    """Draws blows at random and deals them; what is stopped goes on, or dies, some time later."""

    server: Server
    random: Random
    busy: "BusyWorkers"
    strikes: list[Strike] = field(default_factory=list)
    _frozen: list[_Frozen] = field(default_factory=list)

    def draw(self) -> tuple[str, signal.Signals, str]:
        """Return a role, a signal and a lane."""
        role, number = self.random.choices(list(KINDS), list(KINDS.values()))[0]
        return role, number, self.random.choices(LANES, (3, 1))[0]

    def strike(self, role: str, number: signal.Signals, lane: str) -> Strike | None:
        """Deal one blow; None when its victim is not there, in the middle of a restart."""
        try:
            victims = self._victims(role, lane)
        except (LookupError, ValueError, StopIteration):
            return None
        if not victims:
            return None
        lanes = [lane] if role in {*IN_LANES, "busy worker", "cluster", "child"} else list(LANES)
        after = self._freeze(role, victims) if number == STOP else ""
        for victim in victims:
            send(victim, number)
        pids = frozenset(victim.pid for victim in victims)
        self.strikes.append(Strike(role, number, lanes, pids, time.time(), after))
        return self.strikes[-1]

    def _victims(self, role: str, lane: str) -> list[kinship.Process]:
        server = self.server
        if role == "everything":
            return server.processes()
        if role == "cluster":
            main = server.role("main", lane)
            return [p for p in server.processes() if p.session == main]
        if role == "child":
            return self.random.sample(found, 1) if (found := self._children()) else []
        if role == "busy worker":
            pids = self.busy.pids(lane)
            pid = self.random.choice(sorted(pids & set(server.workers(lane))))
        elif role == "worker":
            pid = self.random.choice(server.workers(lane))
        else:
            pid = server.role(role, lane)
        process = kinship.look(pid)
        return [process] if process and process.state != "Z" else []

    def _children(self) -> list[kinship.Process]:
        """Return the sandboxed processes: what lives below the workers."""
        everyone = kinship.everyone()
        above = set(self.server.workers())
        found: list[kinship.Process] = []
        while below := [p for p in everyone if p.parent in above and p.state != "Z"]:
            found += below
            above = {p.pid for p in below}
        return found

    def _freeze(self, role: str, victims: list[kinship.Process]) -> str:
        """Plan the end of a stop: some go on in time, some past their lease, some never."""
        never = self.random.random() < 0.3
        seconds = LONGEST_STOP_SECONDS if never else self.random.uniform(0.5, LONGEST_STOP_SECONDS)
        number = KILL if never else signal.SIGCONT
        self._frozen.append(_Frozen(victims, time.monotonic() + seconds, number))
        return ", killed later" if never else ", continued"

    def thaw(self, *, everything: bool = False) -> None:
        """End the stops whose time is over."""
        now = time.monotonic()
        for frozen in [f for f in self._frozen if everything or now > f.until]:
            self._frozen.remove(frozen)
            for process in frozen.processes:
                send(process, frozen.signal)


class BusyWorkers:
    """Tells from the starts and ends that the log has shown which workers run a step."""

    def __init__(self) -> None:
        self._running: dict[int, tuple[str, int]] = {}

    def saw(self, what: str, step: int, lane: str, owner: str) -> None:
        if what == "running":
            self._running[step] = (lane, int(owner.rsplit(":", 2)[1]))
        else:
            self._running.pop(step, None)

    def pids(self, lane: str) -> set[int]:
        return {pid for of, pid in self._running.values() if of == lane}


def send(process: kinship.Process, number: signal.Signals) -> None:
    """Signal a process if it is still the same one."""
    now = kinship.look(process.pid)
    if now and now.start_time == process.start_time:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return
