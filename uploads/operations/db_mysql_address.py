"""Where a MySQL or MariaDB is and how it is entered: no way that gives the password away."""

import socket
import ssl
from contextlib import suppress
from typing import Any

import pymysql

from uploads.errors import InputError
from uploads.operations.outside import Outside

CONNECT_SECONDS = 10
UNSAFE = ("mysql_clear_password", "mysql_old_password", "dialog")


class Refused:
    """A way to sign in that gives the password away, which a false server might ask for."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def authenticate(self, packet: Any) -> Any:
        raise InputError(
            "db_login",
            connection=str(self._connection.db.decode()),
            reason="it wants the password in the clear.",
        )


def connected(outside: Outside) -> Any:
    """Return a connection as its owner wants it encrypted. Raises `MySQLError`, `OSError`, `InputError`."""
    made = pymysql.connect(
        host=outside.host,
        port=outside.port,
        user=outside.user,
        password=outside.password,
        database=outside.database,
        charset="utf8mb4",
        autocommit=True,
        conv={},  # every value as the server writes it
        ssl=_context(outside),  # None: if the server can
        auth_plugin_map=dict.fromkeys(UNSAFE, Refused),
        ssl_disabled=outside.tls == "off",
        defer_connect=True,
    )
    made.connect(sock=_socket(outside))
    made._sock.settimeout(None)
    if outside.tls in {"require", "verify"} and not isinstance(made._sock, ssl.SSLSocket):
        made.close()
        reason = "it does not speak the encryption that is asked for."
        raise InputError("db_login", connection=outside.name, reason=reason)
    return made


def _socket(outside: Outside) -> socket.socket:
    """Return a connection to the first address of the host that answers. Raises `OSError`."""
    *others, last = outside.addresses
    for address in others:
        with suppress(OSError):
            return socket.create_connection((address, outside.port), CONNECT_SECONDS)
    return socket.create_connection((last, outside.port), CONNECT_SECONDS)


def _context(outside: Outside) -> ssl.SSLContext | None:
    if outside.tls in {"off", "prefer"}:
        return None
    context = ssl.create_default_context(cadata=outside.ca.strip() or None)
    if outside.tls != "verify":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
