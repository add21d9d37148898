"""A program that lets LibreOffice print one document: `PROGRAM PROFILE SOURCE TARGET OPTIONS`.

It uses LibreOfficeKit, LibreOffice within this process: the program itself talks to its kin
through sockets, which a sandboxed child has none of. Prints why a document can't be
opened and ends with 1. Source: LibreOffice's `include/LibreOfficeKit/LibreOfficeKit.h`, a C
interface that only grows at its end.
"""

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

LIBRARIES = ("libmergedlo.so", "libsofficeapp.so")
# Places in the tables of functions of an office and a document; a table begins with its size.
LOAD, GET_ERROR = 2, 3
SAVE_AS = 2


def main(program: str, profile: str, source: str, target: str, options: str) -> int:
    """Print the document; the arguments are a folder, three URLs, and the export's options (JSON)."""
    office = _office(program, profile)
    if not office:
        sys.stdout.write("LibreOffice does not start.")
        return 1
    document = _function(office, LOAD, ctypes.c_void_p, source)
    if document and _function(document, SAVE_AS, ctypes.c_int, target, "pdf", options):
        return 0
    said = _function(office, GET_ERROR, ctypes.c_char_p) or b""
    sys.stdout.write(said.decode(errors="replace"))
    return 1


def _office(program: str, profile: str) -> Any:
    path = next(path for name in LIBRARIES if (path := Path(program, name)).exists())
    library = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    begin = library.libreofficekit_hook_2
    begin.restype, begin.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]
    return begin(program.encode(), profile.encode())


def _function(thing: int, place: int, returns: Any, *texts: str) -> Any:
    """Call one function of the table that a thing of LibreOfficeKit begins with."""
    table = ctypes.cast(thing, ctypes.POINTER(ctypes.c_void_p))[0]
    address = ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))[place]
    kind = ctypes.CFUNCTYPE(returns, ctypes.c_void_p, *(ctypes.c_char_p for _ in texts))
    return kind(address)(thing, *(text.encode() for text in texts))


if __name__ == "__main__":
    ended = main(*sys.argv[1:])
    sys.stdout.flush()
    # LibreOffice's own way out takes seconds, and may crash when all is done.
    os._exit(ended)
