"""A real server: `manage.py up` as a process with its own data folder, port and database."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError

from django.test import override_settings

from tests.support.databases import described, using
from uploads.work import kinship

ROOT = Path(__file__).resolve().parent.parent.parent
ODD = ROOT / "tests" / "odd"  # operations that behave as their files say, as a package would bring
STATIC = ROOT / "tests" / ".cache" / "static"
READY_SECONDS = 60


def wait_until(
    condition: Callable[[], object], seconds: float = 15, what: str | Callable[[], str] = ""
) -> None:
    """Wait until the condition holds; fail with its name when the time is over."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            said = what() if callable(what) else what
            raise AssertionError(f"not within {seconds} s: {said or condition.__name__}")
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One `up` with all its children; everything it starts is found by its data folder."""

    def __init__(
        self,
        folder: Path,
        database_url: str = "",
        flags: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self.data = folder
        self.database_url = database_url
        self.port = free_port()
        self.run_folder = Path(tempfile.mkdtemp(prefix="tmrun-", dir="/tmp"))
        self.log = folder.with_suffix(".log")
        self.flags = list(flags)
        self.extra = environment or {}
        self.process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._pairs: dict[str, dict[str, int]] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        values = {
            "TIDEMILL_DATA": str(self.data),
            "TIDEMILL_RUN_DIR": str(self.run_folder),
            "TIDEMILL_PORT": str(self.port),
            "TIDEMILL_WORKERS": "2",
            "PYTHONPATH": str(ODD),
            "TIDEMILL_OPERATIONS_PATH": str(ODD),
            **self.extra,
        }
        if self.database_url:
            values["DATABASE_URL"] = self.database_url
        return {**os.environ, **values}

    # --- life ----------------------------------------------------------------

    def start(self) -> None:
        """Start `up`; returns at once. Static files that an earlier server collected are reused."""
        if STATIC.exists() and not self.data.exists():
            shutil.copytree(STATIC, self.data / "static")
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", *self.flags],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Wait for the ready line and for all workers; fails with the log when `up` ends."""
        wait_until(self._is_ready, READY_SECONDS, "ready line and workers")

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.output()
        since = self.output()[self._log_start :]
        said = "Tidemill is ready" in since or "workers run" in since
        return said and ("--no-workers" in self.flags or len(self.workers()) == 4)

    def end(self) -> None:
        """Kill whatever is left and remove the run folder; the data folder is the test's."""
        if self.process is not None:
            for process in self.processes():
                _kill(process.pid)
            self.process.kill()
            self.process.wait(10)
        _remember_static(self.data / "static")
        shutil.rmtree(self.run_folder, ignore_errors=True)

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 30) -> int:
        """Signal `up` and return its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def reap(self, seconds: float = 10) -> int:
        """Wait for `up`, killed before, and return its status."""
        assert self.process is not None
        return self.process.wait(seconds)

    def output(self) -> str:
        return self.log.read_bytes().decode("latin-1")

    # --- processes -------------------------------------------------------------

    def processes(self) -> list[kinship.Process]:
        """Return every live process that carries this server's data folder in its environment."""
        mark = f"TIDEMILL_DATA={self.data}\0".encode()
        return [p for p in kinship.everyone() if p.state != "Z" and mark in _environment(p.pid)]

    def called(self, name: str) -> list[kinship.Process]:
        """Return the processes of this name, which a child of `up` gets and its own inherit."""
        return [p for p in self.processes() if _name(p.pid) == name]

    def role(self, name: str, lane: str = "cpu") -> int:
        """Return the pid of one role: up, web, sweep, main, sentinel, worker, pusher, monitor."""
        if name == "up":
            assert self.process is not None
            return self.process.pid
        if name in {"web", "sweep"}:
            return min(p.pid for p in self.called(name))
        main = self._main(lane)
        tree = self.processes()
        sentinel = next(p.pid for p in tree if p.parent == main)
        workers = self.workers(lane)
        others = sorted(p.pid for p in tree if p.parent == sentinel and p.pid not in workers)
        if name in {"monitor", "pusher"}:
            return self._told_apart(lane, others)[name]
        return {"worker": workers[0], "main": main, "sentinel": sentinel}[name]

    def _told_apart(self, lane: str, pair: list[int]) -> dict[str, int]:
        """Tell a sentinel's monitor from its pusher: it starts them in this order."""
        first, second = pair
        before = self._pairs.get(lane, {})
        swapped = before.get("monitor") == second or before.get("pusher") == first
        names = ("pusher", "monitor") if swapped else ("monitor", "pusher")
        self._pairs[lane] = dict(zip(names, pair, strict=True))
        return self._pairs[lane]

    def _main(self, lane: str) -> int:
        mains = {p.pid: p.parent for p in self.called(f"workers ({lane})")}
        return next(pid for pid, parent in mains.items() if parent not in mains)

    def workers(self, lane: str = "") -> list[int]:
        """Return the live workers' pids, as the run folder tells."""
        found = []
        for path in self.run_folder.glob(f"worker-{lane or '*'}-*"):
            pid, started = path.name.rsplit("-", 2)[1:]
            process = kinship.look(int(pid))
            if process and process.state != "Z" and process.start_time == started:
                found.append(int(pid))
        return sorted(found)

    def kill(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        os.kill(pid, number)

    # --- rows and pages ---------------------------------------------------------

    @contextmanager
    def rows(self) -> Iterator[None]:
        """Use this server's database, data folder and bell in the test's own process."""
        path = None if self.database_url else self.data / "db.sqlite3"
        with (
            using(described(self.database_url, path)),
            override_settings(TIDEMILL_DATA=str(self.data), TIDEMILL_RUN_DIR=str(self.run_folder)),
        ):
            yield

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of a page; 0 when the server does not answer."""
        try:
            with urllib.request.urlopen(self.address + path, timeout=5) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except HTTPError as error:
            with error:
                return error.code, error.read().decode(errors="replace")
        except (URLError, OSError):
            return 0, ""


def _remember_static(folder: Path) -> None:
    """Keep the collected files for later servers; several test runs may do this at once."""
    mine, kept = folder / ".sources", STATIC / ".sources"
    if not mine.exists() or (kept.exists() and kept.read_text() == mine.read_text()):
        return
    STATIC.parent.mkdir(exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=STATIC.parent))
    shutil.copytree(folder, fresh / "static")
    shutil.rmtree(STATIC, ignore_errors=True)
    with contextlib.suppress(OSError):
        (fresh / "static").rename(STATIC)
    shutil.rmtree(fresh, ignore_errors=True)


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes() + b"\0"
    except OSError:
        return b""


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
