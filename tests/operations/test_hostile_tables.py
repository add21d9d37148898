"""Mutated tables of every kind: each ends in results or in a sentence of the catalogue, none hangs."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
import xlsxwriter

from tests.operations.conftest import ROOT, media_type
from tests.operations.hostile import mutated
from uploads.operations.contract.serving import layers
from uploads.operations.registry import find

OPERATIONS = ("data.profile", "data.convert", "data.split", "data.thin", "data.check")
FEW = 16
MANY = 5000
LIMIT_SECONDS = 120


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One sound file of each kind, some kilobytes each."""
    folder = tmp_path_factory.mktemp("sound")
    rows = [(n, f"name {n % 9}", n / 7, f"2024-03-{n % 28 + 1:02}") for n in range(400)]
    text = "id,name,value,day\n" + "".join(f'{a},"{b}",{c},{d}\n' for a, b, c, d in rows)
    (folder / "t.csv").write_text(text)
    (folder / "wide.csv").write_bytes(b"\xff\xfe" + text.replace(",", "\t").encode("utf-16-le"))
    objects = [{"id": a, "sub": {"name": b}, "list": [c, c]} for a, b, c, _ in rows]
    (folder / "t.json").write_text(json.dumps(objects))
    (folder / "t.ndjson").write_text("\n".join(map(json.dumps, objects)))
    duckdb.sql(f"COPY (FROM read_csv('{folder}/t.csv')) TO '{folder}/t.parquet'")
    with xlsxwriter.Workbook(str(folder / "t.xlsx")) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    with sqlite3.connect(folder / "t.sqlite") as database:
        database.execute("CREATE TABLE t (a, b, c, d)")
        database.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
    database.close()
    return sorted(folder.iterdir())


def spoilt(sound: list[Path], folder: Path, count: int) -> Iterator[Path]:
    """Return mutated files; the numbers in their names are the seeds."""
    for seed in range(count):
        source = sound[seed % len(sound)]
        path = folder / f"{source.stem}-{seed}{source.suffix}"
        path.write_bytes(mutated(source.read_bytes(), Random(seed)))
        yield path


def serve(operation: str, paths: list[Path], room: Path) -> dict[str, str]:
    """Let shut-in children work on the files; return for each its code, "" for success.

    A child that dies takes one file with it, as in a worker.
    """
    ended: dict[str, str] = {}
    while left := [path for path in paths if path.name not in ended]:
        messages = _child(operation, left, room)
        for message in messages:
            if message["t"] in {"done", "error"}:
                ended[message["item"]] = message.get("code", "")
        started = [message["item"] for message in messages if message["t"] == "start"]
        unfinished = [name for name in started if name not in ended]
        assert unfinished or len(ended) == len(paths)
        ended |= dict.fromkeys(unfinished, "decoder_crashed")
    return ended


def _child(operation: str, paths: list[Path], room: Path) -> list[dict[str, Any]]:
    rules = {
        "parent": os.getpid(),
        "profile": "decode",
        "layers": layers(),
        "inputs": str(paths[0].parent),
        "out": str(room),
        "read": [],
        "limits": {
            "memory_bytes": find(operation).memory_bytes,
            "cpu_seconds": 2 * LIMIT_SECONDS,
            "file_bytes": 10**9,
            "files": 256,
        },
    }
    items = [
        {"key": path.name, "name": path.name, "path": str(path), "media_type": media_type(path)}
        for path in paths
    ]
    request = {
        "module": find(operation).module,
        "operation": operation,
        "call": "run",
        "options": {},
        "limits": {"sheet_max_bytes": 50_000_000},
        "confine": rules,
        "out": str(room),
        "items": items,
    }
    command = [sys.executable, "-m", "uploads.operations.child"]
    run = subprocess.run(
        command,
        input=json.dumps(request).encode(),
        capture_output=True,
        cwd=ROOT,
        timeout=LIMIT_SECONDS + len(paths),
        check=False,
    )
    return [json.loads(line) for line in run.stdout.splitlines()]


def judge(ended: dict[str, str]) -> None:
    """Crashes of a decoder are borne, but rare; a fault of ours is none of these."""
    faults = {name: code for name, code in ended.items() if code == "operation_bug"}
    assert faults == {}
    crashes = sum(code == "decoder_crashed" for code in ended.values())
    assert crashes <= max(1, len(ended) // 50)
    assert any(code == "" for code in ended.values())
    assert any(code == "table_damaged" for code in ended.values())


@pytest.mark.parametrize("operation", OPERATIONS)
def test_spoilt_tables_end_in_words(operation: str, sound: list[Path], tmp_path: Path) -> None:
    folder, room = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    room.mkdir()
    judge(serve(operation, list(spoilt(sound, folder, FEW * len(sound))), room))


@pytest.mark.soak
def test_thousands_of_spoilt_tables_end_in_words(sound: list[Path], tmp_path: Path) -> None:
    folder, room = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    room.mkdir()
    paths = list(spoilt(sound, folder, MANY))
    ended: dict[str, str] = {}
    for start in range(0, len(paths), 200):
        ended |= serve("data.profile", paths[start : start + 200], room)
    judge(ended)


def test_a_long_question_stops_when_it_is_asked_to(
    child_process: Callable[..., subprocess.Popen[bytes]],
) -> None:
    with child_process("SELECT count(*) FROM range(100000000) a, range(100000) b") as running:
        assert running.stdout is not None
        for line in running.stdout:
            if b'"asking"' in line:
                break
        running.terminate()
        rest = running.stdout.read()
        assert running.wait(20) == 0
    assert b'"done"' not in rest
    assert b'"error"' not in rest


@pytest.fixture
def child_process(tmp_path: Path) -> Callable[..., "subprocess.Popen[bytes]"]:
    def start(sql: str) -> "subprocess.Popen[bytes]":
        source = tmp_path / "a.csv"
        source.write_text("x\n1\n")
        facts = {"name": "a.csv", "media_type": "text/csv"}
        item = {
            "key": "1",
            "name": "job",
            "media_type": "",
            "paths": [str(source)],
            "sources": [facts],
        }
        request = {
            "module": "uploads.operations.query",
            "operation": "data.query",
            "call": "run",
            "options": {"sql": sql},
            "limits": {},
            "out": str(tmp_path / "out"),
            "items": [item],
        }
        running = subprocess.Popen(
            [sys.executable, "-m", "uploads.operations.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert running.stdin is not None
        running.stdin.write(json.dumps(request).encode())
        running.stdin.close()
        return running

    return start
