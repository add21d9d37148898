"""Tells from the small copies of two pictures whether one is the other again, or almost.

They are compared by bands of frequencies: two pages of one layout agree in the low ones, and
are told apart by their lines. Where something may be missing at the edges, the place that
the second one shows of the first is looked for.
"""

import math
from collections.abc import Sequence
from operator import mul
from typing import Final, Literal

from uploads.operations.spectra import (
    COLOURS,
    CROPS,
    GREY_BYTES,
    WHOLE,
    Window,
    frequencies,
    spectrum,
)

Alike = Literal["near", "similar"]
Place = tuple[Window, Window]  # rows and columns

COARSE, FINE = 15, 40
SHAPED: Final = frequencies(COARSE, 0.5, COARSE - 0.5)
# Edges count as much as areas: what a wave is worth grows with its frequency.
WORTH: Final = [math.hypot(*pair) for pair in SHAPED]
STEPS = (0.015, 0.0075)
MOST_CROPPED = 0.1
PROMISING = 0.8
# Lines of text and the edges of a page make waves straight down and across, whatever is written
# there: the upper bands leave those out.
SLANTED = 3
BANDS: Final = [
    frequencies(FINE, 0.5, 6),
    frequencies(FINE, 6, 12),
    *(
        [pair for pair in frequencies(FINE, low, high) if min(pair) >= SLANTED]
        for low, high in ((12, 24), (24, FINE))
    ),
]
# A band says something only above the noise of compression; as levels of grey.
LOUD = (0.5, 0.8, 0.6, 0.6)
# How much each band has to agree, at most 1.
NEAR, SIMILAR = (0.985, 0.95, 0.95, 0.85), (0.95, 0.8, 0.83, 0.8)
# How far levels of grey, colours and the ratios of width to height may lie apart.
NEAR_LEVELS, NEAR_COLOURS, SIMILAR_COLOURS = 6.0, 6.0, 14.0
NEAR_SHAPES, SIMILAR_SHAPES = 1.02, 1.16


def how_alike(whole: bytes, other: bytes, shapes: float, *, changed: bool) -> Alike | None:
    """Return how alike the second picture is to the first by their small copies, None if it is not.

    `shapes` is the ratio of their ratios of width to height. Only where `changed` is wanted
    may something be missing at the edges, or the light be another.
    """
    shapes = max(shapes, 1 / shapes)
    colours = _colours_apart(whole, other)
    if shapes > SIMILAR_SHAPES or colours > SIMILAR_COLOURS:
        return None
    levels = abs(_level(whole) - _level(other))
    close = shapes <= NEAR_SHAPES and colours <= NEAR_COLOURS and levels <= NEAR_LEVELS
    if close and _agree(whole, (WHOLE, WHOLE), other, NEAR):
        return "near"
    if not changed:
        return None
    place, found = _place_of(other, whole)
    return "similar" if found > PROMISING and _agree(whole, place, other, SIMILAR) else None


def _level(copy: bytes) -> float:
    return sum(copy[:GREY_BYTES]) / GREY_BYTES


def _colours_apart(one: bytes, other: bytes) -> float:
    """Return how far apart the colours are, as if both were as light: the mean of small copies."""
    a, b = one[GREY_BYTES:], other[GREY_BYTES:]
    lighter = min(2.0, max(0.5, _level(one) / (_level(other) or 1.0)))
    apart = 0.0
    for at in range(0, len(a), 3):
        red = (a[at] - a[at + 1]) - lighter * (b[at] - b[at + 1])
        blue = (a[at + 2] - a[at + 1]) - lighter * (b[at + 2] - b[at + 1])
        apart += abs(red) + abs(blue)
    return apart / (2 * COLOURS * COLOURS)


def _agree(whole: bytes, place: Place, other: bytes, least: Sequence[float]) -> bool:
    """Tell whether all bands that say something agree; where none does, the level has to."""
    seen = spectrum(whole, (place[0],), (place[1],), FINE)
    wanted = spectrum(other, (WHOLE,), (WHOLE,), FINE)
    plain = True
    for pairs, loud, enough in zip(BANDS, LOUD, least, strict=True):
        a, b = seen.of(pairs), wanted.of(pairs)
        if max(math.hypot(*a), math.hypot(*b)) >= loud:
            plain = False
            if _correlation(a, b) < enough:
                return False
    return not plain or abs(_level(whole) - _level(other)) <= NEAR_LEVELS


def _place_of(other: bytes, whole: bytes) -> tuple[Place, float]:
    """Return which rows and columns of a picture another one shows best, and how well, at most 1."""
    wanted = _weighted(spectrum(other, (WHOLE,), (WHOLE,), COARSE).of(SHAPED))
    seen = spectrum(whole, CROPS, CROPS, COARSE)
    found, row, column = max(
        (_correlation(_weighted(seen.of(SHAPED, row, column)), wanted), -row, -column)
        for row in range(len(CROPS))
        for column in range(len(CROPS))
    )
    best = (CROPS[-row], CROPS[-column])
    for step in STEPS if found > PROMISING else ():
        for side in (0, 1, 2, 3, 0, 1, 2, 3):
            for moved in _moves(best, side, step):
                through = spectrum(whole, (moved[0],), (moved[1],), COARSE)
                score = _correlation(_weighted(through.of(SHAPED)), wanted)
                if score > found:
                    best, found = moved, score
    return best, found


def _moves(place: Place, side: int, step: float) -> list[Place]:
    """Return the place with one of its four sides moved a step outwards and a step inwards."""
    edge, end = divmod(side, 2)
    moved = []
    for by in (-step, step):
        window = list(place[edge])
        window[end] = round(window[end] + by, 4)
        if 0 <= window[0] <= MOST_CROPPED and 1 - MOST_CROPPED <= window[1] <= 1:
            both = list(place)
            both[edge] = (window[0], window[1])
            moved.append((both[0], both[1]))
    return moved


def _weighted(values: Sequence[float]) -> list[float]:
    return list(map(mul, values, WORTH))


def _correlation(a: Sequence[float], b: Sequence[float]) -> float:
    return math.fsum(map(mul, a, b)) / (math.hypot(*a) * math.hypot(*b) or 1.0)
