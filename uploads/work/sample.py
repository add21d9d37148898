"""Sample: which of a request's files are tried first."""

from collections.abc import Sequence
from typing import Any

from uploads.conf import conf
from uploads.models import Upload
from uploads.operations import Operation

Placed = tuple[int, Upload]
LONG_KINDS = frozenset({"video", "audio"})


def choose(operation: Operation[Any], uploads: Sequence[Upload]) -> list[Placed]:
    """Return the files of a sample with their places in the request: from small to large ones.

    One film or recording is enough; files that are here go before those still arriving.
    """
    fit = [
        (place, upload)
        for place, upload in enumerate(uploads)
        if upload.is_complete and operation.accepts_type(upload.media_type)
    ]
    if not fit:
        fit = [(place, upload) for place, upload in enumerate(uploads) if not upload.is_complete]
    if not fit:  # it needs none
        return []
    by_size = sorted(fit, key=lambda placed: placed[1].length)
    if by_size[len(by_size) // 2][1].kind in LONG_KINDS:
        return [by_size[len(by_size) // 2]]
    return sorted(_spread(by_size, max(1, conf.SAMPLE_FILES)), key=lambda placed: placed[0])


def _spread(files: Sequence[Placed], count: int) -> list[Placed]:
    """Return that many, evenly from the first to the last; one alone from the middle."""
    if len(files) <= count:
        return list(files)
    if count == 1:
        return [files[len(files) // 2]]
    return [files[round(n * (len(files) - 1) / (count - 1))] for n in range(count)]
