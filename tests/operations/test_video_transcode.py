"""`video.transcode`: exact parts, every kind of source, sound in step, and what it refuses."""

import json
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from tests.operations.conftest import H264, Listener, Told, ffmpeg, moving, sounding
from uploads.errors import Cancelled, InputError, StepError
from uploads.operations import Context, Limits, Output, PartResult
from uploads.operations.video import Transcode, transcode

Perform = Callable[..., list[Output]]
Video = Callable[..., Path]
QUICK: dict[str, Any] = {"speed": "ultrafast", "height": 90}


def pictures(path: Path) -> list[float]:
    """Return when each picture is shown, in seconds from the file's start."""
    with av.open(str(path)) as container:
        start = (container.start_time or 0) / 1e6
        stream = container.streams.video[0]
        packets = [p for p in container.demux(stream) if p.size and not p.is_discard]
        return sorted(float(p.pts * p.time_base) - start for p in packets if p.pts is not None)


def decoded(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def facts(path: Path) -> Any:
    with av.open(str(path)) as container:
        video = container.streams.video[0].codec_context
        sounds = [s.codec_context.name for s in container.streams.audio]
        return video.name, video.width, video.height, sounds


def planned(source: Path, **options: Any) -> list[dict[str, Any]]:
    step = Context(Transcode(**{**QUICK, **options}), source.parent, name=source.name)
    assert transcode.planner is not None
    return [{**part.params, "weight": part.weight} for part in transcode.planner(source, step)]


SOURCES: dict[str, tuple[str, ...]] = {
    "constant.mp4": (*moving(24), *sounding(24), *H264, "-g", "30", "-c:a", "aac"),
    "uneven.mp4": (
        *moving(24, rate=30), *sounding(24),
        "-vf", "select='not(mod(n,3))+lt(mod(n,100),50)'", "-fps_mode", "vfr",
        *H264, "-bf", "2", "-g", "60", "-c:a", "aac",
    ),
    "open-groups.mkv": (
        *moving(24), *sounding(24), "-c:v", "libx264", "-preset", "veryfast",
        "-pix_fmt", "yuv420p", "-x264-params",
        "open-gop=1:keyint=30:min-keyint=30:bframes=3:b-adapt=0:scenecut=0", "-c:a", "aac",
    ),
    "open-groups-hevc.mp4": (
        *moving(24), "-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
        "log-level=error:open-gop=1:keyint=30:bframes=3", "-tag:v", "hvc1",
    ),
    "broadcast.ts": (*moving(24), *sounding(24), *H264, "-bf", "2", "-g", "30", "-c:a", "aac"),
    "vp9.webm": (
        *moving(24), *sounding(24), "-c:v", "libvpx-vp9", "-deadline", "realtime",
        "-cpu-used", "8", "-g", "30", "-c:a", "libopus",
    ),
    "old.avi": (*moving(24), *sounding(24), "-c:v", "mpeg4", "-bf", "2", "-c:a", "mp3"),
    "interlaced.ts": (
        *moving(24, rate=50), "-vf", "tinterlace=interleave_top,fieldorder=tff",
        "-c:v", "mpeg2video", "-flags", "+ildct+ilme",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_parts_give_the_same_pictures_at_the_same_times(
    name: str, video: Video, perform: Perform, listener: Listener
) -> None:
    source = video(name, *SOURCES[name])
    kinds = [part["kind"] for part in planned(source)]
    assert kinds.count("segment") >= 2
    result = perform("video.transcode", source, **QUICK)[0]
    before, after = pictures(source), pictures(result.path)
    assert len(after) == len(before) == decoded(result.path) == result.meta["frames"]
    # An MP4's time line starts at its first track; a broadcast's may start between two ticks.
    assert after == pytest.approx(before, abs=0.001)
    assert listener.warnings == []


def test_times_for_decoding_never_go_back(video: Video, perform: Perform) -> None:
    source = video("uneven.mp4", *SOURCES["uneven.mp4"])
    result = perform("video.transcode", source, **QUICK)[0]
    with av.open(str(result.path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    times = [p.dts for p in packets]
    assert times == sorted(set(times))
    assert all(p.dts <= p.pts for p in packets)


def test_the_sound_is_one_track_and_stays_whole(long_video: Path, perform: Perform) -> None:
    assert [part["kind"] for part in planned(long_video)].count("sound") == 1
    result = perform("video.transcode", long_video, **QUICK)[0]
    with av.open(str(result.path)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples / 44100 == pytest.approx(24, abs=0.05)


@pytest.mark.parametrize("late", ["picture", "sound"])
def test_a_delayed_track_stays_delayed(
    late: str, long_video: Path, perform: Perform, tmp_path: Path
) -> None:
    source = tmp_path / f"late-{late}.mp4"
    first, second = ("0:v", "1:a") if late == "picture" else ("1:v", "0:a")
    ffmpeg(
        *("-itsoffset", "0.5", "-i", str(long_video), "-i", str(long_video)),
        *("-map", first, "-map", second, "-c", "copy", str(source)),
    )
    result = perform("video.transcode", source, **QUICK)[0]
    with av.open(str(result.path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        apart = float(video.start_time * video.time_base - sound.start_time * sound.time_base)
    assert apart == pytest.approx(0.5 if late == "picture" else -0.5, abs=0.06)
    assert len(pictures(result.path)) == len(pictures(source))


def test_a_turned_video_comes_out_upright(
    long_video: Path, perform: Perform, tmp_path: Path
) -> None:
    source = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", "90", "-i", str(long_video), "-c", "copy", str(source))
    poster = perform("video.transcode", source, **QUICK)
    assert facts(poster[0].path)[1:3] == (90, 120)
    with av.open(str(poster[0].path)) as container:
        assert next(container.decode(video=0)).rotation == 0


def test_stretched_pixels_become_square(video: Video, perform: Perform) -> None:
    source = video("wide.mp4", *moving(2, size="180x144"), "-vf", "setsar=16/15", *H264)
    result = perform("video.transcode", source, **{**QUICK, "height": None})[0]
    assert facts(result.path)[1:3] == (192, 144)


def test_high_dynamic_range_becomes_ordinary(video: Video, perform: Perform) -> None:
    parameters = "log-level=error:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc"
    source = video(
        "hlg.mp4", *moving(2), "-c:v", "libx265", "-preset", "ultrafast",
        "-pix_fmt", "yuv420p10le", "-x265-params", parameters,
    )  # fmt: skip
    result = perform("video.transcode", source, **QUICK)[0]
    with av.open(str(result.path)) as container:
        frame = next(container.decode(video=0))
    assert (frame.format.name, int(frame.color_trc)) == ("yuv420p", 1)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"height": 60}, (80, 60)),
        ({"height": None, "longest_edge": 100}, (100, 76)),
        ({"height": 2160}, (160, 120)),
        ({"height": 90, "longest_edge": 80}, (80, 60)),
    ],
)
def test_fits_the_box_and_never_enlarges(
    options: dict[str, Any], size: tuple[int, int], short_video: Path, perform: Perform
) -> None:
    wanted = {**QUICK, "copy_fitting": False, **options}
    result = perform("video.transcode", short_video, **wanted)[0]
    assert facts(result.path)[1:3] == size


def test_a_frame_rate_cap_holds_across_parts(video: Video, perform: Perform) -> None:
    source = video("fast.mp4", *moving(24, rate=60), *H264, "-g", "120")
    result = perform("video.transcode", source, **QUICK, frame_rate=25)[0]
    after = pictures(result.path)
    assert len(after) == 24 * 25 == result.meta["frames"]
    assert min(b - a for a, b in pairwise(after)) > 1 / 61
    assert max(b - a for a, b in pairwise(after)) < 0.051


@pytest.mark.parametrize(
    ("audio", "codecs"), [("aac", ["aac"]), ("copy", ["mp3float"]), ("drop", [])]
)
def test_sound_is_converted_copied_or_left_out(
    audio: str, codecs: list[str], video: Video, perform: Perform
) -> None:
    source = video("mp3.mkv", *moving(2), *sounding(2), *H264, "-c:a", "mp3")
    result = perform("video.transcode", source, **QUICK, audio=audio)[0]
    assert facts(result.path)[3] == codecs


def test_what_already_fits_is_copied_and_says_so(
    video: Video, perform: Perform, listener: Listener
) -> None:
    bars = ("-f", "lavfi", "-i", "smptebars=s=160x120:r=15:d=2")
    source = video("fits.mp4", *bars, *sounding(2), *H264, "-c:a", "aac")
    result = perform("video.transcode", source, height=720)[0]
    assert result.meta["copied"] is True
    assert result.meta["saved_seconds"] >= 0
    assert "copied without encoding" in listener.infos[0]
    with av.open(str(source)) as a, av.open(str(result.path)) as b:
        first, second = ([bytes(p) for p in file.demux(video=0) if p.size] for file in (a, b))
    assert first == second


def test_a_copy_keeps_its_turn_and_its_poster_is_upright(
    video: Video, perform: Perform, tmp_path: Path
) -> None:
    bars = ("-f", "lavfi", "-i", "smptebars=s=160x120:r=15:d=2")
    source = tmp_path / "turned.mp4"
    plain = video("bars.mp4", *bars, *H264)
    ffmpeg("-display_rotation", "90", "-i", str(plain), "-c", "copy", str(source))
    result, poster = perform("video.transcode", source, height=720)
    assert result.meta["copied"] is True
    assert (result.meta["width"], result.meta["height"]) == (120, 160)
    with av.open(str(result.path)) as a, av.open(str(poster.path)) as b:
        assert next(a.decode(video=0)).rotation == 90
        still = next(b.decode(video=0))
    assert (still.width, still.height) == (120, 160)


def test_the_start_can_be_played_before_the_rest_has_come(
    long_video: Path, perform: Perform
) -> None:
    head = perform("video.transcode", long_video, **QUICK)[0].path.read_bytes()
    assert head.index(b"moov") < head.index(b"mdat")


def test_a_short_video_is_one_part_and_a_long_one_many(short_video: Path, long_video: Path) -> None:
    assert [part["kind"] for part in planned(short_video)] == ["whole"]
    parts = planned(long_video)
    assert [part["kind"] for part in parts] == ["segment", "segment", "segment", "sound"]
    assert sum(part.get("frames", 0) for part in parts) == 360
    assert all(part["weight"] > 0 for part in parts)
    json.dumps(parts)


def test_a_recording_cut_out_of_a_broadcast_starts_at_its_first_key_frame(
    video: Video, perform: Perform, tmp_path: Path
) -> None:
    whole = video("broadcast.ts", *SOURCES["broadcast.ts"]).read_bytes()
    source = tmp_path / "recording.ts"
    source.write_bytes(whole[len(whole) // 40 // 188 * 188 :])
    parts = planned(source)
    assert [part["kind"] for part in parts].count("segment") >= 2
    expected = sum(part.get("frames", 0) for part in parts)
    assert 300 <= expected < 350
    result = perform("video.transcode", source, **QUICK)[0]
    assert result.meta["frames"] == expected == decoded(result.path)


def test_one_key_frame_means_one_part(video: Video, perform: Perform) -> None:
    source = video("one.mp4", *moving(24, rate=5), *H264, "-g", "1000")
    assert [part["kind"] for part in planned(source)] == ["whole"]
    assert perform("video.transcode", source, **QUICK)[0].meta["frames"] == 120


def test_runs_part_by_part_in_the_child(long_video: Path, child: Callable[..., Told]) -> None:
    options = QUICK
    (told,) = child("video.transcode", long_video, call="plan", options=options).of("parts")
    done = []
    for part in told["parts"]:
        made = child("video.transcode", long_video, options=options, part=part["params"])
        outputs = made.of("output")
        assert made.codes == [] and outputs
        done.append(
            {
                "params": part["params"],
                "paths": [o["path"] for o in outputs],
                "meta": [o["meta"] for o in outputs],
            }
        )
    joined = child("video.transcode", long_video, call="join", options=options, parts=done)
    assert joined.codes == []
    result, poster = joined.of("output")
    assert (result["role"], poster["role"]) == ("result", "preview")
    assert result["meta"]["frames"] == 360
    assert Path(poster["path"]).read_bytes().startswith(b"\xff\xd8\xff")


def test_a_part_tells_how_far_it_is(
    video: Callable[..., Path],
    perform: Perform,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("uploads.operations.ffmpeg.REPORT_SECONDS", "0.02")
    source = video("large.mp4", *moving(8, rate=25, size="1280x720"), *H264, "-g", "50")
    perform("video.transcode", source, **QUICK)
    assert all(0 <= fraction <= 1 for fraction in listener.fractions)
    between = {fraction for fraction in listener.fractions if 0.05 < fraction < 0.9}
    assert len(between) >= 3


def test_an_unwanted_part_stops(long_video: Path, perform: Perform, listener: Listener) -> None:
    listener.raises = Cancelled
    with pytest.raises(Cancelled):
        perform("video.transcode", long_video, **QUICK)


def test_a_join_of_wrong_parts_is_not_shown(long_video: Path, tmp_path: Path) -> None:
    step = Context(Transcode(**QUICK), tmp_path, name="long.mp4")
    assert transcode.planner is not None and transcode.joiner is not None
    results = []
    for part in transcode.planner(long_video, step):
        step.part = part.params
        made = [o for o in transcode.run(long_video, step) if isinstance(o, Output)]
        params = part.params
        if params.get("start") == 0:
            params = {**params, "frames": params["frames"] + 1}
        results.append(PartResult(params, [o.path for o in made], [o.meta for o in made]))
    with pytest.raises(StepError, match="360 pictures instead of 361"):
        list(transcode.joiner(long_video, step, results))


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_file_cut_off_is_refused_with_both_times(
    container: str, video: Video, perform: Perform, tmp_path: Path
) -> None:
    whole = video(
        f"whole.{container}", *moving(24), *H264, "-g", "30", "-b:v", "200k",
        *(("-movflags", "+faststart") if container == "mp4" else ()),
    )  # fmt: skip
    source = tmp_path / f"cut.{container}"
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(InputError, match=r"ends at 0:1\d of 0:24") as caught:
        perform("video.transcode", source, **QUICK)
    assert caught.value.code == "media_truncated"


def test_a_file_without_its_index_is_damaged(
    short_video: Path, perform: Perform, tmp_path: Path
) -> None:
    source = tmp_path / "lost.mp4"
    source.write_bytes(short_video.read_bytes()[:9000])
    with pytest.raises(InputError, match="cut off") as caught:
        perform("video.transcode", source, **QUICK)
    assert caught.value.code == "media_damaged"


def test_damage_in_the_middle_is_done_with_a_warning(
    long_video: Path, perform: Perform, listener: Listener, tmp_path: Path
) -> None:
    content = bytearray(long_video.read_bytes())
    with av.open(str(long_video)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        for packet in packets[200:204]:
            start = (packet.pos or 0) + 8
            content[start : start + packet.size // 2] = bytes(packet.size // 2)
    source = tmp_path / "scratched.mp4"
    source.write_bytes(content)
    result = perform("video.transcode", source, **QUICK)[0]
    assert "damaged in places" in listener.warnings[0]
    assert result.meta["frames"] >= 350


def test_beyond_the_limits_is_refused(short_video: Path, perform: Perform) -> None:
    for limits, reason in (
        (Limits(video_max_pixels=100 * 100), "160 × 120 pixels"),
        (Limits(video_max_seconds=1), "it lasts 0:02"),
        (Limits(media_max_streams=1), "it has 2 tracks"),
    ):
        with pytest.raises(InputError, match=reason) as caught:
            perform("video.transcode", short_video, limits=limits, **QUICK)
        assert caught.value.code == "media_too_large"


def test_sound_alone_is_no_video(video: Video, perform: Perform) -> None:
    source = video("sound.m4a", *sounding(2), "-c:a", "aac")
    with pytest.raises(InputError) as caught:
        perform("video.transcode", source, **QUICK)
    assert caught.value.code == "no_video_stream"


def test_ticks_are_whole_numbers_of_the_source(long_video: Path) -> None:
    parts = [part for part in planned(long_video) if part["kind"] == "segment"]
    with av.open(str(long_video)) as container:
        base = container.streams.video[0].time_base
    assert Fraction(*parts[0]["base"]) == base
    assert parts[0]["end"] == parts[1]["start"]
