"""What happens when an upload's last byte is on disk; the same for tus, plain forms and sweeps."""

from uploads.models import Upload
from uploads.sniff import sniff
from uploads.storage import store


def arrive(upload: Upload) -> bool:
    """Recognise the file's type and complete the upload; True for the one caller that did it.

    Safe to repeat; the bytes must be whole and synced.
    """
    found = sniff(store.path(upload.storage_key), upload.name)
    return upload.complete(kind=found.kind, media_type=found.media_type)
