"""What a child finds around it: its command, its environment, where operations lie; knows no settings."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from uploads.operations.confine import PACKAGE, program_folders

# Where a child finds programs.
PROGRAMS = "/usr/local/bin:/usr/bin:/bin"
PYTHON = (sys.executable, "-P", "-s")


def environment(out: Path, more: Iterable[str] = ()) -> dict[str, str]:
    """Return all that a child's environment holds; `more` are folders to import from."""
    return {
        "PATH": PROGRAMS,
        "LANG": "C.UTF-8",
        "HOME": str(out),
        "TMPDIR": str(out),
        "PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), *more]),
        "VIPS_CONCURRENCY": "1",
        "RAYON_NUM_THREADS": "1",
        "OMP_THREAD_LIMIT": "1",
        "VIPS_BLOCK_UNTRUSTED": "1",
    }


def homes(modules: Iterable[str]) -> list[str]:
    """Return the folders from which these modules are imported, where a child can't read them yet.

    So an operation works that is not installed but lies in its author's folder: beside a test,
    or where `pip install -e` has left it.
    """
    readable = [folder.resolve() for folder in program_folders()]
    tops = dict.fromkeys(module.partition(".")[0] for module in modules)
    places = [place for top in tops if (place := _place(top)) is not None]
    hidden = [p for p in places if not any(p.is_relative_to(folder) for folder in readable)]
    return list(dict.fromkeys(str(place.parent) for place in hidden))


def _place(top: str) -> Path | None:
    """Return the folder of an imported package, or the file of a module."""
    made = sys.modules.get(top)
    places = list(getattr(made, "__path__", ())) or [getattr(made, "__file__", None)]
    return Path(places[0]).resolve() if places[0] else None
