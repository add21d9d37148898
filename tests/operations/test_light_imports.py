"""Web and worker processes read labels and options without loading native libraries."""

import subprocess
import sys

from tests.operations.conftest import ROOT

HEAVY = (
    "av",
    "pyvips",
    "PIL",
    "pillow_heif",
    "imageio_ffmpeg",
    "numpy",
    "duckdb",
    "python_calamine",
    "xlsxwriter",
    "pypdfium2",
    "pikepdf",
    "img2pdf",
    "django",
)


def test_the_registry_loads_no_native_library() -> None:
    code = (
        "import sys; from uploads.operations.registry import operations; "
        "from uploads.operations.options import schema; "
        "[schema(o.options) for o in operations().values()]; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert told.stdout.strip() == "[]"


def test_the_contract_needs_neither_django_nor_pytest() -> None:
    code = (
        "import sys; import uploads.operations.contract; "
        f"print([name for name in (*{HEAVY!r}, 'pytest', '_pytest') if name in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert told.stdout.strip() == "[]"
