"""What pages show of a person's uploads: files that are here, and those that need their file again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.utils import timezone

from uploads.errors import RequestError
from uploads.intake.headers import metadata
from uploads.models import Input, Upload
from uploads.operations.data import TABLES
from uploads.operations.office import SLIDES, TEXTS
from uploads.operations.pdf_pages import PDF
from uploads.states import UploadState

FRESH_HOURS = 12
ARRIVING_SECONDS = 15
SHOWN = 1000


@dataclass(frozen=True)
class FileRow:
    """One upload as a row: `ghost` needs its file again, `modified` and `fingerprint` tell it apart.

    `guess` is the media type as the sender said it, good enough for an icon. `own` is JSON
    of what the form has for this file alone: operation, options, words.
    """

    upload: Upload
    jobs: Sequence[Any]
    modified: str
    fingerprint: str
    guess: str
    own: str = ""
    own_options: str = ""
    own_words: str = ""

    @property
    def ghost(self) -> bool:
        return self.upload.state == UploadState.RECEIVING

    @property
    def arriving(self) -> bool:
        """Tell whether bytes came a moment ago, from whatever browser or script."""
        since = timezone.now() - timedelta(seconds=ARRIVING_SECONDS)
        return self.ghost and self.upload.last_byte_at > since and self.upload.offset > 0

    @property
    def progress(self) -> float:
        length = self.upload.length
        return self.upload.offset / length if length else 1.0

    @property
    def icon(self) -> str:
        media_type = self.upload.media_type or self.guess
        if media_type in {PDF, *TEXTS, *SLIDES}:
            return "document"
        family = "table" if media_type in TABLES else media_type.partition("/")[0]
        return family if family in {"image", "video", "audio", "table"} else "file"

    @property
    def taken(self) -> bool:
        """Tell whether a job has it; a sample only borrows."""
        return any(not job.is_sample for job in self.jobs)

    @property
    def busy(self) -> bool:
        """Tell whether an unfinished job still needs the file."""
        return any(not job.is_finished for job in self.jobs)


def rows_of(uploads: Iterable[Upload]) -> list[FileRow]:
    """Return rows of uploads that came through `with_jobs`."""
    return [_row(upload) for upload in uploads]


def _row(upload: Upload) -> FileRow:
    try:
        facts = metadata(upload.metadata)
    except RequestError:
        facts = {}
    jobs = {use.job_id: use.job for use in upload.inputs.all()}
    return FileRow(
        upload,
        list(jobs.values()),
        facts.get("lastModified", ""),
        facts.get("fingerprint", ""),
        facts.get("filetype", ""),
    )


def with_jobs(uploads: QuerySet[Upload]) -> QuerySet[Upload]:
    """Fetch with each upload the jobs that use it; one query more, however many rows."""
    return uploads.prefetch_related(
        Prefetch("inputs", Input.objects.select_related("job").order_by("-job_id"))
    )


def waiting_for_a_job(user: Any) -> list[FileRow]:
    """Return the files a new job may start with, newest last, and ghosts that a job waits for."""
    since = timezone.now() - timedelta(hours=FRESH_HOURS)
    mine = Upload.objects.visible_to(user).alive()
    used = Exists(Input.objects.filter(upload=OuterRef("pk"), job__sample_seconds=None))
    fresh = mine.filter(~used, last_byte_at__gte=since)
    awaited = mine.filter(used, state=UploadState.RECEIVING)
    return rows_of(with_jobs((fresh | awaited).order_by("id"))[:SHOWN])


def chosen(user: Any, keys: Sequence[str]) -> list[FileRow]:
    """Return the person's uploads of these keys, in their order, for a form that came back."""
    found = {
        upload.key: upload
        for upload in with_jobs(
            Upload.objects.visible_to(user).alive().filter(key__in=keys[:SHOWN])
        )
    }
    return rows_of(found[key] for key in dict.fromkeys(keys) if key in found)


def blank_row() -> FileRow:
    """Return a row of nothing, which the page's script copies and fills."""
    return FileRow(Upload(key="", name="", length=0, state=UploadState.COMPLETE), [], "", "", "")
