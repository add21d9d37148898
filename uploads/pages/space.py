"""How much room there is: of the person's quota and on the disk."""

from dataclasses import dataclass
from typing import Any

from uploads.conf import conf
from uploads.models import Result, Upload
from uploads.storage import store


@dataclass(frozen=True)
class Space:
    """Bytes that a person uses and may still use; `largest` is the largest file that fits now."""

    uploads: int
    results: int
    quota: int
    disk_free: int

    @property
    def used(self) -> int:
        return self.uploads + self.results

    @property
    def left(self) -> int:
        return max(0, self.quota - self.used)

    @property
    def share(self) -> float:
        return min(1.0, self.used / self.quota) if self.quota else 1.0

    @property
    def largest(self) -> int:
        return min(conf.UPLOAD_MAX_BYTES, self.left, self.disk_free)


def space_of(user: Any) -> Space:
    """Return the person's space; two sums over rows and one look at the disk."""
    return Space(
        uploads=Upload.objects.visible_to(user).bytes_taken(),
        results=Result.objects.visible_to(user).bytes_taken(),
        quota=conf.QUOTA_BYTES,
        disk_free=max(0, store.free_bytes() - conf.DISK_RESERVE_BYTES),
    )
