"""Connections: databases outside that people may ask; their passwords are sealed and never shown."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connections, models
from django.db.models import Q
from django.utils import timezone

from uploads.conf import conf
from uploads.models.keys import public_key
from uploads.models.secret import seal, unseal

if TYPE_CHECKING:
    from django.contrib.auth.models import Group, User

PORTS = {"postgresql": 5432, "mysql": 3306}


class ConnectionKind(models.TextChoices):
    POSTGRESQL = "postgresql", "PostgreSQL"
    MYSQL = "mysql", "MySQL or MariaDB"
    SQLITE = "sqlite", "SQLite file"


class Tls(models.TextChoices):
    OFF = "off", "Never"
    PREFER = "prefer", "If the server can"
    REQUIRE = "require", "Always"
    VERIFY = "verify", "Always, and check who it is"


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def usable_by(self, user: Any) -> Self:
        """Return the connections that this person may ask now; nobody sees another's."""
        if not (user.is_authenticated and user.is_active):
            return self.none()
        mine = Q(everyone=True) | Q(people=user.pk) | Q(groups__user=user.pk)
        return self.filter(mine, enabled=True).distinct()


class Connection(models.Model):
    """One database that an operator has registered, who may ask it, and how much at once.

    Empty limits are those of the settings. `found` is what the last look at it saw:
    `{"warnings": [text], "tables": [{"name", "columns": [[name, type]]}], "server": text}`.
    """

    key = models.CharField(max_length=24, unique=True, default=public_key, editable=False)
    name = models.CharField(max_length=80, unique=True, help_text="As people see it.")
    kind = models.CharField(max_length=10, choices=ConnectionKind.choices)
    host = models.CharField(max_length=253, blank=True)
    port = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: the usual one.")
    database = models.CharField(
        max_length=500, help_text="Its name on the server; of SQLite the file's whole path."
    )
    user = models.CharField(max_length=128, blank=True, help_text="One that may only read.")
    tls = models.CharField(
        "encryption",
        max_length=8,
        choices=Tls.choices,
        default=Tls.PREFER,
        help_text="On a network that others use, always and checked.",
    )
    ca = models.TextField(
        "authority",
        blank=True,
        help_text="PEM of the authority that signed the server's certificate; empty: the machine's.",
    )
    sealed = models.TextField(blank=True, editable=False)
    enabled = models.BooleanField(default=True)
    everyone = models.BooleanField("everyone who is signed in", default=False)
    people: "models.ManyToManyField[User, Any]" = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="connections"
    )
    groups: "models.ManyToManyField[Group, Any]" = models.ManyToManyField(
        "auth.Group", blank=True, related_name="connections"
    )
    max_seconds = models.PositiveIntegerField("longest question, seconds", null=True, blank=True)
    max_rows = models.PositiveBigIntegerField("most rows", null=True, blank=True)
    max_bytes = models.PositiveBigIntegerField("most bytes", null=True, blank=True)
    found = models.JSONField(default=dict, blank=True, editable=False)
    looked_at = models.DateTimeField(null=True, blank=True, editable=False)
    trouble = models.CharField(max_length=500, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_file(self) -> bool:
        return self.kind == ConnectionKind.SQLITE

    @property
    def real_port(self) -> int:
        """Return the port, the usual one where none is said; 0 of a file."""
        return 0 if self.is_file else self.port or PORTS[self.kind]

    # --- its password ------------------------------------------------------------

    @property
    def _opens(self) -> str:
        """Return what the password is for: sent anywhere else, it would be given away."""
        return "|".join([self.kind, self.host, str(self.real_port), self.user, self.tls, self.ca])

    def set_password(self, password: str) -> None:
        """Keep a password for the address as it is now; an empty one is none."""
        self.sealed = seal(password, self._opens) if password else ""

    def password(self) -> str:
        """Return the password; raises `SealBrokenError`, also when the address has changed."""
        return unseal(self.sealed, self._opens) if self.sealed else ""

    # --- what it may be ----------------------------------------------------------

    def clean(self) -> None:
        """Refuse what can't work, and Tidemill's own database. Raises `ValidationError`."""
        if self.is_file:
            self.host = self.user = self.ca = ""
            self.port = None
            if why := refused_file(self.database):
                raise ValidationError({"database": why})
            return
        missing = {name: "This is needed." for name in ("host", "user") if not getattr(self, name)}
        if "/" in self.host:
            missing["host"] = "A host's name or address; sockets in files are not reached."
        if self.port is not None and not 1 <= self.port <= 65535:
            missing["port"] = "A port is a number from 1 to 65535."
        if self.kind == ConnectionKind.POSTGRESQL and self._is_the_mills():
            missing["database"] = "This is Tidemill's own database; nobody may ask that."
        if missing:
            raise ValidationError(missing)

    def _is_the_mills(self) -> bool:
        own = connections["default"].settings_dict
        port = int(own.get("PORT") or PORTS[ConnectionKind.POSTGRESQL])
        place = (_one_name(str(own.get("HOST") or "")), port, str(own["NAME"]))
        return place == (_one_name(self.host), self.real_port, self.database)


def _one_name(host: str) -> str:
    """Return one name for all that mean this machine; a folder is that of its socket."""
    plain = host.strip().rstrip(".").casefold()
    here = plain in {"", "localhost", "::1"} or plain.startswith(("/", "127."))
    return "localhost" if here else plain


def refused_file(path: str) -> str:
    """Return why a file may not be asked, or an empty text; whatever is Tidemill's own never."""
    given = Path(path)
    if not given.is_absolute():
        return "The whole path is needed, beginning with /."
    real = given.resolve()
    data = Path(conf.DATA).resolve()
    own = str(connections["default"].settings_dict["NAME"])
    if real.is_relative_to(data) or data.is_relative_to(real) or _is_same(real, own):
        return "This belongs to Tidemill itself; nobody may ask that."
    allowed = [Path(folder).resolve() for folder in conf.DB_FOLDERS.split(os.pathsep) if folder]
    if allowed and not any(real.is_relative_to(folder) for folder in allowed):
        return "It lies in none of the folders that TIDEMILL_DB_FOLDERS names."
    return "" if real.is_file() else "There is no file of this path on the server."


def _is_same(path: Path, own: str) -> bool:
    """Tell whether both are one file, under whatever name."""
    try:
        return path.samefile(own)
    except OSError:
        return False
