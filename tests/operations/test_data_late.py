"""Tables whose last rows are unlike the first ones: no value is changed, no row is lost."""

from collections.abc import Callable
from pathlib import Path

import pytest

from uploads.operations import Output

Perform = Callable[..., list[Output]]
ROWS = 30_000


def last(perform: Perform, path: Path) -> str:
    (made,) = [o for o in perform("data.convert", path, format="csv") if o.role == "result"]
    return made.path.read_text().rstrip("\n").rpartition("\n")[2]


@pytest.mark.parametrize(
    ("usual", "late"),
    [
        ("7", "0.5"),
        ("7", "2.4999"),
        ("7", "007"),
        ("2024-01-02", "2024-01-05 13:45:00"),
        ("name", '"Smith, John"'),
    ],
)
def test_a_late_value_is_as_it_was(usual: str, late: str, perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    rows = "".join(f"{number},{usual}\n" for number in range(ROWS))
    path.write_text(f"a,b\n{rows}{ROWS},{late}\n")
    assert last(perform, path) == f"{ROWS},{late}"


@pytest.mark.parametrize("name", ["größe.csv", "注文.csv", "Ämter 2024.csv"])
def test_a_table_may_be_called_in_any_language(name: str, perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("a,b\n1,2\n")
    made = perform("data.query", path, sql="SELECT a + b AS c FROM data")
    assert made[0].path.read_text() == "c\n3\n"


def test_json_with_a_mark_of_its_encoding_keeps_its_rows(perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "marked.json"
    path.write_bytes(b'\xef\xbb\xbf[{"a":1},{"a":2}]')
    assert last(perform, path) == "2"
