"""Rows and files for tests, made as the product makes them."""

from pathlib import Path
from typing import Any

from django.contrib.auth.models import User

from uploads.models import Job, Upload
from uploads.storage import store
from uploads.work.submit import JobRequest, StageRequest, submit


def make_user(name: str = "alice") -> User:
    return User.objects.create_user(name, f"{name}@example.org", "long-enough-7")


def make_upload(
    owner: User, path: Path, *, media_type: str = "image/jpeg", complete: bool = True
) -> Upload:
    """Return an upload whose bytes are a copy of `path`, arrived unless told otherwise."""
    data = path.read_bytes()
    upload = Upload.objects.create(owner=owner, name=path.name, length=len(data))
    target = store.path(upload.storage_key)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    if complete:
        upload.complete(kind=media_type.partition("/")[0], media_type=media_type)
    return upload


def make_job(owner: User, uploads: list[Upload], operation: str, **options: Any) -> Job:
    stage = StageRequest(operation, options)
    return submit(owner, JobRequest([stage], [upload.key for upload in uploads]))
