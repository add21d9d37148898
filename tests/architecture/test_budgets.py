"""Budgets of the code: lengths of modules and functions, no promises in comments, no side doors."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES = 300
FUNCTION_LINES = 40

# A ratchet: these may shrink, and nothing may be added without a reason.
LONGER_MODULES: dict[str, tuple[int, str]] = {}
LONGER_FUNCTIONS: dict[str, tuple[int, str]] = {}

# The environment is read by the settings; these only pass it on or set Django's own variable.
ENVIRONMENT: dict[str, str] = {
    "project/settings.py": "the one reader",
    "project/asgi.py": "names the settings",
    "project/cli.py": "names the settings",
    "project/web.py": "names the settings",
    "uploads/management/commands/up.py": "passes on the run folder and the lane",
}


def modules() -> Iterator[Path]:
    """Return the product's modules, migrations left out."""
    for folder in ("project", "uploads"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Return each function of a module with its number of lines, docstring left out."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            docstring = 0
            if ast.get_docstring(node) is not None:
                docstring = (first.end_lineno or 0) - first.lineno + 1
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - docstring


@pytest.mark.parametrize("path", list(modules()), ids=named)
def test_modules_stay_short(path: Path) -> None:
    allowed, _ = LONGER_MODULES.get(named(path), (MODULE_LINES, ""))
    assert len(path.read_text().splitlines()) <= allowed


def test_functions_stay_short() -> None:
    found = {
        f"{named(path)}:{name}": lines
        for path in modules()
        for name, lines in functions(path)
        if lines > LONGER_FUNCTIONS.get(f"{named(path)}:{name}", (FUNCTION_LINES, ""))[0]
    }
    assert found == {}


def test_exceptions_are_still_needed() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in modules()}
    assert all(lengths.get(name, 0) > MODULE_LINES for name in LONGER_MODULES)
    longest = {f"{named(path)}:{name}": n for path in modules() for name, n in functions(path)}
    assert all(longest.get(name, 0) > FUNCTION_LINES for name in LONGER_FUNCTIONS)


@pytest.mark.parametrize("path", list(modules()), ids=named)
def test_every_module_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text))


def test_no_promises_in_comments() -> None:
    promise = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    paths = [*modules(), *(ROOT / "static" / "js").rglob("*.js"), *(ROOT / "templates").rglob("*")]
    found = [named(path) for path in paths if path.is_file() and promise.search(path.read_text())]
    assert found == []


def test_only_the_settings_read_the_environment() -> None:
    reads = re.compile(r"\bos\.(environ|getenv)\b")
    found = {named(path) for path in modules() if reads.search(path.read_text())}
    assert found <= set(ENVIRONMENT)


def test_imports_go_downwards_only() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout
