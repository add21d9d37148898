"""What a sound file says about itself that may stay: names, chapters, a cover; never places."""

from dataclasses import dataclass
from pathlib import Path

from uploads.operations.chapters import Chapter, between, chapters_of
from uploads.operations.probe import ATTACHED_PICTURE, opened
from uploads.operations.titles import plain

KEPT = (
    *("title", "artist", "album", "album_artist", "composer", "performer", "publisher"),
    *("track", "disc", "genre", "date", "copyright"),
)
COVERS = {"mjpeg", "png"}
# Formats whose files hold a cover, and chapters.
COVERED = {"mp3", "aac", "flac"}
CHAPTERED = {"mp3", "aac", "opus"}


@dataclass(frozen=True)
class Tags:
    """The tags to keep, and all chapters; `cover` is the place of its stream in the source."""

    values: dict[str, str]
    cover: int | None = None
    chapters: tuple[Chapter, ...] = ()
    format: str = ""

    def kept(self, begin: float, end: float) -> list[Chapter]:
        """Return the chapters of a stretch, moved to its start, as far as the format holds any."""
        return between(self.chapters, begin, end) if self.format in CHAPTERED else []

    def arguments(self, chapters_from: int | None = None) -> list[str]:
        """Return FFmpeg's arguments that write these tags and no others; chapters are an input's."""
        # Not all at once: that would take the chapters' titles as well.
        chosen = ["-map_metadata:g", "-1", "-map_metadata:s", "-1"]
        chosen += ["-map_chapters", "-1" if chapters_from is None else str(chapters_from)]
        for name, value in self.values.items():
            chosen += ["-metadata", f"{name}={value}"]
        if self.cover is not None:
            chosen += ["-map", f"0:{self.cover}", "-c:v", "copy"]
            chosen += ["-disposition:v:0", "attached_pic"]
        return chosen


def tags_of(source: Path, name: str, format: str) -> Tags:
    """Read the tags of a file that the target format can hold, and its chapters."""
    with opened(source, name) as container:
        said: dict[str, str] = {}
        for stream in container.streams.audio:
            said |= stream.metadata
        said |= container.metadata
        values = {key.lower(): plain(value) for key, value in said.items()}
        covers = [
            stream.index
            for stream in container.streams.video
            if stream.disposition & ATTACHED_PICTURE
            and stream.codec_context is not None
            and stream.codec_context.name in COVERS
        ]
        chapters = chapters_of(container)
    kept = {key: values[key] for key in KEPT if values.get(key)}
    cover = covers[0] if covers and format in COVERED else None
    return Tags(kept, cover, tuple(chapters), format)
