"""Packed tables: unpacked beside the work within limits, and called by what is inside."""

from dataclasses import replace
from typing import Final

from uploads.errors import InputError
from uploads.operations.duck import Duck, Span
from uploads.operations.tables_given import Given
from uploads.operations.unpacking import FREE_BYTES
from uploads.packed import UNREADABLE, packing_of
from uploads.sizes import size_in_words

PIECE_BYTES: Final = 1024**2


def unpacked(given: Given, duck: Duck, span: Span) -> Given:
    """Return the table inside as a file of its own; its reader deletes it.

    Raises `InputError`: `table_too_large` beyond `archive_max_bytes` or `archive_max_ratio`,
    `table_damaged`.
    """
    packing, limits = packing_of(given.media_type), duck.step.limits
    assert packing is not None
    size = given.path.stat().st_size
    most = min(limits.archive_max_bytes, max(FREE_BYTES, size * limits.archive_max_ratio))
    target = duck.path(f"{given.label}-unpacked")
    made = 0
    try:
        with (
            given.path.open("rb") as file,
            packing.opened(file) as table,
            target.open("wb") as out,
        ):
            while piece := table.read(PIECE_BYTES):
                made += len(piece)
                if made > most:
                    reason = f"it unpacks to more than {size_in_words(most)}."
                    raise InputError("table_too_large", name=given.name, reason=reason)
                out.write(piece)
                share = min(1.0, file.tell() / size)
                duck.report(span[0] + share * (span[1] - span[0]), "unpacking")
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno:  # the disk's fault, not the file's
            raise
        reason = "it ends early." if isinstance(error, EOFError) else "it can't be unpacked."
        raise InputError("table_damaged", name=given.name, reason=reason) from error
    return replace(given, path=target, media_type=given.media_type.removesuffix(packing.suffix))
