"""The append-only log of a storm: database triggers write down every start, end and result.

The log's rows are part of the transaction that they tell of, so no process
under test can tear, forget or forge one; a second pair of triggers refuses to
change or delete them. It knows nothing of what should have happened.
"""

from dataclasses import dataclass

from django.db import connection

COLUMNS = "at, what, step, job, item, lane, kind, attempt, crashes, owner"

TABLE = """
CREATE TABLE storm_effects (
    id {key}, at double precision NOT NULL, what text NOT NULL, step bigint, job bigint,
    item bigint, lane text, kind text, attempt integer, crashes integer, owner text)
"""
# Table, event, condition, then the values of COLUMNS after `at`.
WATCHED = {
    "step_new": (
        "uploads_step",
        "INSERT",
        "",
        "'+' || NEW.state, NEW.id, NEW.job_id, NEW.item_id, NEW.lane, NEW.kind, NEW.attempt, NEW.crashes, ''",
    ),
    "step": (
        "uploads_step",
        "UPDATE",
        "OLD.state <> NEW.state",
        "NEW.state, NEW.id, NEW.job_id, NEW.item_id, NEW.lane, NEW.kind, NEW.attempt, NEW.crashes, NEW.lease_owner",
    ),
    "item": (
        "uploads_item",
        "UPDATE",
        "OLD.state <> NEW.state",
        "'item ' || NEW.state, NEW.step_id, NEW.job_id, NEW.id, '', '', 0, 0, NEW.error_code",
    ),
    "result": (
        "uploads_result",
        "INSERT",
        "",
        "'result', NEW.step_id, NEW.job_id, NEW.item_id, '', NEW.role, NEW.position, 0, NEW.sha256",
    ),
    "result_gone": (
        "uploads_result",
        "DELETE",
        "",
        "'result gone', OLD.step_id, OLD.job_id, OLD.item_id, '', OLD.role, OLD.position, 0, OLD.sha256",
    ),
}
SQLITE_NOW = "(julianday('now') - 2440587.5) * 86400.0"
SQLITE_FROZEN = """
CREATE TRIGGER storm_frozen_{event} BEFORE {event} ON storm_effects
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END
"""
POSTGRESQL_FROZEN = """
CREATE FUNCTION storm_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the log is append-only'; END $$;
CREATE TRIGGER storm_frozen BEFORE UPDATE OR DELETE OR TRUNCATE ON storm_effects
EXECUTE FUNCTION storm_refuse()
"""


@dataclass(frozen=True)
class Effect:
    """One line of the log; `at` is Unix time, `what` a step's new state or what became of a row."""

    id: int
    at: float
    what: str
    step: int | None
    job: int
    item: int | None
    lane: str
    kind: str
    attempt: int
    crashes: int
    owner: str

    def __str__(self) -> str:
        return (
            f"{self.at:.3f} job {self.job} step {self.step} item {self.item} {self.kind} "
            f"{self.what} attempt={self.attempt} crashes={self.crashes} {self.owner}"
        )


def install() -> None:
    """Make the log and its triggers in the database of this thread's connection."""
    sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute(
            TABLE.format(
                key="integer PRIMARY KEY AUTOINCREMENT" if sqlite else "bigserial PRIMARY KEY"
            )
        )
        for name, (table, event, condition, values) in WATCHED.items():
            now = SQLITE_NOW if sqlite else "extract(epoch FROM clock_timestamp())"
            insert = f"INSERT INTO storm_effects ({COLUMNS}) VALUES ({now}, {values})"
            when = f"WHEN ({condition})" if condition else ""
            head = f"CREATE TRIGGER storm_{name} AFTER {event} ON {table} FOR EACH ROW {when}"
            if sqlite:
                cursor.execute(f"{head} BEGIN {insert}; END")
                continue
            cursor.execute(
                f"CREATE FUNCTION storm_{name}() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN {insert}; RETURN NULL; END $$"
            )
            cursor.execute(f"{head} EXECUTE FUNCTION storm_{name}()")
        for event in ("UPDATE", "DELETE") if sqlite else ():
            cursor.execute(SQLITE_FROZEN.format(event=event))
        if not sqlite:
            cursor.execute(POSTGRESQL_FROZEN)


def read(after: int = 0) -> list[Effect]:
    """Return the log's lines beyond an id, in their order."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, {COLUMNS} FROM storm_effects WHERE id > %s ORDER BY id", [after]
        )
        return [Effect(*row) for row in cursor.fetchall()]
