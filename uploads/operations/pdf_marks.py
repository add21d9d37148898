"""Bookmarks and links of documents, as places of pages: read from one, written into another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, OutlineItem, String

MOST_MARKS = 20_000
MOST_DEPTH = 12
TITLE_CHARACTERS, LINK_CHARACTERS = 500, 2000


@dataclass(frozen=True)
class Mark:
    """One bookmark: its page's place from 0 (None: it only holds others, or leads to the link's page
    of the web), how it is shown, its own."""

    title: str
    place: int | None
    view: tuple[Any, ...] = ()
    kids: tuple["Mark", ...] = field(default=())
    link: str = ""

    def within(self, places: range) -> "Mark | None":
        """Return the mark as it is in a document of these pages alone, or None."""
        kids = tuple(kept for kid in self.kids if (kept := kid.within(places)) is not None)
        inside = self.place is not None and self.place in places
        place = places.index(self.place) if inside and self.place is not None else None
        return replace(self, place=place, kids=kids) if inside or kids else None


class Places:
    """Where in a document its destinations lead."""

    def __init__(self, pdf: pikepdf.Pdf) -> None:
        self._pdf = pdf
        self.of_page = {page.obj.objgen: place for place, page in enumerate(pdf.pages)}
        names = pdf.Root.get(Name.Names)
        tree = names.get(Name.Dests) if isinstance(names, Dictionary) else None
        self._tree = pikepdf.NameTree(tree) if isinstance(tree, Dictionary) else None

    def find(self, destination: Any) -> tuple[int, tuple[Any, ...]] | None:
        """Return the place and the view of a destination: explicit, or by name; None if it has none."""
        if isinstance(destination, String | str | Name):
            destination = self._named(destination)
        if isinstance(destination, Dictionary):
            destination = destination.get(Name.D)
        if not isinstance(destination, Array) or not len(destination):
            return None
        page = destination[0]
        place = self.of_page.get(page.objgen) if isinstance(page, Dictionary) else None
        if isinstance(page, int) and 0 <= page < len(self.of_page):
            place = page
        return None if place is None else (place, tuple(_plain(v) for v in list(destination)[1:]))

    def _named(self, name: Any) -> Any:
        if isinstance(name, Name):
            old = self._pdf.Root.get(Name.Dests)
            return old.get(name) if isinstance(old, Dictionary) else None
        return self._tree.get(str(name)) if self._tree is not None else None


def _plain(value: Any) -> Any:
    # A number with a fraction is a `Decimal`; as text it would lead nowhere.
    known = isinstance(value, Name | int | float | Decimal) or value is None
    return value if known else str(value)


def read(pdf: pikepdf.Pdf, places: Places) -> list[Mark]:
    """Return the bookmarks of a document; what leads out of it or nowhere only holds others."""
    left = [MOST_MARKS]
    with pdf.open_outline(max_depth=MOST_DEPTH, strict=False) as outline:
        return list(_read(outline.root, places, left))


def _read(items: Sequence[OutlineItem], places: Places, left: list[int]) -> Iterator[Mark]:
    for item in items:
        if not left[0]:
            return
        left[0] -= 1
        destination = item.destination
        action = item.action
        kind = action.get(Name.S) if isinstance(action, Dictionary) else None
        # The pages of another file (GoToR) are not this one's.
        if kind == Name.GoTo and destination is None:
            destination = action.get(Name.D)
        link = str(action.get(Name.URI, ""))[:LINK_CHARACTERS] if kind == Name.URI else ""
        found = places.find(destination)
        kids = tuple(_read(item.children, places, left))
        if found or kids or link:
            place, view = found or (None, ())
            yield Mark(str(item.title)[:TITLE_CHARACTERS], place, view, kids, link)


def write(pdf: pikepdf.Pdf, marks: Sequence[Mark]) -> None:
    """Give a document these bookmarks, closed, and let readers show them."""
    if not marks:
        return
    pages = [page.obj for page in pdf.pages]
    with pdf.open_outline() as outline:
        outline.root.extend(_item(mark, pages) for mark in marks)
    pdf.Root.PageMode = Name.UseOutlines


def _item(mark: Mark, pages: Sequence[Any]) -> OutlineItem:
    item = OutlineItem(mark.title)
    if mark.place is not None:
        item.destination = Array([pages[mark.place], *(mark.view or (Name.Fit,))])
    elif mark.link:
        item.action = Dictionary(S=Name.URI, URI=String(mark.link))
    item.is_closed = bool(mark.kids)
    item.children.extend(_item(kid, pages) for kid in mark.kids)
    return item


def shifted(mark: Mark, by: int) -> Mark:
    """Return a mark as it is when so many pages come before."""
    place = None if mark.place is None else mark.place + by
    return replace(mark, place=place, kids=tuple(shifted(kid, by) for kid in mark.kids))


def relink(
    source: Sequence[pikepdf.Page], made: Sequence[pikepdf.Page], leads: dict[tuple[int, int], int]
) -> None:
    """Let links of copied pages lead to the copies; `leads` has the copy's place by the page's id.

    qpdf copies a link before the page that it leads to, and leaves it open. Links by name are
    carried over by pikepdf itself.
    """
    copies = [page.obj for page in made]
    for before, after in zip(source, made, strict=True):
        old, new = before.obj.get(Name.Annots), after.obj.get(Name.Annots)
        if not (isinstance(old, Array) and isinstance(new, Array) and len(old) == len(new)):
            continue
        for was, now in zip(old, new, strict=True):
            for owner, copy in _holders(was, now):
                place = _leads_to(owner, leads)
                if place is not None:
                    copy[0] = copies[place]


def _holders(was: Any, now: Any) -> Iterator[tuple[Array, Array]]:
    """Yield the explicit destinations of an annotation and of its copy."""
    if not (isinstance(was, Dictionary) and isinstance(now, Dictionary)):
        return
    pairs = [(was.get(Name.Dest), now.get(Name.Dest))]
    action, copied = was.get(Name.A), now.get(Name.A)
    both = isinstance(action, Dictionary) and isinstance(copied, Dictionary)
    if both and action.get(Name.S) == Name.GoTo:
        pairs.append((action.get(Name.D), copied.get(Name.D)))
    for old, new in pairs:
        if isinstance(old, Array) and isinstance(new, Array) and len(old) and len(new):
            yield old, new


def _leads_to(destination: Array, leads: dict[tuple[int, int], int]) -> int | None:
    page = destination[0]
    return leads.get(page.objgen) if isinstance(page, Dictionary) else None
