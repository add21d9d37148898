"""Wake-ups between processes: `work` (a lane has something ready) and `job` (a job's row moved).

A bell carries no facts and may be lost, late or repeated; every listener also
looks by itself now and then. On one machine it is a unix datagram to each
listener's socket in a short private folder; with PostgreSQL it is NOTIFY, so
it reaches other hosts as well. Ring after the commit, never before.
"""

import contextlib
import errno
import logging
import os
import select
import socket
import stat
import time
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import connection

WORK: Final = "work"
JOB: Final = "job"

log = logging.getLogger("tidemill.bell")

CHANNEL = "tidemill_{topic}"
DATAGRAM_BYTES = 256


def run_folder() -> Path:
    """Return the folder of the sockets, made private to this user."""
    folder = Path(settings.TIDEMILL_RUN_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077 or not stat.S_ISDIR(status.st_mode):
        raise PermissionError(f"{folder} is not a private folder of yours; set TIDEMILL_RUN_DIR.")
    return folder


def has_room() -> bool:
    """Tell whether the run folder can take another socket; one look at its file system."""
    try:
        status = os.statvfs(run_folder())
    except OSError:
        return False
    names_left = status.f_favail > 0 or status.f_files == 0  # some file systems count no names
    return names_left and status.f_bavail > 0


def ring(topic: str, name: str = "") -> None:
    """Wake every listener of a topic; `name` is a hint (a lane, a job's number)."""
    if connection.vendor == "postgresql":
        notify = "SELECT pg_notify(%s, %s)"
        if not connection.in_atomic_block:  # what carries no facts need not wait for the disk
            notify += ", set_config('synchronous_commit', 'off', true)"
        with connection.cursor() as cursor:
            cursor.execute(notify, [CHANNEL.format(topic=topic), name])
        return
    message = name.encode()[:DATAGRAM_BYTES]
    try:
        with _datagrams() as sender:
            for path in run_folder().glob(f"{topic}-*.sock"):
                _send(sender, path, message)
    except OSError as error:  # what was committed stays so, and whoever listens looks by itself
        log.warning("the bell %s could not be rung: %s", topic, error)


def _datagrams() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


def _send(sender: socket.socket, path: Path, message: bytes) -> None:
    try:
        sender.sendto(message, str(path))
    except (BlockingIOError, FileNotFoundError):
        pass  # a full queue wakes as well as one more message; a closed one needs no waking
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)  # its process was killed


class Listener:
    """Waits for a topic's bell; `fileno` fits any event loop.

    With PostgreSQL `take` and `wait` raise Django's `OperationalError` when the
    connection is lost; close the listener then, and open another after a pause.
    """

    def __init__(self, topic: str) -> None:
        self._postgresql = connection.vendor == "postgresql"
        if self._postgresql:
            self._open_postgresql(topic)
        else:
            self._open_socket(topic)

    def _open_socket(self, topic: str) -> None:
        self._path = run_folder() / f"{topic}-{os.getpid()}-{time.monotonic_ns() % 10**9}.sock"
        self._socket = _datagrams()
        try:
            self._socket.bind(str(self._path))
        except OSError as error:
            self._socket.close()
            if error.errno is not None and error.errno != errno.EINVAL:
                raise OSError(error.errno, error.strerror, str(self._path)) from error
            # The kernel takes about 107 bytes and calls more an invalid argument, Python a long path.
            raise OSError(
                f"{self._path}: {error}; set TIDEMILL_RUN_DIR to a short path."
            ) from error

    def _open_postgresql(self, topic: str) -> None:
        import psycopg

        parameters = connection.get_connection_params()
        own = {"autocommit", "context", "cursor_factory", "prepare_threshold"}
        chosen = {key: value for key, value in parameters.items() if key not in own}
        with connection.wrap_database_errors:
            self._connection = psycopg.connect(**chosen, autocommit=True)
            self._connection.execute(f"LISTEN {CHANNEL.format(topic=topic)}")

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the bell rings."""
        return self._connection.fileno() if self._postgresql else self._socket.fileno()

    def take(self) -> list[str]:
        """Return the names rung since the last call, without waiting."""
        if self._postgresql:
            with connection.wrap_database_errors:
                return [note.payload for note in self._connection.notifies(timeout=0)]
        names = []
        with contextlib.suppress(BlockingIOError):
            while True:
                names.append(self._socket.recv(DATAGRAM_BYTES).decode(errors="replace"))
        return names

    def wait(self, seconds: float) -> list[str]:
        """Wait until the bell rings or the time is over; return what was rung."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return self.take() if poll.poll(max(0, seconds) * 1000) else []

    def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._postgresql:
            self._connection.close()
        else:
            self._socket.close()
            self._path.unlink(missing_ok=True)
