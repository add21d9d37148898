"""Sound out of real FFmpeg: formats, loudness, silence, tags, what is missing or damaged."""

from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from tests.operations.conftest import Listener, moving, sounding
from uploads.errors import InputError
from uploads.operations import Output
from uploads.operations.meter import Measured

Perform = Callable[..., list[Output]]
Make = Callable[..., Path]

QUIET_ENDS = (
    *("-f", "lavfi", "-i", "anoisesrc=d=1:a=0.0001:seed=1"),
    *("-f", "lavfi", "-i", "sine=f=440:d=3"),
    *("-f", "lavfi", "-i", "anoisesrc=d=2:a=0.0001:seed=2"),
    *("-filter_complex", "[0][1][2]concat=n=3:v=0:a=1"),
)
TITLES = ("-metadata", "title=Hills; = ä", "-metadata", "artist=Somebody")
PRIVATE = ("-metadata", "location=+52.5+13.4/", "-metadata", "comment=at home")


@pytest.fixture(scope="session")
def recording(video: Make) -> Path:
    """One second of quiet noise, three of a tone, two of quiet noise."""
    return video("recording.wav", *QUIET_ENDS)


@pytest.fixture(scope="session")
def song(video: Make) -> Path:
    """An MP3 with a cover, names, and notes that are nobody's business."""
    cover = video("cover.png", "-f", "lavfi", "-i", "color=c=red:s=32x32", "-frames:v", "1")
    covered = ("-i", str(cover), "-map", "0", "-map", "1", "-disposition:v", "attached_pic")
    return video("song.mp3", *sounding(3), *covered, "-c:v", "copy", *TITLES, *PRIVATE)


@pytest.fixture(scope="session")
def surround(video: Make) -> Path:
    return video("surround.flac", "-f", "lavfi", "-i", "anoisesrc=d=1:a=0.1:seed=3", *SIX)


SIX = ("-af", "pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0", "-ar", "96000")


def facts(path: Path) -> dict[str, Any]:
    """Return what PyAV finds in a sound file."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        said = {**stream.metadata, **container.metadata}
        return {
            "codec": stream.codec_context.name,
            "rate": stream.codec_context.sample_rate,
            "channels": stream.codec_context.channels,
            "bits": stream.codec_context.format.name,
            "tags": {key.lower(): value for key, value in said.items()},
            "pictures": len(container.streams.video),
        }


def power(path: Path) -> float:
    """Return the mean square of all samples."""
    values = array("h", samples(path))
    return sum(value * value for value in values) / len(values)


@pytest.mark.parametrize(
    ("format", "suffix", "codec"),
    [
        ("mp3", ".mp3", "mp3float"),
        ("aac", ".m4a", "aac"),
        ("opus", ".ogg", "opus"),
        ("flac", ".flac", "flac"),
        ("wav", ".wav", "pcm_s16le"),
    ],
)
def test_every_format_keeps_the_whole_sound(
    format: str, suffix: str, codec: str, recording: Path, perform: Perform
) -> None:
    made, wave = perform("audio.convert", recording, format=format)
    assert made.path.name == "source" + suffix
    assert facts(made.path)["codec"] == codec
    assert made.meta["duration"] == pytest.approx(6, abs=0.1)
    assert (wave.role, wave.path.suffix) == ("preview", ".png")


def test_lossless_formats_keep_every_sample(recording: Path, perform: Perform) -> None:
    made, _ = perform("audio.convert", recording, format="flac")
    assert samples(made.path) == samples(recording)


def samples(path: Path) -> bytes:
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono")
        frames = [p for f in container.decode(audio=0) for p in resampler.resample(f)]
        return b"".join(bytes(frame.planes[0])[: frame.samples * 2] for frame in frames)


def test_silence_at_both_ends_goes_and_pauses_stay(
    video: Make, perform: Perform, listener: Listener
) -> None:
    pause = (
        "-f",
        "lavfi",
        "-i",
        "aevalsrc='if(between(t,1,3)+between(t,4,5),0.2*sin(2000*t),0)':d=8",
    )
    spoken = video("spoken.wav", *pause)
    made, _ = perform("audio.convert", spoken, trim_silence=True)
    assert made.meta["duration"] == pytest.approx(4.3, abs=0.15)
    assert listener.infos == ["3.7 s of silence cut off."]


def test_what_is_only_silent_stays_as_it_is(
    video: Make, perform: Perform, listener: Listener
) -> None:
    silent = video("silent.wav", "-f", "lavfi", "-i", "anullsrc=d=2")
    made, _ = perform("audio.convert", silent, trim_silence=True, loudness=-16)
    assert made.meta["duration"] == pytest.approx(2, abs=0.1)
    assert listener.warnings == ["It is silent; its loudness was left as it is."]


def test_loudness_reaches_its_target(recording: Path, perform: Perform) -> None:
    made, _ = perform("audio.convert", recording, format="wav", loudness=-26)
    assert made.meta["loudness"] == pytest.approx(-26, abs=0.2)
    louder, _ = perform("audio.convert", recording, format="wav", loudness=-20)
    assert louder.meta["loudness"] == pytest.approx(-20, abs=0.2)


def test_loudness_is_a_plain_change_of_volume_below_the_peak(
    recording: Path, perform: Perform, listener: Listener
) -> None:
    quiet, _ = perform("audio.convert", recording, format="wav", loudness=-30)
    before = power(quiet.path)
    loud, _ = perform("audio.convert", recording, format="wav", loudness=-20)
    assert power(loud.path) / before == pytest.approx(10, rel=0.05)  # 10 dB
    assert not any("compressed" in line for line in listener.infos)


def test_peaks_are_held_and_what_is_missing_is_said(
    recording: Path, perform: Perform, listener: Listener
) -> None:
    made, _ = perform("audio.convert", recording, format="wav", loudness=-8, peak=-9)
    assert made.meta["peak"] < -8.5
    assert any("instead of −8.0 LUFS" in line for line in listener.warnings)


def test_names_and_cover_stay_and_the_rest_goes(song: Path, perform: Perform) -> None:
    for kind in ("mp3", "aac", "flac", "opus"):
        made, _ = perform("audio.convert", song, format=kind)
        found = facts(made.path)
        assert (found["tags"]["title"], found["tags"]["artist"]) == ("Hills; = ä", "Somebody")
        assert not {"location", "comment"} & set(found["tags"])
        assert found["pictures"] == (0 if kind == "opus" else 1)


def test_tags_can_be_removed(song: Path, perform: Perform) -> None:
    made, _ = perform("audio.convert", song, tags="strip")
    found = facts(made.path)
    assert found["pictures"] == 0
    assert "title" not in found["tags"]


@pytest.mark.parametrize(
    ("options", "channels", "rate"),
    [
        ({"format": "mp3"}, 2, 48000),
        ({"format": "opus"}, 2, 48000),
        ({"format": "aac"}, 6, 96000),
        ({"format": "flac"}, 6, 96000),
        ({"format": "wav", "channels": "mono", "sample_rate": "22050"}, 1, 22050),
    ],
    ids=["mp3", "opus", "aac", "flac", "small"],
)
def test_channels_and_rate(
    options: dict[str, str], channels: int, rate: int, surround: Path, perform: Perform
) -> None:
    made, _ = perform("audio.convert", surround, **options)
    found = facts(made.path)
    assert (found["channels"], found["rate"]) == (channels, rate)


def test_sixteen_bits_stay_sixteen(recording: Path, video: Make, perform: Perform) -> None:
    flac = video("plain.flac", "-i", str(recording), "-sample_fmt", "s16")
    deep = video("deep.flac", "-i", str(recording), "-sample_fmt", "s32")
    assert facts(perform("audio.convert", flac, format="wav")[0].path)["codec"] == "pcm_s16le"
    assert facts(perform("audio.convert", deep, format="wav")[0].path)["codec"] == "pcm_s24le"


def test_the_sound_of_a_video_by_its_track(video: Make, perform: Perform) -> None:
    tracks = (*moving(2), *sounding(1), *sounding(2), "-map", "0", "-map", "1", "-map", "2")
    film = video("two-tracks.mp4", *tracks, "-c:a", "aac")
    assert perform("audio.convert", film)[0].meta["duration"] == pytest.approx(1, abs=0.1)
    assert perform("audio.convert", film, track=2)[0].meta["duration"] == pytest.approx(2, abs=0.1)
    with pytest.raises(InputError, match="it has 2") as caught:
        perform("audio.convert", film, track=3)
    assert caught.value.code == "no_audio_stream"


def test_a_video_without_sound_is_refused(video: Make, perform: Perform) -> None:
    with pytest.raises(InputError, match="it has no sound"):
        perform("audio.convert", video("mute.mp4", *moving(1)))


def test_a_file_that_is_cut_off_is_done_with_a_warning(
    song: Path, tmp_path: Path, perform: Perform, listener: Listener
) -> None:
    cut = tmp_path / "cut.mp3"
    cut.write_bytes(song.read_bytes()[: song.stat().st_size // 2])
    made, _ = perform("audio.convert", cut)
    assert made.meta["duration"] < 2.5
    assert listener.warnings == ["The file ends at 0:01 of 0:03."]


def test_a_damaged_file_is_done_with_a_warning(
    song: Path, tmp_path: Path, perform: Perform, listener: Listener
) -> None:
    damaged = bytearray(song.read_bytes())
    for place in range(3000, len(damaged), 97):
        damaged[place] ^= 0x5A
    (path := tmp_path / "damaged.mp3").write_bytes(damaged)
    made, _ = perform("audio.convert", path)
    assert made.meta["duration"] > 1
    assert any("damaged in places" in line for line in listener.warnings)


def test_progress_grows_from_pass_to_pass(
    recording: Path, perform: Perform, listener: Listener
) -> None:
    perform("audio.convert", recording, loudness=-20)
    assert listener.fractions == sorted(listener.fractions)
    assert listener.fractions[-1] >= 0.9


def test_the_gate_of_the_loudness_is_not_that_of_the_range() -> None:
    said = "I: -20.0 LUFS|Threshold: -30.0 LUFS|LRA: 0.0 LU|Threshold: -40.0 LUFS|Peak: -3.0 dBFS"
    measured = Measured()
    for line in said.split("|"):
        measured.hear(line)
    assert (measured.loudness, measured.threshold, measured.range) == (-20.0, -30.0, 0.0)
    assert measured.peak == -3.0


@pytest.mark.parametrize(
    ("options", "seconds"), [({}, 2.5), ({"loudness": -16}, 2.5), ({"trim_silence": True}, 1.5)]
)
def test_a_sample_does_only_the_beginning_and_says_how_much(
    recording: Path, perform: Perform, listener: Listener, options: dict[str, Any], seconds: float
) -> None:
    made, _ = perform("audio.convert", recording, sample_seconds=2.5, format="wav", **options)
    assert made.meta["duration"] == pytest.approx(seconds, abs=0.15)
    assert made.meta["sample_share"] == pytest.approx(2.5 / 6, abs=0.01)
    assert listener.warnings == []


def test_a_sample_of_what_is_short_does_all_of_it(recording: Path, perform: Perform) -> None:
    made, _ = perform("audio.convert", recording, sample_seconds=60.0, format="wav")
    assert made.meta["duration"] == pytest.approx(6, abs=0.1)
    assert "sample_share" not in made.meta
