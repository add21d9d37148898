"""Damages a file in ways that repeat: cut short, bits turned, another file's bytes; decodes nothing."""

from collections.abc import Iterator
from random import Random

TURNED_BITS = (1, 8, 64)
CUT_AT = (0.1, 0.5, 0.95)
OTHER = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xfe" + bytes(range(256)) * 4


def damaged(content: bytes, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield what was done to the content, in words, with what came of it."""
    chance = Random(seed)
    for share in CUT_AT:
        yield f"all but its first {share:.0%} cut off", content[: int(len(content) * share)]
    for count in TURNED_BITS:
        made = bytearray(content)
        for _ in range(count if content else 0):
            made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
        yield f"{count} of its bits turned", bytes(made)
    yield "bytes of another kind in its place", OTHER
    yield "no bytes at all", b""
