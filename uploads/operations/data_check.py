"""The operation `data.check`: tables against rules; `data_check_make` does the work."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.errors import RequestError
from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.data import FORMATS, MIB, TABLES, memory_bytes
from uploads.operations.options import option
from uploads.operations.tables_rules import RuleError, Rules, rules_of
from uploads.operations.tables_schema import rules_of_schema

EXAMPLES = {
    "Orders": (
        "number: whole number, required, unique\ncustomer: text, required, at most 80 letters\n"
        "day: date, from 2020-01-01\namount: number, from 0\nstate: one of open | paid | sent"
    ),
    "People": (
        "name: text, required\nemail: required, unique, like [^@\\s]+@[^@\\s]+\n"
        "born: date %d.%m.%Y, from 1900-01-01\nnewsletter: yes or no"
    ),
    "Table Schema (Frictionless Data)": (
        '{"fields": [\n  {"name": "id", "type": "integer", "constraints": {"minimum": 1}},\n'
        '  {"name": "email", "type": "string", "format": "email"}\n], "primaryKey": "id"}'
    ),
}


@dataclass(frozen=True)
class CheckTable:
    """Which rules the rows follow, and what becomes of those that do not."""

    rules: str = option(
        "",
        "A line for each column: its name, a colon, what holds. Or a Table Schema in JSON. Empty: "
        "the job writes the rules that the table follows today, to check later ones by.",
        max_length=50_000,
        main=True,
        multiline=True,
        examples=EXAMPLES,
    )
    broken: Literal["apart", "fail"] = option(
        "apart",
        "A row that breaks a rule.",
        label="Rows that do not fit",
        choices={"apart": "Put them into a file of their own", "fail": "The file fails"},
    )
    others: Literal["keep", "drop", "refuse"] = option(
        "keep",
        "Those without a rule.",
        label="Other columns",
        choices={"keep": "Keep them", "drop": "Drop them", "refuse": "There must be none"},
    )
    format: Literal["csv", "parquet", "xlsx", "ndjson"] = option(
        "csv",
        "Of the rows that fit: a CSV has them as they were written, the others have their types.",
        choices=FORMATS,
    )

    def __post_init__(self) -> None:
        try:
            self.parsed()
        except RuleError as error:
            reason = f"The rules can't be understood: {error}"
            raise RequestError("invalid_options", reason=reason, field="rules") from error

    def parsed(self) -> Rules:
        """Return the rules as what they say; raises `RuleError`."""
        schema = self.rules.lstrip().startswith("{")
        return (rules_of_schema if schema else rules_of)(self.rules)


PRESETS = (
    Preset("apart", "Rows that do not fit apart", "The others go on, as they were written.", {}),
    Preset("strict", "All or nothing", "One row that does not fit, and the file fails.", {"broken": "fail"}),
    Preset("parquet", "Parquet with these types", "Rows that do not fit are put apart.", {"format": "parquet"}),
)  # fmt: skip


@operation(
    "data.check",
    label="Check tables by rules",
    version=2,
    accepts=TABLES,
    options=CheckTable,
    presets=PRESETS,
    seconds=lambda size: 0.5 + size / 25e6,
    needs_memory=memory_bytes,
    needs_disk=lambda size: 16 * MIB + 10 * size,
)
def check(source: Path, step: Context[CheckTable]) -> Iterator[Output]:
    """Check every row by rules: types, gaps, ranges, patterns, duplicates; what breaks one is put apart."""
    from uploads.operations import data_check_make

    yield from data_check_make.check(source, step)
