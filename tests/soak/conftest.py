"""Storms use their servers' own databases."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _own_databases(django_db_blocker: Any) -> Iterator[None]:
    """Let the tests use the servers' databases; the run's own is never touched."""
    with django_db_blocker.unblock():
        yield
