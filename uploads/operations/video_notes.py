"""What a video says of itself and may go on saying: title, chapters, names and roles of tracks; never the place."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uploads.operations.base import Context, Json
from uploads.operations.chapters import Chapter, between, chapters_of
from uploads.operations.probe import opened
from uploads.operations.titles import plain

if TYPE_CHECKING:
    from uploads.operations.video import Transcode

KEPT = (
    *("title", "artist", "album", "genre", "date", "creation_time", "copyright", "description"),
    *("synopsis", "show", "season_number", "episode_id", "episode_sort", "network"),
)
# Default, dubbed, original, comment, forced, for who hears or sees little.
ROLES = 1 | 2 | 4 | 8 | 64 | 128 | 256
FONTS = (
    "font/",
    "application/x-truetype-font",
    "application/x-font",
    "application/vnd.ms-opentype",
)
LARGEST_FONT_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class Font:
    """A font that subtitles bring with them."""

    index: int
    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Notes:
    """Tags of the file, its chapters, and by their index the names and roles of tracks."""

    values: dict[str, str] = field(default_factory=dict)
    chapters: list[Chapter] = field(default_factory=list)
    titles: dict[int, str] = field(default_factory=dict)
    roles: dict[int, int] = field(default_factory=dict)
    fonts: list[Font] = field(default_factory=list)

    def arguments(self, tracks: Sequence[tuple[str, Json]]) -> list[str]:
        """Return FFmpeg's arguments that write them; `tracks` are kind and facts of each, in order.

        Chapters are the source's own, and roles stay with their tracks.
        """
        chosen = ["-map_metadata:g", "-1", "-map_metadata:s", "-1"]
        chosen += ["-map_chapters", "0" if self.chapters else "-1"]
        for name, value in self.values.items():
            chosen += ["-metadata", f"{name}={value}"]
        for kind, group in groupby(tracks, key=lambda track: track[0]):
            for place, (_, track) in enumerate(group):
                told = {"language": track.get("language"), "title": self.titles.get(track["index"])}
                for name, text in told.items():
                    chosen += [f"-metadata:s:{kind}:{place}", f"{name}={text}"] if text else []
        for place, font in enumerate(self.fonts):
            told = {"filename": font.name, "mimetype": font.media_type}
            chosen += ["-map", f"0:{font.index}"]
            for name, text in told.items():
                chosen += [f"-metadata:s:t:{place}", f"{name}={text}"]
        return chosen


def notes_of(source: Path, step: "Context[Transcode]", shape: Json, origin: float) -> Notes:
    """Read them; `origin` is the second of the source at which the result begins.

    Roles are kept whatever is asked for: players choose tracks by them. So are fonts, without
    which subtitles look otherwise, where they are kept as they are.
    """
    with opened(source, step.name) as container:
        roles = {stream.index: stream.disposition & ROLES for stream in container.streams}
        styled = shape["suffix"] == ".mkv" and step.options.subtitles == "keep"
        fonts = _fonts(container) if styled and shape["subtitles"] else []
        if step.options.tags == "strip":
            return Notes(roles=roles, fonts=fonts)
        said = {key.lower(): plain(value) for key, value in container.metadata.items()}
        return Notes(
            {key: said[key] for key in KEPT if said.get(key)},
            between(chapters_of(container), origin, origin + shape["duration"]),
            {stream.index: title for stream in container.streams if (title := _title(stream))},
            roles,
            fonts,
        )


def _title(stream: Any) -> str:
    # MP4 calls it "name".
    return plain(stream.metadata.get("title") or stream.metadata.get("name") or "")


def _fonts(container: Any) -> list[Font]:
    return [
        Font(stream.index, stream.name, stream.mimetype, bytes(stream.data))
        for stream in container.streams
        if stream.type == "attachment"
        and stream.name
        and (stream.mimetype or "").startswith(FONTS)
        and len(stream.data) <= LARGEST_FONT_BYTES
    ]
