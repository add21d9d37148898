"""One operation on one example, run as often as its promises need; kept for all tests that ask.

A divisible operation goes the whole way: its plan, each of its parts, the join.
"""

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from uploads.operations.base import Json, Operation
from uploads.operations.contract.serving import STOPPED, Room, Told
from uploads.sniff import sniff


class Trial:
    """An operation, its example's files and options, and a folder that ends with the process."""

    def __init__(
        self,
        operation: Operation[Any],
        examples: Sequence[Path],
        options: Json,
        files: Mapping[str, Path],
    ) -> None:
        self.operation = operation
        self.examples = examples
        self.options = options
        self.files = files
        self.folder = self.folder_of_its_own()

    @staticmethod
    def folder_of_its_own() -> Path:
        """Return a folder that goes with this process."""
        folder = Path(tempfile.mkdtemp(prefix="contract-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder

    @cached_property
    def media_types(self) -> list[str]:
        """What Tidemill takes the example's files for, from their bytes."""
        return [sniff(path, path.name).media_type for path in self.examples]

    @cached_property
    def first(self) -> Told:
        return self.whole(self.room("first"))

    @cached_property
    def second(self) -> Told:
        return self.whole(self.room("second"))

    @cached_property
    def stopped(self) -> Told:
        """What is said when somebody cancels at the operation's first report."""
        room = self.room("stopped")
        if not self.operation.divisible:
            return self.serve(room, self.items(room), program=STOPPED)
        (planned,) = self.serve(room, self.items(room), call="plan").of("parts")
        part = {"part": planned["parts"][0]["params"]}
        return self.serve(room, [{**self.items(room)[0], **part}], program=STOPPED)

    @cached_property
    def parts(self) -> Told:
        """What the plan of a divisible one says."""
        room = self.room("plan")
        return self.serve(room, self.items(room), call="plan")

    def room(self, name: str) -> Room:
        """Return a fresh room within the trial's folder."""
        return Room(Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder)))

    def items(self, room: Room) -> list[Json]:
        """Put the example's files into a room; return them as a child is told of them.

        What takes no file has one item all the same: its one run.
        """
        if self.operation.starts:
            return [{"key": "0", "name": self.operation.label, "media_type": ""}]
        listed = zip(self.examples, self.media_types, strict=True)
        return [
            room.item(str(number), path, media_type=kind)
            for number, (path, kind) in enumerate(listed)
        ]

    def serve(self, room: Room, items: Sequence[Json], **how: Any) -> Told:
        """Serve items with the example's options and files."""
        files = {name: room.put(f"option/{name}{p.suffix}", p) for name, p in self.files.items()}
        return room.serve(self.operation, items, options=self.options, files=files, **how)

    def whole(self, room: Room) -> Told:
        """Run the example to its results; the first trouble on the way ends it."""
        items = self.items(room)
        if not self.operation.divisible:
            return self.serve(room, items)
        planned = self.serve(room, items, call="plan")
        if planned.trouble:
            return planned
        parts = planned.of("parts")[0]["parts"]
        pieces = [
            {**items[0], "key": f"part-{n}", "part": p["params"]} for n, p in enumerate(parts)
        ]
        worked = self.serve(room, pieces)
        if worked.trouble:
            return worked
        left = [_left(room, worked, piece["key"], piece["part"]) for piece in pieces]
        joined = self.serve(room, [{**items[0], "parts": left}], call="join")
        progress = worked.of("progress")
        return Told([*progress, *joined.messages], joined.status, joined.errors)


def _left(room: Room, worked: Told, key: str, params: Json) -> Json:
    """Put what a part made among the inputs, as its join finds it."""
    outputs = [output for output in worked.of("output") if output["item"] == key]
    paths = [room.put(f"{key}/{Path(o['path']).name}", Path(o["path"])) for o in outputs]
    return {"params": params, "paths": paths, "meta": [output["meta"] for output in outputs]}


def fingerprints(told: Told) -> dict[str, str]:
    """Return the SHA-256 of each output by its name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in told.made}
