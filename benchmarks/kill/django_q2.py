"""Stock django-q2 on SQLite: two workers, a monitor and a pusher under a sentinel under a main."""

import subprocess

from benchmarks.kill.engine import APPS, Peer, peers_python

ROLES = ("worker", "worker", "monitor", "pusher")  # the order in which the sentinel starts them


class DjangoQ2(Peer):
    """Settings as its documents advise: `retry` above `timeout`, and no other help."""

    name = "django-q2 1.11.1, stock"
    note = "ORM broker on SQLite (WAL), 2 workers, timeout 5 s, retry 6 s."

    def __init__(self, folder: object) -> None:
        super().__init__(folder)  # type: ignore[arg-type]
        self._roles: dict[int, str] = {}
        self._sentinel = 0

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "DJANGO_SETTINGS_MODULE": "q2_settings"}

    @property
    def program(self) -> list[str]:
        return [str(peers_python()), "-m", "django", "qcluster"]

    def prepare(self) -> None:
        migrate = [str(peers_python()), "-m", "django", "migrate", "-v0"]
        subprocess.run(migrate, cwd=APPS, env=self.environment, check=True, stdout=self.log)
        self.start_client("q2_client.py")

    def _tree(self) -> dict[int, str]:
        """Tell the sentinel's children apart: a new one has the role of the one that went."""
        assert self.main is not None
        sentinels = self.children(self.main.pid)
        if not sentinels:
            return {}
        if sentinels[0] != self._sentinel:
            self._sentinel, self._roles = sentinels[0], {}
        alive = self.children(self._sentinel)
        self._roles = {pid: role for pid, role in self._roles.items() if pid in alive}
        free = list(ROLES)
        for role in self._roles.values():
            free.remove(role)
        for pid in alive:
            if pid not in self._roles and free:
                self._roles[pid] = free.pop(0)
        return self._roles

    def worker_pids(self) -> list[int]:
        return [pid for pid, role in self._tree().items() if role == "worker"]

    def manager_pids(self) -> list[int]:
        others = [pid for pid, role in self._tree().items() if role != "worker"]
        main = [self.main.pid] if self.main and not self.ended() else []
        return [*main, *([self._sentinel] if others else []), *others]
