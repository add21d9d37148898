"""Submit: one request becomes a job, its stages, inputs, items and first plan step at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from django.template.defaultfilters import filesizeformat

from uploads.conf import conf
from uploads.errors import RequestError
from uploads.models import EventKind, Job, Result, Upload
from uploads.models.stage import option_role
from uploads.naming import check_pattern
from uploads.operations import Operation
from uploads.operations.options import canonical, fields_of, parse_options
from uploads.operations.places import check_options
from uploads.operations.registry import find
from uploads.states import JobState, UploadState
from uploads.work.messages import check_sending
from uploads.work.new_job import (
    Link,
    Together,
    add_candidates,
    add_inputs,
    add_items,
    add_stages,
)
from uploads.work.outside import check_beginning, least_weight, subject
from uploads.work.overrides import own_options
from uploads.work.sample import choose
from uploads.work.titles import job_name, together_name


@dataclass(frozen=True)
class StageRequest:
    """One operation of a request with its options, as the person or script sent them."""

    operation: str
    options: Mapping[str, Any] = field(default_factory=dict)


LARGEST_INFLIGHT = 10_000


@dataclass(frozen=True)
class JobRequest:
    """A whole request; `uploads` are the keys of files arrived or still arriving.

    `names` is a pattern as `uploads.naming` has them. A `sample` tries some of the files;
    an `anew` one does everything itself, whatever was done before.
    `overrides` gives options of its own to an upload, by its key.
    """

    stages: Sequence[StageRequest]
    uploads: Sequence[str]
    name: str = ""
    priority: int = 0
    max_inflight: int = 0
    notify: str = ""
    names: str = ""
    sample: bool = False
    anew: bool = False
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    idempotency_key: str | None = None


def submit(owner: Any, request: JobRequest) -> Job:
    """Create the job in one transaction and wake a worker after its commit.

    Files may still be arriving. A second request with the same idempotency key returns the
    first one's job. Raises `RequestError` with the reason in words; then nothing is kept.
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
    _check(owner, request)
    links = [_link(stage) for stage in request.stages]
    check_beginning(owner, [(link.operation, link.plain) for link in links], request.uploads)
    check_sending([link.operation.name for link in links], [link.plain for link in links])
    first = links[0]
    sources = _uploads(owner, request.uploads)
    _check_fit(first.operation, sources)
    own = own_options(first.operation, first.plain, request.overrides, sources)
    placed = choose(first.operation, sources) if request.sample else list(enumerate(sources))
    files = [upload for _, upload in placed]
    starts = first.operation.starts
    about = subject(owner, first.operation, first.plain) if starts else together_name(files)
    job = _add_job(owner, request, links, files, about)
    stages = add_stages(job, links)
    if request.sample:
        add_candidates(job, sources, own)
    add_inputs(job, placed, _named(owner, links))
    together = Together(
        request.name.strip() or about, least_weight(owner, first.operation, first.plain)
    )
    add_items(job, stages, placed, own, together)
    if starts or (
        any(upload.is_complete for upload in files)
        and not (stages[0].takes_all and job.waits_for_files())
    ):
        job.add_plan_step(stages[0])
    job.record(EventKind.SUBMITTED, actor=owner.get_username(), items=job.items_total)
    job.ring_lanes()
    return job


def _link(stage: StageRequest) -> Link:
    operation = find(stage.operation)
    options = parse_options(operation.options, stage.options)
    check_options(options)
    if lacks := operation.missing(options):
        raise RequestError("operation_lacks", operation=operation.label, reason=lacks)
    return Link(operation, options, canonical(options))


def _named(owner: Any, links: Sequence[Link]) -> list[tuple[str, Upload]]:
    """Return the files that options name, such as a logo, each with its role."""
    found = []
    for position, link in enumerate(links):
        for described in fields_of(link.operation.options):
            key = getattr(link.options, described.name) if described.type == "upload" else None
            if key:
                role = option_role(position, described.name)
                found.append((role, _uploads(owner, [str(key)])[0]))
    return found


def _add_job(
    owner: Any, request: JobRequest, links: Sequence[Link], files: Sequence[Upload], about: str
) -> Job:
    labels = [link.operation.label for link in links]
    return Job.objects.create(
        owner=owner,
        name=job_name(request.name, labels, files, about, sample=request.sample),
        links=len(links),
        state=JobState.QUEUED if all(u.is_complete for u in files) else JobState.RECEIVING,
        priority=request.priority,
        max_inflight=request.max_inflight,
        notify=request.notify,
        names=request.names,
        is_anew=request.anew,
        sample_seconds=conf.SAMPLE_SECONDS if request.sample else None,
        idempotency_key=request.idempotency_key or None,
    )


def _check(owner: Any, request: JobRequest) -> None:
    """Refuse what needs no look at the files themselves."""
    if not 1 <= len(request.stages) <= conf.JOB_MAX_OPERATIONS:
        reason = f"a job has one to {conf.JOB_MAX_OPERATIONS} operations."
        raise RequestError("bad_request", reason=reason)
    _check_order(owner, request)
    if request.notify and not conf.EMAIL_URL:
        raise RequestError("mail_off")
    check_pattern(request.names)
    _check_room(owner, request)


def _check_order(owner: Any, request: JobRequest) -> None:
    """Refuse a priority or a bound that is none, or that only staff may ask for."""
    if not -100 <= request.priority <= 100:
        raise RequestError("bad_request", reason="priority goes from -100 to 100.")
    if not 0 <= request.max_inflight <= LARGEST_INFLIGHT:
        raise RequestError("bad_request", reason="max_inflight goes from 0 to 10000.")
    if request.priority > 0 and not owner.is_staff:
        raise RequestError("bad_request", reason="only staff may set a priority above 0.")


def _check_room(owner: Any, request: JobRequest) -> None:
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
        found.update({upload.key: upload for upload in rows.locked()})
    for key in wanted:
        if key not in found:
            raise RequestError("upload_missing", upload=key)
    return [found[key] for key in wanted]


def _check_fit(operation: Operation[Any], uploads: Sequence[Upload]) -> None:
    """Refuse a request of which no file fits; a file still arriving is judged when it is here.

    When some fit, the others become items that fail with their name and the reason,
    so that nobody looks for them in vain.
    """
    if not operation.starts and not any(
        upload.state == UploadState.RECEIVING or operation.accepts_type(upload.media_type)
        for upload in uploads
    ):
        raise RequestError(
            "nothing_fits", operation=operation.label, accepts=", ".join(operation.accepts)
        )
