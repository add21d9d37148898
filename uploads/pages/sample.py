"""What a sample's page says on top: how much of the files it tried, and what all of them will take."""

from typing import Any

from uploads.errors import RequestError
from uploads.models import Job, Stage, Upload
from uploads.models.prediction import predict
from uploads.models.words import time_range
from uploads.operations.registry import find
from uploads.work.trial import last_trial, letters_of


def sample_of(job: Job, stage: Stage) -> dict[str, Any] | None:
    """Return the words of a sample, None for any other job."""
    if not job.is_sample:
        return None
    told = predict(job)
    return {
        "files": job.candidates.count(),
        "here": Upload.objects.alive().filter(candidates__job=job).count(),
        "starts": _is(stage, "starts"),
        "piecewise": _is(stage, "piecewise"),
        "prediction": told,
        "letters": letters_of(job),
        "trial": last_trial(job),
        "time": time_range(*told.seconds) if told and told.seconds else "",
    }


def _is(stage: Stage, what: str) -> bool:
    try:
        return bool(getattr(find(stage.operation), what))
    except RequestError:
        return False
