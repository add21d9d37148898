"""A CSV of 1 GB: profile and group-by end to end, against bare DuckDB and, if there is one, pandas.

`--rows 1200000` takes a tenth; `--pandas PYTHON` names a Python that has pandas and pyarrow.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.site import arrive, run_job, site

ROWS = 12_000_000
ROUNDS = 3
PARQUET = "application/vnd.apache.parquet"
COLUMNS = """
    i AS trip, TIMESTAMP '2024-01-01' + to_seconds(i * 3) AS begun,
    ['card', 'cash', 'app'][1 + (hash(i) % 3)::INTEGER] AS paid, (hash(i + 1) % 265)::INTEGER AS pickup,
    (hash(i + 2) % 265)::INTEGER AS dropoff, 1 + (hash(i + 3) % 6)::INTEGER AS riders,
    round(((hash(i + 4) % 30000)::INTEGER) / 1000, 2) AS distance, round(3 + ((hash(i + 5) % 9000)::INTEGER) / 100, 2) AS fare,
    round(((hash(i + 6) % 1500)::INTEGER) / 100, 2) AS tip, round(((hash(i + 7) % 700)::INTEGER) / 100, 2) AS tolls,
    CASE WHEN (hash(i + 8) % 10)::INTEGER = 0 THEN NULL ELSE 'zone ' || (hash(i + 9) % 500)::INTEGER END AS zone,
    'driver ' || (hash(i + 10) % 20000)::INTEGER AS driver
"""
GROUP_BY = (
    "SELECT paid, pickup, count(*) AS n, sum(fare) AS fare, avg(tip) AS tip "
    "FROM {source} GROUP BY paid, pickup ORDER BY n DESC, pickup, paid"
)
BARE = """
import duckdb
print(len(duckdb.sql({sql!r}).fetchall()))
"""
PANDAS = """
import pandas
table = pandas.read_{kind}({path!r})
found = table.groupby(["paid", "pickup"]).agg(n=("trip", "size"), fare=("fare", "sum"), tip=("tip", "mean"))
print(len(found.sort_values("n", ascending=False)))
"""


def make_table(folder: Path, rows: int) -> Path:
    """Write taxi-like rows, about 100 bytes each."""
    import duckdb

    path = folder / "trips.csv"
    duckdb.sql(f"COPY (SELECT {COLUMNS} FROM range({rows}) t(i)) TO '{path}' (HEADER)")
    return path


def program(code: str, python: str = sys.executable) -> float:
    """Run a program and return its seconds, the start of Python included."""
    started = time.monotonic()
    subprocess.run([python, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


@contextmanager
def watched(process: int) -> Iterator[list[int]]:
    """Yield a list whose last number is the most memory (bytes) that an operation's processes held."""
    peak, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(0.1):
            peak.append(max(peak[-1], _operations_memory(process)))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def _operations_memory(process: int) -> int:
    from uploads.work.kinship import family

    held = 0
    for pid in family(process):
        try:
            if b"uploads.operations.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                held += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except OSError:
            continue
    return held * os.sysconf("SC_PAGE_SIZE")


def ours(keys: list[str], operation: str, options: dict[str, Any]) -> float:
    """Run a job to its end and return its seconds."""
    job, seconds = run_job(keys, operation, options)
    assert job.state == "succeeded", job.state
    return seconds


def compare(rounds: int, title: str, runs: dict[str, Any]) -> dict[str, float]:
    """Run each in turn, round after round; print and return the medians and the ratios to the first."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
    medians = {name: statistics.median(times) for name, times in found.items()}
    first = next(iter(medians.values()))
    shown = ", ".join(f"{n} {s:.2f} s ({s / first:.2f})" for n, s in medians.items())
    print(f"  {title}: {shown}", flush=True)
    return medians


def main(arguments: list[str]) -> None:
    """Print the medians of interleaved rounds, ratios to Tidemill's, and the peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--pandas", default="", metavar="PYTHON")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(
        prefix="tidemill-tables-", dir=os.environ.get("TMPDIR")
    ) as name:
        table = make_table(Path(name), asked.rows)
        print(f"{asked.rows:,} rows, {table.stat().st_size / 1e9:.2f} GB as CSV")
        with site(workers=2) as mill, watched(mill["process"].pid) as peak:
            _rounds(table, asked)
        print(f"  most memory of a step: {peak[-1] / 1e6:,.0f} MB")


def _rounds(table: Path, asked: argparse.Namespace) -> None:
    import duckdb

    csv = arrive([table], "text/csv")
    text, parquet = f"read_csv('{table}')", table.with_suffix(".parquet")
    sql = GROUP_BY.format(source="data")
    profile = {
        "Tidemill": lambda: ours(csv, "data.profile", {}),
        "bare SUMMARIZE": lambda: program(BARE.format(sql=f"SUMMARIZE FROM {text}")),
    }
    compare(asked.rounds, "profile of the CSV", profile)
    bare = BARE.format(sql=GROUP_BY.format(source=text))
    first = {
        "Tidemill": lambda: ours(csv, "data.query", {"sql": sql}),
        "bare DuckDB": lambda: program(bare),
    }
    if asked.pandas:
        read = PANDAS.format(kind="csv", path=str(table))
        first["pandas"] = lambda: program(read, asked.pandas)
    compare(asked.rounds, "group-by of the CSV", first)
    duckdb.sql(f"COPY (FROM {text}) TO '{parquet}' (FORMAT parquet, COMPRESSION zstd)")
    packed = arrive([parquet], PARQUET)
    again = {"Tidemill": lambda: ours(packed, "data.query", {"sql": sql})}
    if asked.pandas:
        reread = PANDAS.format(kind="parquet", path=str(parquet))
        again["pandas"] = lambda: program(reread, asked.pandas)
    compare(asked.rounds, "the same of Parquet, as every question after the first", again)


if __name__ == "__main__":
    main(sys.argv[1:])
