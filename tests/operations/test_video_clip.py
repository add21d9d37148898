"""Clips out of real videos: the right pictures, with their sound, exact or fast, one or many."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from tests.operations.conftest import H264, Listener, moving, sounding
from tests.operations.test_video_transcode import SOURCES, facts, pictures
from uploads.errors import InputError, RequestError
from uploads.operations import Context, Output, PartResult
from uploads.operations.clip import Clip, clip
from uploads.operations.times import Range, parse_ranges

Perform = Callable[..., list[Output]]
Make = Callable[..., Path]
QUICK: dict[str, Any] = {"speed": "ultrafast"}
PATCHES = 8


@pytest.fixture(scope="session")
def numbered(video: Make) -> Path:
    """24 s, 10 pictures a second, a key frame each 2 s; brightness grows from second to second."""
    light = "geq=lum='8+10*floor(T)':cb=128:cr=128"
    source = ("-f", "lavfi", "-i", f"color=c=black:s=64x64:r=10:d=24,{light}")
    return video("numbered.mp4", *source, *sounding(24), *H264, "-g", "20", "-c:a", "aac")


def seconds_shown(path: Path) -> list[int]:
    """Return for each picture of a clip which second of the source it shows."""
    with av.open(str(path)) as container:
        return [round((bytes(frame.planes[0])[0] - 8) / 10) for frame in container.decode(video=0)]


def clips(made: list[Output]) -> list[Output]:
    return [output for output in made if output.role == "result"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0:30-1:15", [Range(30, 75)]),
        ("90 - 95.5", [Range(90, 95.5)]),
        ("1:02:03–1:04:00, 0:05 to 0:06", [Range(3723, 3840), Range(5, 6)]),
        ("2:00-", [Range(120, float("inf"))]),
        ("-0:10; 0:20-0:30", [Range(0, 10), Range(20, 30)]),
        ("0:10-0:20, 0:10-0:20", [Range(10, 20)]),
    ],
)
def test_ranges_are_read_as_people_write_them(text: str, expected: list[Range]) -> None:
    assert parse_ranges(text, "ranges") == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "at least one"),
        ("0:30", "no range"),
        ("abc-def", "“abc-def” is no range"),
        ("1:00-0:30", "ends before it starts"),
        (",".join(["0:01-0:02"] * 51), "at most 50"),
    ],
)
def test_what_is_no_range_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(RequestError, match=why) as caught:
        Clip(ranges=text)
    assert caught.value.values["field"] == "ranges"


def test_an_exact_clip_holds_just_its_pictures_and_sound(
    numbered: Path, perform: Perform, listener: Listener
) -> None:
    (made,) = clips(perform("video.clip", numbered, ranges="0:03-0:05.5", **QUICK))
    assert made.path.name == "source-00m03s-00m05.5s.mp4"
    assert seconds_shown(made.path) == [3] * 10 + [4] * 10 + [5] * 5
    assert made.meta["duration"] == pytest.approx(2.5, abs=0.05)
    with av.open(str(made.path)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples / 44100 == pytest.approx(2.5, abs=0.06)
    assert listener.warnings == []


def test_each_range_is_a_file_with_a_poster(numbered: Path, perform: Perform) -> None:
    made = perform("video.clip", numbered, ranges="0:01-0:02, 0:10-0:12", **QUICK)
    assert [seconds_shown(output.path) for output in clips(made)] == [
        [1] * 10,
        [10] * 10 + [11] * 10,
    ]
    assert len({output.path for output in made}) == 4


def test_ranges_are_joined_in_their_order(numbered: Path, perform: Perform) -> None:
    options = {"ranges": "0:20-0:21, 0:05-0:06, 0:23-", "joined": True}
    (made,) = clips(perform("video.clip", numbered, **options, **QUICK))
    assert seconds_shown(made.path) == [20] * 10 + [5] * 10 + [23] * 10
    with av.open(str(made.path)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples / 44100 == pytest.approx(3, abs=0.1)


def test_a_fast_clip_starts_at_the_key_frame_before_and_says_so(
    numbered: Path, perform: Perform, listener: Listener
) -> None:
    (made,) = clips(perform("video.clip", numbered, ranges="0:05-0:08", mode="keyframes"))
    shown = seconds_shown(made.path)
    assert shown[0] == 4
    assert {5, 6, 7} <= set(shown) <= {4, 5, 6, 7, 8}
    assert facts(made.path)[0] == "h264"
    assert listener.infos == ["It starts 1.0 s early, at the key frame before 0:05."]


@pytest.mark.parametrize("name", SOURCES)
def test_every_kind_of_source_gives_the_counted_pictures(
    name: str, video: Make, perform: Perform
) -> None:
    source = video(name, *SOURCES[name])
    expected = [time for time in pictures(source) if 7.3 <= time < 9.1]
    (made,) = clips(perform("video.clip", source, ranges="0:07.3-0:09.1", height=90, **QUICK))
    assert abs(len(pictures(made.path)) - len(expected)) <= 1


def test_a_source_that_is_not_sought_exactly_is_read_from_its_start(
    video: Make, perform: Perform
) -> None:
    """In a transport stream with one key frame, FFmpeg's seek to the end finds nothing."""
    refreshed = ("-c:v", "libx264", "-g", "250", "-x264-params", "intra-refresh=1:bframes=0")
    source = video("refreshed.ts", *moving(24), *refreshed, "-pix_fmt", "yuv420p")
    (made,) = clips(perform("video.clip", source, ranges="0:20-", **QUICK))
    assert made.meta["frames"] == 60


def test_what_begins_after_the_end_is_left_out_or_refused(
    numbered: Path, perform: Perform, listener: Listener
) -> None:
    made = clips(perform("video.clip", numbered, ranges="0:23-0:40, 1:00-1:10", **QUICK))
    assert [seconds_shown(output.path) for output in made] == [[23] * 10]
    assert listener.warnings == ["It lasts 0:24: there is nothing to cut at 1:00."]
    with pytest.raises(InputError, match="lasts 0:24; nothing is there at 1:00") as caught:
        perform("video.clip", numbered, ranges="1:00-1:10")
    assert caught.value.code == "range_outside"


def test_parts_are_made_by_several_workers_and_collected_in_order(
    numbered: Path, tmp_path: Path
) -> None:
    options = Clip(ranges="0:10-0:11, 0:01-0:02", speed="ultrafast")
    step = Context(options, tmp_path / "plan", name="numbered.mp4")
    assert clip.planner is not None
    assert clip.joiner is not None
    done = []
    for number, part in enumerate(clip.planner(numbered, step)):
        folder = tmp_path / f"part{number}"
        folder.mkdir()
        outputs = list(clip.run(numbered, Context(options, folder, part=part.params)))
        paths = [o.path if isinstance(o, Output) else o for o in outputs]
        metas = [o.meta if isinstance(o, Output) else {} for o in outputs]
        done.append(PartResult(part.params, paths, metas))
    (tmp_path / "joined").mkdir()
    joined = clip.joiner(numbered, Context(options, tmp_path / "joined"), done)
    made = [output for output in joined if isinstance(output, Output)]
    assert [seconds_shown(output.path) for output in clips(made)] == [[10] * 10, [1] * 10]
    assert [output.role for output in made] == ["result", "preview"] * 2


def test_sound_that_an_mp4_can_not_hold_goes_into_another_container(
    video: Make, perform: Perform
) -> None:
    source = video("pcm.mkv", *moving(3), *sounding(3), *H264, "-g", "15", "-c:a", "pcm_s16le")
    (made,) = clips(perform("video.clip", source, ranges="0:01-0:02", mode="keyframes"))
    assert made.path.suffix == ".mkv"
    assert facts(made.path)[3] == ["pcm_s16le"]


def test_without_sound(numbered: Path, perform: Perform) -> None:
    (made,) = clips(perform("video.clip", numbered, ranges="0-1", audio="drop", **QUICK))
    assert facts(made.path)[3] == []
