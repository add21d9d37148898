"""`audio.split`: pieces that hold all of a recording, once, with tags and numbers."""

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from tests.operations.conftest import Listener, moving, sounding
from uploads.errors import InputError, RequestError
from uploads.operations import Output
from uploads.operations.sound import seconds_of

Perform = Callable[..., list[Output]]
Make = Callable[..., Path]

# Two seconds of silence after 6 s, half a second after 14 s, and two again after 20 s.
PAUSED = (
    "sine=f=440:d=28,volume='if(between(t,6,8)+between(t,14,14.5)+between(t,20,22),0,1)':eval=frame"
)
TITLES = ("-metadata", "title=Hills", "-metadata", "artist=Somebody", "-metadata", "comment=mine")


@pytest.fixture(scope="session")
def paused(video: Make) -> Path:
    return video("paused.flac", "-f", "lavfi", "-i", PAUSED, *TITLES)


@pytest.fixture(scope="session")
def song(video: Make) -> Path:
    cover = video("split.png", "-f", "lavfi", "-i", "color=c=red:s=32x32", "-frames:v", "1")
    covered = ("-i", str(cover), "-map", "0", "-map", "1", "-disposition:v", "attached_pic")
    return video("split.mp3", *sounding(10), *covered, "-c:v", "copy", *TITLES)


def lengths(made: list[Output]) -> list[float]:
    return [seconds_of(output.path, output.path.name) for output in made]


def test_pieces_at_the_middle_of_each_silence(paused: Path, perform: Perform) -> None:
    made = perform("audio.split", paused, by="silence")
    assert [o.path.name for o in made] == ["source-01.flac", "source-02.flac", "source-03.flac"]
    assert lengths(made) == pytest.approx([7, 14, 7], abs=0.02)


def test_silences_that_make_too_short_pieces_are_passed_over(
    paused: Path, perform: Perform
) -> None:
    made = perform("audio.split", paused, by="silence", pause=0.4, shortest=8)
    assert lengths(made) == pytest.approx([14.25, 13.75], abs=0.02)


def test_what_has_no_silence_stays_whole_and_says_so(
    song: Path, perform: Perform, listener: Listener
) -> None:
    (made,) = perform("audio.split", song, by="silence")
    assert seconds_of(made.path, "x") == pytest.approx(10, abs=0.1)
    assert listener.warnings == ["No silence of 1.5 s was found: it stays in one piece."]


def test_pieces_of_a_length_and_a_rest(paused: Path, perform: Perform) -> None:
    assert lengths(perform("audio.split", paused, minutes=0.2)) == pytest.approx([12, 12, 4])


def test_pieces_at_given_times(paused: Path, perform: Perform, listener: Listener) -> None:
    made = perform("audio.split", paused, by="times", times="0:10, 5, 1:00")
    assert lengths(made) == pytest.approx([5, 5, 18])
    assert listener.warnings == ["It lasts 0:28: there is nothing to cut at 1:00."]


@pytest.mark.parametrize("codec", ["pcm_s16le", "aac"])
def test_sound_that_begins_later_than_its_film_is_cut_where_the_film_says(
    video: Make, perform: Perform, codec: str
) -> None:
    quiet = "aevalsrc='if(between(t,3,4)+between(t,8,9),0,0.2*sin(2000*t))':d=12:s=44100"
    late = ("-itsoffset", "2", "-f", "lavfi", "-i", quiet, "-c:a", codec)
    film = video(f"late-{codec}.mkv", *moving(14), *late)
    made = perform("audio.split", film, by="silence", pause=0.8, shortest=2)
    assert lengths(made) == pytest.approx([3.5, 5, 3.5], abs=0.1)
    assert [o.meta["start"] for o in made] == pytest.approx([2, 5.5, 10.5], abs=0.1)
    made = perform("audio.split", film, by="times", times="1, 6, 11")
    assert lengths(made) == pytest.approx([4, 5, 3], abs=0.1)


def test_times_that_all_lie_behind_the_end_are_refused(paused: Path, perform: Perform) -> None:
    with pytest.raises(InputError) as refused:
        perform("audio.split", paused, by="times", times="1:00")
    assert refused.value.code == "range_outside"


def test_an_mp3_is_copied_packet_for_packet(song: Path, perform: Perform) -> None:
    made = perform("audio.split", song, by="times", times="3.3,6.6")
    assert all(output.meta["copied"] for output in made)
    packets = [packet for output in made for packet in heard(output.path)]
    assert packets == heard(song)


def heard(path: Path) -> list[bytes]:
    """Return the sound packets of a file."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def test_tags_stay_and_tracks_are_numbered(song: Path, perform: Perform) -> None:
    made = perform("audio.split", song, by="times", times="5")
    for number, output in enumerate(made, start=1):
        with av.open(str(output.path)) as container:
            said = dict(container.metadata)
            assert (said["title"], said["artist"]) == ("Hills", "Somebody")
            assert said["track"] == f"{number}/2"
            assert "comment" not in said
            assert len(container.streams.video) == 1, "the cover"


@pytest.mark.parametrize("kind", ["mp3", "aac", "opus", "flac", "wav"])
def test_pieces_in_every_format(kind: str, paused: Path, perform: Perform) -> None:
    made = perform("audio.split", paused, by="times", times="10", format=kind, tags="strip")
    assert lengths(made) == pytest.approx([10, 18], abs=0.15)


@pytest.mark.parametrize(
    ("name", "how"), [("split.m4a", ("-c:a", "aac")), ("split.opus", ("-c:a", "libopus"))]
)
def test_other_codecs_are_copied_too(
    name: str, how: tuple[str, ...], video: Make, perform: Perform
) -> None:
    made = perform("audio.split", video(name, *sounding(10), *how), by="times", times="4")
    assert all(output.meta["copied"] for output in made)
    assert lengths(made) == pytest.approx([4, 6], abs=0.1)


def test_the_sound_of_a_video(long_video: Path, perform: Perform) -> None:
    made = perform("audio.split", long_video, minutes=0.2)
    assert [output.path.suffix for output in made] == [".m4a", ".m4a"]


def test_too_many_pieces_are_refused_in_words(video: Make, perform: Perform) -> None:
    source = video("hours.flac", "-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono:d=1600")
    with pytest.raises(InputError, match="533 pieces") as caught:
        perform("audio.split", source, minutes=0.05)
    assert caught.value.code == "too_many_pieces"


def test_progress_never_goes_back(paused: Path, perform: Perform, listener: Listener) -> None:
    perform("audio.split", paused, minutes=0.1)
    assert listener.fractions == sorted(listener.fractions)
    assert len(set(listener.fractions)) >= 5


def test_times_are_needed_where_they_are_chosen(paused: Path, perform: Perform) -> None:
    with pytest.raises(RequestError, match="at least one time"):
        perform("audio.split", paused, by="times")


def test_pictures_alone_have_no_sound(video: Make, perform: Perform) -> None:
    with pytest.raises(InputError) as caught:
        perform("audio.split", video("mute.mp4", *moving(2)))
    assert caught.value.code == "no_audio_stream"


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_a_sample_is_cut_out_of_the_beginning(
    suffix: str, paused: Path, song: Path, perform: Perform, listener: Listener
) -> None:
    source = {"flac": paused, "mp3": song}[suffix]
    whole = seconds_of(source, source.name)
    options = {"by": "times", "times": f"0:02, 0:{int(whole) - 1:02}"}
    made = perform("audio.split", source, sample_seconds=4.0, **options)
    assert lengths(made) == pytest.approx([2, 2], abs=0.1)
    shares = [output.meta["sample_share"] for output in made]
    assert shares == pytest.approx([4 / whole] * 2, rel=0.02)
    assert not listener.warnings
