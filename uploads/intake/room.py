"""Room for a new upload: largest file, the owner's quota, the disk; no tus, no bytes."""

from datetime import timedelta
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import F, Sum
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from uploads.conf import conf
from uploads.errors import RequestError
from uploads.models import Result, Upload
from uploads.states import UploadState
from uploads.storage import room

# An announced upload without a byte for this long no longer keeps others from the disk.
LIVELY: Final = timedelta(hours=1)


def check_size(name: str, length: int) -> None:
    """Refuse a file above `UPLOAD_MAX_BYTES` with `upload_too_large`."""
    if length > conf.UPLOAD_MAX_BYTES:
        limit = filesizeformat(conf.UPLOAD_MAX_BYTES)
        raise RequestError("upload_too_large", name=name, size=filesizeformat(length), limit=limit)


def check_disk(length: int) -> None:
    """Refuse with `disk_full` when the file, beside those on their way, would use the reserve."""
    lively = Upload.objects.filter(
        state=UploadState.RECEIVING, last_byte_at__gt=timezone.now() - LIVELY
    )
    coming = lively.aggregate(total=Sum(F("length") - F("offset")))["total"] or 0
    if room.is_short() or room.left_bytes() < coming + length:
        raise RequestError("disk_full")


def reserve(owner: Any, *, name: str, length: int, **fields: Any) -> Upload:
    """Create the upload's row, which reserves its whole length of the owner's quota.

    One transaction under the owner's lock, so that parallel requests never exceed the
    quota together. RequestError `over_quota`, `upload_too_large` or `disk_full`.
    """
    check_size(name, length)
    now = timezone.now()
    with transaction.atomic():
        _lock(owner)
        used = bytes_used(owner)
        if used + length > conf.QUOTA_BYTES:
            raise RequestError(
                "over_quota",
                name=name,
                used=filesizeformat(used),
                quota=filesizeformat(conf.QUOTA_BYTES),
            )
        check_disk(length)
        return Upload.objects.create(
            owner=owner,
            name=name,
            length=length,
            last_byte_at=now,
            expires_at=now + timedelta(seconds=conf.UPLOAD_KEEP_SECONDS),
            **fields,
        )


def bytes_used(owner: Any) -> int:
    """Return the bytes of the owner's uploads, announced ones in full, and results."""
    uploads = Upload.objects.visible_to(owner).bytes_taken()
    return uploads + Result.objects.visible_to(owner).bytes_taken()


def _lock(owner: Any) -> None:
    if connection.vendor == "postgresql":  # SQLite's transactions are IMMEDIATE: one writer
        get_user_model()._default_manager.select_for_update(no_key=True).get(pk=owner.pk)
