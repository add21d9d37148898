"""A private PostgreSQL for one test run: unix socket only, no fsync, gone at the end."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psycopg

START_SECONDS = 30
MISSING = (
    "PostgreSQL's server programs (initdb, postgres) were not found; "
    "its half of the tests DOES NOT RUN. Install them: apt-get install postgresql"
)


def find_programs() -> Path | None:
    """Return the newest folder with initdb and postgres, or None."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    if found := shutil.which("initdb"):
        folders.insert(0, Path(found).resolve().parent)
    good = [folder for folder in folders if (folder / "postgres").exists()]
    return good[-1] if good else None


class PostgreSQL:
    """One server process; as root it runs as another user, for it refuses to be root.

    `options` are settings of the server beside the tests' own.
    """

    def __init__(self, programs: Path, **options: str) -> None:
        self.options = options
        self.programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="tmpg-", dir="/tmp"))
        self.user: list[str] = []
        if os.geteuid() == 0:
            owner = "postgres" if _exists("postgres") else "nobody"
            shutil.chown(self.folder, owner)
            self.user = ["setpriv", f"--reuid={owner}", f"--regid={_group(owner)}"]
            self.user += ["--clear-groups", "--pdeathsig=INT"]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        data = self.folder / "data"
        if not data.exists():
            self._run(
                "initdb", "-D", str(data), "-U", "tidemill", "-A", "trust", "-N", "-E", "UTF8"
            )
        options = {
            "listen_addresses": "",
            "fsync": "off",
            "max_connections": "80",
            "unix_socket_directories": str(self.folder),
            **self.options,
        }
        settings = [f"-c{name}={value}" for name, value in options.items()]
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.user, str(self.programs / "postgres"), "-D", str(data), *settings],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait()

    def stop(self, *, keep: bool = False) -> None:
        """End the server at once; connections are cut."""
        if self.process is not None:
            self.process.send_signal(2)
            self.process.wait(START_SECONDS)
            self.process = None
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
            Path(f"{self.folder}.log").unlink(missing_ok=True)

    def create(self, name: str, template: str = "template1") -> str:
        """Make a database, empty or as a copy of another, and return its DATABASE_URL."""
        self.drop(name)
        with self._connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, name: str) -> None:
        """Remove a database with whoever uses it; none is fine."""
        with self._connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def url(self, name: str) -> str:
        return f"postgresql://tidemill@/{name}?host={quote(str(self.folder))}"

    def _connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host=str(self.folder), user="tidemill", dbname="postgres", autocommit=True
        )

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self.user, str(self.programs / program), *arguments],
            check=True,
            capture_output=True,
            cwd="/tmp",
            timeout=START_SECONDS,
        )

    def wait(self) -> None:
        """Wait until the server takes connections."""
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self._connect().close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)


def _exists(user: str) -> bool:
    return subprocess.run(["id", user], capture_output=True, check=False).returncode == 0


def _group(user: str) -> str:
    return subprocess.run(
        ["id", "-g", user], capture_output=True, check=True, text=True
    ).stdout.strip()
