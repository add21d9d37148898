"""Thousands of spoilt pictures, videos and sounds: a result, or words; no child hangs, few die."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pyvips

from tests.operations.conftest import H264, moving, sounding
from tests.operations.hostile import outcomes

# Each with options that make it decode everything.
PICTURES: dict[str, dict[str, Any]] = {
    "image.convert": {"sizes": [64, 32], "format": "webp"},
    "image.optimise": {},
    "image.watermark": {"text": "Mill"},
    "file.inspect": {"full_decode": True},
}
FILMS: dict[str, dict[str, Any]] = {
    "file.inspect": {"full_decode": True},
    "video.poster": {},
    "video.frames": {"choose": "number", "number": 3},
    "audio.convert": {"format": "flac"},
}
FEW = 300
MANY_PICTURES, MANY_FILMS = 20_000, 2_000
PICTURE_WORDS = {
    *("", "not_an_image", "image_damaged", "image_too_large", "media_too_large", "empty_file"),
    *("out_of_memory", "not_a_video", "media_damaged", "decoder_crashed"),
}
FILM_WORDS = {
    *("", "not_a_video", "not_a_sound", "media_damaged", "media_truncated", "media_unsupported"),
    *("no_video_stream", "no_audio_stream", "empty_file", "playlist_refused", "media_too_large"),
    *("out_of_memory", "range_outside", "not_an_image", "image_damaged", "decoder_crashed"),
}


@pytest.fixture(scope="module")
def pictures(photo: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One sound picture of each kind, some kilobytes each."""
    folder = tmp_path_factory.mktemp("pictures")
    found = [
        photo(f"a.{kind}", 96, 64) for kind in ("jpg", "png", "webp", "gif", "tif", "avif", "heic")
    ]
    plain = pyvips.Image.new_from_file(str(found[1]))
    plain.jpegsave(str(folder / "steps.jpg"), interlace=True, optimize_coding=True)
    plain.pngsave(str(folder / "steps.png"), interlace=True, palette=True)
    plain.cast("ushort").tiffsave(
        str(folder / "deep.tif"), compression="lzw", predictor="horizontal"
    )
    pages = plain.join(plain.invert(), "vertical").join(plain.fliphor(), "vertical").copy()
    pages.set_type(pyvips.GValue.gint_type, "page-height", plain.height)
    for name in ("moving.webp", "moving.gif", "pages.tif"):
        pages.write_to_file(str(folder / name))
    return [*found, *sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def films(video: Callable[..., Path]) -> list[Path]:
    """One short film or sound of each container, some kilobytes each."""
    both = (*moving(1), *sounding(1))
    aac, small = ("-c:a", "aac"), ("-g", "5")
    return [
        video("h.mp4", *both, *H264, *small, *aac),
        video("h.mkv", *both, *H264, *small, *aac),
        video("h.ts", *both, *H264, *small, *aac),
        video("h.mov", *both, *H264, *small, "-c:a", "pcm_s16le"),
        video("h.webm", *both, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-c:a", "libopus"),
        video("h.avi", *both, "-c:v", "mpeg4", "-c:a", "libmp3lame"),
        *(video(f"s.{kind}", *sounding(1)) for kind in ("mp3", "flac", "wav", "ogg", "m4a")),
    ]


def judge(ended: dict[str, str], words: set[str]) -> None:
    """Crashes of a decoder are borne, but rare; every other end has the code of a sentence."""
    assert set(ended.values()) <= words
    crashes = sum(code == "decoder_crashed" for code in ended.values())
    assert crashes <= max(1, len(ended) // 50)
    assert "" in ended.values()
    assert len(set(ended.values())) > 1


@pytest.mark.parametrize("operation", PICTURES)
def test_spoilt_pictures_end_in_words(operation: str, pictures: list[Path], tmp_path: Path) -> None:
    judge(outcomes(operation, pictures, tmp_path, FEW, PICTURES[operation]), PICTURE_WORDS)


@pytest.mark.parametrize("operation", FILMS)
def test_spoilt_films_and_sounds_end_in_words(
    operation: str, films: list[Path], tmp_path: Path
) -> None:
    judge(outcomes(operation, films, tmp_path, FEW // 3, FILMS[operation]), FILM_WORDS)


@pytest.mark.parametrize("operation", ["video.transcode", "video.hls"])
def test_plans_for_spoilt_films_end_in_words(
    operation: str, films: list[Path], tmp_path: Path
) -> None:
    judge(outcomes(operation, films[:6], tmp_path, FEW // 3, call="plan"), FILM_WORDS)


@pytest.mark.soak
def test_thousands_of_spoilt_pictures_end_in_words(pictures: list[Path], tmp_path: Path) -> None:
    for operation, options in PICTURES.items():
        many = MANY_PICTURES if operation == "image.convert" else MANY_PICTURES // 10
        judge(outcomes(operation, pictures, tmp_path, many, options), PICTURE_WORDS)


@pytest.mark.soak
def test_thousands_of_spoilt_films_and_sounds_end_in_words(
    films: list[Path], tmp_path: Path
) -> None:
    for operation, options in FILMS.items():
        many = MANY_FILMS if operation == "file.inspect" else MANY_FILMS // 4
        judge(outcomes(operation, films, tmp_path, many, options), FILM_WORDS)
