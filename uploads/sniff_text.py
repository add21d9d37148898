"""Which text a file is: tables, JSON, playlists, subtitles, markup; knows no binary formats."""

import csv
import json
import re
from typing import Final

BOMS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
# Texts that name other files; a decoder that takes them for media would open those.
POINTERS: Final = (
    ("#EXTM3U", "application/vnd.apple.mpegurl"),
    ("ffconcat version", "text/x-ffconcat"),
    ("[playlist]", "text/x-pls"),
    ("v=0\r\no=", "application/sdp"),
    ("v=0\no=", "application/sdp"),
)
MARKUP: Final = (
    (re.compile(r"<!doctype html|<html[\s>]", re.I), "document", "text/html"),
    (re.compile(r"<MPD[\s>]"), "text", "application/dash+xml"),
    # A program for browsers and a list of files for converters: no picture here.
    (re.compile(r"<svg[\s>]", re.I), "text", "application/xml"),
    (re.compile(r"\A<\?xml\s"), "text", "application/xml"),
)
SRT: Final = re.compile(r"\A\s*\d+\s*\n\d\d:\d\d:\d\d,\d{3} --> ")
JSON_START: Final = re.compile(r'\A\s*(\{\s*("|\})|\[\s*(["\[{\d\]-]|true|false|null))')
BY_ENDING: Final = {"md": "text/markdown", "srt": "application/x-subrip", "ass": "text/x-ssa"}
TABLES: Final = {"csv": "text/csv", "tsv": "text/tab-separated-values"}
LINES: Final = 20


def text_type(head: bytes, ending: str, *, whole: bool) -> tuple[str, str] | None:
    """Return kind and media type when the bytes are text, else None; `whole`: nothing follows."""
    text = _decoded(head, whole=whole)
    if not text or not text.strip():
        return ("text", "text/plain") if text else None
    start = text.lstrip()
    for opening, media_type in POINTERS:
        if start.startswith(opening):
            return "text", media_type
    for pattern, kind, media_type in MARKUP:
        if start.startswith("<") and pattern.search(text[:4096]):
            return kind, media_type
    if start.startswith("WEBVTT"):
        return "text", "text/vtt"
    if SRT.match(text):
        return "text", BY_ENDING["srt"]
    if media_type := _data_type(text, ending, whole=whole):
        return "data", media_type
    return "text", BY_ENDING.get(ending, "text/plain")


def _decoded(head: bytes, *, whole: bool) -> str | None:
    """Return the bytes as text, or None when they can't be text in any usual encoding."""
    for bom, encoding in BOMS:
        if head.startswith(bom):
            return head.decode(encoding, errors="ignore")
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        cut_letter = not whole and error.start >= len(head) - 3
        text = head[: error.start].decode() if cut_letter else head.decode("cp1252", "replace")
    return None if CONTROLS.search(text) else text


def _data_type(text: str, ending: str, *, whole: bool) -> str:
    if JSON_START.match(text):
        lines = [line for line in text.splitlines() if line.strip()]
        complete = lines if whole else lines[:-1]
        if len(complete) > 1 and all(_is_json(line) for line in complete[:LINES]):
            return "application/x-ndjson"
        if not whole or _is_json(text.lstrip("\ufeff")):
            return "application/json"
    if ending in TABLES:
        return TABLES[ending]
    return "" if ending in BY_ENDING or ending in {"log", "txt"} else _table_type(text, whole=whole)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _table_type(text: str, *, whole: bool) -> str:
    """Return a table's type when its first lines have one number of columns, two or more."""
    lines = text.splitlines()[: LINES + 1]
    lines = lines if whole and len(lines) <= LINES else lines[:-1]
    for separator in "\t,;|":
        try:
            widths = {len(row) for row in csv.reader(lines, delimiter=separator) if row}
        except csv.Error:
            continue
        if len(lines) > 1 and len(widths) == 1 and widths.pop() > 1:
            return TABLES["tsv"] if separator == "\t" else TABLES["csv"]
    return ""
