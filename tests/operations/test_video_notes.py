"""What a video says of itself: title, chapters, names and roles of tracks stay, the place goes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from tests.operations.conftest import ffmpeg
from tests.operations.test_video_codecs import WORDS
from tests.operations.test_video_transcode import QUICK, SOURCES
from uploads.operations import Output

Perform = Callable[..., list[Output]]
FILMED = "2024-05-06T07:08:09.000000Z"
NOTES = f""";FFMETADATA1
title=Our film
artist=Ann
creation_time={FILMED}
location=+46.9480+007.4474/
comment=Secret
[CHAPTER]
TIMEBASE=1/1000
START=0
END=10000
title=Beginning
[CHAPTER]
TIMEBASE=1/1000
START=10000
END=24000
title=End; =
"""
COMMENT, FORCED = 8, 64
# Encoded in parts; encoded as one part; copied, for it already fits.
WAYS: dict[str, dict[str, Any]] = {
    "parts": QUICK,
    "one part": {**QUICK, "only": "0:00-0:15"},
    "copied": {"size_mb": 50},
}


@pytest.fixture
def film(video: Callable[..., Path], tmp_path: Path) -> Path:
    """A film of 24 s with two chapters, a commentary, forced subtitles and a font."""
    plain = video("constant.mp4", *SOURCES["constant.mp4"])
    notes, words, font = (tmp_path / name for name in ("notes.txt", "words.srt", "Curly.ttf"))
    notes.write_text(NOTES)
    words.write_text(WORDS)
    font.write_bytes(b"\0\1\0\0 a font")
    path = tmp_path / "film.mkv"
    ffmpeg(
        *("-i", str(plain), "-f", "lavfi", "-i", "sine=f=220:d=24", "-i", str(words)),
        *("-i", str(notes), "-map", "0:v", "-map", "0:a", "-map", "1:a", "-map", "2"),
        *("-map_metadata", "3", "-map_chapters", "3", "-c:v", "copy", "-c:a", "aac", "-c:s", "ass"),
        *("-metadata:s:v", "title=Wide", "-metadata:s:a:1", "title=Commentary"),
        *("-metadata:s:a:1", "language=eng", "-disposition:a:1", "comment"),
        *("-metadata:s:s", "title=Signs", "-disposition:s", "forced", "-attach", str(font)),
        *("-metadata:s:t", "mimetype=font/ttf", str(path)),
    )
    return path


def chapters(path: Path) -> list[tuple[str, float, float]]:
    with av.open(str(path)) as container:
        return [
            (
                chapter["metadata"].get("title", ""),
                round(float(chapter["start"] * chapter["time_base"]), 2),
                round(float(chapter["end"] * chapter["time_base"]), 1),
            )
            for chapter in container.chapters()
        ]


def called(path: Path) -> list[tuple[str, str, int]]:
    """Return kind, name and role of each track."""
    with av.open(str(path)) as container:
        return [
            (
                stream.type,
                stream.metadata.get("title") or stream.metadata.get("name", ""),
                stream.disposition & (COMMENT | FORCED),
            )
            for stream in container.streams
            if stream.type in {"video", "audio", "subtitle"}
        ]


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("way", ["parts", "copied"])
def test_a_film_keeps_its_chapters_and_the_names_of_its_tracks(
    way: str, container: str, film: Path, perform: Perform
) -> None:
    made = perform("video.transcode", film, **WAYS[way], container=container, audio_tracks=())[0]
    assert ("copied" in made.meta) is (way == "copied")
    assert chapters(made.path) == [("Beginning", 0, 10), ("End; =", 10, 24)]
    assert called(made.path) == [
        ("video", "Wide", 0),
        ("audio", "", 0),
        ("audio", "Commentary", COMMENT),
        ("subtitle", "Signs", FORCED),
    ]
    with av.open(str(made.path)) as opened:
        said = {key.lower(): value for key, value in opened.metadata.items()}
    assert (said["title"], said["artist"], said["creation_time"]) == ("Our film", "Ann", FILMED)
    content = made.path.read_bytes()
    assert b"Secret" not in content and b"+46.9" not in content


def test_tracks_keep_their_languages_where_pictures_are_copied(
    film: Path, perform: Perform
) -> None:
    made = perform("video.transcode", film, **WAYS["copied"], container="mkv", audio_tracks=(2,))[0]
    with av.open(str(made.path)) as container:
        assert container.streams.audio[0].language == "eng"


def test_chapters_of_a_part_begin_with_it(film: Path, perform: Perform) -> None:
    made = perform("video.transcode", film, **QUICK, only="0:08-0:15")[0]
    assert chapters(made.path) == [("Beginning", 0, 2), ("End; =", 2, 7)]


@pytest.mark.parametrize("way", WAYS)
def test_notes_go_where_that_is_asked_for(way: str, film: Path, perform: Perform) -> None:
    made = perform("video.transcode", film, **WAYS[way], tags="strip", audio_tracks=())[0]
    assert chapters(made.path) == []
    assert [(name, role) for _, name, role in called(made.path)] == [
        ("", 0), ("", 0), ("", COMMENT), ("", FORCED),
    ]  # fmt: skip
    content = made.path.read_bytes()
    assert not any(word in content for word in (b"Our film", b"Ann", b"2024-05", b"+46.9"))


@pytest.mark.parametrize("way", ["parts", "copied"])
def test_subtitles_bring_their_fonts(way: str, film: Path, perform: Perform) -> None:
    made = perform("video.transcode", film, **WAYS[way], container="mkv")[0]
    with av.open(str(made.path)) as container:
        fonts = [s for s in container.streams if s.type == "attachment"]
        assert [(f.name, f.mimetype, bytes(f.data)) for f in fonts] == [
            ("Curly.ttf", "font/ttf", b"\0\1\0\0 a font")
        ]
