"""A PostgreSQL on a port of its own, with passwords, to be asked as an outside database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.support.postgresql import PostgreSQL, find_programs
from tests.support.server import free_port

READER, SECRET = "reader", "s3cret-Parola-9"
RULES = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
SETUP = f"""
CREATE ROLE {READER} LOGIN PASSWORD '{SECRET}';
CREATE ROLE writer LOGIN PASSWORD '{SECRET}';
CREATE TABLE orders (id bigint, day date, city text, amount numeric(10, 2));
INSERT INTO orders SELECT n, date '2024-01-01' + n % 300, (ARRAY['Berlin', 'Porto'])[n % 2 + 1], n / 4.0
  FROM generate_series(1, 1000) n;
CREATE TABLE hidden (secret text);
GRANT SELECT ON orders TO {READER};
GRANT SELECT, INSERT ON orders, hidden TO writer;
CREATE FUNCTION wicked() RETURNS text LANGUAGE plpgsql AS $$
BEGIN PERFORM set_config('transaction_read_only', 'off', false); DELETE FROM orders; RETURN 'gone'; END $$;
"""


class Patient:
    """Hears that nothing has come yet, and goes on waiting."""

    def idle(self) -> None:
        """Wait."""


class Asked:
    """One database of the server: where it is, and what goes on in it."""

    def __init__(self, server: PostgreSQL, port: int) -> None:
        self.server = server
        self.port = port

    def facts(self, **more: Any) -> dict[str, Any]:
        """Return what a connection to it is registered with."""
        own = {"kind": "postgresql", "host": "127.0.0.1", "port": self.port}
        return {**own, "database": "shop", "user": READER, **more}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement as the administrator."""
        with self.as_owner("shop") as connection:
            made = connection.execute(sql.encode())
            return made.fetchall() if made.description else []

    def as_owner(self, database: str) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(
            host=str(self.server.folder),
            port=self.port,
            user="tidemill",
            dbname=database,
            autocommit=True,
        )

    def questions(self) -> int:
        """Return how many statements people's questions run there now."""
        counted = (
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE application_name = 'Tidemill' AND state = 'active'"
        )
        return int(self.rows(counted)[0][0])


@contextmanager
def asked_server() -> Iterator[Asked | None]:
    """Start one; None where PostgreSQL's programs are missing."""
    programs = find_programs()
    if programs is None:
        yield None
        return
    port = free_port()
    server = PostgreSQL(programs, listen_addresses="127.0.0.1", port=str(port))
    asked = Asked(server, port)
    server._connect = lambda: asked.as_owner("postgres")  # type: ignore[method-assign]
    try:
        server.start()
        (server.folder / "data" / "pg_hba.conf").write_text(RULES)
        with asked.as_owner("postgres") as connection:
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE DATABASE shop")
        asked.rows(SETUP)
        yield asked
    finally:
        server.stop()
