"""How large the pictures of a document are on its pages; reads what the pages draw, nothing else."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Stream

Matrix = tuple[float, float, float, float]
Key = tuple[int, int]
SAME: Matrix = (1, 0, 0, 1)
# Only what moves or draws is parsed; `Do` within `Do` no deeper than any honest document has.
OPERATORS = "q Q cm Do"
MOST_DEPTH = 6
# Beyond so many drawings on one page the rest is left as it is.
MOST_DRAWINGS = 20_000


@dataclass
class Placed:
    """One picture and its largest width and height on a page, in points."""

    picture: Stream
    width: float = 0.0
    height: float = 0.0


class Finder:
    """Collects the pictures that pages draw, by their object's number."""

    def __init__(self) -> None:
        self.found: dict[Key, Placed] = {}
        self._left = 0

    def look(self, page: pikepdf.Page) -> None:
        """Read one page; raises what pikepdf raises for a damaged one."""
        self._left = MOST_DRAWINGS
        unit = float(page.obj.get(Name.UserUnit, 1)) or 1.0  # points that one of its own has
        self._drawn(page.obj, page.resources, (unit, 0, 0, unit), 0)
        for holder in _unmeasured(page):
            self._leave(holder.get(Name.Resources), 0)

    def _leave(self, resources: Any, depth: int) -> None:
        """Let pictures be as sharp as they are: how large a note or a pattern shows them isn't read."""
        objects = resources.get(Name.XObject) if isinstance(resources, Dictionary) else None
        if not isinstance(objects, Dictionary) or depth > MOST_DEPTH:
            return
        for drawn in objects.as_dict().values():
            self._left -= 1
            if self._left < 0:
                return
            if isinstance(drawn, Stream) and drawn.get(Name.Subtype) == Name.Image:
                placed = self.found.setdefault(drawn.objgen, Placed(drawn))
                placed.width = placed.height = math.inf
            elif isinstance(drawn, Stream):
                self._leave(drawn.get(Name.Resources), depth + 1)

    def _drawn(self, content: Any, resources: Any, base: Matrix, depth: int) -> None:
        if not isinstance(resources, Dictionary) or depth > MOST_DEPTH:
            return
        objects = resources.get(Name.XObject)
        if not isinstance(objects, Dictionary):
            return
        for name, matrix in _drawings(content, base):
            self._left -= 1
            drawn = objects.get(name)
            if self._left < 0 or not isinstance(drawn, Stream):
                continue
            if drawn.get(Name.Subtype) == Name.Image:
                self._note(drawn, matrix)
            elif drawn.get(Name.Subtype) == Name.Form:
                inner = _times(_matrix(drawn.get(Name.Matrix)), matrix)
                self._drawn(drawn, drawn.get(Name.Resources, resources), inner, depth + 1)

    def _note(self, picture: Stream, matrix: Matrix) -> None:
        a, b, c, d = matrix
        placed = self.found.setdefault(picture.objgen, Placed(picture))
        placed.width = max(placed.width, math.hypot(a, b))
        placed.height = max(placed.height, math.hypot(c, d))


def _unmeasured(page: pikepdf.Page) -> Iterator[Any]:
    """Yield what shows pictures beside the page's own content: its notes' looks, and its patterns."""
    notes = page.obj.get(Name.Annots)
    for note in notes if isinstance(notes, Array) else ():
        looks = note.get(Name.AP) if isinstance(note, Dictionary) else None
        look = looks.get(Name.N) if isinstance(looks, Dictionary) else None
        # A box that is ticked or not has a look for each.
        if isinstance(look, Dictionary) and not isinstance(look, Stream):
            yield from (one for one in look.as_dict().values() if isinstance(one, Stream))
        elif isinstance(look, Stream):
            yield look
    resources = page.resources
    patterns = resources.get(Name.Pattern) if isinstance(resources, Dictionary) else None
    if isinstance(patterns, Dictionary):
        yield from (one for one in patterns.as_dict().values() if isinstance(one, Stream))


def _drawings(content: Any, base: Matrix) -> Iterator[tuple[Any, Matrix]]:
    """Yield the name of each object that is drawn, with the matrix of its place."""
    now, before = base, []
    for instruction in pikepdf.parse_content_stream(content, OPERATORS):
        kind = str(instruction.operator)
        if kind == "q":
            before.append(now)
        elif kind == "Q":
            now = before.pop() if before else base
        elif kind == "cm":
            now = _times(_matrix(instruction.operands), now)
        elif kind == "Do" and len(instruction.operands):
            yield instruction.operands[0], now


def _matrix(values: Any) -> Matrix:
    if values is None or len(values) < 4:
        return SAME
    a, b, c, d = (float(value) for value in list(values)[:4])
    return (a, b, c, d)


def _times(one: Matrix, two: Matrix) -> Matrix:
    a, b, c, d = one
    e, f, g, h = two
    return (a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h)
