"""Letters made of a CSV and a template: checked, filled in, written as NDJSON; knows no mail server."""

import csv
import html
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from uploads.errors import InputError
from uploads.operations.base import Context, Json, Output
from uploads.operations.mail import Letters

# What browsers take for <input type=email>: the HTML standard's "valid e-mail address".
ADDRESS = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+"
)
PLACE = re.compile(r"\{([^{}:;\n]{1,100})\}")  # not the braces of a style sheet
HEADINGS = ("email", "e-mail", "mail", "e-mail address", "email address", "address")
ADDRESS_MAX = 254
SHOWN = 10
LISTED = 50
PAGE_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:1.5rem;max-width:50rem}"
    "article{border:1px solid #ccc;border-radius:8px;padding:1rem;margin:1rem 0}"
    "pre{white-space:pre-wrap;font:inherit}iframe{width:100%;height:20rem;border:1px solid #ccc}"
)

Row = Mapping[str, str]


@dataclass
class Made:
    """What a table gave: how many letters, the first of them, and what is wrong with its rows."""

    count: int = 0
    first: list[Json] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    bad_count: int = 0

    def refuse(self, line: int, why: str) -> None:
        """Note a row that gets no letter."""
        self.bad_count += 1
        if len(self.bad) < LISTED:
            self.bad.append(f"Line {line}: {why}")


def make(source: Path, step: Context[Letters]) -> Iterator[Output]:
    """Write the letters of one table and a page of the first; raises `InputError`."""
    reader = _reader(source, step)
    try:
        headings = reader.fieldnames or []
    except csv.Error as error:
        raise InputError("mail_csv", name=step.name, reason=str(error)) from error
    column = _address_column(headings, step)
    _check_places(headings, step)
    target = step.path("source.letters.ndjson")
    made = Made()
    with target.open("w", encoding="utf-8") as lines:
        for letter in _letters(reader, column, step, made):
            lines.write(json.dumps(letter, ensure_ascii=False) + "\n")
    if not made.count:
        raise InputError("mail_no_rows", name=step.name, reason=" ".join(made.bad[:1]))
    if made.bad_count:
        rows = "1 row gets" if made.bad_count == 1 else f"{made.bad_count:,} rows get"
        step.warn(f"{rows} no letter. {' '.join(made.bad[:5])}")
    page = step.path("source.html")
    page.write_text(_page(made), encoding="utf-8")
    yield Output(target, meta={"letters": made.count, "bad_rows": made.bad_count})
    yield Output(page, role="preview", meta={"page": True})


def _reader(source: Path, step: Context[Letters]) -> "csv.DictReader[str]":
    raw = source.read_bytes()
    if not raw.strip():
        raise InputError("empty_file", name=step.name)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    heading = text.partition("\n")[0]
    delimiter = max(",;\t|", key=heading.count)
    return csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")


def _address_column(headings: Sequence[str], step: Context[Letters]) -> str:
    known = {_plain(heading): heading for heading in headings}
    wanted = [_plain(step.options.column)] if step.options.column.strip() else list(HEADINGS)
    for name in wanted:
        if name in known:
            return known[name]
    raise InputError(
        "mail_column", name=step.name, column=wanted[0], known=", ".join(known.values())[:500]
    )


def _plain(heading: str) -> str:
    return heading.strip().casefold()


def _check_places(headings: Sequence[str], step: Context[Letters]) -> None:
    known = {_plain(heading) for heading in headings}
    options = step.options
    for template in (options.subject, options.text, options.html):
        for place in PLACE.findall(template):
            if _plain(place) not in known:
                shown = ", ".join(headings)[:500]
                raise InputError("mail_column", name=step.name, column=place, known=shown)


def _letters(
    reader: "csv.DictReader[str]", column: str, step: Context[Letters], made: Made
) -> Iterator[Json]:
    seen: set[str] = set()
    try:
        for number, row in enumerate(reader):
            if number % 500 == 0:
                step.report(0.0, f"{number} rows read")
            address = (row.get(column) or "").strip()
            if not ADDRESS.fullmatch(address) or len(address) > ADDRESS_MAX:
                made.refuse(reader.line_num, f"“{address[:100]}” is no e-mail address.")
            elif address.casefold() in seen:
                made.refuse(reader.line_num, f"{address} is there twice; the first row counts.")
            elif made.count >= step.limits.mail_max_letters:
                raise InputError(
                    "mail_too_many", name=step.name, limit=step.limits.mail_max_letters
                )
            else:
                seen.add(address.casefold())
                letter = {"to": address, **filled(step.options, row)}
                made.count += 1
                if len(made.first) < SHOWN:
                    made.first.append(letter)
                yield letter
    except csv.Error as error:
        raise InputError("mail_csv", name=step.name, reason=str(error)) from error


def filled(options: Letters, row: Row) -> Json:
    """Return subject, text and HTML with the row's values in place."""
    values = {_plain(k): str(v or "") for k, v in row.items() if isinstance(k, str)}
    escaped = {key: html.escape(value) for key, value in values.items()}
    subject = " ".join(_fill(options.subject, values).split())
    return {
        "subject": subject,
        "text": _fill(options.text, values),
        "html": _fill(options.html, escaped),
    }


def _fill(template: str, values: Row) -> str:
    return PLACE.sub(lambda found: values[_plain(found[1])], template)


def _page(made: Made) -> str:
    bad = "".join(f"<li>{html.escape(text)}</li>" for text in made.bad)
    shown = "".join(_shown(letter) for letter in made.first)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Letters</title>'
        f"<style>{PAGE_STYLE}</style><h1>{made.count} letters</h1>"
        f"<p>{made.bad_count} rows get none.</p><ul>{bad}</ul>"
        f"<h2>The first {len(made.first)}</h2>{shown}"
    )


def _shown(letter: Json) -> str:
    # No scripts, no network: the frame around this page is sandboxed as well.
    framed = (
        f'<iframe sandbox title="HTML" srcdoc="{html.escape(letter["html"])}"></iframe>'
        if letter["html"]
        else ""
    )
    return (
        f"<article><p><strong>{html.escape(letter['subject'])}</strong><br>"
        f"To {html.escape(letter['to'])}</p><pre>{html.escape(letter['text'])}</pre>{framed}</article>"
    )
