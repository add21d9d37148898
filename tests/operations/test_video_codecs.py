"""`video.transcode`: codecs and kinds of file, target sizes, a part of it, turns, sound, subtitles."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from tests.operations.conftest import H264, Listener, ffmpeg, moving, sounding
from tests.operations.test_video_transcode import QUICK, SOURCES, decoded, pictures, planned
from uploads.errors import InputError, RequestError
from uploads.operations import Context, Output
from uploads.operations.options import parse_options
from uploads.operations.video import Transcode

Perform = Callable[..., list[Output]]
Video = Callable[..., Path]

WORDS = """1
00:00:01,000 --> 00:00:05,500
First words

2
00:00:11,000 --> 00:00:14,000
Second <i>words</i>
"""
# Matroska counts in milliseconds.
CLOCK = 0.0021


def tracks(path: Path) -> list[tuple[str, str, str]]:
    with av.open(str(path)) as container:
        return [
            (stream.type, stream.codec_context.name, stream.language or "")
            for stream in container.streams
        ]


def shown(text: str) -> list[float]:
    """Return when each line of SRT text comes and goes."""
    found = re.findall(r"00:00:(\d\d),(\d\d\d)", text)
    return [int(seconds) + int(thousandths) / 1000 for seconds, thousandths in found]


def still(path: Path, at: float) -> bytes:
    """Return the bytes of one picture in grey."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= at - 0.001:
                return bytes(frame.reformat(format="gray").planes[0])
    raise AssertionError(f"there is no picture at {at}")


def brightness(picture: bytes) -> float:
    return sum(picture) / len(picture)


@pytest.mark.parametrize(
    ("codec", "container", "found"),
    [
        ("h264", "mkv", "h264"),
        ("h265", "mp4", "hevc"),
        ("h265", "mkv", "hevc"),
        ("vp9", "webm", "vp9"),
        ("vp9", "mp4", "vp9"),
        ("av1", "mp4", "libdav1d"),
        ("av1", "webm", "libdav1d"),
    ],
)
def test_every_codec_gives_the_same_pictures_at_the_same_times(
    codec: str, container: str, found: str, video: Video, perform: Perform, listener: Listener
) -> None:
    source = video("uneven.mp4", *SOURCES["uneven.mp4"])
    options = {**QUICK, "codec": codec, "container": container}
    assert [part["kind"] for part in planned(source, **options)].count("segment") >= 2
    result = perform("video.transcode", source, **options)[0]
    assert result.path.suffix == f".{container}"
    before, after = pictures(source), pictures(result.path)
    assert len(after) == len(before) == decoded(result.path) == result.meta["frames"]
    # In Matroska, sound that begins a packet early moves everything by that.
    after = [time - after[0] for time in after] if container == "mkv" else after
    assert after == pytest.approx(before, abs=CLOCK)
    sound = "libopus" if container == "webm" else "aac"
    assert [name for _, name, _ in tracks(result.path)] in (
        [found, sound],
        [found, sound.removeprefix("lib")],
    )
    assert listener.warnings == []


def test_h265_in_mp4_has_the_name_that_apple_knows(long_video: Path, perform: Perform) -> None:
    result = perform("video.transcode", long_video, **QUICK, codec="h265")[0]
    assert b"hvc1" in result.path.read_bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"codec": "h264", "container": "webm"}, "WebM holds VP9 and AV1"),
        ({"codec": "vp9", "container": "webm", "audio": "mp3"}, "WebM holds Opus"),
        ({"size_mb": 5, "bit_rate": 500}, "not both"),
        ({"only": "0:10-0:05"}, "ends before it starts"),
        ({"only": "0:01-0:02, 0:03-0:04"}, "Cut clips"),
    ],
)
def test_what_does_not_go_together_is_refused_in_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        parse_options(Transcode, options)


@pytest.mark.parametrize("codec", ["h264", "h265", "vp9", "av1"])
def test_a_target_size_is_met_and_never_exceeded(
    codec: str, video: Video, perform: Perform, listener: Listener
) -> None:
    joined = "[1]trim=duration=12[b];[0][b]concat=n=2:v=1[v]"
    source = video(
        "mixed.mp4", "-f", "lavfi", "-i", "color=c=navy:s=320x240:r=24:d=12",
        "-f", "lavfi", "-i", "mandelbrot=s=320x240:r=24", *sounding(24),
        "-filter_complex", joined, "-map", "[v]", "-map", "2:a",
        *H264, "-g", "48", "-c:a", "aac",
    )  # fmt: skip
    options: dict[str, Any] = {"codec": codec, "size_mb": 1.0, "speed": "veryfast", "height": None}
    parts = planned(source, **options)
    rates = [part["bit_rate"] for part in parts if part["kind"] == "segment"]
    assert max(rates) > 1.5 * min(rates), "parts where much happens get more"
    weights = [part["weight"] for part in parts if part["kind"] == "segment"]
    assert max(weights) > 1.5 * min(weights), "and are known to take longer"
    result = perform("video.transcode", source, **options)[0]
    size = result.path.stat().st_size
    assert size <= 1_000_000
    # SVT-AV1 is careful with one pass.
    assert size >= (700_000 if codec == "av1" else 850_000)
    assert decoded(result.path) == len(pictures(source))
    assert listener.warnings == []


def test_a_small_target_makes_the_picture_smaller_and_says_so(
    video: Video, perform: Perform, listener: Listener
) -> None:
    source = video("large.mp4", *moving(12, size="1280x720", rate=30), *sounding(12), *H264)
    result = perform("video.transcode", source, size_mb=0.3, height=None, speed="ultrafast")[0]
    assert result.path.stat().st_size <= 300_000
    assert result.meta["height"] < 720
    assert any("to fit into 0.3 MB" in line for line in listener.infos)


def test_a_size_that_cannot_be_is_refused_with_the_one_that_can(
    video: Video, perform: Perform
) -> None:
    source = video("long-low.mp4", *moving(600, rate=5, size="64x48"), *H264, "-g", "50")
    with pytest.raises(InputError, match=r"does not fit into 0.1 MB; it needs about \d") as caught:
        perform("video.transcode", source, size_mb=0.1, frame_rate=None, height=None)
    assert caught.value.code == "size_unreachable"


def test_a_bit_rate_is_the_average(video: Video, perform: Perform) -> None:
    source = video("busy.mp4", "-f", "lavfi", "-i", "mandelbrot=s=320x240:r=24", "-t", "24",
                   *H264, "-g", "48")  # fmt: skip
    result = perform("video.transcode", source, bit_rate=400, height=None)[0]
    with av.open(str(result.path)) as container:
        size = sum(packet.size for packet in container.demux(video=0))
    assert size * 8 / 24 / 1000 == pytest.approx(400, rel=0.12)


@pytest.mark.parametrize("name", ["constant.mp4", "broadcast.ts", "open-groups.mkv", "vp9.webm"])
def test_a_part_of_it_has_just_the_pictures_of_those_times(
    name: str, video: Video, perform: Perform
) -> None:
    source = video(name, *SOURCES[name])
    result = perform("video.transcode", source, **QUICK, only="0:03.3-0:23")[0]
    before = [time for time in pictures(source) if 3.3 - 0.0005 <= time < 23 - 0.0005]
    assert decoded(result.path) == result.meta["frames"] == pytest.approx(len(before), abs=1)
    with av.open(str(result.path)) as container:
        sound = sum(frame.samples for frame in container.decode(audio=0)) / 48000
    with av.open(str(result.path)) as container:
        sound *= 48000 / container.streams.audio[0].codec_context.sample_rate
    assert sound == pytest.approx(19.7, abs=0.15)


def test_a_part_starts_at_the_very_picture(video: Video, perform: Perform, tmp_path: Path) -> None:
    source = video("flash.mp4", "-f", "lavfi", "-i", "color=c=black:s=160x120:r=10:d=24,"
                   "drawbox=c=white:t=fill:enable='between(t,5.05,24)'", *H264, "-g", "40")  # fmt: skip
    result = perform("video.transcode", source, **QUICK, only="5-")[0]
    assert brightness(still(result.path, 0.0)) < 60 < brightness(still(result.path, 0.1))


def test_a_part_beyond_the_end_is_refused(short_video: Path, perform: Perform) -> None:
    with pytest.raises(InputError, match="lasts 0:02; nothing is there at 0:05") as caught:
        perform("video.transcode", short_video, **QUICK, only="5-9")
    assert caught.value.code == "range_outside"


def test_an_untimed_video_is_cut_as_well(video: Video, perform: Perform) -> None:
    source = video("old.avi", *SOURCES["old.avi"])
    result = perform("video.transcode", source, **QUICK, only="4-8")[0]
    assert decoded(result.path) == pytest.approx(60, abs=2)


def test_a_sample_takes_a_stretch_of_the_middle(long_video: Path, tmp_path: Path) -> None:
    from uploads.operations import video_plan

    step = Context(Transcode(**QUICK), tmp_path, name="long.mp4", sample_seconds=3.0)
    parts = video_plan.plan(long_video, step)
    assert sum(part.params.get("frames", 0) for part in parts) == 45
    assert parts[0].params["window"] == [7.0, 10.0]
    assert parts[0].params["sample_share"] == pytest.approx(3 / 24, abs=0.01)


@pytest.mark.parametrize(
    ("turn", "size"), [("right", (90, 120)), ("left", (60, 80)), ("half", (120, 90))]
)
def test_a_video_is_turned(
    turn: str, size: tuple[int, int], video: Video, perform: Perform
) -> None:
    source = video("corner.mp4", "-f", "lavfi", "-i", "color=c=black:s=160x120:r=10:d=1,"
                   "drawbox=x=0:y=0:w=80:h=60:c=white:t=fill", *H264)  # fmt: skip
    options = {**QUICK, "height": None, "longest_edge": max(size)}
    result = perform("video.transcode", source, **options, turn=turn)[0]
    width, height = result.meta["width"], result.meta["height"]
    assert (width, height) == size
    with av.open(str(result.path)) as container:
        plane = next(container.decode(video=0)).reformat(format="gray").planes[0]
    grey, line = bytes(plane), plane.line_size
    places = [(8, 8), (width - 9, 8), (8, height - 9), (width - 9, height - 9)]
    corners = [grey[y * line + x] for x, y in places]
    lit = {"right": 1, "left": 2, "half": 3}[turn]
    assert [corner > 128 for corner in corners] == [place == lit for place in range(4)]


@pytest.fixture
def two_languages(video: Video, tmp_path: Path) -> Path:
    """A film of 24 s with German and English sound and two subtitle tracks."""
    plain = video("constant.mp4", *SOURCES["constant.mp4"])
    words = tmp_path / "words.srt"
    words.write_text(WORDS)
    path = tmp_path / "film.mkv"
    ffmpeg(
        *("-i", str(plain), "-f", "lavfi", "-i", "sine=f=220:d=24", "-i", str(words)),
        *("-map", "0:v", "-map", "0:a", "-map", "1:a", "-map", "2", "-map", "2"),
        *("-c:v", "copy", "-c:a:0", "copy", "-c:a:1", "ac3", "-c:s", "srt"),
        *("-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=eng"),
        *("-metadata:s:s:0", "language=deu", "-metadata:s:s:1", "language=eng", str(path)),
    )
    return path


@pytest.mark.parametrize(
    ("options", "sounds"),
    [
        ({}, [("aac", "ger")]),
        ({"audio_tracks": (2,)}, [("aac", "eng")]),
        ({"audio_tracks": (), "audio": "copy"}, [("aac", "ger"), ("ac3", "eng")]),
        ({"audio_tracks": (2, 1), "audio": "opus"}, [("opus", "eng"), ("opus", "ger")]),
        ({"audio": "mp3"}, [("mp3float", "ger")]),
    ],
)
def test_sound_tracks_are_chosen_and_keep_their_languages(
    options: dict[str, Any],
    sounds: list[tuple[str, str]],
    two_languages: Path,
    perform: Perform,
) -> None:
    result = perform("video.transcode", two_languages, **QUICK, **options)[0]
    found = [(name.removeprefix("lib"), spoken) for kind, name, spoken in tracks(result.path)
             if kind == "audio"]  # fmt: skip
    assert [(name, {"ger": "deu"}.get(spoken, spoken)) for name, spoken in found] == [
        (name, {"ger": "deu"}.get(spoken, spoken)) for name, spoken in sounds
    ]


def test_a_missing_sound_track_is_told(two_languages: Path, perform: Perform) -> None:
    with pytest.raises(InputError, match="it has 2") as caught:
        perform("video.transcode", two_languages, **QUICK, audio_tracks=(4,))
    assert caught.value.code == "no_audio_stream"


def test_sound_is_made_evenly_loud(video: Video, perform: Perform, tmp_path: Path) -> None:
    source = video("quiet.mp4", *moving(24), "-f", "lavfi", "-i", "sine=f=440:d=24", "-af",
                   "volume=-20dB", *H264, "-g", "30", "-c:a", "aac")  # fmt: skip
    result = perform("video.transcode", source, **QUICK, loudness=-16)[0]
    sound = perform("audio.convert", result.path, loudness=-16)[0]
    assert sound.meta["source_loudness"] == pytest.approx(-16, abs=1.0)


@pytest.mark.parametrize(
    ("container", "codec", "name"),
    [("mp4", "h264", "mov_text"), ("mkv", "h264", "srt"), ("webm", "vp9", "webvtt")],
)
def test_subtitles_are_kept_with_their_times(
    container: str, codec: str, name: str, two_languages: Path, perform: Perform, tmp_path: Path
) -> None:
    result = perform("video.transcode", two_languages, **QUICK, container=container, codec=codec)[0]
    found = [(kind, spoken) for _, kind, spoken in tracks(result.path) if kind in {name, "subrip"}]
    assert len(found) == 2 and found[1][1] == "eng"
    text = tmp_path / "back.srt"
    ffmpeg("-i", str(result.path), "-map", "0:s:1", str(text))
    # In Matroska, sound that begins a packet early moves everything by that.
    with av.open(str(result.path)) as container:
        late = container.streams.video[0].start_time * container.streams.video[0].time_base
    assert [at - late for at in shown(text.read_text())] == pytest.approx(shown(WORDS), abs=CLOCK)
    assert "Second <i>words</i>" in text.read_text()


def test_subtitles_become_files_of_their_own(two_languages: Path, perform: Perform) -> None:
    made = perform("video.transcode", two_languages, **QUICK, subtitles="extract")
    texts = [output for output in made if output.path.suffix == ".srt"]
    assert sorted(text.meta["language"] for text in texts) == ["deu", "eng"]
    assert all(text.path.read_text().strip() == WORDS.strip() for text in texts)
    assert all(kind != "subtitle" for kind, _, _ in tracks(made[0].path))


@pytest.mark.parametrize("only", ["", "0:02-0:22"])
def test_subtitles_are_burnt_in_at_their_times_across_parts(
    only: str, two_languages: Path, perform: Perform, tmp_path: Path
) -> None:
    options = {**QUICK, "height": 120, "only": only}
    plain = perform("video.transcode", two_languages, **options, subtitles="drop")[0].path
    plain = plain.rename(tmp_path / "plain.mp4")
    burnt = perform("video.transcode", two_languages, **options, subtitles="burn")[0].path
    late = 2.0 if only else 0.0

    def differs(at: float) -> bool:
        before, after = still(plain, at - late), still(burnt, at - late)
        return sum(abs(a - b) > 60 for a, b in zip(before, after, strict=True)) > 20

    # The first words begin in one part and are still shown in the next ones.
    assert [differs(at) for at in (3.0, 5.2, 8.0, 12.0, 15.0)] == [True, True, False, True, False]
    assert all(kind != "subtitle" for kind, _, _ in tracks(burnt))


def test_what_already_fits_keeps_its_tracks_when_copied(
    two_languages: Path, perform: Perform
) -> None:
    result = perform("video.transcode", two_languages, height=720, size_mb=50, audio_tracks=())[0]
    assert result.meta["copied"] is True
    assert [kind for kind, _, _ in tracks(result.path)] == [
        "video", "audio", "audio", "subtitle", "subtitle",
    ]  # fmt: skip
