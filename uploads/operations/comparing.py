"""Compares files with a list of checksums and reports each as ok, changed, missing or extra."""

import csv
import json
from collections.abc import Iterator, Sequence
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
    key = _by_name if step.options.names == "name" else _by_path
    here: dict[str, list[Placed]] = {}
    for file in files:
        here.setdefault(key(file.name), []).append(file)
    meter = Meter(step, sum(file.size for file in files), "comparing")
    seen: set[str] = set()
    for entry in entries:
        found = here.get(key(entry.name), [])
        if found:
            file = found.pop(0) if len(found) > 1 else found[0]
            seen.add(file.name)
            yield _compared(entry, file, meter)
        else:
            yield "missing", entry.name, entry.digest, ""
    for file in files:
        if file.name not in seen:
            yield "extra", file.name, "", ""


def _compared(entry: Entry, file: Placed, meter: Meter) -> Row:
    digest = ""
    for algorithm in entry.algorithms:
        digest = checksum(file.path, algorithm, meter)
        if digest == entry.digest:
            return "ok", file.name, entry.digest, digest
    return "changed", file.name, entry.digest, digest


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
