"""`video.poster`: a telling still, and a sprite whose index names the real times."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import pyvips

from tests.operations.conftest import H264, Listener, ffmpeg, moving, sounding
from uploads.errors import InputError
from uploads.operations import Output
from uploads.operations.stills import webvtt

Perform = Callable[..., list[Output]]
Video = Callable[..., Path]
CUE = re.compile(r"(\d+):(\d\d):(\d\d\.\d{3}) --> (\S+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)")

# Each second has its own grey; the picture says what time it is.
CLOCK = "color=c=black:s=160x120:r=10:d=12,geq=lum='16+floor(T)*18':cb=128:cr=128"


@pytest.fixture(scope="session")
def clock(video: Video) -> Callable[[str], Path]:
    def make(suffix: str) -> Path:
        made = video("clock.mkv", "-f", "lavfi", "-i", CLOCK, *H264, "-g", "10", "-crf", "10")
        if suffix == "mkv":
            return made
        copy = made.with_suffix(f".{suffix}")
        ffmpeg("-i", str(made), "-c", "copy", str(copy))
        return copy

    return make


def test_a_poster_and_seek_bar_pictures(long_video: Path, perform: Perform) -> None:
    poster, sprite, index = perform("video.poster", long_video, shown="My film.mp4")
    assert [o.path.name for o in (poster, sprite, index)] == [
        "source-poster.jpg",
        "source-sprite.jpg",
        "source-sprite.vtt",
    ]
    assert (poster.meta["width"], poster.meta["height"]) == (160, 120)
    assert "My%20film-sprite.jpg#xywh=0,0,160,120" in index.path.read_text()


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_each_still_belongs_to_its_time(
    suffix: str, clock: Callable[[str], Path], perform: Perform
) -> None:
    _, sprite, index = perform("video.poster", clock(suffix))
    image = pyvips.Image.new_from_file(str(sprite.path)).colourspace("b-w")
    cues = CUE.findall(index.path.read_text())
    assert len(cues) == 12
    for place, cue in enumerate(cues):
        second = float(cue[2])
        assert second == pytest.approx(place, abs=0.15)
        left, top, width, height = map(int, cue[5:])
        luma = image.crop(left, top, width, height).avg()
        expected = max(0, (16 + place * 18 - 16) * 255 / 219)
        assert luma == pytest.approx(expected, abs=6), f"still {place}"


def test_cues_cover_the_whole_video_without_gaps() -> None:
    text = webvtt([0.5, 2.0, 3723.25], 3725.0, "a.jpg", (10, 5), 2)
    times = re.findall(r"(\S+) --> (\S+)", text)
    assert times == [
        ("00:00:00.000", "00:00:02.000"),
        ("00:00:02.000", "01:02:03.250"),
        ("01:02:03.250", "01:02:05.000"),
    ]
    assert re.findall("xywh=(.*)", text) == ["0,0,10,5", "10,0,10,5", "0,5,10,5"]


def test_the_poster_is_not_the_black_beginning(video: Video, perform: Perform) -> None:
    source = video("fade.mp4", *moving(10), "-vf", "fade=in:st=0:d=2", *H264, "-g", "15")
    (poster,) = perform("video.poster", source, sprite=False)
    assert 0.5 <= poster.meta["at"] <= 4
    assert pyvips.Image.new_from_file(str(poster.path)).deviate() > 30


def test_the_poster_is_upright(long_video: Path, perform: Perform, tmp_path: Path) -> None:
    source = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", "90", "-i", str(long_video), "-c", "copy", str(source))
    (poster,) = perform("video.poster", source, sprite=False)
    assert (poster.meta["width"], poster.meta["height"]) == (120, 160)


def test_a_video_cut_off_still_gets_a_poster(
    video: Video, perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    whole = video("start.mp4", *moving(24), *H264, "-g", "30", "-movflags", "+faststart")
    source = tmp_path / "cut.mp4"
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert perform("video.poster", source)[0].meta["width"] == 160


def test_sound_alone_has_no_poster(video: Video, perform: Perform) -> None:
    with pytest.raises(InputError) as caught:
        perform("video.poster", video("sound.m4a", *sounding(2), "-c:a", "aac"))
    assert caught.value.code == "no_video_stream"
