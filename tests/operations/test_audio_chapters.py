"""Chapters of recordings: kept with their titles, moved where something was cut off, cut at."""

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from tests.operations.conftest import Listener, ffmpeg
from uploads.operations import Output
from uploads.operations.sound import seconds_of

Perform = Callable[..., list[Output]]
# Four seconds of silence at the start.
READ_ALOUD = "sine=f=440:d=28,volume='if(lt(t,4),0,1)':eval=frame"
CHAPTERS = """;FFMETADATA1
title=The book
artist=Ann
[CHAPTER]
TIMEBASE=1/1000
START=0
END=10000
title=One: a / start
[CHAPTER]
TIMEBASE=1/1000
START=10000
END=22000
title=Two\\=2
[CHAPTER]
TIMEBASE=1/1000
START=22000
END=28000
title=Three
"""


def book_of(tmp_path: Path, name: str, *codec: str) -> Path:
    noted = tmp_path / "chapters.txt"
    noted.write_text(CHAPTERS)
    path = tmp_path / name
    mapped = ("-map", "0:a", "-map_metadata", "1", "-map_chapters", "1")
    ffmpeg("-f", "lavfi", "-i", READ_ALOUD, "-i", str(noted), *mapped, *codec, str(path))
    return path


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """An audiobook of 28 s with three chapters, which begins with silence."""
    return book_of(tmp_path, "book.m4a", "-c:a", "aac")


def chapters(path: Path) -> list[tuple[str, float, float]]:
    with av.open(str(path)) as container:
        return [
            (
                chapter["metadata"].get("title", ""),
                round(float(chapter["start"] * chapter["time_base"]), 1),
                round(float(chapter["end"] * chapter["time_base"]), 1),
            )
            for chapter in container.chapters()
        ]


def tags(path: Path) -> dict[str, str]:
    with av.open(str(path)) as container:
        said = {**container.metadata, **container.streams.audio[0].metadata}
        return {key.lower(): value for key, value in said.items()}


@pytest.mark.parametrize("format", ["mp3", "aac", "opus"])
def test_chapters_keep_their_titles(format: str, book: Path, perform: Perform) -> None:
    made, _ = perform("audio.convert", book, format=format)
    assert [title for title, _, _ in chapters(made.path)] == ["One: a / start", "Two=2", "Three"]
    assert [start for _, start, _ in chapters(made.path)] == [0, 10, 22]


def test_chapters_move_with_the_silence_that_is_cut_off(book: Path, perform: Perform) -> None:
    made, _ = perform("audio.convert", book, trim_silence=True)
    seconds = seconds_of(made.path, "book.mp3")
    assert seconds < 25
    cut = 28 - seconds
    found = chapters(made.path)
    assert [start for _, start, _ in found] == pytest.approx([0, 10 - cut, 22 - cut], abs=0.3)
    assert found[-1][2] == pytest.approx(seconds, abs=0.3)


def test_no_chapters_where_tags_are_removed(book: Path, perform: Perform) -> None:
    made, _ = perform("audio.convert", book, tags="strip")
    assert chapters(made.path) == []
    assert "title" not in tags(made.path)


@pytest.mark.parametrize("format", ["same", "mp3", "flac"])
def test_a_piece_for_each_chapter(format: str, book: Path, perform: Perform) -> None:
    made = perform("audio.split", book, by="chapters", format=format)
    assert [output.path.stem for output in made] == [
        "source-01 One a start", "source-02 Two 2", "source-03 Three",
    ]  # fmt: skip
    assert [seconds_of(output.path, "x") for output in made] == pytest.approx([10, 12, 6], abs=0.1)
    said = tags(made[1].path)
    assert (said["title"], said["album"], said["artist"]) == ("Two=2", "The book", "Ann")
    assert said["track"] == "2/3"


def test_pieces_of_a_length_keep_the_chapters_within_them(book: Path, perform: Perform) -> None:
    made = perform("audio.split", book, minutes=0.25, format="mp3")
    assert chapters(made[0].path) == [("One: a / start", 0, 10), ("Two=2", 10, 15)]
    assert chapters(made[1].path) == [("Two=2", 0, 7), ("Three", 7, 13)]
    assert tags(made[1].path)["title"] == "The book"


def test_no_chapters_are_told(perform: Perform, listener: Listener, tmp_path: Path) -> None:
    plain = tmp_path / "plain.mp3"
    ffmpeg("-f", "lavfi", "-i", "sine=d=3", str(plain))
    assert len(perform("audio.split", plain, by="chapters")) == 1
    assert listener.warnings == ["It has no chapters: it stays in one piece."]
