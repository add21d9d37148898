"""What a sound file says about itself that may stay: names, chapters, a cover; never places."""

from dataclasses import dataclass
from pathlib import Path

from uploads.operations.probe import ATTACHED_PICTURE, opened

KEPT = (
    *("title", "artist", "album", "album_artist", "composer", "performer", "publisher"),
    *("track", "disc", "genre", "date", "copyright"),
)
VALUE_CHARACTERS = 500
COVERS = {"mjpeg", "png"}
# Formats whose files hold a cover, and chapters.
COVERED = {"mp3", "aac", "flac"}
CHAPTERED = {"mp3", "aac", "opus"}


@dataclass(frozen=True)
class Tags:
    """The tags to keep; `cover` is the place of its stream in the source."""

    values: dict[str, str]
    cover: int | None
    format: str

    def arguments(self) -> list[str]:
        """Return FFmpeg's arguments that write these tags and no others."""
        chosen = ["-map_metadata", "-1"]
        chosen += ["-map_chapters", "0" if self.format in CHAPTERED else "-1"]
        for name, value in self.values.items():
            chosen += ["-metadata", f"{name}={value}"]
        if self.cover is not None:
            chosen += ["-map", f"0:{self.cover}", "-c:v", "copy"]
            chosen += ["-disposition:v:0", "attached_pic"]
        return chosen


def tags_of(source: Path, name: str, format: str) -> Tags:
    """Read the tags of a file that the target format can hold."""
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
    kept = {key: values[key] for key in KEPT if values.get(key)}
    return Tags(kept, covers[0] if covers and format in COVERED else None, format)


def plain(value: str) -> str:
    """Return a tag's text without what is no letter, and not too long."""
    return "".join(c for c in value if c.isprintable())[:VALUE_CHARACTERS].strip()
