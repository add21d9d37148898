"""Compares files with a list of checksums and reports each as ok, changed, missing or extra."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from uploads.errors import InputError
from uploads.operations.base import Context, Output
from uploads.operations.listed import Entry, is_listed_so, read_list, shown
from uploads.operations.summing import Meter, Placed, checksum, placed

if TYPE_CHECKING:
    from uploads.operations.checksums import Verify

WORST_FIRST: Final = ("changed", "missing", "extra", "ok")
NAMED: Final = 3
Row = tuple[str, str, str, str]  # state, name, expected and found checksum


def verify(paths: Sequence[Path], step: "Context[Verify]") -> Iterator[Output]:
    """Yield the report as CSV and as JSON; what is not as it was is a warning."""
    files = placed(paths, step)
    chosen = step.options.manifest
    if chosen is None:
        chosen, files = _among(files, step)
    entries = read_list(chosen)
    rows = sorted(_rows(entries, files, step), key=lambda row: (WORST_FIRST.index(row[0]), row[1]))
    counts = {state: sum(row[0] == state for row in rows) for state in WORST_FIRST}
    for state in ("changed", "missing"):
        names = [row[1] for row in rows if row[0] == state]
        if names:
            step.warn(f"{len(names):,} {state}: {_some(names)}.")
    if counts["extra"]:
        extra = [row[1] for row in rows if row[0] == "extra"]
        step.log(f"{len(extra):,} not in the list: {_some(extra)}.")
    step.log(f"{counts['ok']:,} of {len(entries):,} are unchanged.")
    yield _table(step, rows, counts)
    yield _report(step, rows, counts)


def _among(files: list[Placed], step: "Context[Verify]") -> tuple[Path, list[Placed]]:
    """Return the list that lies among the files, and the other files."""
    lists = [place for place, source in enumerate(step.sources) if is_listed_so(source)]
    if len(lists) != 1:
        count = "none" if not lists else f"{len(lists)}"
        raise InputError(
            "manifest_unreadable",
            reason=f"none was chosen, and {count} of the files are called like one, "
            "such as SHA256SUMS.",
        )
    chosen = lists[0]
    return files[chosen].path, files[:chosen] + files[chosen + 1 :]


def _rows(entries: list[Entry], files: list[Placed], step: "Context[Verify]") -> Iterator[Row]:
    """Yield a row for each entry and each file of none; first those that are as they were.

    So of several files of one name, each goes with the entry that it fits.
    """
    here = _Here(files, _by_name if step.options.names == "name" else _by_path, step)
    left = []
    for entry in entries:
        if (file := here.same(entry)) is not None:
            yield "ok", file.name, entry.digest, entry.digest
        else:
            left.append(entry)
    for entry in left:
        if (file := here.called_so(entry)) is not None:
            yield "changed", file.name, entry.digest, here.checksum(file, entry.algorithms[-1])
        else:
            yield "missing", entry.name, entry.digest, ""
    for file in files:
        if file.name not in here.owners:
            yield "extra", file.name, "", ""


class _Here:
    """The files by what a list calls them, their checksums, each made once, and whose each one is."""

    def __init__(
        self, files: list[Placed], key: Callable[[str], str], step: "Context[Verify]"
    ) -> None:
        self.owners: dict[str, str] = {}
        self._key = key
        self._meter = Meter(step, sum(file.size for file in files), "comparing")
        self._files: dict[str, list[Placed]] = {}
        for file in files:
            self._files.setdefault(key(file.name), []).append(file)
        self._sums: dict[tuple[str, str], str] = {}
        self._alike: dict[tuple[str, str], dict[str, list[Placed]]] = {}

    def same(self, entry: Entry) -> Placed | None:
        """Return the file that an entry's checksum fits, and let it be this entry's."""
        for algorithm in entry.algorithms:
            found = self._by_sum(self._key(entry.name), algorithm).get(entry.digest, [])
            if (file := self._taken(found, entry)) is not None:
                return file
        return None

    def called_so(self, entry: Entry) -> Placed | None:
        """Return a file of the entry's name that is no other entry's, and let it be this one's."""
        return self._taken(self._files.get(self._key(entry.name), []), entry)

    def _taken(self, files: list[Placed], entry: Entry) -> Placed | None:
        # A list may hold a file twice, such as with two kinds of checksums.
        free = [file for file in files if self.owners.get(file.name, entry.name) == entry.name]
        file = next(
            (file for file in free if shown(file.name) == entry.name), free[0] if free else None
        )
        if file is not None:
            self.owners[file.name] = entry.name
        return file

    def checksum(self, file: Placed, algorithm: str) -> str:
        key = (file.name, algorithm)
        if key not in self._sums:
            self._sums[key] = checksum(file.path, algorithm, self._meter)
        return self._sums[key]

    def _by_sum(self, name: str, algorithm: str) -> dict[str, list[Placed]]:
        key = (name, algorithm)
        if key not in self._alike:
            self._alike[key] = {}
            for file in self._files.get(name, []):
                self._alike[key].setdefault(self.checksum(file, algorithm), []).append(file)
        return self._alike[key]


def _by_path(name: str) -> str:
    return shown(name)


def _by_name(name: str) -> str:
    return shown(name).rpartition("/")[2]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _table(step: "Context[Verify]", rows: list[Row], counts: dict[str, int]) -> Output:
    target = step.path("source-compared.csv")
    with target.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["state", "name", "expected", "found"])
        table.writerows(rows)
    return Output(target, meta={**counts, "media_type": "text/csv"})


def _report(step: "Context[Verify]", rows: list[Row], counts: dict[str, int]) -> Output:
    target = step.path("source-compared.json")
    files = [
        {"state": state, "name": name, "expected": expected, "found": found}
        for state, name, expected, found in rows
    ]
    text = json.dumps({**counts, "files": files}, indent=1, ensure_ascii=False)
    target.write_text(text + "\n", encoding="utf-8")
    return Output(target, role="report", meta=counts)
