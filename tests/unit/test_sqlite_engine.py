"""This project's SQLite: writers take turns, and keep SQLite's own patience for what lasts."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction

from tests.support.locks import writing
from uploads.models.lock import hurried, is_locked

pytestmark = pytest.mark.django_db(transaction=True)


def patience() -> int:
    with connection.cursor() as cursor:
        found: Any = cursor.execute("PRAGMA busy_timeout").fetchone()
    return int(found[0])


@pytest.mark.parametrize("seconds", [0.02, 0.5], ids=["short", "long"])
def test_a_transaction_begins_when_anothers_ends(seconds: float) -> None:
    before = patience()
    with writing(seconds), transaction.atomic():
        User.objects.create_user("alice")
    assert User.objects.filter(username="alice").exists()
    assert patience() == before > 0


def test_who_is_in_a_hurry_does_not_wait() -> None:
    before = patience()
    with writing(60):
        assert is_locked()
        with pytest.raises(OperationalError, match="locked"), hurried():
            User.objects.create_user("alice")
    assert not is_locked()
    assert patience() == before
