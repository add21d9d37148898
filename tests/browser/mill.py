"""A whole server for the browser tests, and the people who sit before it."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.db import connection
from django.test import override_settings

from tests.support.server import Server

T = TypeVar("T")
BACKEND = "django.contrib.auth.backends.ModelBackend"


@dataclass(frozen=True)
class Person:
    """Somebody with a session; `pk` names their rows."""

    name: str
    pk: int
    session: str


class Mill:
    """The server, and one thread in which its rows are read: a browser's loop runs in the other."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.address = server.address
        self._thread = ThreadPoolExecutor(1)
        self._numbers = count(1)

    def rows(self, work: Callable[..., T], *values: Any) -> T:
        """Run something on the server's rows and return what it found."""
        return self._thread.submit(work, *values).result(60)

    def newcomer(self, **facts: Any) -> Person:
        """Return somebody who has nothing here yet."""
        return self.rows(_arrive, f"person{next(self._numbers)}", facts)

    def close(self) -> None:
        self.rows(lambda: connection.close())
        self._thread.shutdown()


def _arrive(name: str, facts: dict[str, Any]) -> Person:
    user = User(username=name, email=f"{name}@example.org", password="!", **facts)
    user.save()
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = BACKEND
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return Person(name, user.pk, str(session.session_key))


@contextmanager
def milling(folder: Path, **environment: str) -> Iterator[Mill]:
    """Run `up` on a folder of its own until the block ends."""
    server = Server(folder / "server", "", [], environment)
    server.start()
    try:
        server.wait_ready()
        secret = (server.data / "secret_key").read_text().strip()
        with server.rows(), override_settings(SECRET_KEY=secret):
            mill = Mill(server)
            try:
                yield mill
            finally:
                mill.close()
    finally:
        server.end()
        shutil.rmtree(folder, ignore_errors=True)
