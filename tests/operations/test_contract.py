"""The public contract, kept by every operation of this house; a new one is tested by being registered."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.operations import offices, pdfs
from uploads.operations import Operation
from uploads.operations.contract import Contract
from uploads.operations.options import canonical, fields_of, parse_options, schema
from uploads.operations.registry import operations

KNOWN = [made for made in operations().values() if made.module.startswith("uploads.")]
# What takes no files is asked only what it says of itself here; its own tests do the rest.
EVERY = [
    pytest.param(made, id=made.name, marks=pytest.mark.skipif(bool(lacks), reason=lacks))
    for made in KNOWN
    if not made.starts
    for lacks in [made.missing()]
]
ALONE = [made for made in KNOWN if made.starts]


@pytest.fixture(scope="session")
def fitting(
    photo: Callable[..., Path],
    short_video: Path,
    table: Path,
    archive: Path,
    sums: Path,
    material: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Operation[Any]], Path | list[Path]]:
    people = tmp_path_factory.mktemp("people") / "people.csv"
    people.write_text("name,email\nAnn,ann@example.org\nBo,bo@example.org\n")
    gone = people.with_name("gone.jpg")
    gone.write_bytes(b"here again")

    def choose(operation: Operation[Any]) -> Path | list[Path]:
        if operation.name == "mail.batch":
            return people
        if operation.name == "archive.verify":
            return [sums, gone]
        if operation.accepts_type("image/jpeg"):
            return photo()
        if operation.name == "office.pdf":
            return offices.docx(material / "letter.docx")
        if operation.accepts_type("application/zip"):
            return archive
        if operation.accepts_type("application/pdf"):
            return pdfs.document(material / "document.pdf")
        return table if operation.accepts_type("text/csv") else short_video

    return choose


class TestEveryOperation(Contract):
    @pytest.fixture(autouse=True, params=EVERY)
    def _each(
        self, request: pytest.FixtureRequest, fitting: Callable[[Operation[Any]], Path | list[Path]]
    ) -> None:
        self.operation = request.param
        self.example = fitting(self.operation)

    def test_refuses_an_empty_file(self) -> None:
        (error,) = self.served({"empty.mp4": b""}).of("error")
        assert error["code"] == "empty_file"
        self.said_well(error, "empty.mp4", "no bytes")


@pytest.mark.parametrize("operation", ALONE, ids=[made.name for made in ALONE])
def test_what_takes_no_files_says_itself_as_well(operation: Operation[Any]) -> None:
    assert operation.label and operation.summary.endswith(".")
    assert all(made.help for made in fields_of(operation.options))
    json.dumps(schema(operation.options))
    for preset in operation.presets:
        assert preset.label and preset.summary.endswith(".")
        options = parse_options(operation.options, preset.options)
        assert parse_options(operation.options, canonical(options)) == options
