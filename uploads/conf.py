"""Every setting and limit with its default, unit and help; values come from `project.settings`.

`project/settings.py` reads the environment for each name declared here;
docs/reference/settings.md is checked against the same list. Importing this
module needs no Django; reading a value does.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One setting: environment variable `TIDEMILL_<name>`, read once at start."""

    default: T
    unit: str
    help: str
    parse: Callable[[str], T]
    name: str = ""

    def __set_name__(self, owner: type, name: str) -> None:
        object.__setattr__(self, "name", name)

    @overload
    def __get__(self, instance: None, owner: type) -> "Setting[T]": ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> "Setting[T] | T":
        if instance is None:
            return self
        from django.conf import settings

        value: T = getattr(settings, f"TIDEMILL_{self.name}")
        return value


def _size(text: str) -> int:
    """Read a size in bytes; K, M, G and T (powers of 1024) may follow the number."""
    units = {"K": KIB, "M": MIB, "G": GIB, "T": 1024 * GIB}
    number = text.strip().upper().removesuffix("B").removesuffix("I")
    if number and number[-1] in units:
        return int(float(number[:-1]) * units[number[-1]])
    return int(number)


def _flag(text: str) -> bool:
    return text.strip().lower() in {"1", "true", "yes", "on"}


def number(default: int, unit: str, help: str) -> Setting[int]:
    return Setting(default, unit, help, int)


def seconds(default: float, help: str) -> Setting[float]:
    return Setting(default, "seconds", help, float)


def size(default: int, help: str) -> Setting[int]:
    return Setting(default, "bytes", help, _size)


def text(default: str, help: str) -> Setting[str]:
    return Setting(default, "text", help, str)


def flag(default: bool, help: str) -> Setting[bool]:
    return Setting(default, "0 or 1", help, _flag)


class Conf:
    """Typed, read-only view of the settings; one class attribute a setting."""

    DATA = text(
        "var", "Folder of the database, uploads, results and scratch; relative to manage.py."
    )
    HOST = text("127.0.0.1", "Address the web server listens on; 0.0.0.0 lets other machines in.")
    PORT = number(8000, "port", "Port the web server listens on.")
    PUBLIC_URL = text(
        "",
        "Address that people type, such as https://mill.example.org; for links in e-mails and safe cookies.",
    )
    WORKERS = number(
        os.cpu_count() or 2, "workers", "Workers of the `cpu` lane; `light` has one more."
    )
    FFMPEG = text(
        "", "Path of an FFmpeg program to use instead of the one that comes with the package."
    )
    SANDBOX = text(
        "auto", "auto: as strong as the machine allows; require: refuse to run anything below full."
    )
    OPERATIONS_PATH = text(
        "",
        "Folders, separated by ':', with packages of operations that are used without being installed.",
    )
    RUN_DIR = text(
        "",
        "Short private folder for wake-up sockets; empty chooses one below the temporary folder.",
    )
    EMAIL_URL = text(
        "", "smtp://user:password@host:587?from=mill@example.org; empty switches e-mail off."
    )
    MAIL_BATCH = flag(
        False, "Lets everybody send e-mails from tables; needs TIDEMILL_EMAIL_URL as well."
    )
    MAIL_PER_MINUTE = number(
        600, "letters", "Most e-mails of one job that are sent in a minute, whatever it asks for."
    )
    MAIL_MAX_LETTERS = number(10_000, "letters", "Most e-mails that one table may become.")

    DB_MAX_SECONDS = seconds(
        900, "Longest time that one question to a database may take, unless its connection says so."
    )
    DB_MAX_ROWS = number(
        50_000_000, "rows", "Most rows of one answer, unless its connection says otherwise."
    )
    DB_MAX_BYTES = size(
        10 * GIB, "Largest answer as a database sends it, unless its connection says otherwise."
    )
    DB_FOLDERS = text(
        "",
        "Folders, separated by ':', whose SQLite files may be registered; empty: any but Tidemill's own.",
    )

    UPLOAD_MAX_BYTES = size(200 * GIB, "Largest single file.")
    UPLOAD_KEEP_SECONDS = seconds(
        7 * 86400, "An upload expires this long after its last byte, unless a job uses it."
    )
    UPLOAD_IDLE_SECONDS = seconds(
        60, "A connection that sends no byte for this long is closed; the bytes stay."
    )
    UPLOAD_CHUNK_BYTES = size(
        64 * MIB,
        "Size of the pieces in which the browser sends a file; halved when a proxy answers 413.",
    )
    UPLOAD_WRITERS = number(
        8, "threads", "Threads of each web process that write and sync uploaded bytes."
    )
    FORM_MAX_BYTES = size(256 * MIB, "Largest plain form with files, the way without JavaScript.")
    JSON_MAX_BYTES = size(1 * MIB, "Largest JSON body of the API.")
    ACCEL_PREFIX = text(
        "",
        "Internal location of a proxy such as nginx that sends files by X-Accel-Redirect, "
        "ending in /; empty: Tidemill sends them.",
    )
    QUOTA_BYTES = size(100 * GIB, "Space that one user's uploads and results may take.")
    DISK_RESERVE_BYTES = size(
        2 * GIB, "Free space that is never used; uploads are refused and work waits below it."
    )

    JOB_MAX_FILES = number(10_000, "files", "Files that one job may have.")
    JOB_MAX_OPERATIONS = number(8, "operations", "Operations that may follow each other in a job.")
    SAMPLE_FILES = number(3, "files", "Files that a sample run tries the options on.")
    SAMPLE_SECONDS = seconds(
        10, "How much of a long recording a sample run does, where the operation can do a piece."
    )
    OWNER_MAX_JOBS = number(50, "jobs", "Unfinished jobs that one user may have.")
    OWNER_MAX_PRESETS = number(100, "presets", "Presets of their own that one user may keep.")
    OWNER_MAX_INFLIGHT = number(
        0, "steps", "Steps of one user that may run at once; 0 for no limit."
    )
    JOB_MAX_INFLIGHT = number(0, "steps", "Steps of one job that may run at once; 0 for no limit.")
    RESULT_KEEP_SECONDS = seconds(
        30 * 86400, "Finished jobs and their results are deleted after this time."
    )

    UNCLAIMED_KEEP_SECONDS = seconds(
        7 * 86400,
        "Stored files that no row knows, as after restoring an older database, are kept this long.",
    )

    REUSE = flag(
        True,
        "What an owner had done before is taken over when file, operation and options are equal.",
    )
    REUSE_MAX_BYTES = size(
        4 * GIB, "An item whose files are larger together is always done: to compare means to read."
    )
    STEP_SECONDS = seconds(3, "Target length of a step of small items.")
    LEASE_SECONDS = seconds(12, "A worker that does not renew a step for this long has lost it.")
    RENEW_SECONDS = seconds(4, "How often a worker renews the lease of a step without news.")
    OUTAGE_SECONDS = seconds(
        60, "A running step outlives a database that is away for this long; then it is given up."
    )
    DRAIN_SECONDS = seconds(20, "Time that running steps get to end when the server stops.")
    STEP_ATTEMPTS = number(
        3, "tries", "How often a step that fails is tried before it is given up."
    )
    STEP_CRASHES = number(
        5, "deaths", "How many worker deaths a step may cause before it is given up."
    )
    STEP_MAX_SECONDS = seconds(6 * 3600, "Longest time that one step may run.")
    STEP_MIN_LIMIT_SECONDS = seconds(
        300, "A step's time limit is at least this; otherwise 20 times its estimate."
    )

    DATABASE_SECONDS = seconds(
        20, "A database that does not answer, or stays locked, for this long counts as away."
    )
    WORK_MEMORY_BYTES = size(
        0,
        "Memory that the steps running at once on this host may need together; "
        "0: what the machine or its control group has, minus the reserve.",
    )
    MEMORY_RESERVE_BYTES = size(
        1 * GIB, "Memory of a worker host that is left to everything but steps; half of it at most."
    )
    MEMORY_MAX_BYTES = size(
        8 * GIB,
        "Most memory of one step: address space of each of its processes, real memory of all.",
    )
    OUTPUT_MAX_BYTES = size(100 * GIB, "Largest file that one step may write.")
    SCRATCH_MAX_BYTES = size(200 * GIB, "Most disk space that all files of one step may take.")
    SCRATCH_MAX_FILES = number(100_000, "files", "Most files that one step may make.")
    PROCESSES_MAX = number(
        512, "processes", "Most processes and threads that one step may have at once."
    )
    IMAGE_MAX_PIXELS = number(200_000_000, "pixels", "Largest image, width times height.")
    IMAGE_MAX_FRAMES = number(300, "frames", "Most frames or pages of one image.")
    ZOOM_MAX_PIXELS = number(
        4_000_000_000,
        "pixels",
        "Largest image to be cut into tiles: those are cut stripe by stripe, not in memory.",
    )
    VIDEO_MAX_PIXELS = number(
        7680 * 4320, "pixels", "Largest picture of a video, width times height."
    )
    VIDEO_MAX_SECONDS = seconds(24 * 3600, "Longest video.")
    VIDEO_SEGMENT_SECONDS = seconds(
        10, "Target length of the segments that workers encode side by side."
    )
    MEDIA_MAX_STREAMS = number(16, "streams", "Most tracks of one media file.")
    TABLE_MEMORY_BYTES = size(
        640 * MIB, "Memory of a question to tables; beyond that it works on the disk."
    )
    TABLE_THREADS = number(0, "threads", "Threads of a question to tables; 0 for every processor.")
    TABLE_MAX_COLUMNS = number(2000, "columns", "Most columns of one table.")
    TABLE_MAX_REJECTS = number(
        100_000, "rows", "A table of which more rows than this can't be read is refused."
    )
    PAGED_ROWS = number(
        100_000,
        "rows",
        "So many rows of an answer can be paged through in the browser, fewer of a wide one (a "
        "million cells); all are in its file.",
    )
    SHEET_MAX_BYTES = size(
        512 * MIB, "Largest Excel or OpenDocument file, unpacked; it is read in memory."
    )
    LOOK_BYTES = size(
        16 * MIB,
        "So much of a table is read to show its columns beside a question; larger Excel, JSON and "
        "SQLite files are not looked into.",
    )
    SHEET_MAX_CELLS = number(
        50_000_000, "cells", "Largest rectangle of an Excel sheet's cells, empty ones included."
    )
    ARCHIVE_MAX_FILES = number(
        20_000, "files", "Most files of one archive; links, folders and what is left out count too."
    )
    ARCHIVE_MAX_BYTES = size(100 * GIB, "Most bytes that one archive may unpack to.")
    ARCHIVE_MAX_RATIO = number(
        1000, "times", "An archive may unpack to its own size times this, or to 64 MiB."
    )

    LOGIN_TRIES = number(
        5, "tries", "Failed sign-ins per user and address in 15 minutes before a pause."
    )
    LIVE_CHECK_SECONDS = seconds(
        30, "How often a live connection's right to its job is looked up again."
    )
    SOCKETS_PER_USER = number(20, "sockets", "Live connections that one user may have open.")


conf = Conf()

SETTINGS: tuple[Setting[Any], ...] = tuple(
    value for value in vars(Conf).values() if isinstance(value, Setting)
)
