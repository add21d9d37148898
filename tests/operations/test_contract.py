"""What every registered operation must keep; a new one is tested by being registered."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.operations import pdfs
from tests.operations.conftest import Told
from uploads.operations import Operation
from uploads.operations.options import canonical, fields_of, parse_options, schema
from uploads.operations.registry import operations

KNOWN = [made for made in operations().values() if made.module.startswith("uploads.")]
# What takes no files is asked only what it says of itself; its own tests do the rest.
EVERY = [made for made in KNOWN if not made.starts]
NAMES = [made.name for made in EVERY]
CHOOSY = [made for made in EVERY if not made.accepts_type("text/plain")]
SINGLE = [made for made in EVERY if made.takes == "each"]
every_operation = pytest.mark.parametrize("operation", EVERY, ids=NAMES)
every_known = pytest.mark.parametrize("operation", KNOWN, ids=[made.name for made in KNOWN])


@pytest.fixture
def fitting(
    photo: Callable[..., Path],
    short_video: Path,
    table: Path,
    archive: Path,
    sums: Path,
    material: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Operation[Any]], Path]:
    people = tmp_path_factory.mktemp("people") / "people.csv"
    people.write_text("name,email\nAnn,ann@example.org\nBo,bo@example.org\n")

    def choose(operation: Operation[Any]) -> Path:
        if operation.name == "mail.batch":
            return people
        if operation.name == "archive.verify":
            return sums
        if operation.accepts_type("image/jpeg"):
            return photo()
        if operation.accepts_type("application/zip"):
            return archive
        if operation.accepts_type("application/pdf"):
            return pdfs.document(material / "document.pdf")
        return table if operation.accepts_type("text/csv") else short_video

    return choose


def made_by(told: Told) -> dict[str, str]:
    assert told.codes == []
    outputs = told.of("output")
    return {
        Path(o["path"]).name: hashlib.sha256(Path(o["path"]).read_bytes()).hexdigest()
        for o in outputs
    }


@every_known
def test_describes_itself(operation: Operation[Any]) -> None:
    assert operation.label and operation.summary.endswith(".")
    assert all(made.help for made in fields_of(operation.options))
    json.dumps(schema(operation.options))


@every_known
def test_presets_are_valid_and_plainly_named(operation: Operation[Any]) -> None:
    assert operation.presets
    for preset in operation.presets:
        assert preset.label and preset.summary.endswith(".")
        parse_options(operation.options, preset.options)


@every_known
def test_canonical_options_parse_to_themselves(operation: Operation[Any]) -> None:
    options = operation.options()
    assert parse_options(operation.options, canonical(options)) == options


@pytest.mark.parametrize("operation", CHOOSY, ids=[made.name for made in CHOOSY])
def test_refuses_what_it_does_not_take(
    operation: Operation[Any], child: Callable[..., Told], tmp_path: Path
) -> None:
    wrong = tmp_path / "notes.txt"
    wrong.write_text("Just a line of text.\n" * 20)
    for call in ("plan", "run") if operation.divisible else ("run",):
        (error,) = child(operation.name, wrong, call=call).of("error")
        assert error["fault"] == "input"
        assert error["values"]["name"] == "notes.txt"


@every_operation
def test_refuses_an_empty_file(
    operation: Operation[Any], child: Callable[..., Told], tmp_path: Path
) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    assert child(operation.name, empty).codes == ["empty_file"]


@every_operation
def test_same_input_twice_gives_the_same_bytes(
    operation: Operation[Any],
    child: Callable[..., Told],
    fitting: Callable[[Operation[Any]], Path],
) -> None:
    first = made_by(child(operation.name, fitting(operation)))
    assert first
    assert made_by(child(operation.name, fitting(operation))) == first


@every_operation
def test_writes_only_into_its_folder(
    operation: Operation[Any],
    child: Callable[..., Told],
    fitting: Callable[[Operation[Any]], Path],
    tmp_path: Path,
) -> None:
    made = child(operation.name, fitting(operation)).of("output")
    assert made
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    folder = tmp_path / "out" / "0"
    assert written - {tmp_path / "inputs" / "0" / "source"} == set(folder.iterdir())
    assert all(Path(output["path"]).parent == folder for output in made)


@pytest.mark.parametrize("operation", SINGLE, ids=[made.name for made in SINGLE])
def test_a_bad_item_leaves_the_others_alone(
    operation: Operation[Any],
    child: Callable[..., Told],
    fitting: Callable[[Operation[Any]], Path],
    tmp_path: Path,
) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    told = child(operation.name, empty, fitting(operation))
    assert [(error["item"], error["code"]) for error in told.of("error")] == [("0", "empty_file")]
    assert [done["item"] for done in told.of("done")] == ["1"]


@pytest.mark.parametrize("operation", SINGLE, ids=[made.name for made in SINGLE])
def test_results_bear_the_owners_name(
    operation: Operation[Any],
    child: Callable[..., Told],
    fitting: Callable[[Operation[Any]], Path],
) -> None:
    for output in child(operation.name, fitting(operation)).of("output"):
        called = output["meta"].get("folder") or Path(output["path"]).name
        assert called.startswith("source")
