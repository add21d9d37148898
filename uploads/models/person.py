"""What belongs to a person besides files and jobs: preferences, and tries to sign in."""

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from uploads.conf import conf
from uploads.errors import RequestError

if TYPE_CHECKING:
    from django.contrib.auth.models import User

WINDOW_MINUTES = 15
TRIES_PER_ADDRESS = 20  # times LOGIN_TRIES: many people may share one address


class Preferences(models.Model):
    """One person's choices; a person without a row has the defaults."""

    owner: "models.OneToOneField[User, User]" = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="preferences"
    )
    mail_when_done = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"preferences of {self.owner}"

    @classmethod
    def of(cls, owner: Any) -> Self:
        """Return the person's row, or an unsaved one with the defaults."""
        return cls.objects.filter(owner=owner).first() or cls(owner=owner)


class SignInTry(models.Model):
    """One try to sign in that has not succeeded; rows, so that all web processes count together."""

    digest = models.CharField(max_length=64, help_text="Hash of name and address.")
    address = models.CharField(max_length=45, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["digest", "at"], name="sign_in_digest"),
            models.Index(fields=["address", "at"], name="sign_in_address"),
        ]

    def __str__(self) -> str:
        return f"try from {self.address} at {self.at:%H:%M}"

    @classmethod
    def note(cls, username: str, address: str) -> None:
        """Count one try before the password is looked at, so that parallel ones can't slip by.

        Raises `RequestError` (`too_many_attempts`) above LOGIN_TRIES for this name and address,
        whether or not there is such a user.
        """
        now, window = timezone.now(), timedelta(minutes=WINDOW_MINUTES)
        # Tries of the future were noted before the clock was set back; they would last till then.
        cls.objects.exclude(at__range=(now - window, now + window)).delete()
        digest = cls._digest(username, address)
        cls.objects.create(digest=digest, address=address)
        mine = cls.objects.filter(digest=digest).count()
        everybody = cls.objects.filter(address=address).count()
        if mine > conf.LOGIN_TRIES or everybody > conf.LOGIN_TRIES * TRIES_PER_ADDRESS:
            raise RequestError("too_many_attempts", minutes=WINDOW_MINUTES)

    @classmethod
    def forget(cls, username: str, address: str) -> None:
        """Start from zero after the right password."""
        cls.objects.filter(digest=cls._digest(username, address)).delete()

    @staticmethod
    def _digest(username: str, address: str) -> str:
        return sha256(f"{username.casefold()}\n{address}".encode()).hexdigest()
