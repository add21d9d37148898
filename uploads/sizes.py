"""How numbers of bytes are said to people."""


def size_in_words(size: int) -> str:
    """Return bytes as people read them, in units of 1024: 52 MB."""
    for unit, each in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if size >= each:
            return f"{size / each:.3g} {unit}"
    return f"{size} bytes"
