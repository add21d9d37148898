"""Browsers of people in page tests; signing in without a password saves its hashing."""

from typing import Any

from django.contrib.auth.models import User
from django.test import Client

PASSWORD = "long-enough-7"


def signed_in(name: str = "alice", **facts: Any) -> tuple[Client, User]:
    """Return a browser with a session, and whose it is."""
    user = User.objects.create(username=name, email=f"{name}@example.org", **facts)
    client = Client()
    client.force_login(user)
    return client, user
