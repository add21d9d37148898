"""Random public names of rows; the database's own numbers never leave the house."""

import secrets


def upload_key() -> str:
    """Return 32 hex digits; also the tus id and the name of the file on disk."""
    return secrets.token_hex(16)


def public_key() -> str:
    """Return 24 hex digits for a job or result."""
    return secrets.token_hex(12)


def lease_token() -> str:
    """Return a fresh random right to run one step once."""
    return secrets.token_hex(12)
