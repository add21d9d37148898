"""One table on its way out: written in the wanted format, with pages of its rows beside it."""

from collections.abc import Iterator
from typing import Literal

from uploads.operations.base import Output
from uploads.operations.duck import Duck, Span
from uploads.operations.tables_given import Table
from uploads.operations.tables_page import rows_page
from uploads.operations.tables_write import (
    PACKED,
    SUFFIXES,
    TOGETHER,
    Writing,
    write,
    write_together,
)


def hand_out(
    table: Table,
    label: str,
    called: str,
    writing: Writing,
    duck: Duck,
    span: Span,
    *,
    sql: str = "",
    sheet: str = "",
    paged: bool = True,
    role: Literal["result", "report"] = "result",
) -> Iterator[Output]:
    """Write a table to a file whose name begins with `label`, and pages of it for people.

    `called` is what they call it, `sheet` the name within Excel or SQLite where that differs.
    Only one that is `paged` has more than one page.
    """
    page = rows_page(table, label, duck, called, sql, paged=paged)
    target = duck.step.path(label + SUFFIXES[writing.format] + PACKED[writing.compression])
    if writing.format in TOGETHER:
        write_together([(sheet or called, table)], target, writing, duck, span)
    else:
        write(table, target, writing, duck, span)
    meta = {"rows": table.rows, "columns": len(table.columns), "glance": page.glance}
    yield Output(target, role=role, meta=meta)
    yield Output(page.path, role="preview", meta=page.meta)
