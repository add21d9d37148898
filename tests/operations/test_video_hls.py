"""`video.hls`: a ladder whose files any player opens, cut alike in all qualities."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from tests.operations.conftest import H264, Listener, Told, ffmpeg, moving, sounding
from tests.operations.test_video_transcode import SOURCES, pictures
from uploads.errors import InputError, RequestError
from uploads.operations import Context, Output
from uploads.operations.fragments import read_fragments
from uploads.operations.hls import Hls, hls
from uploads.operations.options import parse_options

Perform = Callable[..., list[Output]]
Video = Callable[..., Path]
QUICK: dict[str, Any] = {"heights": (90, 60), "speed": "ultrafast"}


def named(made: list[Output]) -> dict[str, Path]:
    return {output.path.name: output.path for output in made}


def stream(path: Path, kind: str) -> list[float]:
    """Return when each packet of a file is shown, from the start of the common time line."""
    with av.open(str(path)) as container:
        return sorted(float(p.pts * p.time_base) - 10 for p in container.demux() if p.size)


def lines(path: Path, tag: str) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.startswith(tag)]


@pytest.mark.parametrize(
    "name", ["constant.mp4", "uneven.mp4", "open-groups.mkv", "broadcast.ts", "vp9.webm", "old.avi"]
)
def test_every_quality_has_all_pictures_at_their_times(
    name: str, video: Video, perform: Perform, listener: Listener
) -> None:
    source = video(name, *SOURCES[name])
    made = named(perform("video.hls", source, **QUICK))
    before = pictures(source)
    for quality in ("90p.mp4", "60p.mp4"):
        after = stream(made[quality], "video")
        assert len(after) == len(before)
        assert [at - after[0] for at in after] == pytest.approx(
            [at - before[0] for at in before], abs=0.0021
        )
    assert listener.warnings == []


def test_players_can_change_the_quality_at_every_segment(
    long_video: Path, perform: Perform
) -> None:
    made = named(perform("video.hls", long_video, **QUICK, segment=4))
    first, second = (read_fragments(made[f"{quality}p.mp4"]).fragments for quality in (90, 60))
    assert [f.start for f in first] == [f.start for f in second]
    ticks = [f.start for f in first]
    with av.open(str(made["90p.mp4"])) as container:
        video = container.streams.video[0]
        base = video.time_base
        keys = [p.pts for p in container.demux(video) if p.size and p.is_keyframe]
    assert set(ticks) <= set(keys), "every segment begins with a key frame"
    assert max(float((b - a) * base) for a, b in pairwise(ticks)) <= 4.1
    told = [float(line[8:-1]) for line in lines(made["90p.m3u8"], "#EXTINF:")]
    assert sum(told) == pytest.approx(24, abs=0.01)


def test_picture_and_sound_are_in_step(long_video: Path, perform: Perform, tmp_path: Path) -> None:
    late = tmp_path / "late.mp4"
    ffmpeg(
        *("-itsoffset", "0.5", "-i", str(long_video), "-i", str(long_video)),
        *("-map", "1:v", "-map", "0:a", "-c", "copy", str(late)),
    )
    for source, apart in ((long_video, 0.0), (late, 0.5)):
        made = named(perform("video.hls", source, **QUICK))
        picture, sound = stream(made["90p.mp4"], "video"), stream(made["sound.mp4"], "audio")
        assert sound[0] - picture[0] == pytest.approx(apart, abs=0.06)


def test_ffmpeg_plays_the_ladder_from_its_list(long_video: Path, perform: Perform) -> None:
    made = named(perform("video.hls", long_video, **QUICK))
    for place in (0, 1):
        ffmpeg(
            *("-protocol_whitelist", "file", "-i", str(made["index.m3u8"]), "-xerror"),
            *("-map", f"0:v:{place}", "-map", "0:a:0", "-f", "null", "-"),
        )
    (best, _) = lines(made["index.m3u8"], "#EXT-X-STREAM-INF:")
    assert "RESOLUTION=120x90" in best and "mp4a.40.2" in best and "FRAME-RATE=15.000" in best
    with av.open(str(made["90p.mp4"])) as container:
        header = container.streams.video[0].codec_context.extradata
    assert header is not None and f"avc1.{header[1:4].hex()}" in best


def test_sizes_that_would_enlarge_are_left_out(short_video: Path, perform: Perform) -> None:
    made = perform("video.hls", short_video, heights=(1080, 720, 60), speed="ultrafast")
    assert made[0].meta["qualities"] == ["120p", "60p"]
    assert [output.role for output in made].count("result") == 1


def test_neighbouring_heights_are_one_quality(long_video: Path, perform: Perform) -> None:
    made = perform("video.hls", long_video, heights=(61, 60), speed="ultrafast")
    assert made[0].meta["qualities"] == ["60p"]


def test_a_silent_video_has_no_sound_list(video: Video, perform: Perform) -> None:
    source = video("silent.mp4", *moving(3), *H264)
    made = named(perform("video.hls", source, **QUICK))
    assert "sound.m3u8" not in made and "AUDIO" not in made["index.m3u8"].read_text()
    assert "mp4a" not in made["index.m3u8"].read_text()


def test_a_quality_does_not_exceed_what_its_network_carries(video: Video, perform: Perform) -> None:
    noise = ("-f", "lavfi", "-i", "color=c=gray:s=640x360:r=25:d=6,noise=alls=60:allf=t")
    source = video("noise.mp4", *noise, *H264, "-g", "50")
    made = named(perform("video.hls", source, heights=(360,), speed="ultrafast", quality=18))
    size = made["360p.mp4"].stat().st_size
    assert size * 8 / 6 <= 900_000 * 1.5


def test_no_quality_at_all_is_refused() -> None:
    with pytest.raises(RequestError, match="at least one quality"):
        parse_options(Hls, {"heights": ""})


def test_sound_comes_first_among_the_parts(long_video: Path, tmp_path: Path) -> None:
    assert hls.planner is not None
    parts = hls.planner(long_video, Context(Hls(), tmp_path, name="long.mp4"))
    assert [part.params["kind"] for part in parts][:2] == ["sound", "segment"]


def test_sound_alone_is_no_video(video: Video, perform: Perform) -> None:
    source = video("sound.m4a", *sounding(2), "-c:a", "aac")
    with pytest.raises(InputError) as caught:
        perform("video.hls", source, **QUICK)
    assert caught.value.code == "no_video_stream"


def test_runs_part_by_part_in_the_child(long_video: Path, child: Callable[..., Told]) -> None:
    options = {"heights": [90, 60], "speed": "ultrafast"}
    (told,) = child("video.hls", long_video, call="plan", options=options).of("parts")
    done = []
    for part in told["parts"]:
        made = child("video.hls", long_video, options=options, part=part["params"])
        outputs = made.of("output")
        assert made.codes == [] and outputs
        paths, metas = [o["path"] for o in outputs], [o["meta"] for o in outputs]
        done.append({"params": part["params"], "paths": paths, "meta": metas})
    joined = child("video.hls", long_video, call="join", options=options, parts=done)
    assert joined.codes == []
    assert [o["role"] for o in joined.of("output")] == ["result", *["inner"] * 6, "preview"]
