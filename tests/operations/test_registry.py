"""What others install: it is offered, and what is broken neither stops the mill nor stays silent."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from odd_operations import LACKS

from tests.operations.conftest import ROOT, Told

GOOD = """
from dataclasses import dataclass
from uploads.operations import operation

@dataclass(frozen=True)
class Options:
    pass

@operation("{name}", label="Good", accepts=["text/*"], options=Options)
def good(source, step):
    "Do good."
    yield source
"""
BROKEN = {
    "mill_syntax": ("def f(:", "SyntaxError"),
    "mill_import": ("import no_such_library", "No module named 'no_such_library'"),
    "mill_exit": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "mill_late": (GOOD.format(name="late.good") + "\nraise RuntimeError('late')", "late"),
    "mill_taken": (GOOD.format(name="file.inspect"), "two operations are called"),
    "mill_name": (GOOD.format(name="Good"), "words.count"),
    "mill_text": (GOOD.format(name="text.x").replace('["text/*"]', '"text/*"'), "a list"),
    "mill_type": (GOOD.format(name="type.x").replace("    pass", "    x: dict = None"), "'x'"),
    "mill_bare": (GOOD.format(name="bare.x").replace("    pass", "    x: int"), "'x'"),
    "mill_preset": (
        GOOD.format(name="preset.x").replace(
            "options=Options)",
            "options=Options, presets=[__import__('uploads.operations').operations.Preset("
            "'a', 'A', 'A.', {'y': 1})])",
        ),
        "“y”",
    ),
    "mill_estimate": (
        GOOD.format(name="estimate.x").replace(
            "options=Options)", "options=Options, seconds=lambda s: None)"
        ),
        "float()",
    ),
}


def install(folder: Path, module: str, code: str) -> None:
    """Put a package into a folder as pip does."""
    (folder / f"{module}.py").write_text(code)
    facts = folder / f"{module}-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    (facts / "entry_points.txt").write_text(f"[tidemill.operations]\n{module} = {module}\n")


def asked(code: str, **environment: str) -> Any:
    """Return what a fresh process says, as JSON."""
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=60,
    )
    return json.loads(told.stdout)


def test_a_broken_package_is_named_with_its_reason_and_all_others_work(tmp_path: Path) -> None:
    for module, (code, _) in BROKEN.items():
        install(tmp_path, module, code)
    install(tmp_path, "mill_good", GOOD.format(name="good.good"))
    names, broken = asked(
        "import json; from uploads.operations.registry import broken, operations; "
        "print(json.dumps([list(operations()), {b.package: b.reason for b in broken()}]))",
        PYTHONPATH=str(tmp_path),
    )
    assert set(broken) == set(BROKEN)
    for module, (_, words) in BROKEN.items():
        assert words in broken[module], module
    assert {"good.good", "image.convert", "file.inspect"} <= set(names)
    assert not {"late.good", "type.x", "bare.x", "preset.x", "estimate.x"} & set(names)


def test_a_package_in_a_named_folder_needs_no_installing(tmp_path: Path) -> None:
    (tmp_path / "mill_near.py").write_text(GOOD.format(name="near.good"))
    project = '[project.entry-points."tidemill.operations"]\nnear = "mill_near"\n'
    (tmp_path / "pyproject.toml").write_text(project)
    names = asked(
        "import json; from uploads.operations.registry import look_in, operations; "
        f"look_in([{str(tmp_path)!r}]); print(json.dumps(list(operations())))"
    )
    assert "near.good" in names


def test_the_doctor_names_what_others_installed_and_what_is_broken(tmp_path: Path) -> None:
    install(tmp_path, "mill_good", GOOD.format(name="good.good"))
    install(tmp_path, "mill_import", "import no_such_library")
    told = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--no-color"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "TIDEMILL_DATA": str(tmp_path / "data")},
        timeout=120,
        check=False,
    )
    assert "✓ good.good" in told.stdout
    assert "! mill_import" in told.stdout and "no_such_library" in told.stdout


def test_a_host_that_lacks_what_an_operation_needs_says_so(
    child: Callable[..., Told], tmp_path: Path
) -> None:
    source = tmp_path / "words.txt"
    source.write_text("one two")
    (error,) = child("test.lacks", source, media_type="text/plain").of("error")
    assert (error["code"], error["fault"]) == ("operation_lacks", "step")
    assert error["values"] == {"operation": "Weave", "reason": LACKS}
    assert child("test.lacks", source, media_type="text/plain", options={"shout": True}).of("done")
