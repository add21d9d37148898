"""The guides keep what they promise: links lead somewhere, examples run, words are the glossary's."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from uploads.operations import Context
from uploads.operations.base import registered

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http", "mailto")):
            assert (page.parent / target).exists(), f"{page.name} points to {target}"


@pytest.fixture
def mill_words(tmp_path: Path) -> Iterator[ModuleType]:
    """The guide's own operations: the whole module and the one that goes on where it stopped."""
    guide = (ROOT / "docs/operations/write-your-own.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", guide, re.S)
    wanted = [
        next(block for block in blocks if name in block)
        for name in ("words.count", "words.longest")
    ]
    module = ModuleType("mill_words")
    sys.modules["mill_words"] = module
    exec("\n\n".join(wanted), module.__dict__)
    yield module
    del sys.modules["mill_words"]
    for name in ("words.count", "words.longest"):
        registered().pop(name, None)


def test_the_operation_in_the_guide_works(mill_words: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / "source.txt"
    source.write_text("one three\n")
    [made] = mill_words.count.run(source, Context(mill_words.Words(longest=3), tmp_path))
    assert Path(made).read_text() == "1\n"


def test_the_guides_checkpoint_is_enough_to_go_on(mill_words: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / "source.txt"
    source.write_text("three\n" + "a\n" * 1500)
    said = Saying()
    [whole] = mill_words.longest.run(source, Context(mill_words.Words(), tmp_path, reporter=said))
    assert whole.read_text() == "5\n"
    again = Context(mill_words.Words(), tmp_path, saved=said.states[-1])
    assert said.states[-1]["at"] > 1000
    source.write_text("gone" * 10)  # what came before is not read again
    [rest] = mill_words.longest.run(source, again)
    assert rest.read_text() == "5\n"


class Saying:
    """Keeps the checkpoints of an operation."""

    def __init__(self) -> None:
        self.states: list[dict[str, int]] = []

    def progress(self, fraction: float, note: str) -> None: ...
    def log(self, text: str, level: str) -> None: ...
    def checkpoint(self, state: dict[str, int]) -> None:
        self.states.append(state)


def test_the_readme_names_only_make_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_every_runtime_dependency_is_listed_with_its_reason() -> None:
    listed = (ROOT / "docs/dependencies.md").read_text().lower()
    project = (ROOT / "pyproject.toml").read_text()
    block = project.split("dependencies = [", 1)[1].split("]\n", 1)[0]
    for name in re.findall(r'"([a-z0-9-]+)', block):
        assert name in listed, name


def test_lock_files_hold_hashes_and_no_addresses() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text()
        assert "://" not in text
        assert text.count("==") <= text.count("--hash=sha256:")
