"""Holds back what people over quota have not begun yet; what has begun goes on to its end."""

from django.db.models import Q

from uploads.conf import conf
from uploads.models import Hold, Job, Result, Upload, holding
from uploads.models.hold import quota_place


def hold_over_quota() -> int:
    """Set and lift the holds of people over quota; a sweep, safe to repeat."""
    waiting = Job.objects.unfinished().filter(started_at=None)
    owners = set(waiting.order_by().values_list("owner", flat=True).distinct())
    over = {owner for owner in owners if _used(owner) > conf.QUOTA_BYTES}
    known = Hold.objects.filter(~Q(owner=None), spares_begun=True)
    held = set(known.values_list("owner", flat=True))
    for owner in over - held:
        holding.hold(quota_place(owner), "")
    for owner in held - over:
        holding.lift(quota_place(owner))
    return len(over ^ held)


def _used(owner: int) -> int:
    uploads = Upload.objects.filter(owner=owner).bytes_taken()
    return uploads + Result.objects.filter(job__owner=owner).bytes_taken()
