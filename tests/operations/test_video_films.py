"""`video.join`: all pictures of all videos, one after another, with their sound and chapters."""

from collections.abc import Callable
from pathlib import Path

import av
import pytest
import pyvips

from tests.operations.conftest import H264, Listener, ffmpeg, moving, sounding
from uploads.errors import InputError
from uploads.operations import Output

Perform = Callable[..., list[Output]]
Make = Callable[..., Path]
SOUND = ("-c:a", "aac", "-shortest")
WITH_B = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")


def coloured(colour: str, seconds: int, size: str = "160x120", rate: int = 15) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"color=c={colour}:s={size}:r={rate}:d={seconds}")


@pytest.fixture(scope="session")
def red(video: Make) -> Path:
    return video("red.mp4", *coloured("red", 3), *sounding(3), *WITH_B, *SOUND)


@pytest.fixture(scope="session")
def blue(video: Make) -> Path:
    return video("blue; =.mp4", *coloured("blue", 2), *sounding(2), *WITH_B, *SOUND)


@pytest.fixture(scope="session")
def wide(video: Make) -> Path:
    return video("wide.mkv", *coloured("white", 2, "320x120", 30), *WITH_B)


def seen(path: Path) -> tuple[list[float], float]:
    """Return the times of all pictures, decoded, and the seconds of sound."""
    with av.open(str(path)) as container:
        times = sorted(float(frame.time) for frame in container.decode(video=0))
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return times, 0.0
        heard = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    return times, heard


def picture(path: Path, at: float, folder: Path) -> pyvips.Image:
    target = folder / "look.png"
    ffmpeg("-ss", str(at), "-i", str(path), "-frames:v", "1", "-update", "1", str(target))
    return pyvips.Image.new_from_file(str(target), revalidate=True).copy_memory()


def test_videos_of_one_kind_are_copied(
    red: Path, blue: Path, perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    made, poster = perform("video.join", red, blue, red)
    assert made.meta["copied"] and (made.path.name, made.meta["films"]) == ("source.mp4", 3)
    times, heard = seen(made.path)
    assert times == pytest.approx([place / 15 for place in range(120)], abs=0.01)
    assert heard == pytest.approx(8, abs=0.2)
    assert "copied without encoding" in listener.infos[0]
    assert picture(made.path, 4, tmp_path)(80, 60)[2] > 200, "blue"
    assert picture(made.path, 6, tmp_path)(80, 60)[0] > 200, "red"
    assert poster.role == "preview"


def test_chapters_are_named_by_the_files(red: Path, blue: Path, perform: Perform) -> None:
    made, _ = perform("video.join", red, blue)
    with av.open(str(made.path)) as container:
        chapters = [
            (chapter["metadata"]["title"], float(chapter["start"] * chapter["time_base"]))
            for chapter in container.chapters()
        ]
    assert chapters == [("red", 0), ("blue; =", pytest.approx(3, abs=0.01))]


def test_another_size_gets_bars_and_missing_sound_is_silence(
    red: Path, wide: Path, perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    made, _ = perform("video.join", red, wide)
    assert not made.meta["copied"]
    assert (made.meta["width"], made.meta["height"]) == (160, 120)
    assert made.meta["duration"] == pytest.approx(5, abs=0.07)
    times, heard = seen(made.path)
    assert times == pytest.approx([place / 15 for place in range(75)], abs=0.01)
    assert heard == pytest.approx(5, abs=0.1)
    shown = picture(made.path, 4, tmp_path)
    assert shown(80, 60)[0] > 200 and shown(80, 10)[0] < 30, "white with black bars"
    assert listener.infos == [
        "All are encoded in 160 × 120: “wide.mkv” differs from “red.mp4” in its size."
    ]


def test_encoding_can_be_wished(red: Path, blue: Path, perform: Perform) -> None:
    made, _ = perform("video.join", red, blue, method="encode")
    times, _ = seen(made.path)
    assert (made.meta["copied"], len(times)) == (False, 75)


def test_sound_can_be_dropped(red: Path, wide: Path, perform: Perform) -> None:
    made, _ = perform("video.join", red, wide, audio="drop")
    assert seen(made.path)[1] == 0


def test_the_order_is_that_of_the_files(
    red: Path, wide: Path, perform: Perform, tmp_path: Path
) -> None:
    made, _ = perform("video.join", wide, red)
    assert (made.meta["width"], made.meta["height"]) == (320, 120)
    assert picture(made.path, 1, tmp_path)(160, 60)[1] > 200, "white first"


def test_a_late_sound_stays_late(video: Make, red: Path, perform: Perform) -> None:
    late = video(
        "late.mp4", *coloured("green", 3), "-itsoffset", "1", *sounding(2), *WITH_B, *SOUND
    )
    made, _ = perform("video.join", late, red)
    times, heard = seen(made.path)
    assert len(times) == made.meta["frames"]
    assert heard == pytest.approx(times[-1], abs=0.3)


def test_other_containers_are_copied_too(video: Make, perform: Perform, tmp_path: Path) -> None:
    first = video("one.mkv", *moving(2), *sounding(2), *WITH_B, "-c:a", "pcm_s16le")
    made, _ = perform("video.join", first, first)
    assert (made.path.suffix, made.meta["copied"]) == (".mkv", True)
    assert len(seen(made.path)[0]) == 60


def test_what_is_no_video_is_named(red: Path, perform: Perform, tmp_path: Path) -> None:
    other = tmp_path / "letter.mp4"
    other.write_bytes(b"Dear all, this is no video." * 20)
    with pytest.raises(InputError, match=r"letter\.mp4"):
        perform("video.join", red, other)


def test_a_video_cut_off_is_named(red: Path, video: Make, perform: Perform, tmp_path: Path) -> None:
    whole = video("start.mp4", *moving(24), *H264, "-g", "30", "-movflags", "+faststart")
    source = tmp_path / "cut.mp4"
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(InputError, match=r"cut\.mp4") as caught:
        perform("video.join", red, source)
    assert caught.value.code == "media_truncated"


@pytest.mark.parametrize("method", ["auto", "encode"])
def test_progress_never_goes_back(
    method: str, red: Path, blue: Path, perform: Perform, listener: Listener
) -> None:
    perform("video.join", red, blue, method=method)
    assert listener.fractions == sorted(listener.fractions)
    assert len(set(listener.fractions)) >= 3
