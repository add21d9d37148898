"""A small Tidemill to kill: data folder and database of its own, and processes forked into it.

One warmed process forks every role, so a life costs milliseconds; it opens no database and
starts no thread itself. A world can be copied, so that each point starts from the same bytes.
"""

import os
import pickle
import select
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import odd_operations
from django.core.management import call_command
from django.db import connection, connections
from django.test import override_settings

from tests.support.databases import described, using
from tests.support.killpoints import KILLED, Point, Switch
from tests.support.killpoints_arm import arm
from tests.support.postgresql import PostgreSQL
from uploads.operations import guard
from uploads.work import kinship, program
from uploads.work.machine import level

ROLE_SECONDS = 120.0
SURVIVOR_SECONDS = 10.0
MAILS = "tests.support.killpoints_mail.EmailBackend"

# Each change of a step's state, written down by the database itself.
STEP_LOG = {
    "sqlite": [
        "CREATE TABLE kill_log (id INTEGER PRIMARY KEY, step INTEGER, state TEXT)",
        """CREATE TRIGGER kill_log_step AFTER UPDATE OF state ON uploads_step
           WHEN OLD.state <> NEW.state
           BEGIN INSERT INTO kill_log (step, state) VALUES (NEW.id, NEW.state); END""",
    ],
    "postgresql": [
        "CREATE TABLE kill_log (id BIGSERIAL PRIMARY KEY, step BIGINT, state TEXT)",
        """CREATE FUNCTION kill_log_step() RETURNS trigger LANGUAGE plpgsql AS
           'BEGIN INSERT INTO kill_log (step, state) VALUES (NEW.id, NEW.state); RETURN NEW; END'""",
        """CREATE TRIGGER kill_log_step AFTER UPDATE ON uploads_step FOR EACH ROW
           WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION kill_log_step()""",
    ],
}


@dataclass(frozen=True)
class Ended:
    """How a forked process ended: killed by its switch, or with a value; its actions' labels."""

    killed: bool
    value: Any
    labels: list[str]


class World:
    """A data folder, a run folder and a database; empty until `fill` or a copy."""

    def __init__(self, server: PostgreSQL | None = None, name: str = "") -> None:
        self.server = server
        # Short: a socket's path has room for about a hundred letters.
        self.folder = Path(tempfile.mkdtemp(prefix="tm-kill-"))
        self.data, self.run = self.folder / "data", self.folder / "run"
        self.name = name or f"kill{os.getpid()}_{self.folder.name[8:].lower()}"

    # --- its life ----------------------------------------------------------------

    @classmethod
    def empty(cls, server: PostgreSQL | None = None) -> Self:
        """Return a world as it is before the first start."""
        world = cls(server)
        if server is not None:
            server.create(world.name)
        (world.data / "scratch").mkdir(parents=True)
        return world

    @classmethod
    def migrated(cls, server: PostgreSQL | None = None) -> Self:
        """Return a world with tables and the log of steps, to be copied."""
        level()  # tried once here instead of in every process
        world = cls.empty(server)
        world.do(_fill)
        return world

    def copy(self, name: str = "") -> "World":
        """Return another world that begins with the bytes and rows of this one."""
        other = World(self.server, name)
        shutil.copytree(self.folder, other.folder, symlinks=True, dirs_exist_ok=True)
        if self.server is not None:
            self.server.create(other.name, template=self.name)
        return other

    def end(self) -> None:
        """Remove all of it."""
        if self.server is not None:
            self.server.drop(self.name)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def database(self) -> dict[str, Any]:
        if self.server is None:
            return described("", self.data / "db.sqlite3")
        return described(self.server.url(self.name))

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Use this world's folders and database in this process."""
        changed = override_settings(
            TIDEMILL_DATA=str(self.data),
            TIDEMILL_RUN_DIR=str(self.run),
            FILE_UPLOAD_TEMP_DIR=str(self.data / "scratch"),
            STATIC_ROOT=self.data / "static",
            TIDEMILL_OPERATIONS_PATH=str(Path(odd_operations.__file__).parent),
            TIDEMILL_UNCLAIMED_KEEP_SECONDS=-1,  # what no row knows goes at once
            TIDEMILL_WORKERS=1,  # few batches, so that some hold several files
            TIDEMILL_EMAIL_URL="smtp://nowhere",
            TIDEMILL_MAIL_BATCH=True,
            TIDEMILL_REUSE=True,
            EMAIL_BACKEND=MAILS,
            PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        )
        with using(self.database), changed:
            program.stand_back = lambda *_: None  # politeness would make the sweep wait
            yield

    # --- its processes -------------------------------------------------------------

    def do(self, what: Callable[[], Any]) -> Any:
        """Run a function in a process of its own and return what it returns."""
        return self.fork(what).value

    def fork(
        self,
        what: Callable[[], Any],
        *,
        armed: bool = False,
        at: Point | None = None,
        spare: bool = False,
    ) -> Ended:
        """Run a function in a forked process, with the switch armed if asked; wait for its end."""
        labels_path = self.folder / "labels"
        reader, writer = os.pipe()
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            os.close(reader)
            guard.die_with_parent(parent)
            switch = None
            if armed or at:
                report = os.open(labels_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                switch = Switch(report, [self.data, self.run], at, spare=spare)
            self._live(what, writer, switch)
        os.close(writer)
        answer = _read(reader, pid)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        labels = labels_path.read_text().split("\n")[:-1] if armed or at else []
        self._check_survivors()
        if status == -signal.SIGKILL and at is not None:
            return Ended(True, None, labels)
        value, error = pickle.loads(answer) if answer else (None, f"it ended with {status}")
        assert not error, error
        return Ended(KILLED in labels, value, labels)

    def _live(self, what: Callable[[], Any], writer: int, switch: Switch | None) -> None:
        """Be the forked process; never returns to the test."""
        value, error = None, ""
        write = os.write
        try:
            with self.inside():
                if switch is not None:
                    arm(switch)
                value = what()
                connections.close_all()
        except BaseException:
            error = traceback.format_exc()
        finally:
            answer = memoryview(pickle.dumps((value, error)))
            while answer:
                answer = answer[write(writer, answer) :]
            os._exit(0)

    def _check_survivors(self) -> None:
        """See that no sandboxed child outlives its worker."""
        until = time.monotonic() + SURVIVOR_SECONDS
        while left := self._inhabitants():
            assert time.monotonic() < until, f"processes {left} outlived their worker"
            time.sleep(0.01)

    def _inhabitants(self) -> list[int]:
        found = []
        for process in kinship.everyone():
            try:
                inside = Path(f"/proc/{process.pid}/cwd").readlink().is_relative_to(self.folder)
            except OSError:
                continue
            if inside and process.state not in "ZX":
                found.append(process.pid)
        return found


def _fill() -> None:
    call_command("migrate", verbosity=0, interactive=False)
    log_steps()


def log_steps() -> None:
    """Have the database write down each change of a step's state."""
    with connection.cursor() as cursor:
        for statement in STEP_LOG[connection.vendor]:
            cursor.execute(statement)


def _read(reader: int, pid: int) -> bytes:
    """Read a process's answer to its end; one that takes too long is killed and fails."""
    until = time.monotonic() + ROLE_SECONDS
    answer = bytearray()
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while True:
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError(f"a role ran for more than {ROLE_SECONDS:g} seconds")
        piece = os.read(reader, 65536)
        if not piece:
            os.close(reader)
            return bytes(answer)
        answer += piece
