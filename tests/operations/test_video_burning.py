"""`video.transcode`: subtitles made of pictures become part of the picture, in their place and time."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.operations import discs
from tests.operations.conftest import H264, ffmpeg, moving, sounding
from tests.operations.test_video_codecs import QUICK, still
from uploads.operations import Limits, Output

Perform = Callable[..., list[Output]]

WIDE = (640, 480)
# In the lower part of a field four times as large as the picture, and of one that is as large.
BOX, SMALL_BOX = (160, 400, 320, 40), (40, 100, 80, 10)
SHOWN = ((2.0, 9.0), (11.0, 13.0))


def film(
    folder: Path,
    *,
    canvas: tuple[int, int] = WIDE,
    codec: str = "copy",
    name: str = "film.mkv",
    seconds: int = 24,
    shown: Sequence[tuple[float, float]] = SHOWN,
) -> Path:
    box = BOX if canvas[0] == WIDE[0] else SMALL_BOX
    words = discs.pgs(folder / "words.sup", canvas, box, shown)
    video = ("-c:v", "mpeg2video", "-bf", "2") if name.endswith(".vob") else H264
    # Those of DVDs say themselves how long they are shown.
    lasting = ("-fix_sub_duration",) if codec == "dvdsub" else ()
    sound = "mp2" if name.endswith(".vob") else "aac"
    ffmpeg(
        *moving(seconds, rate=25 if seconds < 60 else 5), *sounding(seconds), *lasting, "-i", str(words), *("-map", "0", "-map", "1"),
        *("-map", "2", *video, "-g", "30", "-c:a", sound, "-c:s", codec),
        *(("-s:s", "{}x{}".format(*canvas)) if codec == "dvdsub" else ()), str(folder / name),
    )  # fmt: skip
    return folder / name


def changed(plain: Path, burnt: Path, at: float) -> set[tuple[int, int]]:
    """Return the places, in eighths of the 160 × 120 picture, that subtitles made another."""
    before, after = still(plain, at), still(burnt, at)
    line = len(before) // 120  # longer than the picture is wide
    far = [n for n, (a, b) in enumerate(zip(before, after, strict=True)) if abs(a - b) > 60]
    cells = Counter((n % line // 20, n // line // 15) for n in far)
    return {cell for cell, pixels in cells.items() if pixels > 20}


def both(perform: Perform, source: Path, folder: Path, **options: object) -> tuple[Path, Path]:
    options = {**QUICK, "height": 120, **options}
    plain = perform("video.transcode", source, **options, subtitles="drop")[0].path
    plain = plain.rename(folder / "plain.mp4")
    return plain, perform("video.transcode", source, **options, subtitles="burn")[0].path


@pytest.mark.parametrize(
    ("name", "codec"), [("film.mkv", "copy"), ("film.mkv", "dvdsub"), ("film.vob", "dvdsub")]
)
def test_pictures_are_burnt_in_at_their_place_and_time(
    name: str, codec: str, perform: Perform, tmp_path: Path
) -> None:
    canvas = (160, 120) if name.endswith(".vob") else WIDE
    source = film(tmp_path, name=name, codec=codec, canvas=canvas)
    plain, burnt = both(perform, source, tmp_path)
    # The first one begins in one part and is still shown in the next ones.
    assert [bool(changed(plain, burnt, at)) for at in (1.5, 3, 5.2, 8.5, 10, 12, 14)] == [
        False, True, True, True, False, True, False,
    ]  # fmt: skip
    assert changed(plain, burnt, 5.2) <= {(x, y) for x in range(2, 6) for y in (6, 7)}


def test_a_part_of_the_film_keeps_them(perform: Perform, tmp_path: Path) -> None:
    plain, burnt = both(perform, film(tmp_path), tmp_path, only="0:04-0:23")
    assert [bool(changed(plain, burnt, at)) for at in (1, 4, 6, 8, 10)] == [
        True, True, False, True, False,
    ]  # fmt: skip


def test_a_field_of_another_shape_is_shown_whole(perform: Perform, tmp_path: Path) -> None:
    # Twice as high as the picture is wide: half of its width is left at each side.
    plain, burnt = both(perform, film(tmp_path, canvas=(640, 960)), tmp_path)
    found = changed(plain, burnt, 5.2)
    assert found and found <= {(x, y) for x in (3, 4) for y in (3, 4)}


def test_stretches_without_any_stay_as_they_are(perform: Perform, tmp_path: Path) -> None:
    source = film(tmp_path, seconds=150, shown=[(146.0, 148.0)])
    plain, burnt = both(perform, source, tmp_path, limits=Limits(video_segment_seconds=12))
    assert [bool(changed(plain, burnt, at)) for at in (80, 145, 147, 149)] == [
        False, False, True, False,
    ]  # fmt: skip
