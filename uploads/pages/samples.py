"""Sample files: made in a child process, taken in like a form's, and given to fitting operations."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from uploads.conf import conf
from uploads.errors import RequestError, StepError
from uploads.intake.form import receive_form_file
from uploads.models import Job, Upload
from uploads.operations.registry import operations
from uploads.storage import store
from uploads.work.submit import JobRequest, StageRequest, submit

SECONDS = 60
_turn = Lock()  # making them burns CPU outside the workers
# Kind, its operation, the job's name; in this order.
SHOWN = (
    ("image", "image.convert", "Sample pictures"),
    ("video", "video.transcode", "Sample video"),
    ("audio", "audio.convert", "Sample sound"),
    ("data", "data.profile", "Sample table"),
)


def start_samples(owner: Any) -> list[Job]:
    """Make the samples and submit one job a kind, pictures first.

    Raises `RequestError` when there is no room, `StepError` (`tool_failed`) when they can't be made.
    """
    if Job.objects.filter(owner=owner).unfinished().count() >= conf.OWNER_MAX_JOBS:
        raise RequestError("conflict", reason="you have too many unfinished jobs.")
    if not _turn.acquire(blocking=False):
        raise RequestError("conflict", reason="samples are being made already; try again soon.")
    try:
        with _made() as paths:
            uploads = [_received(owner, path) for path in paths]
    finally:
        _turn.release()
    jobs = []
    for kind, name, title in SHOWN:
        mine = [upload.key for upload in uploads if upload.kind == kind]
        if mine and name in operations():
            jobs.append(submit(owner, _request(name, title, mine)))
    if not jobs:
        raise StepError("tool_failed", tool="The sample maker", reason="nothing came out of it.")
    return jobs


def _request(name: str, title: str, keys: list[str]) -> JobRequest:
    presets = operations()[name].presets
    options = presets[0].options if presets else {}
    return JobRequest([StageRequest(name, options)], keys, name=title)


@contextmanager
def _made() -> Iterator[list[Path]]:
    """Yield the files; drawing and encoding them would stop a web process for seconds."""
    with TemporaryDirectory(dir=store.scratch(), prefix="samples-") as folder:
        command = [sys.executable, "-m", "uploads.operations.samples", folder]
        try:
            subprocess.run(
                command,
                cwd=settings.BASE_DIR,
                check=True,
                timeout=SECONDS,
                stdin=subprocess.DEVNULL,
                capture_output=True,
            )
        except subprocess.SubprocessError as error:
            last = (getattr(error, "stderr", None) or b"").decode(errors="replace").splitlines()
            reason = last[-1] if last else "it took too long."
            raise StepError("tool_failed", tool="The sample maker", reason=reason) from error
        yield sorted(path for path in Path(folder).rglob("*") if path.is_file())


def _received(owner: Any, path: Path) -> Upload:
    with path.open("rb") as file:
        return receive_form_file(owner, UploadedFile(file, path.name, size=path.stat().st_size))
