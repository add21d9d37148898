"""Connections in jobs: who may use which is asked at submit and again at every run; secrets stay here.

The password goes from the row into the child's standard input and nowhere else; what a child
says is stripped of it before anybody else hears it.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from uploads.conf import conf
from uploads.errors import InputError, RequestError
from uploads.models import Connection, Step
from uploads.models.connection import refused_file
from uploads.models.secret import SealBrokenError
from uploads.operations import Operation
from uploads.operations.options import fields_of
from uploads.operations.outside import Outside

Options = Mapping[str, Any]
Json = dict[str, Any]

SHORTEST_SECRET = 4  # shorter ones would be found in any text
HIDDEN = "•••"
SIDE_FILES = ("", "-wal", "-shm", "-journal")
# A step may take 20 times its weight: what is left to it beside the database's own work.
LIMIT_FACTOR, SPARE_SECONDS = 20, 300.0


def connection_field(operation: Operation[Any]) -> str:
    """Return the option of an operation that names a connection, or an empty text."""
    names = (field.name for field in fields_of(operation.options) if field.type == "connection")
    return next(names, "")


def check_beginning(
    owner: Any, links: Sequence[tuple[Operation[Any], Options]], files: Sequence[str]
) -> None:
    """Refuse files where none are taken and the reverse, and connections that are not open.

    A connection that others may use is unknown here, as one that is not there.
    """
    first = links[0][0]
    if first.starts and files:
        raise RequestError("bad_request", reason=f"“{first.label}” takes no files.")
    if not first.starts and not files:
        raise RequestError("no_files")
    for place, (operation, options) in enumerate(links):
        if operation.starts and place:
            reason = f"“{operation.label}” takes no files: it can only be the first operation."
            raise RequestError("bad_request", reason=reason)
        if field := connection_field(operation):
            chosen(owner, options.get(field), field)
            if not str(options.get("sql", "x")).strip():
                raise RequestError("invalid_options", reason="A question is needed.", field="sql")


def chosen(owner: Any, key: Any, field: str) -> Connection:
    """Return the connection that an option names; raises `RequestError` (`invalid_options`)."""
    if not key:
        raise RequestError("invalid_options", reason="Choose a database.", field=field)
    found = Connection.objects.usable_by(owner).filter(key=key).first()
    if found is None:
        reason = "There is no such database, or it is not open to you."
        raise RequestError("invalid_options", reason=reason, field=field)
    return found


def subject(owner: Any, operation: Operation[Any], options: Options) -> str:
    """Return what an operation without files works on: its results are called so."""
    field = connection_field(operation)
    return chosen(owner, options.get(field), field).name if field else operation.label


def least_weight(owner: Any, operation: Operation[Any], options: Options) -> float:
    """Return the weight whose time limit is long enough for the connection's longest question."""
    field = connection_field(operation)
    if not field:
        return 0.0
    seconds = float(limits_of(chosen(owner, options.get(field), field))["max_seconds"])
    return (seconds + SPARE_SECONDS) / LIMIT_FACTOR


def limits_of(connection: Connection) -> Json:
    """Return a connection's limits: its own, else those of the settings."""
    return {
        "max_seconds": connection.max_seconds or conf.DB_MAX_SECONDS,
        "max_rows": connection.max_rows or conf.DB_MAX_ROWS,
        "max_bytes": connection.max_bytes or conf.DB_MAX_BYTES,
    }


# --- at the run --------------------------------------------------------------------


def reached(step: Step, operation: Operation[Any]) -> Outside | None:
    """Return what a step's child may reach, None for nothing. Raises `InputError`.

    Asked anew each time: rights may have gone since the job was sent.
    """
    field = connection_field(operation)
    if not field:
        return None
    key = step.stage.options.get(field, "")
    known = Connection.objects.filter(key=key).first()
    if known is None or not Connection.objects.usable_by(step.owner).filter(pk=known.pk).exists():
        raise InputError("connection_gone", connection=known.name if known else "that was chosen")
    return outside_of(known)


def outside_of(connection: Connection) -> Outside:
    """Return a connection with its password as the child gets it. Raises `InputError`."""
    if connection.is_file and (why := refused_file(connection.database)):
        raise InputError("db_file", connection=connection.name, reason=why)
    try:
        password = connection.password()
    except SealBrokenError:
        raise InputError("connection_sealed", connection=connection.name) from None
    return Outside(
        name=connection.name,
        kind=connection.kind,  # type: ignore[arg-type]
        host=connection.host,
        port=connection.real_port,
        # As it was looked at: a link that is changed now leads nowhere else.
        database=str(Path(connection.database).resolve())
        if connection.is_file
        else connection.database,
        user=connection.user,
        password=password,
        tls=connection.tls,  # type: ignore[arg-type]
        ca=connection.ca,
        **limits_of(connection),
    )


def as_request(outside: Outside | None) -> Json | None:
    """Return it as the child's request has it."""
    return dataclasses.asdict(outside) if outside else None


def walls(outside: Outside | None) -> Json:
    """Return what a child's bounds open for it: one port, or the files of one database."""
    if outside is None:
        return {}
    if outside.host:
        return {"ports": (outside.port,)}
    return {"look": tuple(outside.database + ending for ending in SIDE_FILES)}


def hidden(said: Any, outside: Outside | None) -> Any:
    """Return what a child said without the password, wherever it stands in it."""
    secret = outside.password if outside else ""
    if len(secret) < SHORTEST_SECRET:
        return said
    if isinstance(said, str):
        return said.replace(secret, HIDDEN)
    if isinstance(said, dict):
        return {key: hidden(value, outside) for key, value in said.items()}
    if isinstance(said, list):
        return [hidden(value, outside) for value in said]
    return said
