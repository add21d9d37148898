"""Where a PostgreSQL is and how it is entered, and in words why it lets nobody in."""

from pathlib import Path
from typing import Any

import psycopg

from uploads.errors import InputError, StepError
from uploads.operations.outside import Outside

CONNECT_SECONDS = 10
TLS = {"off": "disable", "prefer": "prefer", "require": "require", "verify": "verify-full"}
AUTHORITIES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


def address(outside: Outside, folder: Path) -> dict[str, Any]:
    """Return libpq's parameters: the addresses looked up before, nothing of the environment."""
    count = max(1, len(outside.addresses))
    made: dict[str, Any] = {
        "host": ",".join([outside.host] * count),
        "hostaddr": ",".join(outside.addresses),
        "port": ",".join([str(outside.port)] * count),
        "dbname": outside.database,
        "user": outside.user,
        "password": outside.password,
        "sslmode": TLS[outside.tls],
        "gssencmode": "disable",
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": 60_000,
        "application_name": "Tidemill",
        "client_encoding": "utf8",
    }
    if outside.tls == "verify":
        made["sslrootcert"] = _authority(outside, folder)
    return made


def _authority(outside: Outside, folder: Path) -> str:
    """Return the file of the authorities that a certificate must come from."""
    if outside.ca.strip():
        target = folder / "authority.pem"
        target.write_text(outside.ca)
        return str(target)
    return next((path for path in AUTHORITIES if Path(path).exists()), AUTHORITIES[0])


def not_let_in(error: psycopg.Error, outside: Outside) -> Exception:
    """Say why there is no connection; libpq's own text names hosts and users."""
    said = str(error)
    named = {"connection": outside.name}
    for part, reason in (
        ("password authentication failed", "the password is wrong."),
        ("no pg_hba.conf entry", "it takes no connection of this user from this machine."),
        ("no password supplied", "it wants a password."),
        ("role", "it does not know the user."),
        ("certificate", "its certificate is not the right one."),
        ("SSL", "it does not speak the encryption that is asked for."),
        ("database", "it has no database of this name, or the user may not enter it."),
    ):
        if part in said and ("FATAL" in said or part in {"certificate", "SSL"}):
            return InputError("db_login", reason=reason, **named)
    for part, reason in (
        ("refused", "nothing answers at its port."),
        ("timeout", "it does not answer."),
        ("too many", "it has no connection left."),
        ("starting up", "it is starting."),
        ("shutting down", "it is shutting down."),
        ("Permission denied", "the sandbox lets nobody through to its port."),
    ):
        if part in said:
            return StepError("db_unreachable", reason=reason, **named)
    return StepError("db_unreachable", reason="the connection could not be made.", **named)
