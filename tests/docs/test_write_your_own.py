"""The guide to an operation of one's own: every block on it is run, and keeps what it says."""

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import get_args

import pytest

from uploads.operations.options import FieldType, canonical, fields_of, parse_options, schema

ROOT = Path(__file__).resolve().parent.parent.parent
GUIDE = (ROOT / "docs/operations/write-your-own.md").read_text()
LINES = 25
CHECKOUT = ("manage.py", "project", "uploads", "templates", "static", "README.md", ".venv")

MORE_TESTS = """
from pathlib import Path
from mill_words import Options, longest, make, shout, strict
from uploads.operations import Context
from uploads.operations.contract import Contract

class TestStrict(Contract):
    operation = strict
    example = "one two"

class TestLongest(Contract):
    operation = longest
    example = "one two"

class TestShout(Contract):
    operation = shout
    example = "one two " * 200_000

class TestMake(Contract):
    operation = make

class Saying:
    def __init__(self):
        self.states = []
    def progress(self, fraction, note): ...
    def log(self, text, level): ...
    def checkpoint(self, state):
        self.states.append(state)

def test_the_checkpoint_is_enough_to_go_on(tmp_path):
    source = tmp_path / "source.txt"
    source.write_text("three\\n" + "a\\n" * 1500)
    said = Saying()
    [whole] = longest.run(source, Context(Options(), tmp_path, reporter=said))
    assert whole.read_text() == "5\\n"
    assert said.states[-1]["at"] > 1000
    source.write_text("gone" * 10)  # what came before is not read again
    [rest] = longest.run(source, Context(Options(), tmp_path, saved=said.states[-1]))
    assert rest.read_text() == "5\\n"
"""


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", GUIDE, re.S | re.M)


def files() -> dict[str, str]:
    """Return the guide's files, each made of the blocks that name it first."""
    found: dict[str, list[str]] = defaultdict(list)
    for block in blocks("python"):
        first, _, code = block.partition("\n")
        place = re.fullmatch(r"# ([\w/.]+)(, continued)?", first)
        assert place, f"no file is named: {first}"
        found[place.group(1)].append(code)
    return {place: "\n\n".join(codes) for place, codes in found.items()}


def run(command: list[str], folder: Path, **around: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **around},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pytest_in(folder: Path) -> str:
    return run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], folder)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The package that a reader of the guide has in the end."""
    for place, code in files().items():
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
    settings = f'[tool.pytest.ini_options]\npythonpath = [".", "{ROOT}"]\n'
    (tmp_path / "pyproject.toml").write_text(settings + "".join(blocks("toml")))
    return tmp_path


def test_an_operation_with_its_test_takes_the_lines_that_the_guide_promises() -> None:
    lines = [line for block in blocks("python")[:2] for line in block.splitlines()]
    assert len([line for line in lines if line and not line.startswith("#")]) == LINES
    assert f"{LINES} lines" in GUIDE


def test_every_operation_of_the_guide_keeps_the_contract(package: Path) -> None:
    (package / "tests" / "test_more.py").write_text(MORE_TESTS)
    assert "66 passed" in pytest_in(package)


def test_the_guides_code_is_clean_and_typed(package: Path) -> None:
    (package / "mill_words" / "__init__.py").write_text(blocks("python")[0].partition("\n")[2])
    run([sys.executable, "-m", "ruff", "check", "--no-cache", "--line-length=100", "."], package)
    around = {"MYPY_CACHE_DIR": str(package / "mypy"), "MYPYPATH": str(ROOT)}
    run([sys.executable, "-m", "mypy", "--strict", "-p", "mill_words"], package, **around)


def test_the_guides_commands_work_in_this_order(tmp_path: Path) -> None:
    checkout = tmp_path / "tidemill"
    checkout.mkdir()
    for name in CHECKOUT:
        (checkout / name).symlink_to(ROOT / name)
    (checkout / ".venv").unlink()
    (checkout / ".venv" / "bin").mkdir(parents=True)
    python = checkout / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    for block in blocks("sh"):
        run(["/bin/sh", "-e", "-c", block], checkout, TIDEMILL_DATA=str(tmp_path / "data"))
    (result,) = (checkout / "results").iterdir()
    assert result.name == "README-count.txt"
    words = [len(word) <= 8 for word in (ROOT / "README.md").read_text().split()]
    assert int(result.read_text()) == sum(words)
    shutil.rmtree(checkout)


def test_the_guide_shows_every_type_of_option_and_each_works() -> None:
    space: dict[str, object] = {"__name__": __name__}
    exec(files()["mill_words/options.py"], space)
    everything = space["Everything"]
    assert isinstance(everything, type)
    fields = fields_of(everything)
    assert {field.type for field in fields} == set(get_args(FieldType)) - {
        "connection"
    }  # asks no file, which is not for others
    assert all(field.help for field in fields)
    given = everything()
    assert parse_options(everything, canonical(given)) == given
    assert set(schema(everything)["properties"]) == {field.name for field in fields}
