"""Packs one JPEG better, in a process of its own: mozjpeg ends its process where data make no sense."""

import os
import warnings
from pathlib import Path
from typing import Any, NoReturn

import mozjpeg_lossless_optimization as mozjpeg

from uploads.errors import InputError
from uploads.operations.base import Context

REASON_LETTERS = 200


def packed(source: Path, notes: str, step: Context[Any]) -> bytes:
    """Return the smaller JPEG; `notes` that stay are `ALL` or the colours' profile alone, `ICC`.

    Raises `InputError` (`image_damaged`) with what mozjpeg says.
    """
    target, words = step.path("packed"), step.path("words")
    with warnings.catch_warnings():
        # Python warns of threads, which the copy hasn't: it packs and ends, and needs none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        _pack(source, notes, target, words)
    _, status = os.waitpid(child, 0)
    said = words.read_text(errors="replace").strip() if words.exists() else ""
    made = target.read_bytes() if status == 0 else b""
    for path in (target, words):
        path.unlink(missing_ok=True)
    if not made:
        reason = (said or "it can't be packed").splitlines()[-1][:REASON_LETTERS]
        raise InputError("image_damaged", name=step.name, reason=f"{reason.rstrip('.')}.")
    return made


def _pack(source: Path, notes: str, target: Path, words: Path) -> NoReturn:
    """Do it in the new process, which ends here in any case; what the library prints is kept."""
    try:
        os.dup2(os.open(words, os.O_WRONLY | os.O_CREAT), 2)
        made = mozjpeg.optimize(source.read_bytes(), copy=mozjpeg.COPY_MARKERS[notes])
        target.write_bytes(made)
        os._exit(0)
    finally:
        os._exit(1)
