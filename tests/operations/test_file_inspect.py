"""`file.inspect`: a report for every file, and where an incomplete one ends."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.operations.conftest import H264, Listener, moving
from uploads.errors import InputError
from uploads.operations import Output

Perform = Callable[..., list[Output]]


def report(outputs: list[Output]) -> Any:
    output, shown = outputs[:2]
    assert (shown.role, shown.meta) == ("preview", {"page": True})
    assert (output.role, output.path.name) == ("report", "source-report.json")
    return json.loads(output.path.read_text())


def test_a_video(short_video: Path, perform: Perform) -> None:
    facts = report(perform("file.inspect", short_video))
    assert (facts["kind"], facts["duration"]) == ("video", 2.0)
    assert (facts["video"]["codec"], facts["video"]["width"]) == ("h264", 160)
    assert [track["codec"] for track in facts["audio"]] == ["aac"]
    assert facts["size_bytes"] == short_video.stat().st_size


def test_a_picture(photo: Callable[..., Path], perform: Perform) -> None:
    facts = report(perform("file.inspect", photo("a.heic", 320, 240), full_decode=True))
    assert (facts["kind"], facts["format"], facts["width"], facts["height"]) == (
        "image",
        "heic",
        320,
        240,
    )
    assert facts["whole"] is True


def test_the_page_says_it_in_words_and_the_tile_the_first_of_it(
    short_video: Path, photo: Callable[..., Path], perform: Perform
) -> None:
    output, shown = perform("file.inspect", short_video)
    told = shown.path.read_text()
    for words in ("Picture track", "160 × 120", "h264", "Sound track", "aac", "44,100 Hz", "0:02"):
        assert words in told
    assert ["Codec", "h264"] in output.meta["glance"]["rows"]
    output, shown = perform("file.inspect", photo("a<b>.jpg", 320, 240))
    assert "320 × 240" in shown.path.read_text()
    assert "<b>" not in shown.path.read_text()
    # Else a browser would be given the report as the picture that it tells about.
    assert "media_type" not in output.meta


def test_anything_else(perform: Perform, tmp_path: Path) -> None:
    source = tmp_path / "notes.txt"
    source.write_text("Just a line.\n")
    facts = report(perform("file.inspect", source))
    assert facts == {
        "name": "notes.txt",
        "media_type": "text/plain",
        "size_bytes": 13,
        "kind": "other",
    }


def test_a_whole_video_is_whole(short_video: Path, perform: Perform, listener: Listener) -> None:
    facts = report(perform("file.inspect", short_video, full_decode=True))
    assert facts["whole"] is True
    assert facts["decoded_pictures"] == 30
    assert listener.warnings == []


def test_a_video_cut_off_tells_where_it_ends(
    video: Callable[..., Path], perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    whole = video("start.mp4", *moving(24), *H264, "-g", "30", "-movflags", "+faststart")
    source = tmp_path / "cut.mp4"
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    facts = report(perform("file.inspect", source, full_decode=True))
    assert facts["whole"] is False
    assert facts["of"] == "0:24"
    assert 8 < facts["ends_at_seconds"] < 16
    assert listener.warnings == [f"The file ends at {facts['ends_at']} of 0:24."]


def test_a_damaged_picture_is_not_whole(
    photo: Callable[..., Path], perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    source = tmp_path / "cut.jpg"
    source.write_bytes(photo().read_bytes()[:20_000])
    assert report(perform("file.inspect", source, full_decode=True))["whole"] is False
    assert listener.warnings == ["The picture is damaged or ends early."]


def test_a_container_without_tracks_is_no_media(perform: Perform, tmp_path: Path) -> None:
    source = tmp_path / "hollow.mp4"
    source.write_bytes(
        b"\0\0\0\x14ftypisom\0\0\0\0isom" + b"\0\0\0\x08moov" + b"\0\0\0\x10mdat" + bytes(8)
    )
    with pytest.raises(InputError) as caught:
        perform("file.inspect", source, full_decode=True)
    assert caught.value.code in {"not_a_video", "media_damaged"}
