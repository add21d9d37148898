"""Running FFmpeg: its progress, its failures in words, and stopping it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.operations.conftest import ROOT, moving
from uploads.errors import Cancelled, InputError, StepError, TidemillError, sentence
from uploads.operations import Limits, ffmpeg

BLOCKS = b"""frame=12
out_time_us=N/A
progress=continue
frame=40
out_time_us=1408000
out_time_ms=1408000
progress=end
"""


def test_progress_is_read_block_by_block() -> None:
    assert list(ffmpeg.follow(BLOCKS.splitlines())) == [(12, 0.0), (40, 1.408)]


@pytest.mark.parametrize(
    ("status", "complaints", "kind", "code"),
    [
        (-25, "", StepError, "output_too_large"),
        (-11, "", StepError, "tool_failed"),
        (1, "[libx264] malloc failed\nCannot allocate memory", StepError, "out_of_memory"),
        (1, "av_interleaved_write_frame(): No space left on device", StepError, "disk_full"),
        (1, "Invalid data found when processing input", InputError, "media_damaged"),
        (1, "Format not on whitelist 'file'", InputError, "playlist_refused"),
        (69, "Exiting with exit code 69", InputError, "media_damaged"),
        (1, "Unknown encoder 'libx999'", StepError, "tool_failed"),
    ],
)
def test_failures_are_told_in_words(
    status: int, complaints: str, kind: type[TidemillError], code: str
) -> None:
    error = ffmpeg.failure(status, complaints, "film.mp4", Limits())
    assert type(error) is kind
    assert error.code == code
    assert "…" not in sentence(error.code, {"name": "film.mp4", **error.values})


def test_a_talkative_ffmpeg_keeps_only_its_last_words(tmp_path: Path) -> None:
    source = tmp_path / "noise.mp3"
    source.write_bytes(b"\xff\xfb\x90\x00" * 20 + os.urandom(300_000))
    complaints = ffmpeg.run(
        ["-v", "trace", *ffmpeg.reading(source), "-max_error_rate", "1", "-f", "null", "-"],
        name="noise.mp3",
        limits=Limits(),
    )
    assert 0 < len(complaints) <= ffmpeg.STDERR_CHARACTERS


def test_what_progress_raises_ends_ffmpeg(tmp_path: Path) -> None:
    target = tmp_path / "endless.mkv"

    def stop(frames: int, seconds: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        ffmpeg.run(
            ["-re", *moving(600), "-c:v", "ffv1", str(target)],
            name="x",
            limits=Limits(),
            progress=stop,
        )
    size = target.stat().st_size
    assert not any(str(target) in line for line in command_lines())
    assert target.stat().st_size == size


def command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue
    return found


STOPPED = """
import signal, sys
from uploads.errors import Cancelled
from uploads.operations import Limits, ffmpeg
wanted = []
signal.signal(signal.SIGTERM, lambda *_: wanted.append(True))
def progress(frames, seconds):
    sys.stdout.write("going\\n"); sys.stdout.flush()
    if wanted:
        raise Cancelled
try:
    ffmpeg.run(["-re", "-f", "lavfi", "-i", "testsrc2=s=160x120:r=15:d=600", "-f", "null", "-"],
               name="x", limits=Limits(), progress=progress)
except Cancelled:
    sys.exit(7)
"""


def test_sigterm_to_the_group_is_a_cancel_and_not_a_failure() -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", STOPPED], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == b"going\n"
        began = time.monotonic()
        os.killpg(running.pid, signal.SIGTERM)
        assert running.wait(timeout=10) == 7
        assert time.monotonic() - began < 2
    finally:
        running.kill()
        running.communicate()


def test_the_operators_own_ffmpeg_is_used(tmp_path: Path) -> None:
    own = tmp_path / "ffmpeg"
    own.write_text("#!/bin/sh\necho 'ffmpeg version 5.1.9-0+deb12u1 Copyright'\n")
    own.chmod(0o755)
    assert ffmpeg.program(Limits(ffmpeg=str(own))) == str(own)
    assert ffmpeg.demux_time_base(Limits(ffmpeg=str(own))) == "-1"
    assert ffmpeg.demux_time_base(Limits()) == "demux"
