"""Vendored browser code is what was fetched: every listed file, byte for byte, licence included."""

import hashlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("static/vendor", "tests/browser/vendor")


@pytest.mark.parametrize("folder", FOLDERS)
def test_vendored_files_are_unchanged(folder: str):
    listed = json.loads((ROOT / folder / "VENDORED.json").read_text())
    for package, files in listed.items():
        assert "LICENSE" in files
        for name, digest in files.items():
            data = (ROOT / folder / package / name).read_bytes()
            assert hashlib.sha256(data).hexdigest() == digest, f"{package}/{name}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_else_is_vendored(folder: str):
    listed = json.loads((ROOT / folder / "VENDORED.json").read_text())
    known = {f"{package}/{name}" for package, files in listed.items() for name in files}
    here = {
        str(path.relative_to(ROOT / folder))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.name != "VENDORED.json"
    }
    assert here == known
