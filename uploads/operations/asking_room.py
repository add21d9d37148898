"""The tables that questions are put to: each file under its name, read when it has to be."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uploads.errors import InputError
from uploads.naming import own_name
from uploads.operations.base import Context, Output
from uploads.operations.duck import Duck, QueryError, Span, duck, name
from uploads.operations.tables import KINDS, read, rejects
from uploads.operations.tables_encoding import as_utf8
from uploads.operations.tables_given import Given, Reading, Table, table_name
from uploads.operations.tables_heading import unique
from uploads.operations.tables_text import TextFile

if TYPE_CHECKING:
    from uploads.operations.query import Question

FIRST = "data"


@dataclass
class Room:
    """The files that are asked, each under its table's name."""

    duck: Duck
    names: dict[str, Given]
    tables: dict[str, list[Table]] = field(default_factory=dict)
    direct: dict[str, TextFile] = field(default_factory=dict)
    views: list[str] = field(default_factory=list)

    def open(self, uses: dict[str, int], until: float) -> None:
        """Make a view of each table; what is read once only is not copied before.

        Its part of the progress ends at `until`.
        """
        total = sum(given.path.stat().st_size for given in self.names.values()) or 1
        done = 0.0
        for number, (called, given) in enumerate(self.names.items()):
            share = until * given.path.stat().st_size / total
            times = uses.get(called.casefold(), 0) + (uses.get(FIRST, 0) if number == 0 else 0)
            if times == 1 and KINDS.get(given.media_type) == "csv" and given.path.stat().st_size:
                self._open_text(called, given, (done, done + share))
            else:
                self._open_tables(called, given, (done, done + share))
            done += share
        if FIRST not in {view.casefold() for view in self.views}:
            self.duck.rows(f"CREATE VIEW {FIRST} AS FROM {name(self.views[0])}")

    def _open_text(self, called: str, given: Given, span: Span) -> None:
        path = as_utf8(given, self.duck, span)
        try:
            self.direct[called] = TextFile(given, path, self.duck, Reading())
        except QueryError:  # the careful way says what is wrong with it
            self._open_tables(called, given, span)
            return
        self._show(called)
        self.views.append(called)

    def _show(self, called: str) -> None:
        """Make the view of a text as its types are known now."""
        source = self.direct[called].source()
        self.duck.rows(f"CREATE OR REPLACE VIEW {name(called)} AS {source}")

    def _open_tables(self, called: str, given: Given, span: Span) -> None:
        self.tables[called] = read(given, self.duck, span, Reading())
        several = len(self.tables[called]) > 1
        for table in self.tables[called]:
            view = table_name(f"{called}_{table.name}") if several else called
            view = unique([*self.views, view])[-1]
            self.duck.rows(f"CREATE VIEW {name(view)} AS FROM {table.source}")
            self.views.append(view)

    def misread(self) -> bool:
        """Tell whether the texts have to be read again, otherwise: rows of them were put apart."""
        odd = [called for called, made in self.direct.items() if made.misread()]
        for called in odd:
            self._show(called)
        return bool(odd)

    def learn(self) -> bool:
        """Look at all rows of the texts, and let them have the types that hold their values."""
        odd = [called for called, made in self.direct.items() if made.learn()]
        for called in odd:
            self._show(called)
        return bool(odd)

    def leave(self) -> Iterator[Output]:
        """Hand out what could not be read, with the notes."""
        for called, given in self.names.items():
            made = self.tables.get(called, [])
            if called in self.direct:
                rejected, listed = self.direct[called].hand_out()
                notes = tuple(self.direct[called].notes)
                made = [Table("", given.path, 0, (), rejected, listed, notes)]
            for note in (note for table in made for note in table.notes):
                self.duck.step.log(note)
            yield from rejects(given, self.duck, made)


def names_of(sources: Sequence[Path], step: "Context[Question]", engine: Duck) -> dict[str, Given]:
    """Return the files by the names of their tables, as questions know them."""
    reserved = {
        row[0]
        for row in engine.rows(
            "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
        )
    }
    wanted = [table_name(own_name(source.name), reserved) for source in step.sources]
    return {
        called: Given(path, source.name, source.media_type, called)
        for called, path, source in zip(unique(wanted), sources, step.sources, strict=True)
    }


# --- looking ---------------------------------------------------------------------------


def look(sources: Sequence[Path], step: "Context[Question]") -> Iterator[Output]:
    """Write what a question would find in each file, asked alone, as JSON.

    One `{"called", "tables": [[name, [[column, type], …]], …], "trouble"}` a file, in their order.
    """
    found = []
    for path, source in zip(sources, step.sources, strict=True):
        alone = dataclasses.replace(step, sources=[source])
        with duck(alone, [path]) as engine:
            found.append(_seen(path, alone, engine))
    target = step.path("look.json")
    target.write_text(json.dumps(found, ensure_ascii=False))
    yield Output(target)


def _seen(path: Path, step: "Context[Question]", engine: Duck) -> dict[str, Any]:
    names = names_of([path], step, engine)
    (called,) = names
    room = Room(engine, names)
    try:
        room.open({}, 1.0)
    except InputError as error:
        return {"called": called, "tables": [], "trouble": str(error)}
    tables = [[view, engine.columns(name(view))] for view in room.views]
    return {"called": called, "tables": tables, "trouble": ""}
