"""Tables whose last rows are unlike the first ones: no value is changed, no row is lost."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.operations.conftest import Listener
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
        ("2024-01-02 10:00:00", "2024-01-05 10:00:00+02"),
        ("2024-01-02 10:00:00", "2024-01-05 10:00:00.1234567"),
        ("10:30:00", "10:30:00.1234567"),
        ("7", "12345678901234567890"),
        ("7", "1_000"),
        ("true", "yes"),
        ("7.5", "none"),
        ("7.5", "7.5 kg"),
        ("7.5", '"7,5"'),
        ("7.5", "1.2.2024"),
        ("name", '"Smith, John"'),
    ],
)
def test_a_late_value_is_as_it_was(usual: str, late: str, perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    rows = "".join(f"{number},{usual}\n" for number in range(ROWS))
    path.write_text(f"a,b\n{rows}{ROWS},{late}\n")
    assert last(perform, path) == f"{ROWS},{late}"
    sql = f"SELECT b::VARCHAR AS b FROM data WHERE a = {ROWS}"
    answer = perform("data.query", path, sql=sql)[0].path
    assert answer.read_text().split("\n", 1)[1].rstrip("\n") == late


def test_floats_with_spaces_and_two_kinds_of_late_values_lose_no_row(
    perform: Perform, tmp_path: Path
) -> None:
    path = tmp_path / "late.csv"
    rows = "".join(f"{number},{number / 4:.2f},{number / 8}\n" for number in range(ROWS))
    path.write_text(f'a,b,c\n{rows}x, 8.5 ,1.5\n5,"",-\n')
    sql = "SELECT count(*), sum(TRY_CAST(a AS BIGINT)), sum(b), count(c), count(*) - count(b) FROM data"
    answer = perform("data.query", path, sql=sql)[0].path.read_text().splitlines()[1]
    whole = sum(range(ROWS))
    count, first, second, third, empty = answer.split(",")
    assert (int(count), int(float(first)), int(third), int(empty)) == (
        ROWS + 2,
        whole + 5,
        ROWS + 2,
        1,
    )
    assert float(second) == whole / 4 + 8.5
    assert len(perform("data.convert", path, format="csv")) > 0
    assert last(perform, path) == "5,,-"


@pytest.mark.parametrize("value", ["yes", "NO", "t", "12345678901234567890123", "007"])
def test_a_value_stays_as_it_was_written(value: str, perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text(f"a,b\n1,{value}\n2,{value}\n")
    assert last(perform, path) == f"2,{value}"


def test_rows_put_apart_are_not_changed_before(perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    rows = "".join(f"{number},7\n" for number in range(ROWS))
    path.write_text(f"a,b\n{rows}{ROWS},nothing\n{ROWS + 1},0.5\n")
    made = perform("data.convert", path, format="csv", odd_values="reject")
    (result,) = [output for output in made if output.role == "result"]
    (rejects,) = [output for output in made if output.role == "report"]
    assert result.path.read_text().splitlines()[-1] == f"{ROWS + 1},0.5"
    assert rejects.path.read_text().splitlines()[1].startswith(f"{ROWS + 2},a value of another")


@pytest.mark.parametrize("above", ["Sales of 2024\n", "Sales of 2024\n\n", "# a remark\n"])
def test_what_stands_above_a_table_is_no_row(above: str, perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "titled.csv"
    path.write_text(f"{above}a,b\n1,2\n3,4\n")
    made = perform("data.convert", path, format="csv")
    assert made[0].path.read_text() == "a,b\n1,2\n3,4\n"


def test_the_log_says_how_doubtful_days_are_read(
    perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    path = tmp_path / "days.csv"
    path.write_text("day,n\n01/02/2024,1\n03/04/2024,2\n")
    perform("data.convert", path, format="csv")
    assert "“day” is read as day/month/year." in listener.infos


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
