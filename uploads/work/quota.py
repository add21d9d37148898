"""Holds back what people over quota have not begun yet; what has begun goes on to its end."""

from collections import Counter

from django.db.models import Q, Sum

from uploads.conf import conf
from uploads.models import Hold, Job, Result, Upload, holding
from uploads.models.hold import quota_place


def hold_over_quota() -> int:
    """Set and lift the holds of people over quota; a sweep, safe to repeat."""
    waiting = Job.objects.unfinished().filter(started_at=None)
    owners = set(waiting.order_by().values_list("owner", flat=True).distinct())
    used = _used(owners) if owners else {}
    over = {owner for owner in owners if used.get(owner, 0) > conf.QUOTA_BYTES}
    known = Hold.objects.filter(~Q(owner=None), spares_begun=True)
    held = set(known.values_list("owner", flat=True))
    for owner in over - held:
        holding.hold(quota_place(owner), "")
    for owner in held - over:
        holding.lift(quota_place(owner))
    return len(over ^ held)


def _used(owners: set[int]) -> dict[int, int]:
    """Return the bytes that each owner's uploads and results take; two queries."""
    used: Counter[int] = Counter()
    uploads = Upload.objects.alive().filter(owner__in=owners).order_by()
    results = Result.objects.filter(job__owner__in=owners).order_by()
    for owner, size in uploads.values_list("owner").annotate(total=Sum("length")):
        used[owner] += size or 0
    for owner, size in results.values_list("job__owner").annotate(total=Sum("size_bytes")):
        used[owner] += size or 0
    return used
