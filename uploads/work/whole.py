"""Whole: after a sample, the same job on all its files."""

from uploads.errors import RequestError
from uploads.models import Job, Upload
from uploads.models.stage import own_options_of, upload_keys
from uploads.operations.registry import find
from uploads.states import JobState
from uploads.work.submit import JobRequest, StageRequest, submit
from uploads.work.titles import SAMPLE_MARK, chain_label


def run_on_all(sample: Job) -> Job:
    """Submit a sample's request on all its files that are still here; asked twice, one job.

    One that was cancelled or failed does not count: then it is sent anew.

    Raises `RequestError` as `submit` does, and `conflict` for a job that is no sample.
    """
    if not sample.is_sample:
        raise RequestError("conflict", reason="this job is no sample.")
    keys = upload_keys(sample)
    alive = Upload.objects.visible_to(sample.owner).alive()
    here = set(alive.filter(candidates__job=sample).values_list("key", flat=True))
    stages = sample.stages.order_by("position")
    request = JobRequest(
        [StageRequest(stage.operation, stage.options) for stage in stages],
        [key for key in keys if key in here],
        name=_given_name(sample, chain_label([find(s.operation).label for s in stages])),
        # What staff have raised for the sample is not for its owner to ask for.
        priority=sample.priority if sample.owner.is_staff else min(0, sample.priority),
        max_inflight=sample.max_inflight,
        notify=sample.notify,
        names=sample.names,
        anew=sample.is_anew,
        overrides={key: own for key, own in own_options_of(sample).items() if key in here},
        idempotency_key=_whole_key(sample),
    )
    return submit(sample.owner, request)


def _whole_key(sample: Job) -> str:
    """Return the key under which the whole job is one, however often it is asked for."""
    key = f"all files of {sample.key}"
    sent = Job.objects.filter(owner=sample.owner, idempotency_key__startswith=key).order_by("-pk")
    if good := sent.exclude(state__in=[JobState.CANCELLED, JobState.FAILED]).first():
        return str(good.idempotency_key)
    last = sent.first()
    return f"{key}, again after {last.pk}" if last else key


def _given_name(sample: Job, label: str) -> str:
    """Return the name that a person gave, nothing for one that was made from the files."""
    name = sample.name.removeprefix(SAMPLE_MARK)
    return "" if name.startswith(f"{label}: ") else name
