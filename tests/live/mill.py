"""A real web process without workers, whose rows this process moves as workers would."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from django.contrib.auth.models import User
from django.db import connection
from django.test import override_settings

from tests.intake.web import ROOT, Person, Web
from tests.support.databases import described, using
from uploads.models import Token

T = TypeVar("T")


class Mill:
    """The web process and one thread in which this process works on its rows."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self._thread = ThreadPoolExecutor(1)

    def rows(self, work: Callable[..., T], *values: Any, **named: Any) -> T:
        """Run something on the server's rows; a browser's loop may run in the caller's thread."""
        return self._thread.submit(work, *values, **named).result(60)

    def owner(self, person: Person) -> User:
        return self.rows(Token.owner_of, person.token)

    def client(self, person: Person) -> httpx.Client:
        return httpx.Client(base_url=self.web.url, cookies={"sessionid": person.session})

    def close(self) -> None:
        self.rows(lambda: connection.close())
        self._thread.shutdown()


@contextmanager
def milling(folder: Path, *, static: bool = False, **settings: str) -> Iterator[Mill]:
    """Run a web process on its own data folder, and use its rows, bytes and bell here."""
    web = Web(folder, **settings)
    if static:
        collect_static(web)
    web.start()
    data = folder / "data"
    run_folder = web.environment["TIDEMILL_RUN_DIR"]
    own = override_settings(TIDEMILL_DATA=str(data), TIDEMILL_RUN_DIR=run_folder)
    with own, using(described("", data / "db.sqlite3")):
        mill = Mill(web)
        try:
            yield mill
        finally:
            mill.close()
            web.kill()


def collect_static(web: Web) -> None:
    """Put the static files where the web process serves them from."""
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "-v0", "--noinput"],
        cwd=ROOT,
        env=web.environment,
        check=True,
        timeout=60,
    )
