"""What has to be true before any child starts: lock, port, tables, static files, byte code, set-up link."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from compileall import compile_dir
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections, transaction

from uploads import operations
from uploads.models import SetupLink
from uploads.models.outage import outage

MIGRATION_LOCK = 0x7469_6465  # any number, the same on every host


@contextmanager
def in_words() -> Iterator[None]:
    """Let a full disk, or a database that is away, end the command with one sentence."""
    try:
        yield
    except (OSError, OperationalError) as error:
        trouble = outage(error)
        if trouble is None:
            raise
        if trouble.code == "disk_full":
            raise CommandError(
                f"There is no room on the disk with {settings.TIDEMILL_DATA}, "
                "or on the database's. Make room, then start again."
            ) from None
        raise CommandError(f"The database can't be used: {error}") from error


def compile_operations() -> None:
    """Write the operations' byte code as far as it is missing or old; takes milliseconds if it is not.

    A step's confined child may not write it, and would compile what it imports each time: 20 to
    30 ms of every step. Where the folder can't be written that stays so.
    """
    compile_dir(Path(operations.__file__).parent, quiet=2)


def lock_data_folder() -> int:
    """Take the data folder for this process; returns the descriptor that holds the lock.

    One `up` a data folder on SQLite. On PostgreSQL several hosts share the folder and each
    has one: a network file system would carry a lock of the folder to all of them.
    """
    shared = connection.vendor == "postgresql"
    name = f"up-{socket.gethostname()}.lock" if shared else "up.lock"
    descriptor = os.open(Path(settings.TIDEMILL_DATA) / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        other = os.read(descriptor, 20).decode() or "unknown"
        raise CommandError(
            f"Tidemill already runs on {settings.TIDEMILL_DATA} (process {other}). "
            "Stop it first, or set TIDEMILL_DATA to another folder."
        ) from None
    os.truncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def check_port(host: str, port: int) -> None:
    """Refuse to start when the address can't be listened on, with the reason in a sentence."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CommandError(
                    f"Port {port} is in use by another program. "
                    f"Stop it, or choose another: manage.py up --port {port + 1}"
                ) from None
            raise CommandError(f"Can't listen on {host}:{port}: {error.strerror}.") from None


def migrate() -> None:
    """Bring the tables up to date; on PostgreSQL one host at a time."""
    if connection.vendor != "postgresql":
        _migrate_at_once()
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        try:
            _migrate_at_once()
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])


def _migrate_at_once() -> None:
    """Apply all migrations or none.

    Django notes some only after their commit; killed in between, it would make the same table
    at every later start, and fail.
    """
    # SQLite takes no change of its foreign keys' checks within a transaction.
    with connection.constraint_checks_disabled(), transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                # With checks put off, a table that was just filled can't be altered.
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        call_command("migrate", interactive=False, verbosity=0)


def collect_static() -> None:
    """Copy and hash the static files when one of them has changed since the last time."""
    root = Path(settings.STATIC_ROOT)
    stamp = root / ".sources"
    found = _fingerprint()
    if not stamp.exists() or stamp.read_text() != found:
        call_command("collectstatic", interactive=False, verbosity=0, clear=root.exists())
        stamp.write_text(found)


def _fingerprint() -> str:
    digest = sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def setup_link() -> str | None:
    """Return the path of a new set-up link, or None when there is an administrator."""
    if get_user_model().objects.filter(is_superuser=True, is_active=True).exists():
        return None
    return f"/setup/{SetupLink.issue()}/"


def let_go_of_database() -> None:
    """Close every connection: the supervisor must not hold one across a fork or an outage."""
    connections.close_all()
