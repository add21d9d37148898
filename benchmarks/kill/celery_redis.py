"""Celery on Redis with late acknowledgement: a main process and two forked workers."""

import shutil
import subprocess
import time

from benchmarks.kill.engine import START_SECONDS, Peer, peers_python
from benchmarks.kill.net import accepts, free_port


class CeleryRedis(Peer):
    """`acks_late` and `reject_on_worker_lost`; Redis is infrastructure and never killed."""

    name = "Celery 5.7, Redis"
    note = (
        "prefork, 2 workers, acks_late, reject_on_worker_lost, prefetch 1, visibility_timeout "
        "6 s (its default of an hour would be the waiting time after a killed main process)."
    )

    def __init__(self, folder: object) -> None:
        super().__init__(folder)  # type: ignore[arg-type]
        self._port = free_port()
        self._redis: subprocess.Popen[bytes] | None = None

    @staticmethod
    def missing() -> str:
        """Return what this machine lacks, in words, or nothing."""
        if shutil.which("redis-server"):
            return ""
        return "there is no redis-server on this machine (apt-get install redis-server)"

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "KILL_REDIS": f"redis://127.0.0.1:{self._port}/0"}

    @property
    def program(self) -> list[str]:
        return [
            *(str(peers_python()), "-m", "celery", "-A", "celery_app", "worker", "-c", "2"),
            *("--without-gossip", "--without-mingle", "--loglevel", "WARNING"),
        ]

    def prepare(self) -> None:
        command = ["redis-server", "--port", str(self._port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self.folder), "--appendonly", "yes"]
        self._redis = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        until = time.monotonic() + START_SECONDS
        while not accepts(self._port) and time.monotonic() < until:
            time.sleep(0.05)
        self.start_client("celery_client.py")

    def worker_pids(self) -> list[int]:
        assert self.main is not None
        return self.children(self.main.pid)

    def manager_pids(self) -> list[int]:
        return [self.main.pid] if self.main and not self.ended() else []

    def close(self) -> None:
        super().close()
        if self._redis is not None:
            self._redis.kill()
            self._redis.wait()
