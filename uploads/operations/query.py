"""The operation `data.query`: questions in SQL to one or several tables; it knows no database.

`asking` puts the question to DuckDB, imported when there is work.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.errors import RequestError
from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.data import MIB, TABLES, memory_bytes
from uploads.operations.options import option
from uploads.operations.places import values_option

EXAMPLES = {
    "The first rows": "SELECT *\nFROM data\nLIMIT 100",
    "Count the rows of each value": (
        "SELECT city, count(*) AS rows\nFROM data\nGROUP BY city\nORDER BY rows DESC"
    ),
    "Sums by month": (
        "SELECT date_trunc('month', day) AS month, sum(amount) AS amount\n"
        "FROM data\nGROUP BY month\nORDER BY month"
    ),
    "Join two files": (
        "SELECT customers.name, count(*) AS orders\n"
        "FROM orders\nJOIN customers ON orders.customer = customers.id\n"
        "GROUP BY customers.name\nORDER BY orders DESC"
    ),
    "The largest of each group": (
        "SELECT *\nFROM data\nQUALIFY row_number() OVER (PARTITION BY city ORDER BY amount DESC) = 1"
    ),
    "Rows that are there twice": (
        "SELECT *, count(*) AS times\nFROM data\nGROUP BY ALL\nHAVING times > 1"
    ),
    "What is in one file, but not in the other": (
        "SELECT * FROM orders\nANTI JOIN customers ON orders.customer = customers.id"
    ),
}


@dataclass(frozen=True)
class Question:
    """What is asked, and which format the answer has."""

    sql: str = option(
        EXAMPLES["The first rows"],
        "Each file is a table named after it: “orders 2024.csv” is orders_2024; the first one is "
        "also called data. Several questions are divided by semicolons. What shall be filled in "
        "each time is written as :name.",
        label="Question in SQL",
        max_length=20_000,
        main=True,
        multiline=True,
        examples=EXAMPLES,
    )
    values: str = values_option("sql")
    format: Literal["csv", "parquet", "xlsx", "ndjson"] = option(
        "csv",
        "Format of the answers; the first rows are shown in any case.",
        choices={"csv": "CSV", "parquet": "Parquet", "xlsx": "Excel", "ndjson": "NDJSON"},
    )

    def __post_init__(self) -> None:
        if not self.sql.strip(" \t\n;"):
            raise RequestError("invalid_options", reason="A question is needed.", field="sql")


PRESETS = (
    Preset("csv", "Answer as CSV", "A text that every program reads.", {}),
    Preset("xlsx", "Answer as Excel", "At most a million rows a sheet.", {"format": "xlsx"}),
    Preset("parquet", "Answer as Parquet", "Small; keeps every type.", {"format": "parquet"}),
    Preset("ndjson", "Answer as NDJSON", "An object a line.", {"format": "ndjson"}),
)


@operation(
    "data.query",
    label="Ask with SQL",
    version=2,
    accepts=TABLES,
    options=Question,
    takes="all",
    presets=PRESETS,
    seconds=lambda size: 0.5 + size / 60e6,
    needs_memory=memory_bytes,
    # Parquet of every text, what a large sort puts aside, the answer in two formats.
    needs_disk=lambda size: 16 * MIB + 4 * size,
)
def query(sources: Sequence[Path], step: Context[Question]) -> Iterator[Output]:
    """Ask your tables in SQL: sums, joins, filters over one or several files of any size."""
    from uploads.operations import asking

    yield from asking.answer(sources, step)


@query.look
def look(sources: Sequence[Path], step: Context[Question]) -> Iterator[Output]:
    """Say which tables and columns a question would find in each file."""
    from uploads.operations import asking_room

    yield from asking_room.look(sources, step)
