"""DuckDB in the child: locked in, watched and stoppable; it knows no kind of file and no operation.

A query runs in a thread; this one tells how far it is and interrupts it when nobody wants it
any more. DuckDB writes to its folder what does not fit into its memory.
"""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from uploads.errors import StepError
from uploads.operations.base import Context

LOOK_SECONDS = 0.1
GIVE_UP_SECONDS = 2.5
BATCH_ROWS = 2000
# Of a text; DuckDB would make its buffers sixteen times as large as the longest line.
LONGEST_LINE = 16 * 1024**2
BUFFER_BYTES = 2 * LONGEST_LINE
LEAST_MEMORY = 160 * 1024**2

# Of a connection, not of its database.
OWN_SETTINGS = (
    "SET errors_as_json = true",
    "SET enable_progress_bar = true",
    "SET enable_progress_bar_print = false",
    "SET TimeZone = 'UTC'",
)

Span = tuple[float, float]
Row = tuple[Any, ...]
WHOLE: Span = (0.0, 1.0)


class QueryError(Exception):
    """DuckDB refuses or fails: `kind` and `reason` in its words.

    `position` is the byte of the statement where it happened, `name` what it does not know,
    `candidates` are likely names instead.
    """

    def __init__(self, kind: str, reason: str, facts: Mapping[str, str]) -> None:
        super().__init__(f"{kind}: {reason}")
        self.kind = kind
        self.reason = reason
        self.position = int(facts["position"]) if "position" in facts else None
        self.name = facts.get("name", "")
        self.missing = facts.get("error_subtype") in {"COLUMN_NOT_FOUND", "MISSING_ENTRY"}
        self.candidates = facts.get("candidates", "").split(",")


def within(span: Span, begin: float, end: float) -> Span:
    """Return a share of a span of the progress."""
    whole = span[1] - span[0]
    return span[0] + whole * begin, span[0] + whole * end


def name(text: str) -> str:
    """Return an identifier as SQL writes it."""
    return '"' + text.replace('"', '""') + '"'


def text(value: str | Path) -> str:
    """Return a text as SQL writes it."""
    return "'" + str(value).replace("'", "''") + "'"


class Duck:
    """One connection, its folder for what comes and goes, and the step that it works for."""

    def __init__(self, step: Context[Any], folder: Path, inputs: Sequence[Path]) -> None:
        import duckdb

        self.step = step
        self.folder = folder
        self._errors: type[Exception] = duckdb.Error
        self._done = 0.0
        self._thread = ThreadPoolExecutor(1)
        self.connection = duckdb.connect(config=_settings(step, folder))
        folders = [f"{path.parent}/" for path in inputs] + [f"{step.folder}/"]
        for setting in (*OWN_SETTINGS, *_locks(folders)):
            self.connection.execute(setting)

    def path(self, file: str) -> Path:
        """Return where to keep a file for as long as the work lasts."""
        return self.folder / file

    def rows(self, sql: str, span: Span | None = None, note: str = "") -> list[Row]:
        """Run one statement and return its rows; they must be few. Raises `QueryError`."""
        self._run(sql, span, note)
        found: list[Row] = self.connection.fetchall()
        return found

    def one(self, sql: str, span: Span | None = None, note: str = "") -> Any:
        """Run one statement and return its first value."""
        return self.rows(sql, span, note)[0][0]

    def batches(self, sql: str) -> Iterator[list[Row]]:
        """Run one statement and return its rows, however many, a batch at a time."""
        self._run(sql, None, "")
        while rows := self.connection.fetchmany(BATCH_ROWS):
            yield rows

    def columns(self, source: str) -> list[tuple[str, str]]:
        """Return name and type of every column of a source (`read_parquet(…)`, a view)."""
        return [(row[0], row[1]) for row in self.rows(f"DESCRIBE FROM {source}")]

    def _run(self, sql: str, span: Span | None, note: str) -> None:
        """Run a statement to its end; reports within the span, and looks for a wish to stop anyway."""
        begin, end = span or (self._done, self._done)
        running = self._thread.submit(self.connection.execute, sql)
        try:
            while not wait([running], LOOK_SECONDS).done:
                share = max(0.0, self.connection.query_progress()) / 100
                self.report(begin + (end - begin) * min(1.0, share), note)
        except BaseException:
            self.connection.interrupt()
            wait([running], GIVE_UP_SECONDS)
            raise
        try:
            running.result()
        except self._errors as error:
            raise _told(error, self.step.name) from error
        if span is not None:
            self.report(end, note)

    def report(self, share: float, note: str) -> None:
        """Tell the step's progress; it never goes back."""
        self._done = max(self._done, share)
        self.step.report(self._done, note)

    def statements(self, sql: str) -> list[tuple[str, str]]:
        """Return kind (`SELECT`, `COPY`, …) and text of each statement. Raises `QueryError`."""
        try:
            found = self.connection.extract_statements(sql)
        except self._errors as error:
            raise _told(error, self.step.name) from error
        return [(str(made.type).rpartition(".")[2], made.query) for made in found]

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self.connection.close()


def _settings(step: Context[Any], folder: Path) -> dict[str, Any]:
    limits = step.limits
    return {
        "memory_limit": f"{max(LEAST_MEMORY, limits.table_memory_bytes) // 1024**2}MiB",
        "threads": limits.table_threads or len(os.sched_getaffinity(0)),
        "temp_directory": str(folder / "spill"),
        "max_temp_directory_size": f"{limits.output_max_bytes // 1024**2}MiB",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
    }


def _locks(folders: Sequence[str]) -> list[str]:
    """Return what locks a connection in; the order counts, for the last one ends all settings."""
    allowed = ", ".join(text(path) for path in dict.fromkeys(folders))
    return [
        f"SET allowed_directories = [{allowed}]",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ]


def _told(error: Exception, item: str) -> Exception:
    """Return DuckDB's error as one that says what to do about it."""
    kind, _, said = str(error).partition(" Error: ")
    try:
        facts = json.loads(said)
    except ValueError:
        facts = {"exception_message": said or str(error)}
    reason = str(facts["exception_message"]).strip()
    if "No space left on device" in reason:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if kind == "Out of Memory":
        return StepError("out_of_memory", name=item, limit="its share", detail=reason)
    return QueryError(kind, reason, facts)


@contextmanager
def duck(step: Context[Any], inputs: Sequence[Path]) -> Iterator[Duck]:
    """Open a locked-in DuckDB; its folder is gone afterwards."""
    folder = step.path("work")
    folder.mkdir(exist_ok=True)
    made = Duck(step, folder, inputs)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


def first_line(reason: str) -> str:
    """Return the first sentence of what DuckDB says, for people."""
    line = reason.strip().partition("\n")[0].strip()
    return line if line.endswith((".", "!", "?")) else f"{line}."
