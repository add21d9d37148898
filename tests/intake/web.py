"""A real web server on its own data folder, and the people who use it."""

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "tests" / ".cache"
UVICORN = "uvicorn==0.40.0"

PEOPLE = """
import json
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from uploads.models import Token

def arrive(number):
    user = User(username=f"person{number}", password="!")
    user.save()
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return {"token": Token.issue(user, "tests")[1], "session": session.session_key}

print(json.dumps([arrive(number) for number in range(80)]))
"""


@dataclass(frozen=True)
class Person:
    token: str
    session: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Tus-Resumable": "1.0.0"}


class Web:
    """A web server process, its data and its people; `kind` is `daphne` or `uvicorn`."""

    def __init__(self, folder: Path, kind: str = "daphne", **settings: str) -> None:
        self.folder = folder
        self.kind = kind
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = {**_environment(folder), "TIDEMILL_PORT": str(self.port), **settings}
        found = json.loads((_prepared() / "people.json").read_text())
        self._people = [Person(**person) for person in found]
        shutil.copytree(_prepared() / "data", folder / "data")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "web.log").read_text()

    def newcomer(self) -> Person:
        """Return somebody who has nothing here yet."""
        return self._people.pop()

    def manage(self, code: str) -> str:
        """Run a few lines in the server's own settings and return what they print."""
        return _manage(self.environment, "shell", "-v0", "-c", code).strip()

    def file_of(self, location: str) -> Path:
        key = location.rpartition("/")[2]
        return self.folder / "data" / "incoming" / key[:2] / key

    def start(self) -> None:
        log = (self.folder / "web.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                self._command(), cwd=ROOT, env=self._search_path(), stdout=log, stderr=log
            )
        wait_for(self._answers, seconds=30)

    def stop(self) -> int:
        """Ask the server to stop; return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def rss_bytes(self) -> int:
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    def _command(self) -> list[str]:
        if self.kind == "daphne":
            return [sys.executable, "-m", "project.web"]
        options = ["--port", str(self.port), "--log-level", "warning", "--lifespan", "off"]
        return [sys.executable, "-m", "uvicorn", "project.asgi:application", *options]

    def _search_path(self) -> dict[str, str]:
        extra = str(CACHE / "uvicorn") if self.kind == "uvicorn" else ""
        return {**self.environment, "PYTHONPATH": extra}

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            return httpx.options(f"{self.url}/files/").status_code == 204
        except httpx.TransportError:
            return False


@contextmanager
def running(folder: Path, kind: str = "daphne", **settings: str) -> Iterator[Web]:
    """Run a web server on a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    web = Web(folder, kind, **settings)
    web.start()
    try:
        yield web
    finally:
        web.kill()


def _environment(folder: Path) -> dict[str, str]:
    own = ("TIDEMILL", "PYTHONDONTWRITEBYTECODE")  # uncompiled, a start takes seconds longer
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {
        **kept,
        "TIDEMILL_DATA": str(folder / "data"),
        "TIDEMILL_RUN_DIR": str(folder / "run"),
        "DJANGO_SETTINGS_MODULE": "project.settings",
    }


def _manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@cache
def _prepared() -> Path:
    """Return a folder with tables and people, made once and copied for each server."""
    folder = Path(tempfile.mkdtemp(prefix="tidemill-people-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _manage(_environment(folder), "migrate", "-v0")
    _manage(_environment(folder), "collectstatic", "-v0", "--noinput")
    people = _manage(_environment(folder), "shell", "-v0", "-c", PEOPLE)
    (folder / "people.json").write_text(people)
    return folder


def install_uvicorn() -> str:
    """Install the other server beside the tests; return why that is not possible, or ''."""
    target = CACHE / "uvicorn"
    if (target / "uvicorn").exists():
        return ""
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "-q", "--target", str(target), UVICORN],
        capture_output=True,
        timeout=120,
        check=False,
    )
    return "" if done.returncode == 0 else done.stderr.decode()[-300:]


def wait_for(condition: object, *, seconds: float = 10) -> None:
    """Wait until the condition holds; fail after the time."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
