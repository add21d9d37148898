"""`video.frames`: the pictures of the times in their names, never more than were allowed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pyvips

from tests.operations.conftest import H264, Listener, ffmpeg, moving, sounding
from uploads.errors import InputError
from uploads.operations import Output

Perform = Callable[..., list[Output]]
Video = Callable[..., Path]

# Each second has its own grey: the picture says what time it is. B-frames, a key frame each 3 s.
CLOCK = "color=c=black:s=160x120:r=10:d=12,geq=lum='16+floor(T)*18':cb=128:cr=128"
CODED = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-crf", "10", "-g", "30")


@pytest.fixture(scope="session")
def clock(video: Video) -> Callable[[str], Path]:
    def make(suffix: str) -> Path:
        made = video("frames.mkv", "-f", "lavfi", "-i", CLOCK, *CODED)
        copy = made.with_suffix(f".{suffix}")
        if not copy.exists():
            ffmpeg("-i", str(made), "-c", "copy", str(copy))
        return copy

    return make


def second(output: Output) -> float:
    """Read the second that a picture of the clock shows."""
    grey = pyvips.Image.new_from_file(str(output.path)).colourspace("b-w").avg()
    return float(grey * 219 / 255 / 18)


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_each_picture_is_that_of_its_time(
    suffix: str, clock: Callable[[str], Path], perform: Perform
) -> None:
    made = perform("video.frames", clock(suffix), every=0.5, format="png")
    assert len(made) == 24
    for place, output in enumerate(made):
        assert output.meta["at"] == pytest.approx(place / 2, abs=0.11)
        assert second(output) == pytest.approx(int(output.meta["at"] + 0.02), abs=0.4), place


def test_names_carry_the_times(clock: Callable[[str], Path], perform: Perform) -> None:
    made = perform("video.frames", clock("mp4"), every=5)
    names = [output.path.name for output in made]
    assert names == ["source-00m00s.jpg", "source-00m05s.jpg", "source-00m10s.jpg"]


def test_so_many_are_spread_over_the_video(clock: Callable[[str], Path], perform: Perform) -> None:
    made = perform("video.frames", clock("mp4"), choose="number", number=4, format="webp")
    assert [output.meta["at"] for output in made] == [1.5, 4.5, 7.5, 10.5]
    assert all(output.path.suffix == ".webp" for output in made)


@pytest.mark.parametrize(
    ("operation", "options"),
    [
        ("video.frames", {"choose": "number", "number": 3, "format": "png"}),
        ("video.loop", {"length": 1}),
        ("video.poster", {"sprite": False}),
    ],
)
def test_half_pictures_become_whole_ones(
    operation: str, options: dict[str, Any], video: Video, perform: Perform
) -> None:
    bars = "nullsrc=s=320x240:r=50:d=3,geq=lum='255*lt(mod(X+8*N,160),80)':cb=128:cr=128"
    woven = ("-vf", "tinterlace=interleave_top,fieldorder=tff", "-flags", "+ildct+ilme")
    source = video("woven.ts", "-f", "lavfi", "-i", bars, *woven, "-c:v", "mpeg2video", "-q:v", "2")
    for output in perform(operation, source, **options):
        picture = pyvips.Image.new_from_file(str(output.path)).colourspace("b-w")[0]
        rows = picture.height - 2
        one, two = (
            (picture.crop(0, 0, 320, rows) - picture.crop(0, n, 320, rows)).abs().avg()
            for n in (1, 2)
        )
        assert (
            one < 2 * two + 2
        )  # in a woven one each row is far from the next, not from the second


def test_a_picture_where_each_scene_begins(video: Video, perform: Perform) -> None:
    reds = "color=c=red:s=160x120:r=10:d=3[a];color=c=white:s=160x120:r=10:d=2[b]"
    graph = f"{reds};color=c=blue:s=160x120:r=10:d=2[c];[a][b][c]concat=n=3"
    source = video("scenes.mp4", "-filter_complex", graph, *H264)
    made = perform("video.frames", source, choose="scenes")
    assert [output.meta["at"] for output in made] == [0, 3, 5]


def test_too_many_are_thinned_out_and_that_is_said(
    clock: Callable[[str], Path], perform: Perform, listener: Listener
) -> None:
    made = perform("video.frames", clock("mp4"), every=0.1, most=6)
    assert [output.meta["at"] for output in made] == [0, 2, 4, 6, 8, 10]
    assert listener.warnings == ["120 pictures would be too many: 6 of them were taken."]


def test_pictures_are_upright_and_never_enlarged(
    long_video: Path, perform: Perform, tmp_path: Path
) -> None:
    source = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", "90", "-i", str(long_video), "-c", "copy", str(source))
    (large,) = perform("video.frames", source, choose="number", number=1, longest_edge=1000)
    assert (large.meta["width"], large.meta["height"]) == (120, 160)
    (small,) = perform("video.frames", source, choose="number", number=1, longest_edge=80)
    assert (small.meta["width"], small.meta["height"]) == (60, 80)


def test_a_video_cut_off_gives_what_it_holds(
    video: Video, perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    whole = video("start.mp4", *moving(24), *H264, "-g", "30", "-movflags", "+faststart")
    source = tmp_path / "cut.mp4"
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    made = perform("video.frames", source, every=2)
    assert 4 <= len(made) <= 7
    assert "The file ends at" in listener.warnings[0]


def test_progress_goes_on_within_the_file(
    clock: Callable[[str], Path], perform: Perform, listener: Listener
) -> None:
    perform("video.frames", clock("mp4"), every=1)
    assert listener.fractions == sorted(listener.fractions)
    assert len(set(listener.fractions)) >= 12


def test_sound_alone_has_no_pictures(video: Video, perform: Perform) -> None:
    with pytest.raises(InputError) as caught:
        perform("video.frames", video("sound.m4a", *sounding(2), "-c:a", "aac"))
    assert caught.value.code == "no_video_stream"


@pytest.mark.parametrize(
    ("options", "at"),
    [
        ({"every": 1}, [0, 1, 2]),
        ({"choose": "number", "number": 8}, [0.7, 2.2]),
        ({"choose": "scenes", "change": 5}, [0, 1, 2]),
        ({"every": 0.5, "most": 8}, [0, 1.5]),
    ],
)
def test_a_sample_takes_its_share_of_the_beginning(
    options: dict[str, Any], at: list[float], clock: Callable[[str], Path], perform: Perform
) -> None:
    made = perform("video.frames", clock("mp4"), sample_seconds=3.0, **options)
    assert [output.meta["at"] for output in made] == pytest.approx(at, abs=0.11)
    assert {output.meta["sample_share"] for output in made} == {0.25}
