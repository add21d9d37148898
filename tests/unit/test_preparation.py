"""What `up` prepares before any child starts."""

from importlib.util import cache_from_source
from pathlib import Path

from uploads import operations
from uploads.management.preparation import compile_operations


def test_byte_code_of_operations_is_written_for_the_confined() -> None:
    found = sorted(Path(operations.__file__).parent.rglob("*.py"))
    written = Path(cache_from_source(str(found[-1])))
    written.unlink(missing_ok=True)
    compile_operations()
    assert len(found) > 100 and written.is_file()
