"""Presets of one's own: operations in their order with their options, under a name."""

from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from uploads.models.keys import public_key
from uploads.models.upload import Upload

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class SavedPresetQuerySet(models.QuerySet["SavedPreset"]):
    def visible_to(self, user: Any) -> Self:
        """Return the presets of this user; nobody sees another's."""
        return self.filter(owner_id=user.pk) if user.is_authenticated else self.none()


class SavedPreset(models.Model):
    """What a person wants to do again: `stages` is a list of `{operation, options}`.

    It keeps the files that its options name, a logo for example.
    """

    key = models.CharField(max_length=24, unique=True, default=public_key, editable=False)
    owner: "models.ForeignKey[User, User]" = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_presets"
    )
    name = models.CharField(max_length=100)
    stages = models.JSONField(default=list)
    names = models.CharField(max_length=200, blank=True, help_text="Pattern of the results' names.")
    files: "models.ManyToManyField[Upload, Any]" = models.ManyToManyField(
        Upload, related_name="saved_presets", blank=True
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = SavedPresetQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="preset_name")]

    def __str__(self) -> str:
        return self.name
