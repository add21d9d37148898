"""Glimpses: which tables the beginning of an uploaded file shows, kept so that it is read once."""

from datetime import timedelta

from django.db import models
from django.utils import timezone

from uploads.models.upload import Upload

# A program that looks is given less time than this.
STALE = timedelta(minutes=2)


class Glimpse(models.Model):
    """What was seen of one file: `tables` as `[[name, [[column, type], …]], …]`, or the trouble.

    `called` is the name of the file's table when it is asked alone. `ended_at` is empty while a
    program looks.
    """

    upload = models.OneToOneField(Upload, on_delete=models.CASCADE, related_name="glimpse")
    called = models.CharField(max_length=80, blank=True)
    tables = models.JSONField(default=list, blank=True)
    trouble = models.CharField(max_length=500, blank=True)
    begun_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"of upload {self.upload_id}"

    @classmethod
    def begin(cls, upload: Upload) -> bool:
        """Tell whether the caller is the one to look: nobody has, or who began has died."""
        made, is_new = cls.objects.get_or_create(upload=upload)
        if is_new or made.ended_at is not None:
            return is_new
        dead = cls.objects.filter(pk=made.pk, ended_at=None, begun_at__lt=timezone.now() - STALE)
        return bool(dead.update(begun_at=timezone.now()))

    def as_called(self, called: str) -> list[tuple[str, list[list[str]]]]:
        """Return the tables by their names where the file's own table is called so."""
        own = len(self.called)
        return [
            (called + name[own:] if name.startswith(self.called) else name, columns)
            for name, columns in self.tables
        ]
