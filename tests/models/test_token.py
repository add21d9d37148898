"""Secrets: shown once, stored as hashes, good for one owner."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import make_user
from uploads.models import SetupLink, Token

pytestmark = pytest.mark.django_db


def test_a_token_is_its_owner_and_is_stored_as_a_hash() -> None:
    alice = make_user()
    token, secret = Token.issue(alice, "script")
    assert Token.owner_of(secret) == alice
    assert secret not in token.digest
    assert Token.owner_of(secret + "x") is None


def test_a_token_of_a_deactivated_user_is_nobody() -> None:
    alice = make_user()
    _, secret = Token.issue(alice, "script")
    alice.is_active = False
    alice.save()
    assert Token.owner_of(secret) is None


def test_a_set_up_link_works_once_and_only_the_newest() -> None:
    first, second = SetupLink.issue(), SetupLink.issue()
    assert not SetupLink.valid(first)
    assert SetupLink.valid(second)
    assert SetupLink.use_up(second)
    assert not SetupLink.use_up(second)


def test_an_old_set_up_link_is_refused() -> None:
    secret = SetupLink.issue()
    SetupLink.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert not SetupLink.valid(secret)
