"""Files from a plain form, the way without JavaScript; the same checks and the same completion as tus."""

import tempfile
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.db import DatabaseError

from uploads.intake.arrival import arrive
from uploads.intake.room import check_size, reserve
from uploads.models import Upload
from uploads.models.keys import upload_key
from uploads.names import cleaned_name
from uploads.storage import store


def receive_form_file(owner: Any, file: "UploadedFile[Any]") -> Upload:
    """Move a form's file in and return its complete upload.

    RequestError `upload_too_large`, `over_quota` or `disk_full`; nothing is left behind
    then. Killed in its middle it leaves a whole upload, which a sweep completes, or none.
    """
    name = cleaned_name(file.name or "")
    length = file.size or 0
    check_size(name, length)
    key = upload_key()
    storage_key = f"incoming/{key[:2]}/{key}"
    digest = store.adopt(_on_disk(file), storage_key)
    try:
        upload = reserve(owner, key=key, name=name, length=length, sha256=digest)
    except DatabaseError:
        raise  # the row may be there: a sweep removes the file if it is not
    except BaseException:
        store.delete(storage_key)
        raise
    arrive(upload)
    return upload


def _on_disk(file: "UploadedFile[Any]") -> Path:
    if isinstance(file, TemporaryUploadedFile):
        return Path(file.temporary_file_path())
    with tempfile.NamedTemporaryFile(dir=store.scratch(), delete=False) as copy:
        for piece in file.chunks():
            copy.write(piece)
    return Path(copy.name)
