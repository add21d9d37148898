"""Subtitles made of pictures (PGS, as Blu-ray discs have them), made on the spot."""

import struct
from collections.abc import Sequence
from pathlib import Path

WHITE = bytes([0, 0, 1, 235, 128, 128, 255])
PALETTE, OBJECT, COMPOSITION, WINDOW, END = 0x14, 0x15, 0x16, 0x17, 0x80


def _segment(at: float, kind: int, body: bytes = b"") -> bytes:
    return b"PG" + struct.pack(">IIBH", round(at * 90_000), 0, kind, len(body)) + body


def pgs(
    path: Path,
    canvas: tuple[int, int],
    box: tuple[int, int, int, int],
    times: Sequence[tuple[float, float]],
) -> Path:
    """Write a white box (left, top, width, height) that is shown between each pair of seconds.

    Something unseen stands at 0 s, so that nothing moves the times of the others.
    """
    left, top, width, height = box
    size = struct.pack(">HHB", *canvas, 0x10)
    window = struct.pack(">BBHHHH", 1, 0, left, top, width, height)
    # Each line is one run of colour 1, longer than 63 pixels.
    drawn = bytes([0, 0xC0 | width >> 8, width & 0xFF, 1, 0, 0]) * height
    length = (len(drawn) + 4).to_bytes(3, "big")
    data = struct.pack(">HBB", 0, 0, 0xC0) + length + struct.pack(">HH", width, height) + drawn

    def gone(at: float, number: int) -> bytes:
        empty = size + struct.pack(">HBBBB", number, 0, 0, 0, 0)
        return _segment(at, COMPOSITION, empty) + _segment(at, WINDOW, window) + _segment(at, END)

    written = gone(0, 0)
    for number, (begin, end) in enumerate(times):
        composed = size + struct.pack(">HBBBB", 2 * number + 1, 0x80, 0, 0, 1)
        composed += struct.pack(">HBBHH", 0, 0, 0, left, top)
        written += _segment(begin, COMPOSITION, composed) + _segment(begin, WINDOW, window)
        written += _segment(begin, PALETTE, WHITE) + _segment(begin, OBJECT, data)
        written += _segment(begin, END) + gone(end, 2 * number + 2)
    path.write_bytes(written)
    return path
