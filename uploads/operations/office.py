"""The operation `office.pdf`: texts, sheets and slides of office programs as PDF; knows no LibreOffice."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.office_print import LIBRARIES
from uploads.operations.options import option
from uploads.operations.surroundings import PROGRAMS

_OPEN_XML = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument"
TEXTS = (
    f"{_OPEN_XML}.wordprocessingml.document",
    f"{_OPEN_DOCUMENT}.text",
    "application/msword",
    "application/rtf",
)
SHEETS = (
    f"{_OPEN_XML}.spreadsheetml.sheet",
    f"{_OPEN_DOCUMENT}.spreadsheet",
    "application/vnd.ms-excel",
)
SLIDES = (
    f"{_OPEN_XML}.presentationml.presentation",
    f"{_OPEN_DOCUMENT}.presentation",
    "application/vnd.ms-powerpoint",
)
OFFICE = (*TEXTS, *SHEETS, *SLIDES)
NAMES = ("soffice", "libreoffice")


@dataclass(frozen=True)
class ToPdf:
    """What kind of PDF it becomes."""

    archive: bool = option(
        default=False,
        label="For archives (PDF/A)",
        help="All fonts inside and nothing that may look different in years.",
    )
    whole_sheets: bool = option(
        default=False,
        label="A page for each sheet",
        help="However large it is, instead of pages as they would be printed.",
    )


PRESETS = (
    Preset("pdf", "PDF", "As it would be printed.", {}),
    Preset("archive", "PDF for archives", "PDF/A-2b, with all fonts inside.", {"archive": True}),
    Preset(
        "sheets", "A page for each sheet", "Tables are not cut at the edge of the paper.",
        {"whole_sheets": True},
    ),
)  # fmt: skip


@cache
def program() -> Path | None:
    """Return the folder of LibreOffice where a sandboxed child finds it, looked for once."""
    found = [path for name in NAMES if (path := shutil.which(name, path=PROGRAMS))]
    folders = [Path(path).resolve().parent for path in found]
    return next((folder for folder in folders if _has_kit(folder)), None)


def prints_sheets() -> bool:
    """Tell whether it can print tables: it shows them to nobody, but in windows that are there."""
    folder = program()
    parts = "share/config/soffice.cfg/modules/scalc/ui/inputbar.ui"
    return folder is not None and (folder.parent / parts).exists()


def _has_kit(folder: Path) -> bool:
    return any((folder / name).exists() for name in LIBRARIES)


def lacks(_options: ToPdf | None) -> str:
    """Return what has to be installed before office files can be read, as a sentence; else nothing."""
    if program():
        return ""
    return "An operator installs LibreOffice: apt install libreoffice, or as your system has it."


@operation(
    "office.pdf",
    label="Office files to PDF",
    accepts=OFFICE,
    options=ToPdf,
    presets=PRESETS,
    lacks=lacks,
    seconds=lambda size: 2.5 + size / 0.4e6,
    needs_memory=lambda size: 512 * 1024**2 + 20 * min(size, 100 * 1024**2),
    needs_disk=lambda size: 64 * 1024**2 + 6 * size,
)
def to_pdf(source: Path, step: Context[ToPdf]) -> Iterator[Output]:
    """Make PDFs of texts, sheets and slides, as they would be printed."""
    from uploads.operations import office_make

    yield from office_make.make(source, step)
