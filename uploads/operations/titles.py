"""Titles that files bring with them, as texts that may be shown and as ends of file names."""

import re

VALUE_CHARACTERS = 500
NAME_CHARACTERS = 60


def plain(value: str) -> str:
    """Return what a file says of itself without what is no letter, and not too long."""
    return "".join(c for c in value if c.isprintable())[:VALUE_CHARACTERS].strip()


def name_end(title: str) -> str:
    """Return a title as the end of a file's name, after a space; nothing for none."""
    words = re.sub(r"[^\w.,()&+' -]+", " ", title).split()
    shown = " ".join(words)[:NAME_CHARACTERS].strip(" .")
    return f" {shown}" if shown else ""
