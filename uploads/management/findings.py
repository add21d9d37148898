"""What `doctor` looks at: one small function each, which returns findings in words."""

import os
import platform
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from project.web import untried_versions
from uploads import bell
from uploads.conf import conf
from uploads.errors import StepError
from uploads.models.pulse import lanes
from uploads.operations.ffmpeg import program
from uploads.operations.registry import broken, operations
from uploads.storage import store
from uploads.work.bounds import operation_limits
from uploads.work.sandbox import level

Mark = Literal["ok", "off", "warn", "fault"]
GIB = 1024**3


@dataclass(frozen=True)
class Finding:
    """One line: `off` is a choice, `warn` works for now, `fault` has to be mended."""

    mark: Mark
    name: str
    text: str


Findings = Iterator[Finding]


def programs() -> Findings:
    """Versions of what is installed."""
    yield Finding("ok", "Python", f"{platform.python_version()} on {platform.platform()}")
    for name in ("django", "channels", "daphne", "twisted", "servestatic", "av"):
        yield _package(name)
    if untried := untried_versions():
        yield Finding("warn", "web server", untried)
    yield _kill_safe()
    yield _libvips()
    yield _ffmpeg()


def _package(name: str) -> Finding:
    try:
        return Finding("ok", name, version(name))
    except PackageNotFoundError:
        return Finding("fault", name, "is not installed; run `make run` again.")


def _kill_safe() -> Finding:
    # Importing it loads django-q2, which no other finding needs.
    from uploads.work.killsafe import TESTED

    found = version("django-q2")
    if found in TESTED:
        return Finding("ok", "django-q2", f"{found}, made kill-safe")
    known = ", ".join(sorted(TESTED))
    return Finding(
        "warn", "django-q2", f"{found}: kill-safety was tested with {known} only; run tests/crash."
    )


def _libvips() -> Finding:
    try:
        import pyvips
    except (ImportError, OSError) as error:
        return Finding("fault", "libvips", f"can't be loaded: {error}")
    return Finding("ok", "libvips", ".".join(str(pyvips.version(part)) for part in range(3)))


def _ffmpeg() -> Finding:
    try:
        path = program(operation_limits())
        done = subprocess.run([path, "-version"], capture_output=True, timeout=20, check=True)
    except StepError as error:
        return Finding("fault", "FFmpeg", str(error))
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("fault", "FFmpeg", f"does not run: {error}")
    first = done.stdout.decode(errors="replace").partition(" Copyright")[0]
    return Finding("ok", "FFmpeg", first.removeprefix("ffmpeg version "))


def offered() -> Findings:
    """Operations that need more than is installed, those of other packages, and what is wrong with them."""
    for made in operations().values():
        if made.lacks is not None:
            told = made.missing()
            yield Finding("off" if told else "ok", made.name, told or f"{made.label}: installed")
    foreign = [made for made in operations().values() if not made.module.startswith("uploads.")]
    for made in foreign:
        yield Finding("ok", made.name, f"of the package {made.module}")
    if not foreign and not broken():
        yield Finding("off", "of other packages", "none; see docs/operations/write-your-own.md.")
    for package in broken():
        yield Finding("warn", package.package, f"can't be used: {package.reason}")


def database() -> Findings:
    """Whether the database answers and has the tables of this version."""
    try:
        connection.ensure_connection()
        plan = _unapplied()
    except DatabaseError as error:
        yield Finding("fault", "database", f"does not answer: {error}".strip())
        return
    if connection.vendor == "sqlite":
        yield Finding("ok", "database", f"SQLite {sqlite3.sqlite_version}, write-ahead log")
    else:
        yield Finding("ok", "database", f"PostgreSQL {_postgresql_version()}")
    if plan:
        yield Finding("warn", "tables", f"{plan} migrations wait; `manage.py up` applies them.")
        return
    yield Finding("ok", "tables", "as this version needs them")
    yield from _people()
    yield from _workers()


def _unapplied() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _postgresql_version() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return str(cursor.fetchone()[0])


def _people() -> Findings:
    if get_user_model().objects.filter(is_superuser=True, is_active=True).exists():
        yield Finding("ok", "administrator", "there is one")
    else:
        yield Finding("off", "administrator", "none yet; `manage.py up` prints a set-up link.")


def _workers() -> Findings:
    for lane in lanes():
        if lane.workers:
            words = f"{lane.workers} alive, {lane.running} steps running, {lane.ready} waiting"
            yield Finding("ok", f"workers: {lane.lane}", words)
        elif lane.wanted:
            words = f"none alive, {lane.ready} steps waiting; start `manage.py up`."
            yield Finding("warn", f"workers: {lane.lane}", words)


def folders() -> Findings:
    """Whether the data folder is private, writable and has room."""
    root = Path(settings.TIDEMILL_DATA)
    yield _private(root, "data folder")
    yield _private(root / "secret_key", "secret key")
    if not os.access(root, os.W_OK):
        yield Finding("fault", "data folder", f"{root} can't be written by this user.")
    yield _room(root)
    try:
        yield Finding("ok", "wake-up sockets", str(bell.run_folder()))
    except OSError as error:
        yield Finding("fault", "wake-up sockets", str(error))


def _private(path: Path, name: str) -> Finding:
    if not path.exists():
        return Finding("fault", name, f"{path} is missing.")
    facts = path.stat()
    if facts.st_uid != os.getuid():
        return Finding("fault", name, f"{path} belongs to another user (number {facts.st_uid}).")
    if stat.S_IMODE(facts.st_mode) & 0o077:
        return Finding("fault", name, f"others may read {path}; run `chmod go-rwx {path}`.")
    return Finding("ok", name, str(path))


def _room(root: Path) -> Finding:
    free, total = store.free_bytes(), shutil.disk_usage(root).total
    words = f"{free / GIB:.1f} of {total / GIB:.0f} GiB; {conf.DISK_RESERVE_BYTES / GIB:.1f} GiB are kept free"
    if free < conf.DISK_RESERVE_BYTES:
        return Finding("fault", "free space", f"{words}: uploads are refused, work waits.")
    return Finding("ok", "free space", words)


def sandbox() -> Findings:
    """How well operations are shut in on this machine."""
    found = level()
    layers = ", ".join(found.layers) or "limits only"
    if found.name == "full":
        yield Finding("ok", "sandbox", f"full ({layers})")
    else:
        mark: Mark = "fault" if conf.SANDBOX == "require" else "warn"
        yield Finding(mark, "sandbox", f"reduced ({layers})")
    for reason in found.reasons:
        yield Finding("warn", "sandbox", reason)


def choices() -> Findings:
    """Settings that are off, or that need care."""
    if settings.DEBUG:
        yield Finding("warn", "debug", "is on: error pages show settings. Unset DJANGO_DEBUG.")
    if conf.PUBLIC_URL.startswith("https://"):
        yield Finding("ok", "public address", conf.PUBLIC_URL)
    elif conf.HOST in {"127.0.0.1", "::1", "localhost"}:
        yield Finding("off", "public address", "this machine only; see TIDEMILL_HOST.")
    else:
        yield Finding(
            "warn",
            "public address",
            f"{conf.HOST}:{conf.PORT} without https: passwords travel in the clear.",
        )
    if conf.EMAIL_URL:
        yield Finding("ok", "e-mail", f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}")
    else:
        yield Finding("off", "e-mail", "nothing is sent; see TIDEMILL_EMAIL_URL.")


SECTIONS: tuple[tuple[str, Callable[[], Findings]], ...] = (
    ("Programs", programs),
    ("Data", folders),
    ("Database", database),
    ("Operations", offered),
    ("Sandbox", sandbox),
    ("Choices", choices),
)
