"""A look at a PostgreSQL: the tables that its user may read, and whether it could do more than read."""

from typing import Any

from uploads.operations.base import Json
from uploads.operations.db_asked import Found

MOST_TABLES = 300
OLDEST = 140000
NAMED = 3

ROLE = """
SELECT rolsuper, rolcreaterole OR rolcreatedb OR rolreplication, rolbypassrls,
       has_database_privilege(current_database(), 'CREATE'),
       (SELECT coalesce(bool_or(ssl), false) FROM pg_stat_ssl WHERE pid = pg_backend_pid())
FROM pg_roles WHERE rolname = current_user
"""
POWERS = """
SELECT rolname FROM pg_roles
WHERE rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files',
                  'pg_write_all_data', 'pg_signal_backend', 'pg_maintain')
  AND pg_has_role(current_user, oid, 'MEMBER') ORDER BY rolname
"""
WRITABLE = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND has_schema_privilege(n.oid, 'USAGE')
  AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') ORDER BY 1
"""
SCHEMAS = """
SELECT nspname FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND has_schema_privilege(oid, 'CREATE') ORDER BY 1
"""
TABLES = """
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN quote_ident(c.relname)
            ELSE quote_ident(n.nspname) || '.' || quote_ident(c.relname) END,
       json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT c.relispartition AND has_schema_privilege(n.oid, 'USAGE')
  AND has_column_privilege(c.oid, a.attnum, 'SELECT')
GROUP BY c.oid, c.relname, n.nspname ORDER BY 1 LIMIT %d
"""


def look(connection: Any) -> Found:
    """Return server, warnings in words, tables with columns and types."""
    version = connection.info.server_version
    found = Found(f"PostgreSQL {version // 10000}")
    if version < OLDEST:
        found.warnings.append(
            "This server is older than PostgreSQL 14: a question whose job is cancelled goes on "
            "there until it would send the next rows, or until its time is over."
        )
    _of_the_role(connection, found)
    found.tables = [_table(*row) for row in connection.execute(TABLES % MOST_TABLES)]
    return found


def _table(called: str, columns: Any) -> Json:
    return {"name": called, "columns": [list(pair) for pair in columns]}


def _of_the_role(connection: Any, found: Found) -> None:
    """Warn of all that the user could do beside reading: a read-only transaction stops most of it."""
    superuser, makes, ignores, creates, encrypted = connection.execute(ROLE).fetchone()
    if superuser:
        found.warnings.append(
            "Its user is a superuser: questions could read the server's files and run programs "
            "there. Use a role that only reads."
        )
        return
    if makes:
        found.warnings.append("Its user may make roles or databases, or replicate.")
    if ignores:
        found.warnings.append("Its user sees rows that row security hides.")
    powers = [row[0] for row in connection.execute(POWERS)]
    if powers:
        found.warnings.append(f"Its user is a member of {', '.join(powers)}.")
    tables = [row[0] for row in connection.execute(WRITABLE)]
    if tables:
        found.warnings.append(f"Its user could write to {_some(tables)}.")
    schemas = [row[0] for row in connection.execute(SCHEMAS)]
    if schemas or creates:
        where = f"in {_some(schemas)}" if schemas else "as new schemas"
        found.warnings.append(f"Its user could make tables {where}.")
    if not encrypted:
        found.warnings.append("The connection is not encrypted.")


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
