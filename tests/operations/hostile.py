"""Spoils files by a seed, and lets real shut-in children work on them; a crash takes one file with it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from shutil import rmtree
from typing import Any

from tests.operations.conftest import media_type
from uploads.operations.contract import Room
from uploads.operations.registry import find

AT_ONCE = 100


def mutated(content: bytes, dice: Random) -> bytes:
    """Flip, cut, repeat, insert or swap some bytes."""
    made = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 5, 40))):
        place = dice.randrange(max(1, len(made)))
        length = dice.choice((1, 2, 8, 200))
        match dice.randrange(6):
            case 0:
                made[place : place + 1] = bytes([dice.randrange(256)])
            case 1:
                del made[place:]
            case 2:
                made[place:place] = made[place : place + length] * dice.choice((1, 3, 50))
            case 3:
                made[place:place] = dice.randbytes(length)
            case 4:
                made[place : place + 4] = b"\xff\xff\xff\x7f"
            case _:
                made[place : place + length] = b""
    return bytes(made) or b"x"


def spoilt(sound: Sequence[Path], folder: Path, seeds: range) -> Iterator[Path]:
    """Write mutated files; the numbers in their names are the seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        source = sound[seed % len(sound)]
        path = folder / f"{source.stem}-{seed}{source.suffix}"
        path.write_bytes(mutated(source.read_bytes(), Random(seed)))
        yield path


def outcomes(
    operation: str,
    sound: Sequence[Path],
    folder: Path,
    count: int,
    options: Mapping[str, Any] | None = None,
    call: str = "run",
) -> dict[str, str]:
    """Serve so many spoilt files, a hundred a child; return for each its code, "" for success."""
    ended: dict[str, str] = {}
    for start in range(0, count, AT_ONCE):
        place = folder / str(start)
        paths = list(spoilt(sound, place / "spoilt", range(start, min(count, start + AT_ONCE))))
        ended |= _served(operation, paths, place, dict(options or {}), call)
        rmtree(place)
    return ended


def _served(
    operation: str, paths: list[Path], place: Path, options: dict[str, Any], call: str
) -> dict[str, str]:
    ended: dict[str, str] = {}
    tries = 0
    while left := [path for path in paths if path.name not in ended]:
        tries += 1
        room = Room(place / f"room-{tries}")
        items = [room.item(path.name, path, media_type=media_type(path)) for path in left]
        told = room.serve(find(operation), items, call=call, options=options)
        for message in told.messages:
            if message["t"] in {"done", "error"}:
                ended[message["item"]] = message.get("code", "")
            assert message.get("code") != "operation_bug", (message, message["item"])
        unfinished = [made["item"] for made in told.of("start") if made["item"] not in ended]
        assert unfinished or not [path for path in paths if path.name not in ended], told.trouble
        ended |= dict.fromkeys(unfinished, "decoder_crashed")
    return ended
