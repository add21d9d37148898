"""Counts SQL: each SQLite statement of a process appends its pid and text to TIDEMILL_SQL_LOG.

Python imports a module of this name at its start when this folder is on PYTHONPATH.
"""

import os
import sqlite3.dbapi2
from typing import Any

_connect = sqlite3.dbapi2.connect
_log = os.open(os.environ["TIDEMILL_SQL_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _traced(*arguments: Any, **values: Any) -> sqlite3.dbapi2.Connection:
    connection = _connect(*arguments, **values)
    connection.set_trace_callback(
        lambda text: os.write(_log, f"{os.getpid()} {' '.join(text.split())[:200]}\n".encode())
    )
    return connection


sqlite3.dbapi2.connect = _traced
