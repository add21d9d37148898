"""Files that want FFmpeg to read something else get a sentence, and nothing else happens."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.operations.conftest import Told
from uploads.errors import InputError
from uploads.operations import Limits, ffmpeg
from uploads.operations.probe import probe

PLAYLISTS = {
    "concat.mp4": "ffconcat version 1.0\nfile victim.mp4\n",
    "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{victim}\n#EXT-X-ENDLIST\n",
    "hls.m3u8": "#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n",
    "marked.mp4": "\ufeff\n  #EXTM3U\n#EXTINF:10,\nfile://{victim}\n",
    "dash.mp4": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>',
    "call.mp4": "v=0\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
@pytest.mark.parametrize("operation", ["video.transcode", "video.poster", "file.inspect"])
def test_a_playlist_is_refused(
    operation: str, name: str, child: Callable[..., Told], short_video: Path, tmp_path: Path
) -> None:
    source = tmp_path / name
    source.write_text(PLAYLISTS[name].format(victim=short_video), encoding="utf-8")
    assert child(operation, source, media_type="video/mp4").codes == ["playlist_refused"]


@pytest.mark.parametrize("name", PLAYLISTS)
def test_ffmpeg_itself_would_not_follow_one(name: str, short_video: Path, tmp_path: Path) -> None:
    source = tmp_path / name
    (tmp_path / "victim.mp4").write_bytes(short_video.read_bytes())
    source.write_text(PLAYLISTS[name].format(victim=short_video), encoding="utf-8")
    with pytest.raises(InputError):
        ffmpeg.run([*ffmpeg.reading(source), "-f", "null", "-"], name=name, limits=Limits())


@pytest.mark.parametrize(
    "content", [b"<!doctype html><p>no</p>", b"\x7fELF" + bytes(500), b"%PDF-1.7\n" + bytes(500)]
)
def test_other_kinds_are_no_video(content: bytes, tmp_path: Path) -> None:
    source = tmp_path / "film.mp4"
    source.write_bytes(content)
    with pytest.raises(InputError) as caught:
        probe(source, "film.mp4", Limits())
    assert caught.value.code == "not_a_video"
