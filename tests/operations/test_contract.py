"""The public contract, kept by every operation of this house; a new one is tested by being registered."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.operations import pdfs
from uploads.operations import Operation
from uploads.operations.contract import Contract
from uploads.operations.registry import operations

EVERY = [made for made in operations().values() if made.module.startswith("uploads.")]


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
        if operation.accepts_type("application/zip"):
            return archive
        if operation.accepts_type("application/pdf"):
            return pdfs.document(material / "document.pdf")
        return table if operation.accepts_type("text/csv") else short_video

    return choose


class TestEveryOperation(Contract):
    @pytest.fixture(autouse=True, params=EVERY, ids=[made.name for made in EVERY])
    def _each(
        self, request: pytest.FixtureRequest, fitting: Callable[[Operation[Any]], Path | list[Path]]
    ) -> None:
        self.operation = request.param
        self.example = fitting(self.operation)

    def test_refuses_an_empty_file(self) -> None:
        (error,) = self.served({"empty.mp4": b""}).of("error")
        assert error["code"] == "empty_file"
        self.said_well(error, "empty.mp4", "no bytes")
