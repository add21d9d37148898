"""Tiles: finished results as small pictures or marks, for the job's page and its gallery."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from django.db.models import Exists, OuterRef, Q

from uploads.models import Job, Result, Upload
from uploads.models.chaining import roots
from uploads.models.result import ResultQuerySet
from uploads.pages.option_words import own_words

NEWEST = 60
SHOWPIECES = 8
INLINE_IMAGES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"})
INLINE_MEDIA = frozenset(
    {
        *("video/mp4", "video/webm", "audio/mpeg", "audio/mp4", "audio/ogg"),
        *("audio/wav", "audio/x-wav", "audio/flac"),
    }
)
PLAYLIST = "application/vnd.apple.mpegurl"
STILLS = "video.poster"
# How a table's page is called beside the table.
ROWS_PAGE = "-rows.html"
SMALL_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Tile:
    """One result with what helps to show it: a small picture, a poster, a scrubbing track."""

    result: Result
    previews: Sequence[Result] = field(default=())
    upload: Upload | None = None

    @property
    def is_stream(self) -> bool:
        """Tell whether it is the list of a stream's qualities, which has a page to watch it."""
        return self.result.media_type == PLAYLIST

    @property
    def place(self) -> int:
        """Return the number of its item in the job, from 1."""
        return self.result.item.position + 1 if self.result.item else 0

    @property
    def shown_name(self) -> str:
        """Return the name that says which it is: a stream's own list is called alike in all."""
        if not self.is_stream:
            return self.result.name
        return PurePosixPath(self.result.relative_path).parent.name or self.result.name

    @property
    def kind(self) -> str:
        """Return `image`, `video`, `audio` or `file`."""
        if self.is_stream:
            return "video"
        family = self.result.media_type.partition("/")[0]
        return family if family in {"image", "video", "audio"} else "file"

    @property
    def picture(self) -> Result | None:
        """Return the smallest picture of it that a browser shows."""
        return min(self._stills(), key=lambda r: r.size_bytes, default=None)

    @property
    def large(self) -> Result | None:
        """Return the largest picture of it that a browser shows at once: itself, if it is one."""
        stills = self._stills()
        return (
            self.result
            if self.result in stills
            else max(stills, key=lambda r: r.size_bytes, default=None)
        )

    def _stills(self) -> list[Result]:
        own = [self.result] if self.result.size_bytes <= SMALL_BYTES else []
        shown = [r for r in (*self.previews, *own) if r.media_type in INLINE_IMAGES]
        return [r for r in shown if r is self.result or "sprite" not in r.name]

    @property
    def poster(self) -> Result | None:
        """Return the largest still of a video."""
        stills = [
            r for r in self.previews if r.media_type in INLINE_IMAGES and "sprite" not in r.name
        ]
        return max(stills, key=lambda r: r.size_bytes, default=None)

    @property
    def scrub(self) -> Result | None:
        """Return the WebVTT track whose cues name places in a sprite."""
        return next((r for r in self.previews if r.media_type == "text/vtt"), None)

    @property
    def sprite(self) -> Result | None:
        return next((r for r in self.previews if "sprite" in r.name and r != self.scrub), None)

    @property
    def plays(self) -> bool:
        """Tell whether a browser plays it in place."""
        return self.kind in {"video", "audio"} and self.result.media_type in INLINE_MEDIA

    @property
    def shows(self) -> bool:
        """Tell whether a browser shows it in place."""
        return self.result.media_type in INLINE_IMAGES

    @property
    def page(self) -> Result | None:
        """Return the page that shows what is in it: its own, or one that was made beside it."""
        stem = self.result.name.removesuffix(".gz").rpartition(".")[0]
        beside = [made for made in self.previews if made.name == f"{stem}{ROWS_PAGE}"]
        pages = [made for made in (self.result, *beside) if made.meta.get("page")]
        return next((made for made in pages if made.media_type == "text/html"), None)

    @property
    def has_more_rows(self) -> bool:
        """Tell whether its page is the first of several."""
        return bool(self.page and self.page.meta.get("pages"))

    @property
    def zoom(self) -> str:
        """Return as JSON what a viewer of its tiles has to know, or nothing."""
        found = self.result.meta.get("zoom")
        return json.dumps(found) if isinstance(found, dict) else ""

    @property
    def glance(self) -> dict[str, Any] | None:
        """Return the corner of a table, to be drawn as text, or None."""
        found = self.result.meta.get("glance")
        return found if isinstance(found, dict) and self.picture is None else None

    @property
    def looks(self) -> bool:
        """Tell whether there is more to see of it than its name."""
        return bool(
            self.picture or self.plays or self.glance or self.page or self.zoom or self.is_stream
        )

    @property
    def before(self) -> bool:
        """Tell whether the original can be shown beside it."""
        upload = self.upload
        return bool(
            upload
            and upload.is_complete
            and self.kind == "image"
            and upload.media_type in INLINE_IMAGES
        )

    @property
    def own(self) -> str:
        """Return in words what options its file had of its own, or nothing."""
        item = self.result.item
        return own_words(item.stage.operation, item.options) if item and item.options else ""

    @property
    def saved_percent(self) -> int:
        """Return how much smaller it is than its original of the same kind, or 0."""
        if self.upload is None or self.upload.kind != self.kind:
            return 0
        return saved_percent(self.upload.length, self.result.size_bytes)


def saved_percent(before: int, after: int) -> int:
    """Return the saved share in whole percent, or 0; only nothing at all would be 100."""
    return min(99, round(100 * (1 - after / before))) if 0 < after < before else 0


def tiles(results: Iterable[Result]) -> list[Tile]:
    """Return tiles for these results, with the previews of the same items; one query more."""
    shown = list(results)
    items = {result.item_id for result in shown if result.item_id}
    previews: dict[int | None, list[Result]] = defaultdict(list)
    beside = Q(role="preview") | Q(meta__has_key="preview")
    rows = Result.objects.filter(beside, item__in=items).exclude(role="part")
    for row in rows.order_by("id"):
        if row.role == "preview" or row.meta.get("preview"):
            previews[row.item_id].append(row)
    for item_id, rows_beside in _stills(shown).items():
        previews[item_id].extend(rows_beside)
    first = roots(result.item for result in shown if result.item)
    return [
        Tile(
            result,
            _own(result, previews[result.item_id]),
            first[result.item_id].upload if result.item_id else None,
        )
        for result in shown
    ]


def _own(result: Result, previews: Sequence[Result]) -> Sequence[Result]:
    """Return the previews that bear a result's name, else all of its item's."""
    stem = result.name.removesuffix(".gz").rpartition(".")[0]
    return [made for made in previews if made.name.startswith(f"{stem}-")] or previews


def _stills(results: Iterable[Result]) -> dict[int | None, list[Result]]:
    """Return for videos what a job for stills has made of the same files: poster, sprite, track."""
    videos = {r.item.upload_id: r.item_id for r in results if r.item and _is_video(r)}
    made = Result.objects.filter(
        item__upload__in=[upload for upload in videos if upload],
        item__stage__operation=STILLS,
    )
    found: dict[int | None, list[Result]] = defaultdict(list)
    if videos:
        for row in made.exclude(role="part").select_related("item").order_by("id"):
            found[videos[row.item.upload_id if row.item else None]].append(row)
    return found


def _is_video(result: Result) -> bool:
    return result.media_type.startswith("video/")


def newest_tiles(job: Job) -> list[Tile]:
    """Return the newest finished results, newest first."""
    return tiles(_main(job).order_by("-id")[:NEWEST])


def showpiece(job: Job) -> list[Tile]:
    """Return what an ended job shows first: its first results in the order of the request."""
    return tiles(_main(job).order_by("item__position", "step_id", "position")[:SHOWPIECES])


def lone_sheet(shown: Sequence[Tile]) -> Tile | None:
    """Return the one result that has a page, to be opened on the job's own; None for several."""
    paged = [tile for tile in shown if tile.page]
    return paged[0] if len(paged) == 1 else None


def _main(job: Job) -> ResultQuerySet:
    """Return the results that stand for their items: small sizes made beside them are left out."""
    rows = job.results.opened().select_related("item__upload", "item__stage", "job")
    small = Q(meta__has_key="preview")
    larger = Result.objects.opened().filter(item=OuterRef("item")).exclude(small)
    return rows.filter(~small | ~Exists(larger))
