"""The child's program alone: one JSON request in, JSON lines out, no sandbox around it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ENVIRONMENT = {"PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)]), "PATH": "/usr/bin"}
PROGRAM = [sys.executable, "-P", "-s", "-m", "uploads.operations.child"]


def _request(folder: Path, operation: str, *contents: str, **facts: Any) -> dict[str, Any]:
    items = []
    for number, text in enumerate(contents):
        source = folder / f"source-{number}"
        source.write_text(text)
        items.append(
            {"key": f"i{number}", "name": "a.txt", "media_type": "text/plain", "path": str(source)}
        )
    made = {
        "module": "child_operations",
        "operation": operation,
        "call": "run",
        "options": {},
        "files": {},
        "limits": {},
        "confine": None,
        "out": str(folder / "out"),
        "items": items,
    }  # fmt: skip
    return {**made, **facts}


def _serve(request: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    done = subprocess.run(
        PROGRAM,
        input=json.dumps(request).encode(),
        env=ENVIRONMENT,
        capture_output=True,
        timeout=30,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def test_an_item_is_started_reported_and_done(tmp_path: Path) -> None:
    messages, errors = _serve(_request(tmp_path, "child.write", " world"))
    path = tmp_path / "out" / "i0" / "source.txt"
    assert messages == [
        {"t": "start", "item": "i0"},
        {"t": "progress", "item": "i0", "value": 0.25, "note": "a quarter"},
        {"t": "log", "item": "i0", "text": "look at it", "level": "warning"},
        {"t": "output", "item": "i0", "path": str(path), "role": "preview", "meta": {"letters": 3}},
        {"t": "done", "item": "i0"},
    ]
    assert path.read_text() == "hello world"
    assert errors == "said aloud\n"


def test_a_bad_input_ends_its_item_and_the_next_goes_on(tmp_path: Path) -> None:
    messages, _ = _serve(_request(tmp_path, "child.write", "", "good"))
    error = next(message for message in messages if message["t"] == "error")
    assert error == {
        "t": "error",
        "item": "i0",
        "code": "empty_file",
        "values": {"name": "a.txt"},
        "fault": "input",
        "detail": "",
    }
    assert messages[-1] == {"t": "done", "item": "i1"}


@pytest.mark.parametrize(("asked", "share"), [(10.0, 0.25), (60.0, 1.0), (None, 1.0)])
def test_an_operation_knows_how_much_a_sample_wants(
    tmp_path: Path, asked: float | None, share: float
) -> None:
    messages, _ = _serve(_request(tmp_path, "child.sample", "long", sample_seconds=asked))
    output = next(message for message in messages if message["t"] == "output")
    assert output["meta"] == {"sample_share": share}


def test_an_unexpected_error_is_the_operations_own_with_its_trace(tmp_path: Path) -> None:
    messages, _ = _serve(_request(tmp_path, "child.fail", "x"))
    assert (messages[1]["code"], messages[1]["fault"]) == ("operation_bug", "step")
    assert messages[1]["values"] == {"reason": "ZeroDivisionError: by nothing"}
    assert "child_operations.py" in messages[1]["detail"]


def test_an_option_that_is_a_file_becomes_its_path(tmp_path: Path) -> None:
    logo = tmp_path / "logo"
    logo.write_text(" and logo")
    request = _request(
        tmp_path,
        "child.write",
        "x",
        options={"title": "", "logo": "key"},
        files={"logo": str(logo)},
    )
    _serve(request)
    assert (tmp_path / "out" / "i0" / "source.txt").read_text() == "hellox and logo"


def test_a_plan_tells_its_parts(tmp_path: Path) -> None:
    messages, _ = _serve(_request(tmp_path, "child.write", "x", call="plan"))
    assert messages[1] == {
        "t": "parts",
        "item": "i0",
        "parts": [
            {"params": {"half": 1}, "weight": 2.5, "memory_bytes": None, "disk_bytes": None},
            {"params": {"half": 2}, "weight": 1.0, "memory_bytes": None, "disk_bytes": None},
        ],
    }


def test_a_join_gets_the_parts_files_in_order(tmp_path: Path) -> None:
    request = _request(tmp_path, "child.write", "x", call="join")
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    request["items"][0]["parts"] = [
        {"params": {}, "paths": [str(tmp_path / name)], "meta": [{}]} for name in ("one", "two")
    ]
    _serve(request)
    assert (tmp_path / "out" / "i0" / "source.txt").read_text() == "onetwo"


def test_an_operation_of_all_inputs_gets_them_all(tmp_path: Path) -> None:
    request = _request(tmp_path, "child.all", "x")
    item = request["items"][0]
    item["paths"] = [item.pop("path")] * 3
    _serve(request)
    assert (tmp_path / "out" / "i0" / "count.txt").read_text() == "3"


@pytest.mark.parametrize(
    ("module", "operation", "code"),
    [
        ("child_operations", "child.unknown", "operation_gone"),
        ("no_such_module", "child.write", "operation_gone"),
        ("uploads.operations.no_such", "child.write", "operation_gone"),
    ],
)
def test_an_operation_that_is_not_there_fails_every_item(
    tmp_path: Path, module: str, operation: str, code: str
) -> None:
    messages, _ = _serve(_request(tmp_path, operation, "x", "y", module=module))
    assert [(message["t"], message["code"]) for message in messages] == [("error", code)] * 2


def test_sigterm_cancels_at_the_next_report(tmp_path: Path) -> None:
    request = json.dumps(_request(tmp_path, "child.slow", "x", "y")).encode()
    child = subprocess.Popen(PROGRAM, stdin=-1, stdout=-1, env=ENVIRONMENT)
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(request)
        child.stdin.close()
        assert b'"start"' in child.stdout.readline()
        assert b'"progress"' in child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        rest = child.stdout.read()
        assert child.wait(5) == 0
    assert b'"done"' not in rest
    assert b'"error"' not in rest
    assert b"i1" not in rest


def test_the_child_loads_no_django() -> None:
    code = "import sys, uploads.operations.child; sys.exit('django' in sys.modules)"
    subprocess.run([sys.executable, "-P", "-c", code], env=ENVIRONMENT, check=True, timeout=30)
