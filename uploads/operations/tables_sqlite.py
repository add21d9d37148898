"""Tables of SQLite files into Parquet; nothing that is in the file is run."""

import sqlite3
from urllib.parse import quote as url_quote

from uploads.errors import InputError
from uploads.operations.duck import Duck, Span, name, within
from uploads.operations.tables_cells import write_parquet
from uploads.operations.tables_given import Given, Reading, Table
from uploads.operations.tables_heading import unique


def read_database(given: Given, duck: Duck, span: Span, reading: Reading) -> list[Table]:
    """Return each table of an SQLite file that holds rows of its own; nothing in it is run."""
    address = f"file:{url_quote(str(given.path))}?mode=ro&immutable=1"
    database = sqlite3.connect(address, uri=True)
    database.text_factory = lambda raw: raw.decode(errors="replace")
    try:
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA cell_size_check = ON")
        names = _tables(database)
        made = []
        for number, table in enumerate(names):
            share = within(span, number / len(names), (number + 1) / len(names))
            cursor = database.execute(f"SELECT * FROM {name(table)}")
            columns = unique([column[0] for column in cursor.description])
            label = f"{given.label}-{number + 1}"
            rows = write_parquet(
                label, table, columns, cursor, duck, share, _count(database, table)
            )
            made.append(rows)
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter of a column's name
        raise InputError("table_damaged", name=given.name, reason=f"{error}.") from error
    finally:
        database.close()
    return made


def _tables(database: sqlite3.Connection) -> list[str]:
    found = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' "
        "ESCAPE '~' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
    )
    return [row[0] for row in found]


def _count(database: sqlite3.Connection, table: str) -> int:
    """Return about how many rows a table has, in a moment."""
    try:
        found = database.execute(f"SELECT max(rowid) FROM {name(table)}").fetchone()[0]
    except sqlite3.Error:  # a table without row numbers
        found = ""
    if found is None or isinstance(found, int):
        return found or 0
    # Also where a column of its own is called `rowid`.
    return int(database.execute(f"SELECT count(*) FROM {name(table)}").fetchone()[0])


def sqlite_name(called: str) -> str:
    """Return a name that SQLite lets a table have."""
    return f"t_{called}" if called.casefold().startswith("sqlite_") else called
