"""A room with two folders in which the sandbox's tests run their bad deeds."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from uploads.operations.guard import children
from uploads.work.sandbox import Bounds, Exit, Level, level, run_child

HERE = Path(__file__).parent
OPEN = Level("reduced", ("A machine without Landlock and seccomp.",), ())
MIB = 1024**2


class Room:
    """Two folders and one input; runs deeds of `sandbox_operations` in children."""

    def __init__(self, folder: Path) -> None:
        self.inputs, self.out = folder / "inputs", folder / "out"
        self.inputs.mkdir()
        self.out.mkdir()
        self.source = self.inputs / "source"
        self.source.write_text("the input")
        self.messages: list[dict[str, Any]] = []

    def request(self, what: str, operation: str, items: int = 1, **options: Any) -> dict[str, Any]:
        return {
            "module": "sandbox_operations",
            "operation": f"test.{operation}",
            "call": "run",
            "options": {"what": what, **options},
            "files": {},
            "limits": {},
            "items": [
                {"key": f"i{n}", "name": "a.txt", "media_type": "text/plain", "path": self.source}
                for n in range(items)
            ],
        }

    def run(
        self,
        what: str,
        *,
        operation: str = "misbehave",
        items: int = 1,
        tick: Callable[[], None] = lambda: None,
        machine: Level | None = None,
        memory: int = 2048 * MIB,
        wall: float = 20,
        file: int = 50 * MIB,
        profile: Any = "decode",
        ports: tuple[int, ...] = (),
        look: tuple[str, ...] = (),
        **options: Any,
    ) -> Exit:
        return run_child(
            self.request(what, operation, items, **options),
            Bounds(self.inputs, self.out, memory, wall, file, profile, ports, look),
            on_message=self.messages.append,
            tick=tick,
            tick_seconds=0.05,
            machine=machine,
        )

    def told(self, what: str, **options: Any) -> str:
        """Run a deed that ends well and return what it wrote."""
        ended = self.run(what, **options)
        assert ended.code == "", (ended, self.messages)
        assert [kind for kind in self.kinds() if kind != "log"] == ["start", "output", "done"]
        return (self.out / "i0" / "source.txt").read_text()

    def told_on(self, what: str, machine: Level, **options: Any) -> str:
        """Run a deed on a weaker machine and return what it wrote."""
        self.messages.clear()
        return self.told(what, machine=machine, **options)

    def kinds(self) -> list[str]:
        return [message["t"] for message in self.messages]

    def error(self) -> dict[str, Any]:
        return next(message for message in self.messages if message["t"] == "error")

    def log(self) -> str:
        return next(str(message["text"]) for message in self.messages if message["t"] == "log")

    def pids(self) -> list[int]:
        return [int(number) for number in (self.out / "i0" / "pids").read_text().split()]


@pytest.fixture(autouse=True)
def on_each_database() -> str:
    """The sandbox knows no database: one run is enough."""
    return "none"


@pytest.fixture
def room(tmp_path: Path, settings: Any) -> Iterator[Room]:
    settings.TIDEMILL_OPERATIONS_PATH = str(HERE)
    level()  # its trial is no part of a measured time
    children_before, open_before = children(), _descriptors()
    yield Room(tmp_path)
    assert children() == children_before
    assert _descriptors() == open_before


def _descriptors() -> set[str]:
    folder = Path(f"/proc/{os.getpid()}/fd")
    return (
        {entry.name for entry in folder.iterdir() if entry.is_symlink()}
        if folder.exists()
        else set()
    )
