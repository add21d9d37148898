"""How much the web process grows while 2 GB go up and 2 GB come down. Prints figures; no claims.

Run: `python benchmarks/web_memory.py [megabytes]`; starts its own server on its own data folder.
"""

import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.intake.client import Client
from tests.intake.web import Web, running

MIB = 1024 * 1024
PIECE = b"x" * MIB
WATCH_SECONDS = 0.02


class Watch:
    """Notes the largest memory of the web process while something runs."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.peak = 0

    def during(self, work: Callable[[], None]) -> float:
        """Run the work; return its seconds."""
        done = threading.Event()
        watcher = threading.Thread(target=self._look, args=(done,))
        watcher.start()
        began = time.monotonic()
        try:
            work()
            return time.monotonic() - began
        finally:
            done.set()
            watcher.join()

    def _look(self, done: threading.Event) -> None:
        while not done.wait(WATCH_SECONDS):
            self.peak = max(self.peak, self.web.rss_bytes())


def up(client: Client, location: str, size: int) -> None:
    with client.open_patch(location, 0, size) as connection:
        for _ in range(size // MIB):
            connection.sendall(PIECE)
        assert b" 204 " in connection.recv(4096)


def down(client: Client, location: str, size: int) -> None:
    request = (
        f"GET {location} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {client.person.token}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", client.web.port)) as connection:
        connection.sendall(request.encode())
        received = 0
        while piece := connection.recv(MIB):
            received += len(piece)
    assert received > size


def main(megabytes: int) -> None:
    size = megabytes * MIB
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as web:
        client = Client(web)
        for _ in range(2):  # the first request loads what every later one uses
            location = client.new(MIB)
            up(client, location, MIB)
            down(client, location, MIB)
        base = web.rss_bytes()
        location = client.new(size)
        for name, work in (("up", up), ("down", down)):
            watch = Watch(web)
            seconds = watch.during(lambda work=work: work(client, location, size))
            print(
                f"{name}: {megabytes} MiB in {seconds:.1f} s, {megabytes / seconds:.0f} MiB/s; "
                f"base {base / MIB:.0f} MiB, peak +{(watch.peak - base) / MIB:.0f} MiB"
            )
        Client.close_all()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2048)
