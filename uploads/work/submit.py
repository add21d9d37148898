"""Submit: one request becomes a job, its stages, inputs, items and first plan step at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.template.defaultfilters import filesizeformat

from uploads.conf import conf
from uploads.errors import RequestError
from uploads.models import EventKind, Input, Item, Job, Result, Stage, Upload
from uploads.naming import check_pattern
from uploads.operations import Operation
from uploads.operations.options import canonical, fields_of, parse_options
from uploads.operations.registry import find
from uploads.states import JobState, UploadState


@dataclass(frozen=True)
class StageRequest:
    """One operation of a request with its options, as the person or script sent them."""

    operation: str
    options: Mapping[str, Any] = field(default_factory=dict)


LARGEST_INFLIGHT = 10_000


@dataclass(frozen=True)
class JobRequest:
    """A whole request; `uploads` are the keys of files arrived or still arriving.

    `names` is a pattern as `uploads.naming` has them.
    """

    stages: Sequence[StageRequest]
    uploads: Sequence[str]
    name: str = ""
    priority: int = 0
    max_inflight: int = 0
    notify: str = ""
    names: str = ""
    idempotency_key: str | None = None


def submit(owner: Any, request: JobRequest) -> Job:
    """Create the job in one transaction and wake a worker after its commit.

    Files may still be arriving. A second request with the same idempotency key returns
    the first one's job. Raises `RequestError` with the reason in words; then nothing is kept.
    """
    known = _known(owner, request.idempotency_key)
    if known is not None:
        return known
    try:
        with transaction.atomic():
            return _submit(owner, request)
    except IntegrityError:
        known = _known(owner, request.idempotency_key)
        if known is None:
            raise
        return known


def _known(owner: Any, idempotency_key: str | None) -> Job | None:
    if not idempotency_key:
        return None
    return Job.objects.filter(owner=owner, idempotency_key=idempotency_key).first()


def _submit(owner: Any, request: JobRequest) -> Job:
    if len(request.stages) != 1:
        raise RequestError("bad_request", reason="exactly one operation is needed.")
    _check_order(owner, request)
    if request.notify and not conf.EMAIL_URL:
        raise RequestError("mail_off")
    check_pattern(request.names)
    _check_room(owner, request)
    operation = find(request.stages[0].operation)
    options = parse_options(operation.options, request.stages[0].options)
    sources = _uploads(owner, request.uploads)
    _check_fit(operation, sources)
    job = Job.objects.create(
        owner=owner,
        name=request.name.strip()[:255] or _name(operation, sources),
        state=JobState.QUEUED if all(u.is_complete for u in sources) else JobState.RECEIVING,
        priority=request.priority,
        max_inflight=request.max_inflight,
        notify=request.notify,
        names=request.names,
        idempotency_key=request.idempotency_key or None,
    )
    stage = Stage.objects.create(
        job=job,
        operation=operation.name,
        version=operation.version,
        takes_all=operation.takes == "all",
        options=canonical(options),
    )
    _add_inputs(job, operation, options, sources)
    _add_items(job, stage, operation, sources)
    if any(upload.is_complete for upload in sources) and not (
        stage.takes_all and job.waits_for_files()
    ):
        job.add_plan_step(stage)
    job.record(EventKind.SUBMITTED, actor=owner.get_username(), items=job.items_total)
    job.ring_lanes()
    return job


def _check_order(owner: Any, request: JobRequest) -> None:
    """Refuse a priority or a bound that is none, or that only staff may ask for."""
    if not -100 <= request.priority <= 100:
        raise RequestError("bad_request", reason="priority goes from -100 to 100.")
    if not 0 <= request.max_inflight <= LARGEST_INFLIGHT:
        raise RequestError("bad_request", reason="max_inflight goes from 0 to 10000.")
    if request.priority > 0 and not owner.is_staff:
        raise RequestError("bad_request", reason="only staff may set a priority above 0.")


def _check_room(owner: Any, request: JobRequest) -> None:
    if not request.uploads:
        raise RequestError("no_files")
    if len(request.uploads) > conf.JOB_MAX_FILES:
        raise RequestError("too_many_files", count=len(request.uploads), limit=conf.JOB_MAX_FILES)
    unfinished = Job.objects.filter(owner=owner).unfinished().count()
    if unfinished >= conf.OWNER_MAX_JOBS:
        raise RequestError("too_many_jobs", count=unfinished, limit=conf.OWNER_MAX_JOBS)
    used = Upload.objects.filter(owner=owner).bytes_taken()
    used += Result.objects.filter(job__owner=owner).bytes_taken()
    if used >= conf.QUOTA_BYTES:
        sizes = {"used": filesizeformat(used), "quota": filesizeformat(conf.QUOTA_BYTES)}
        raise RequestError("over_quota", name="Another job", **sizes)


def _uploads(owner: Any, keys: Sequence[str]) -> list[Upload]:
    """Return the owner's uploads in the order of the keys; each key once.

    Locked until the commit: a file that completes meanwhile waits, and then sees the job.
    """
    wanted = list(dict.fromkeys(keys))
    found: dict[str, Upload] = {}
    for start in range(0, len(wanted), 500):  # SQLite binds a limited number of values
        rows = Upload.objects.visible_to(owner).alive().filter(key__in=wanted[start : start + 500])
        if connection.vendor == "postgresql":
            rows = rows.order_by("pk").select_for_update()
        found.update({upload.key: upload for upload in rows})
    for key in wanted:
        if key not in found:
            raise RequestError("upload_missing", upload=key)
    return [found[key] for key in wanted]


def _check_fit(operation: Operation[Any], uploads: Sequence[Upload]) -> None:
    """Refuse a request of which no file fits; a file still arriving is judged when it is here.

    When some fit, the others become items that fail with their name and the reason,
    so that nobody looks for them in vain.
    """
    if not any(
        upload.state == UploadState.RECEIVING or operation.accepts_type(upload.media_type)
        for upload in uploads
    ):
        raise RequestError(
            "nothing_fits", operation=operation.label, accepts=", ".join(operation.accepts)
        )


def _name(operation: Operation[Any], sources: Sequence[Upload]) -> str:
    more = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
    return f"{operation.label}: {sources[0].name}"[: 255 - len(more)] + more


def _add_inputs(
    job: Job, operation: Operation[Any], options: Any, sources: Sequence[Upload]
) -> None:
    inputs = [
        Input(job=job, upload=upload, position=position) for position, upload in enumerate(sources)
    ]
    for described in fields_of(operation.options):
        key = getattr(options, described.name) if described.type == "upload" else None
        if key:
            upload = _uploads(job.owner, [str(key)])[0]
            inputs.append(Input(job=job, upload=upload, role=described.name))
    Input.objects.bulk_create(inputs, batch_size=500)


def _add_items(
    job: Job, stage: Stage, operation: Operation[Any], sources: Sequence[Upload]
) -> None:
    if stage.takes_all:
        size = sum(upload.length for upload in sources)
        items = [
            Item(
                job=job,
                stage=stage,
                position=0,
                name=job.name,
                size_bytes=size,
                weight=operation.seconds(size),
            )
        ]
    else:
        items = [
            Item(
                job=job,
                stage=stage,
                position=position,
                upload=upload,
                name=upload.name,
                relative_path=upload.relative_path,
                size_bytes=upload.length,
                weight=operation.seconds(upload.length),
            )
            for position, upload in enumerate(sources)
        ]
    Item.objects.bulk_create(items, batch_size=500)
    job.items_total = len(items)
    job.weight_total = sum(item.weight for item in items)
    job.save(update_fields=["items_total", "weight_total"])
