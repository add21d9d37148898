"""Films as phones, browsers and old cameras make them: trimmed, without a length, in old kinds of file."""

from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from tests.operations.conftest import Listener, ffmpeg, moving, sounding
from tests.operations.test_video_transcode import QUICK, facts, pictures
from uploads.operations import Output
from uploads.operations.sound import seconds_of

Perform = Callable[..., list[Output]]
Make = Callable[..., Path]
SMALL = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


@pytest.fixture(scope="session")
def trimmed(video: Make) -> Path:
    """9 s of which an edit hides the first 3, as phones trim: the key frame before is a hidden one."""
    whole = video("untrimmed.mp4", *moving(9), *sounding(9), *SMALL, "-g", "75", "-c:a", "aac")
    return video("trimmed.mp4", "-ss", "3", "-i", str(whole), "-c", "copy")


def clips(made: list[Output]) -> list[Output]:
    return [output for output in made if output.role == "result"]


def shown(path: Path) -> int:
    """Return how many pictures a player shows of a film."""
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.video[0])
        return sum(1 for packet in packets if packet.size and not packet.is_discard)


def test_a_trimmed_film_keeps_all_that_is_shown(
    trimmed: Path, perform: Perform, listener: Listener
) -> None:
    assert shown(trimmed) == 90
    made = perform("video.transcode", trimmed, **QUICK)[0]
    assert (len(pictures(made.path)), made.meta["duration"]) == (90, pytest.approx(6, abs=0.01))
    part = perform("video.transcode", trimmed, **QUICK, only="0:00.5-0:01.5")[0]
    assert len(pictures(part.path)) == 15
    stream = perform("video.hls", trimmed, heights=(90,), speed="ultrafast")[0]
    assert stream.meta["duration"] == pytest.approx(6, abs=0.01)


def test_what_an_edit_hides_is_not_copied(trimmed: Path, perform: Perform) -> None:
    made = perform("video.transcode", trimmed, size_mb=50)[0]
    assert "copied" not in made.meta
    assert shown(made.path) == 90
    with av.open(str(made.path)) as container:
        assert not any(packet.is_discard for packet in container.demux(video=0))


def test_a_clip_that_would_show_what_is_hidden_is_encoded(
    trimmed: Path, perform: Perform, listener: Listener
) -> None:
    (early,) = clips(perform("video.clip", trimmed, ranges="0:01-0:02", mode="keyframes"))
    assert (early.meta["copied"], early.meta["frames"]) == (False, 15)
    assert "0:01 builds on pictures that an edit has hidden: encoded." in listener.infos
    (exact,) = clips(perform("video.clip", trimmed, ranges="0:01-0:02", speed="ultrafast"))
    assert exact.meta["frames"] == 15
    (late,) = clips(perform("video.clip", trimmed, ranges="0:03-0:04", mode="keyframes"))
    assert late.meta["copied"] is True


def test_pieces_of_trimmed_sound_hold_what_is_heard(trimmed: Path, perform: Perform) -> None:
    made = perform("audio.split", trimmed, minutes=0.05)
    assert [seconds_of(output.path, "x") for output in made] == pytest.approx([3, 3], abs=0.1)


def test_a_recording_of_a_browser_tells_no_length(video: Make, perform: Perform) -> None:
    encoder = ("-c:v", "libvpx", "-deadline", "realtime", "-g", "300", "-c:a", "libopus")
    source = video("recorded.webm", *moving(6), *sounding(6), *encoder, "-f", "webm", "-live", "1")
    with av.open(str(source)) as container:
        assert not container.duration
    part = perform("video.transcode", source, **QUICK, only="0:02-0:04")[0]
    assert part.meta["duration"] == pytest.approx(2, abs=0.05)
    small = perform("video.transcode", source, size_mb=0.1, speed="ultrafast")[0]
    assert 40_000 < small.path.stat().st_size <= 100_000


def test_a_part_without_a_key_frame_of_a_broadcast(video: Make, perform: Perform) -> None:
    interlaced = ("-vf", "tinterlace=interleave_top,setfield=tff", "-x264-params", "tff=1")
    source = video("fields.ts", *moving(9, rate=50), *SMALL, *interlaced, "-g", "250")
    part = perform("video.transcode", source, **QUICK, only="0:02-0:04")[0]
    assert (part.meta["frames"], part.meta["duration"]) == (50, pytest.approx(2, abs=0.03))


@pytest.mark.parametrize(
    ("name", "codecs"),
    [
        ("camera.wmv", ("-c:v", "wmv2", "-c:a", "wmav2")),
        ("camera.3gp", ("-c:v", "mpeg4", "-c:a", "aac", "-ar", "8000", "-ac", "1")),
        ("camera.avi", ("-c:v", "mjpeg", "-c:a", "pcm_mulaw", "-ar", "8000", "-ac", "1")),
        ("camera.flv", ("-c:v", "flv1", "-c:a", "libmp3lame", "-ar", "44100")),
        ("camera.mpg", ("-c:v", "mpeg2video", "-r", "25", "-c:a", "mp2")),
    ],
)
def test_old_kinds_of_file(
    name: str, codecs: tuple[str, ...], video: Make, perform: Perform
) -> None:
    source = video(name, *moving(6), *sounding(6), *codecs)
    for options in (QUICK, {"size_mb": 50, "container": "mkv"}):
        made = perform("video.transcode", source, **options)[0]
        assert made.meta["duration"] == pytest.approx(6, abs=0.1)
        assert facts(made.path)[3] == ["aac"]
    (fast,) = clips(perform("video.clip", source, ranges="0:03-0:04", mode="keyframes"))
    assert fast.meta["duration"] >= 0.9


@pytest.fixture(scope="session")
def late_sound(video: Make) -> Path:
    """A film of 9 s whose sound begins after 4."""
    return video(
        "late-sound.mp4", "-itsoffset", "4", *sounding(5), *moving(9),
        "-map", "1", "-map", "0", *SMALL, "-c:a", "aac",
    )  # fmt: skip


def peak(frame: Any) -> float:
    """Return the loudest sample of the first channel."""
    return max(map(abs, array("f", bytes(frame.planes[0])[: 4 * frame.samples])))


def test_a_range_without_sound_is_silent(late_sound: Path, perform: Perform) -> None:
    (quiet,) = clips(perform("video.clip", late_sound, ranges="0:01-0:02", speed="ultrafast"))
    assert facts(quiet.path)[3] == []
    (both,) = clips(perform("video.clip", late_sound, ranges="0:01-0:02,0:05-0:06", joined=True))
    assert facts(both.path)[3] == ["aac"]
    assert both.meta["duration"] == pytest.approx(2, abs=0.1)
    with av.open(str(both.path)) as container:
        loud = [(frame.time or 0.0, peak(frame)) for frame in container.decode(audio=0)]
    assert max(level for at, level in loud if at < 0.9) < 0.01
    assert min(level for at, level in loud if 1.1 < at < 1.9) > 0.05


def test_a_film_of_one_picture_is_a_loop(tmp_path: Path, perform: Perform) -> None:
    source = tmp_path / "one.mp4"
    ffmpeg(*moving(1), "-frames:v", "1", *SMALL, str(source))
    (made,) = clips(perform("video.loop", source))
    assert made.meta["frames"] == 1
