"""The operation `db.query`: one question to a registered database; it knows no driver.

`db_answer` asks and writes the answer; imported when there is work.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import connection_option, option
from uploads.operations.places import values_option

MIB = 1024**2

EXAMPLES = {
    "The first rows": "SELECT *\nFROM orders\nLIMIT 100",
    "Count the rows of each value": (
        "SELECT city, count(*) AS rows\nFROM orders\nGROUP BY city\nORDER BY 2 DESC"
    ),
    "Rows of some days": ("SELECT *\nFROM orders\nWHERE day >= :from AND day < :till"),
    "Two tables together": (
        "SELECT customers.name, sum(orders.amount) AS amount\n"
        "FROM orders\nJOIN customers ON orders.customer = customers.id\n"
        "GROUP BY customers.name\nORDER BY amount DESC"
    ),
}


@dataclass(frozen=True)
class DatabaseQuestion:
    """Whom to ask, what, and which format the answer has."""

    connection: str = connection_option(
        "Databases that an operator has opened to you.", label="Database"
    )
    sql: str = option(
        "",
        "One question in the database's own SQL; it can only read. What shall be filled in each "
        "time is written as :name.",
        label="Question in SQL",
        max_length=20_000,
        main=True,
        multiline=True,
        examples=EXAMPLES,
    )
    values: str = values_option("sql")
    format: Literal["csv", "parquet", "xlsx", "ndjson"] = option(
        "csv",
        "Format of the answer; the first rows are shown in any case.",
        choices={"csv": "CSV", "parquet": "Parquet", "xlsx": "Excel", "ndjson": "NDJSON"},
    )  # fmt: skip


PRESETS = (
    Preset("csv", "Answer as CSV", "A text that every program reads.", {}),
    Preset("xlsx", "Answer as Excel", "At most a million rows a sheet.", {"format": "xlsx"}),
    Preset("parquet", "Answer as Parquet", "Small; keeps every type.", {"format": "parquet"}),
    Preset("ndjson", "Answer as NDJSON", "An object a line.", {"format": "ndjson"}),
)


@operation(
    "db.query",
    label="Ask a database",
    accepts=[],
    options=DatabaseQuestion,
    takes="none",
    profile="outbound",
    presets=PRESETS,
    seconds=lambda size: 5.0,
    needs_memory=lambda size: 768 * MIB,
    needs_disk=lambda size: 256 * MIB,
)
def query(step: Context[DatabaseQuestion]) -> Iterator[Output]:
    """Ask a database in SQL, and get every row of the answer as a file."""
    from uploads.operations import db_answer

    yield from db_answer.answer(step)


@query.look
def look(step: Context[DatabaseQuestion]) -> Iterator[Output]:
    """Say what can be reached through the connection, and what its user could do beside reading."""
    from uploads.operations import db_answer

    yield from db_answer.look(step)
