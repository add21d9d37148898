"""An index of pictures by how they look: it proposes, for one, those that may be it again.

Keys come from the signs of the lowest cosine frequencies (as in pHash), which scaling,
compression and light hardly change. What does change are signs of weak frequencies: those are
looked for both ways. So one look-up costs the same however many pictures there are.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations

from uploads.operations.spectra import CROPS, WHOLE, Window, frequencies, spectrum

WAVES = 12
BITS, PARTS, WEAK = 64, 4, 4
PART_BITS = BITS // PARTS
HASHED = frequencies(WAVES, 0.5, WAVES)[:BITS]
MOST_APART = 24
# Thousands of pages of one layout all look alike to the lowest frequencies.
MOST_PROPOSED = 48


class Lookalikes:
    """Numbers of pictures, to be found by small copies of them."""

    def __init__(self) -> None:
        self._bits: dict[int, int] = {}
        self._places: dict[int, list[int]] = {}

    def add(self, number: int, copy: bytes) -> None:
        """Take in a picture."""
        bits = _bits(_whole(copy))
        self._bits[number] = bits
        for part in range(PARTS):
            self._places.setdefault(_key(part, bits), []).append(number)

    def remove(self, number: int) -> None:
        """Forget a picture: it is not proposed any more."""
        bits = self._bits.pop(number)
        for part in range(PARTS):
            self._places[_key(part, bits)].remove(number)

    def like(self, copy: bytes, *, changed: bool) -> list[int]:
        """Return those that may look alike, the likeliest first, so many at most.

        If `changed`, what crops leave of the picture is looked for as well.
        """
        apart: dict[int, int] = {}
        for key, bits in _wanted(copy, CROPS if changed else (WHOLE,)).items():
            for number in self._places.get(key, ()):
                found = (self._bits[number] ^ bits).bit_count()
                if found < apart.get(number, MOST_APART):
                    apart[number] = found
        return sorted(apart, key=lambda number: (apart[number], number))[:MOST_PROPOSED]


def _wanted(copy: bytes, windows: tuple[Window, ...]) -> dict[int, int]:
    """Return the keys to look for, each once, with the signs that it comes from."""
    seen = spectrum(copy, windows, windows, WAVES)
    wanted: dict[int, int] = {}
    for row in range(len(windows)):
        for column in range(len(windows)):
            values = seen.of(HASHED, row, column)
            bits = _bits(values)
            for part in range(PARTS):
                for key in _turned_keys(part, bits, values):
                    wanted.setdefault(key, bits)
    return wanted


def _whole(copy: bytes) -> list[float]:
    return spectrum(copy, (WHOLE,), (WHOLE,), WAVES).of(HASHED)


def _bits(values: Sequence[float]) -> int:
    """Return the signs, ordered so that each part has low and high frequencies."""
    bits = 0
    for place, value in enumerate(values):
        if value > 0:
            bits |= 1 << (place % PARTS * PART_BITS + place // PARTS)
    return bits


def _key(part: int, bits: int) -> int:
    return part << PART_BITS | bits >> part * PART_BITS & (1 << PART_BITS) - 1


def _turned_keys(part: int, bits: int, values: Sequence[float]) -> Iterator[int]:
    """Yield the key of a part, and those with some of its weakest signs turned."""
    own = [abs(value) for value in values[part::PARTS]]
    weakest = sorted(range(PART_BITS), key=own.__getitem__)[:WEAK]
    key = _key(part, bits)
    return (key ^ mask for mask in _masks(tuple(sorted(weakest))))


@cache
def _masks(places: tuple[int, ...]) -> tuple[int, ...]:
    """Return every way to turn some of these bits."""
    chosen = (some for count in range(len(places) + 1) for some in combinations(places, count))
    return tuple(sum(1 << place for place in some) for some in chosen)
