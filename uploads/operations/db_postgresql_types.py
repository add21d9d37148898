"""PostgreSQL's types as DuckDB has them; what has no counterpart stays the text that it prints."""

from uploads.operations.db_asked import Column

PLAIN = {
    16: "BOOLEAN",
    20: "BIGINT",
    21: "SMALLINT",
    23: "INTEGER",
    26: "BIGINT",  # oid
    700: "FLOAT",
    701: "DOUBLE",
    1082: "DATE",
    1083: "TIME",
    1114: "TIMESTAMP",
    1184: "TIMESTAMPTZ",
    2950: "UUID",
    114: "JSON",
    3802: "JSON",
}
LISTS = {
    1000: "BOOLEAN",
    1005: "SMALLINT",
    1007: "INTEGER",
    1016: "BIGINT",
    1021: "FLOAT",
    1022: "DOUBLE",
    1009: "VARCHAR",
    1015: "VARCHAR",
    1014: "VARCHAR",
    1182: "DATE",
    2951: "UUID",
    1115: "TIMESTAMP",
}
BYTEA, NUMERIC = 17, 1700
HEADER, MOST_DIGITS = 4, 38


def column_of(name: str, oid: int, modifier: int) -> Column:
    """Return the column of an answer by its type's number and modifier (precision and scale)."""
    if oid == BYTEA:
        return Column(name, "BLOB", "hex")
    if oid == NUMERIC:
        return _decimal(name, modifier)
    if oid in LISTS:
        return Column(name, f"{LISTS[oid]}[]", "json")
    return Column(name, PLAIN.get(oid, "VARCHAR"))


def _decimal(name: str, modifier: int) -> Column:
    """Return a decimal as declared; one of any length is learned from its values."""
    digits, scale = (modifier - HEADER) >> 16 & 0xFFFF, (modifier - HEADER) & 0x7FF
    if modifier < HEADER or digits > MOST_DIGITS or scale > digits:
        return Column(name, "VARCHAR", "number")
    return Column(name, f"DECIMAL({digits}, {scale})")
