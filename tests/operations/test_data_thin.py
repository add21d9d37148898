"""Fewer rows: duplicates by all or some columns, samples that are the same each time, order kept."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.operations.conftest import Listener
from uploads.errors import InputError
from uploads.operations import Output

Perform = Callable[..., list[Output]]
PEOPLE = """name,email,n
Ann,ann@example.org,1
Bo,bo@example.org,2
Ann,ann@example.org,1
 ANN ,Ann@Example.org,3
Cy,,4
Di,,5
Bo,bo@example.org,6
"""


def rows(output: Output) -> list[list[str]]:
    with output.path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE)
    return path


def thinned(perform: Perform, path: Path, **options: object) -> tuple[list[str], list[str]]:
    """Return the last column of what stays, and the first one (the row) of what was dropped."""
    made = perform("data.thin", path, **options)
    result = next(output for output in made if output.role == "result")
    report = [row[0] for output in made if output.role == "report" for row in rows(output)]
    return [row[-1] for row in rows(result)], report


def test_equal_rows_are_dropped_and_listed(
    people: Path, perform: Perform, listener: Listener
) -> None:
    assert thinned(perform, people) == (["1", "2", "3", "4", "5", "6"], ["3"])
    assert "1 row was dropped" in listener.infos[-1]


def test_some_columns_count_and_empty_ones_make_no_duplicates(
    people: Path, perform: Perform
) -> None:
    assert thinned(perform, people, columns="Email") == (["1", "2", "3", "4", "5"], ["3", "7"])
    loosely = thinned(perform, people, columns="name, email", loosely=True)
    assert loosely == (["1", "2", "4", "5"], ["3", "4", "7"])


def test_the_last_one_may_stay(people: Path, perform: Perform) -> None:
    found = thinned(perform, people, columns="email", loosely=True, stays="last")
    assert found == (["3", "4", "5", "6"], ["1", "2", "3"])


def test_a_table_without_duplicates_stays_as_it_is(
    table: Path, perform: Perform, listener: Listener
) -> None:
    made = perform("data.thin", table)
    assert [row[0] for row in rows(made[0])] == [str(n) for n in range(300)]
    assert "No row is there twice." in listener.infos
    assert [output.role for output in made] == ["result", "preview"]


def test_a_sample_is_the_same_each_time_and_in_order(tmp_path: Path, perform: Perform) -> None:
    path = tmp_path / "long.csv"
    path.write_text("n\n" + "".join(f"{n}\n" for n in range(20_000)))
    chosen, _ = thinned(perform, path, duplicates="keep", sample="rows", rows=500)
    again, _ = thinned(perform, path, duplicates="keep", sample="rows", rows=500)
    assert chosen == again and len(set(chosen)) == 500
    numbers = [int(n) for n in chosen]
    assert numbers == sorted(numbers)
    assert 8500 < sum(numbers) / 500 < 11500 and numbers[0] < 400 and numbers[-1] > 19_600
    tenth, _ = thinned(perform, path, duplicates="keep", sample="percent", percent=10)
    assert len(tenth) == 2000
    more, _ = thinned(perform, path, duplicates="keep", sample="rows", rows=10**6)
    assert len(more) == 20_000


def test_a_column_that_there_is_not_is_named(people: Path, perform: Perform) -> None:
    with pytest.raises(InputError) as caught:
        perform("data.thin", people, columns="name, phone")
    assert caught.value.text == "“people.csv” has no column “phone”."
    assert caught.value.fix == "There are “name”, “email”, “n”."
