"""What must be true after a storm: nothing lost, nothing stuck, nothing doubled; knows no kills."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from tests.soak.effects import Effect
from tests.soak.mailbox import Mailbox
from tests.soak.orders import Order
from uploads.models import Event, Item, Job, Result, Step
from uploads.states import OPEN_STEP_STATES, StepKind
from uploads.storage import store


def doubled(effects: Sequence[Effect]) -> list[str]:
    """Return what the log shows twice although it can be true only once."""
    ends = Counter(e.step for e in effects if e.what == "succeeded")
    found = [f"step {step} succeeded {count} times" for step, count in ends.items() if count > 1]
    done = Counter(e.item for e in effects if e.what == "item succeeded")
    found += [f"item {item} succeeded {n} times" for item, n in done.items() if n > 1]
    made = Counter((e.step, e.attempt) for e in effects if e.what == "result")
    found += [f"result {place} was inserted {n} times" for place, n in made.items() if n > 1]
    return found


def judge(orders: Sequence[Order], effects: Sequence[Effect], mailbox: Mailbox) -> list[str]:
    """Return every fault of what was ordered, done, stored and mailed; empty is right."""
    faults = doubled(effects)
    known = {order.key for order in orders}
    strangers = Job.objects.exclude(key__in=known).values_list("key", flat=True)
    faults += [f"job {key} was never ordered, or ordered twice" for key in strangers]
    for order in orders:
        faults += _order_faults(order)
        faults += _letter_faults(order, mailbox)
    return faults + _store_faults() + _log_faults(effects)


def _order_faults(order: Order) -> list[str]:
    job = Job.objects.filter(key=order.key).first()
    if job is None:
        return [f"LOST: job {order.key} is gone"]
    if not job.is_finished or job.settled_at is None:
        return [f"STUCK: job {job.key} is {job.state}\n{history(job)}"]
    if job.steps.filter(state__in=OPEN_STEP_STATES).exists():
        return [f"STUCK: job {job.key} has ended, but not its steps\n{history(job)}"]
    found = []
    counted = Counter(job.items.values_list("state", flat=True))
    counters = (job.items_done, job.items_failed, job.items_cancelled)
    if counters != (counted["succeeded"], counted["failed"], counted["cancelled"]):
        found.append(f"job {job.key} counts {counters}, its items say {dict(counted)}")
    for item in job.items.all():
        found += _item_faults(order, job, item)
    return found


def _item_faults(order: Order, job: Job, item: Item) -> list[str]:
    results = list(Result.objects.filter(item=item, role="result"))
    text = order.texts[item.position]
    where = f"item {item.position} ({item.pk}) of job {job.key} ({order.kind})"
    if item.state == "cancelled" and job.cancel_requested_at and not results:
        return []
    if text is None and item.state == "failed" and not results:
        return []
    if text is None or item.state != "succeeded" or not results:
        said = f"{item.state} {item.error_code}, {len(results)} results"
        return [f"LOST: {where} is {said}\n{history(job)}"]
    if len(results) > 1:
        return [f"DOUBLED: {where} has {len(results)} results\n{history(job)}"]
    if text and results[0].sha256 != sha256(text.encode()).hexdigest():
        return [f"TORN: {where} has another content\n{history(job)}"]
    return []


def _letter_faults(order: Order, mailbox: Mailbox) -> list[str]:
    """Compare letters with what the rows claim: at most once, and unknown only by a cut."""
    steps = list(Step.objects.filter(job__key=order.key, kind=StepKind.NOTIFY))
    sent = sum(step.state == "succeeded" for step in steps)
    arrived = mailbox.about(order.key)
    if order.notify != bool(steps):
        return [f"job {order.key}: {len(steps)} e-mail steps"]
    if not sent <= arrived <= len(steps):
        return [f"job {order.key}: {sent} e-mails sent, {arrived} arrived, {len(steps)} steps"]
    return []


def _store_faults() -> list[str]:
    """Read every result's file again."""
    found = []
    for result in Result.objects.all():
        path = store.path(result.storage_key)
        if not path.exists():
            found.append(f"LOST: the file of result {result.pk}, {result.storage_key}")
        elif sha256(path.read_bytes()).hexdigest() != result.sha256:
            found.append(f"TORN: the file of result {result.pk}, {result.storage_key}")
    return found


def strays() -> list[Path]:
    """Return the stored files that no row refers to; an hour later a sweep removes them."""
    files = [path for path in (store.root / "store").rglob("*") if path.is_file()]
    keys = set(Result.objects.values_list("storage_key", flat=True))
    return [path for path in files if str(path.relative_to(store.root)) not in keys]


def _log_faults(effects: Sequence[Effect]) -> list[str]:
    """Compare the log with the rows: nothing that was once true may be gone."""
    ended = {effect.step for effect in effects if effect.what == "succeeded"}
    rows = set(Step.objects.filter(state="succeeded").values_list("pk", flat=True))
    counts: dict[int | None, int] = defaultdict(int)
    for effect in effects:
        if effect.what in {"result", "result gone"}:
            counts[effect.step] += 1 if effect.what == "result" else -1
    have = Counter(Result.objects.values_list("step", flat=True))
    found = [f"step {step} succeeded, and its row says otherwise" for step in ended - rows]
    found += [f"step {step} succeeded, and the log does not know" for step in rows - ended]
    found += [
        f"step {step} has {have[step]} results, the log {count}"
        for step, count in counts.items()
        if step is not None and have[step] != count
    ]
    return found


def history(job: Job) -> str:
    """Return all that is known about a job: its rows, its steps, its events."""
    steps = job.steps.order_by("id").values(
        *("id", "kind", "seq", "lane", "state", "attempt", "crashes", "not_before", "error"),
        *("lease_owner", "lease_until", "deadline_at", "item_id", "checkpoint"),
    )
    row = Job.objects.filter(pk=job.pk).values().get()
    events = Event.objects.filter(job=job).order_by("seq").values_list("seq", "kind", "body")
    return "\n".join([f"  {row}", *(f"  {step}" for step in steps), *(f"  {e}" for e in events)])
