"""JSON as it is met: late values of another type, long numbers, marks, names that are there twice."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from uploads.errors import InputError
from uploads.operations import Output

Perform = Callable[..., list[Output]]
ROWS = 30_000


def column(perform: Perform, path: Path) -> list[str]:
    """Return what a file with the one column `a` has in it, as a CSV says it."""
    made = perform("data.convert", path, format="csv")
    first, *rows = made[0].path.read_text().splitlines()
    assert first == "a"
    return rows


@pytest.mark.parametrize(
    ("usual", "late", "written"),
    [
        ("7", "3.7", "3.7"),
        ("7", "12345678901234567890", "12345678901234567890"),
        ("0.5", "1234567890123456789", "1234567890123456789"),
        ("7", '"n/a"', "n/a"),
        ("7", '"007"', "007"),
        ("true", "0", "0"),
        ('"2024-01-02"', '"2024-01-05 13:45:00"', "2024-01-05 13:45:00"),
    ],
)
@pytest.mark.parametrize("name", ["late.ndjson", "late.json"])
def test_a_late_value_is_as_it_was(
    name: str, usual: str, late: str, written: str, perform: Perform, tmp_path: Path
) -> None:
    path = tmp_path / name
    objects = [f'{{"a": {usual}}}'] * ROWS + [f'{{"a": {late}}}']
    path.write_text("\n".join(objects) if path.suffix == ".ndjson" else f"[{', '.join(objects)}]")
    rows = column(perform, path)
    assert (len(rows), rows[-1]) == (ROWS + 1, written)


@pytest.mark.parametrize(
    ("usual", "late"),
    [
        ('{"x": 1, "y": ["a"]}', '{"x": 2.5, "y": ["b"]}'),
        ('{"x": 1, "y": ["a"]}', '{"x": 2, "z": true}'),
        ('{"x": true}', '{"x": 0}'),
        ("[1, 2]", "[1, 2.5]"),
        ("[1]", '["007"]'),
        ('{"x": [{"y": 1}]}', '{"x": [{"y": 1}, {"y": 1.5}]}'),
        ('{"day": "2024-01-02"}', '{"day": "2024-01-05 13:45:00"}'),
        ('["550E8400-E29B-41D4-A716-446655440000"]', '["2024-01-05"]'),
    ],
)
def test_a_late_value_within_another_is_as_it_was(
    usual: str, late: str, perform: Perform, tmp_path: Path
) -> None:
    path = tmp_path / "late.ndjson"
    path.write_text("\n".join([f'{{"a": {usual}}}'] * ROWS + [f'{{"a": {late}}}']))
    made = perform("data.convert", path, format="ndjson")
    lines = made[0].path.read_text().splitlines()
    assert len(lines) == ROWS + 1
    assert filled(json.loads(lines[0])["a"]) == json.loads(usual)
    assert filled(json.loads(lines[-1])["a"]) == json.loads(late)


def filled(value: Any) -> Any:
    """Return a value without what is null in it: all rows of a table have the same columns."""
    if isinstance(value, dict):
        return {key: filled(inner) for key, inner in value.items() if inner is not None}
    return [filled(inner) for inner in value] if isinstance(value, list) else value


def test_a_late_column_is_there(perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "late.ndjson"
    path.write_text('{"a": 1}\n' * ROWS + '{"a": 2, "b": "new"}\n')
    made = perform("data.convert", path, format="csv")
    rows = made[0].path.read_text().splitlines()
    assert (rows[0], rows[1], rows[-1]) == ("a,b", "1,", "2,new")


@pytest.mark.parametrize(
    "value",
    [
        "9007199254740993",
        "12345678901234567890",
        "123456789012345678901234567890",
        "550E8400-E29B-41D4-A716-446655440000",
    ],
)
def test_a_value_stays_as_it_was_written(value: str, perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "short.ndjson"
    written = value if value.isdigit() else f'"{value}"'
    path.write_text(f'{{"a": null}}\n{{"a": {written}}}\n')
    assert column(perform, path)[-1] == value


def test_large_decimals_stay_numbers(perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "large.ndjson"
    path.write_text('{"a": 1e300}\n{"a": 0.5}\n')
    made = perform("data.convert", path, format="ndjson")
    assert [json.loads(line)["a"] for line in made[0].path.read_text().splitlines()] == [1e300, 0.5]


def test_names_that_differ_in_capitals_alone_keep_their_values(
    perform: Perform, tmp_path: Path
) -> None:
    path = tmp_path / "names.ndjson"
    path.write_text('{"a": 1, "A": "550E8400-E29B-41D4-A716-446655440000"}\n')
    made = perform("data.convert", path, format="csv")
    assert made[0].path.read_text().splitlines()[1].startswith("1,550")


def test_lines_may_begin_with_a_mark_of_their_encoding(perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "marked.ndjson"
    path.write_text('\ufeff{"a": 1}\n{"a": 2}\n', encoding="utf-8")
    assert column(perform, path) == ["1", "2"]


def test_lines_that_say_nothing_certain_are_listed(perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "odd.ndjson"
    path.write_text('{"a": 1}\n{"a": 1, "a": 2}\n{"a": "\\ud800"}\n{"a": 3}\n')
    result, _, rejected = perform("data.convert", path, format="csv")
    assert result.path.read_text() == "a\n1\n3\n"
    lines = rejected.path.read_text().splitlines()
    assert lines[1].startswith("2,a name is there twice,")
    assert lines[2].startswith("3,half a letter is in it,")


def test_no_folder_of_ours_is_told(perform: Perform, tmp_path: Path) -> None:
    path = tmp_path / "marked.json"
    path.write_text('\ufeff[{"a": 1, "a": 2}]', encoding="utf-8")
    with pytest.raises(InputError) as caught:
        perform("data.convert", path)
    assert "work" not in str(caught.value)
