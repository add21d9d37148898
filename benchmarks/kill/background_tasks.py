"""FastAPI's BackgroundTasks under uvicorn: two server processes that also run the tasks."""

import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from benchmarks.kill.engine import START_SECONDS, Peer, peers_python
from benchmarks.kill.net import free_port


class BackgroundTasks(Peer):
    """A task counts as accepted when the answer 202 has come; a cut request is sent again."""

    name = "FastAPI BackgroundTasks"
    note = "uvicorn with 2 worker processes, which it restarts itself."

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._port = free_port()

    @property
    def program(self) -> list[str]:
        return [
            *(str(peers_python()), "-m", "uvicorn", "fastapi_app:app", "--workers", "2"),
            *("--port", str(self._port), "--log-level", "warning"),
        ]

    def prepare(self) -> None:
        """There is no broker and there are no tables."""

    def submit(self, numbers: Sequence[int], seconds: float) -> None:
        for number in numbers:
            self._post(f"http://127.0.0.1:{self._port}/tasks/{number}?seconds={seconds}")

    def _post(self, address: str) -> None:
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                request = urllib.request.Request(address, method="POST")
                urllib.request.urlopen(request, timeout=5).close()
                return
            except (OSError, urllib.error.URLError):
                if time.monotonic() > until:
                    raise
                self.tend()
                time.sleep(0.02)

    def worker_pids(self) -> list[int]:
        assert self.main is not None
        return [pid for pid in self.children(self.main.pid) if b"spawn_main" in _command(pid)]

    def manager_pids(self) -> list[int]:
        return [self.main.pid] if self.main and not self.ended() else []

    def ping_address(self) -> str:
        return f"http://127.0.0.1:{self._port}/ping"


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
