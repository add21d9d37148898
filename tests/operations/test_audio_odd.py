"""Sound as telephones, old recorders and collectors have it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.operations.conftest import Listener, sounding
from uploads.operations import Output
from uploads.operations.sound import seconds_of
from uploads.sniff import sniff

Perform = Callable[..., list[Output]]
Make = Callable[..., Path]
TELEPHONE = ("-ar", "8000", "-ac", "1")


@pytest.mark.parametrize(
    ("name", "encoder", "kind"),
    [
        ("said.amr", (*TELEPHONE, "-c:a", "libopencore_amrnb"), "audio/amr"),
        ("said.wav", (*TELEPHONE, "-c:a", "pcm_alaw"), "audio/x-wav"),
        ("said.wma", ("-c:a", "wmav2"), "audio/x-ms-wma"),
        ("said.wv", ("-c:a", "wavpack"), "audio/x-wavpack"),
        ("said.tta", ("-c:a", "tta"), "audio/x-tta"),
        ("said.dts", ("-ar", "48000", "-strict", "-2", "-c:a", "dca"), "audio/vnd.dts"),
        ("said.au", ("-c:a", "pcm_s16be"), "audio/basic"),
        ("said.aiff", ("-c:a", "pcm_s24be"), "audio/aiff"),
    ],
)
def test_odd_sound_is_known_converted_and_split(
    name: str,
    encoder: tuple[str, ...],
    kind: str,
    video: Make,
    perform: Perform,
    listener: Listener,
) -> None:
    source = video(name, *sounding(20), *encoder)
    assert sniff(source, name).media_type == kind
    made, _ = perform("audio.convert", source)
    assert made.meta["duration"] == pytest.approx(20, abs=0.3)
    pieces = perform("audio.split", source, minutes=0.05, format="mp3")
    assert len(pieces) == 7
    assert sum(seconds_of(p.path, "x") for p in pieces[:-1]) == pytest.approx(18, abs=1.8)
    assert listener.warnings == []
