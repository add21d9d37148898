"""`video.loop`: GIF and WebP that loop, with the pictures and seconds that were asked for."""

from collections.abc import Callable
from pathlib import Path

import pytest
import pyvips

from tests.operations.conftest import H264, Listener, moving, sounding
from uploads.errors import InputError, RequestError
from uploads.operations import Output

Perform = Callable[..., list[Output]]


def shown(output: Output) -> tuple[int, int, float, int]:
    """Return width, pictures, seconds and rounds (0: for ever) of an animation."""
    made = pyvips.Image.new_from_file(str(output.path), n=-1, revalidate=True)
    return made.width, made.get("n-pages"), sum(made.get("delay")) / 1000, made.get("loop")


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_a_loop_of_the_wanted_seconds(kind: str, long_video: Path, perform: Perform) -> None:
    (made,) = perform("video.loop", long_video, start="0:02.5", length=2, fps=10, format=kind)
    assert made.path.name == f"source-00m02.5s.{kind}"
    assert shown(made) == (160, 20, pytest.approx(2.0, abs=0.02), 0)
    assert (made.meta["frames"], made.meta["duration"]) == (20, pytest.approx(2.0, abs=0.02))


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_pictures_that_stand_still_keep_their_time(
    kind: str, video: Callable[..., Path], perform: Perform
) -> None:
    graph = "color=c=red:s=160x120:r=10:d=3[a];color=c=blue:s=160x120:r=10:d=3[b];[a][b]concat"
    source = video("still.mp4", "-filter_complex", graph, *H264)
    (made,) = perform("video.loop", source, length=6, fps=10, format=kind)
    assert shown(made)[2] == pytest.approx(6.0, abs=0.11)


def test_colours_are_those_of_the_video(video: Callable[..., Path], perform: Perform) -> None:
    source = video("green.mp4", "-f", "lavfi", "-i", "color=c=0x20a060:s=160x120:d=2", *H264)
    (made,) = perform("video.loop", source, length=1)
    picture = pyvips.Image.new_from_file(str(made.path)).colourspace("srgb")
    assert picture(80, 60)[:3] == pytest.approx([0x20, 0xA0, 0x60], abs=8)


def test_never_enlarged_and_never_faster(long_video: Path, perform: Perform) -> None:
    (made,) = perform("video.loop", long_video, length=1, width=1920, fps=30)
    assert (made.meta["width"], made.meta["fps"]) == (160, 15)
    (small,) = perform("video.loop", long_video, length=1, width=81)
    assert (small.meta["width"], small.meta["height"]) == (81, 61)


def test_it_ends_with_the_video(short_video: Path, perform: Perform, listener: Listener) -> None:
    (made,) = perform("video.loop", short_video, start="0:01", length=10)
    assert made.meta["duration"] == pytest.approx(1.0, abs=0.1)
    assert listener.infos == [f"The video ends there: it lasts {made.meta['duration']:.1f} s."]


def test_nothing_is_there_after_the_end(short_video: Path, perform: Perform) -> None:
    with pytest.raises(InputError) as caught:
        perform("video.loop", short_video, start="1:00")
    assert caught.value.code == "range_outside"


def test_what_is_no_time_is_refused(short_video: Path, perform: Perform) -> None:
    with pytest.raises(RequestError, match="no time"):
        perform("video.loop", short_video, start="soon")


def test_progress_never_goes_back(
    video: Callable[..., Path], perform: Perform, listener: Listener
) -> None:
    source = video("large.mp4", *moving(6, size="640x480"), *H264)
    perform("video.loop", source, length=6)
    assert listener.fractions == sorted(listener.fractions)


def test_sound_alone_has_no_loop(video: Callable[..., Path], perform: Perform) -> None:
    with pytest.raises(InputError) as caught:
        perform("video.loop", video("sound.m4a", *sounding(2), "-c:a", "aac"))
    assert caught.value.code == "no_video_stream"
