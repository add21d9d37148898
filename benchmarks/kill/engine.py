"""What the harness needs of an engine, and what the peers have in common; knows no schedule."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from uploads.work import kinship

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "benchmarks" / ".cache"
APPS = Path(__file__).parent / "apps"
RESTART_SECONDS = 0.1  # systemd's default RestartSec
START_SECONDS = 40.0


@dataclass(frozen=True)
class Line:
    """One start or effect: the task's number, Unix time, and the process where it is known."""

    number: int
    at: float
    pid: int = 0


class Engine(ABC):
    """One engine on a fresh folder. It is restarted as systemd would with `Restart=always`:

    when its main process has ended, what is left of it is killed and it is started again
    after 0.1 s. Nobody else helps it, until the harness calls `restart_by_hand`.
    """

    name: str
    note: str  # how it is set up, in a sentence
    workers = 2

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._down_since: float | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Make tables, start brokers and clients: what is never killed."""

    @abstractmethod
    def start(self) -> None:
        """Start the processes under test; returns at once."""

    @abstractmethod
    def ended(self) -> bool:
        """Tell whether the main process has ended."""

    @abstractmethod
    def processes(self) -> list[int]:
        """Return every live process under test."""

    @abstractmethod
    def worker_pids(self) -> list[int]:
        """Return the processes that run tasks."""

    @abstractmethod
    def manager_pids(self) -> list[int]:
        """Return the processes that run none."""

    @abstractmethod
    def submit(self, numbers: Sequence[int], seconds: float) -> None:
        """Hand over one task for each number; returns when the engine has accepted them.

        Negative seconds keep a core busy, as pictures and films do.
        """

    @abstractmethod
    def starts(self) -> list[Line]:
        """Return every start of a task so far, a repeated one again."""

    @abstractmethod
    def effects(self) -> list[Line]:
        """Return every effect of a task so far."""

    def fate(self, number: int) -> str:
        """Return what became of a task without effect, where the engine knows it."""
        return "nothing is known of it"

    def close(self) -> None:
        """End everything."""
        self.kill_all()

    def ping_address(self) -> str:
        """Return a page of the engine's own web server, or nothing."""
        return ""

    def burst(self, first: int, count: int) -> float:
        """Return how many tasks a second are done that do nothing, from the first submit on."""
        began = time.time()
        self.submit(range(first, first + count), 0.0)
        while time.time() - began < 60:
            done = [line for line in self.effects() if line.number >= first]
            if len({line.number for line in done}) >= count:
                return count / (max(line.at for line in done) - began)
            time.sleep(0.05)
        return len({line.number for line in self.effects() if line.number >= first}) / 60

    # --- restarts ------------------------------------------------------------

    def tend(self) -> None:
        """Restart the main process if it has ended."""
        if not self.ended():
            self._down_since = None
            return
        now = time.monotonic()
        self._down_since = self._down_since or now
        if now - self._down_since >= RESTART_SECONDS:
            self.kill_all()
            self.start()
            self._down_since = None

    def restart_by_hand(self) -> None:
        """Do what a person does when nothing moves any more."""
        self.kill_all()
        self.start()

    def kill_all(self) -> None:
        """Kill every process under test and wait until they are gone."""
        until = time.monotonic() + 10
        while (pids := self.processes()) and time.monotonic() < until:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.ended()  # reaps it
            time.sleep(0.02)


class Peer(Engine):
    """An engine in the peers' environment: its task is `apps/work.step`, its effect a line in a file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.main: subprocess.Popen[bytes] | None = None
        self.client: subprocess.Popen[str] | None = None
        self.log = (folder / "log").open("ab")

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**kept, "KILL_FOLDER": str(self.folder), "PYTHONPATH": str(APPS)}

    @property
    @abstractmethod
    def program(self) -> list[str]:
        """Return the command line of the main process."""

    def start(self) -> None:
        self.main = subprocess.Popen(
            self.program,
            cwd=APPS,
            env={**self.environment, "KILL_TARGET": "1"},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def ended(self) -> bool:
        return self.main is None or self.main.poll() is not None

    def processes(self) -> list[int]:
        mark = f"KILL_FOLDER={self.folder}\0".encode()
        found = []
        for process in kinship.everyone():
            with contextlib.suppress(OSError):
                environment = Path(f"/proc/{process.pid}/environ").read_bytes() + b"\0"
                if (
                    process.state != "Z"
                    and mark in environment
                    and b"KILL_TARGET=1\0" in environment
                ):
                    found.append(process.pid)
        return found

    def kill_all(self) -> None:
        """Kill the main process by its number: one that has just been started shows no environment."""
        if self.main is not None:
            self.main.kill()
            self.main.wait(10)
        super().kill_all()

    def children(self, parent: int) -> list[int]:
        return sorted(p.pid for p in kinship.everyone() if p.parent == parent and p.state != "Z")

    def start_client(self, script: str) -> None:
        self.client = subprocess.Popen(
            [str(peers_python()), script],
            cwd=APPS,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def submit(self, numbers: Sequence[int], seconds: float) -> None:
        assert self.client and self.client.stdin and self.client.stdout
        for number in numbers:
            self.client.stdin.write(f"{number} {seconds}\n")
            self.client.stdin.flush()
            assert self.client.stdout.readline() == "ok\n", f"see {self.folder / 'log'}"

    def starts(self) -> list[Line]:
        return self._lines("starts")

    def effects(self) -> list[Line]:
        return self._lines("effects")

    def _lines(self, name: str) -> list[Line]:
        path = self.folder / name
        if not path.exists():
            return []
        rows = (row.split() for row in path.read_text().splitlines())
        return [Line(int(row[0]), float(row[1]), int(row[2])) for row in rows if len(row) == 3]

    def close(self) -> None:
        super().close()
        if self.client is not None:
            self.client.kill()
            self.client.wait()
        self.log.close()


def peers_python() -> Path:
    """Return the Python of the peers' environment; made when there is none or the pins changed."""
    folder = CACHE / "peers"
    pins = Path(__file__).with_name("requirements.txt")
    stamp = folder / ".pins"
    if stamp.exists() and stamp.read_text() == pins.read_text():
        return folder / "bin" / "python"
    print("making the peers' environment …", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    python = folder / "bin" / "python"
    install = [*uv, "pip", "install", "-q", "--python", str(python), "-r", str(pins)]
    subprocess.run(install, check=True)
    stamp.write_text(pins.read_text())
    return python
