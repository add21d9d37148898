"""API tokens and the one-time set-up link; only hashes are stored."""

import secrets
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import OperationalError, models, transaction
from django.utils import timezone

from uploads.models.lock import hurried

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SETUP_LINK_MINUTES = 24 * 60


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


class Token(models.Model):
    """A script's right to act as its owner; shown once, stored as a hash."""

    owner: "models.ForeignKey[User, User]" = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens"
    )
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def issue(cls, owner: Any, name: str) -> tuple[Self, str]:
        """Create a token; return its row and the secret, which can't be shown again."""
        secret = "tm_" + secrets.token_urlsafe(32)
        return cls.objects.create(owner=owner, name=name, digest=_hash(secret)), secret

    @classmethod
    def owner_of(cls, secret: str) -> Any:
        """Return the active user of this secret, or None; notes the use at most once a minute."""
        token = cls.objects.select_related("owner").filter(digest=_hash(secret)).first()
        if token is None or not token.owner.is_active:
            return None
        now = timezone.now()
        if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=1):
            # A full disk or a held lock must not keep readers out, nor let them wait.
            with suppress(OperationalError), hurried():
                cls.objects.filter(pk=token.pk).update(last_used_at=now)
        return token.owner


class SetupLink(models.Model):
    """The one-time link that makes the first administrator; printed at start until there is one."""

    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"set-up link of {self.created_at:%Y-%m-%d %H:%M}"

    @classmethod
    def issue(cls) -> str:
        """Replace any earlier link by a new one and return its secret."""
        secret = secrets.token_urlsafe(32)
        with transaction.atomic():
            cls.objects.all().delete()
            cls.objects.create(digest=_hash(secret))
        return secret

    @classmethod
    def valid(cls, secret: str) -> bool:
        """Tell whether the link is unused and young enough."""
        since = timezone.now() - timedelta(minutes=SETUP_LINK_MINUTES)
        return cls.objects.filter(digest=_hash(secret), created_at__gte=since).exists()

    @classmethod
    def use_up(cls, secret: str) -> bool:
        """Take the link; True for the one caller that got it."""
        return bool(cls.objects.filter(digest=_hash(secret)).delete()[0])
