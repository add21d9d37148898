"""Runs the FFmpeg program: where it is, what it may open, how far it got, why it failed.

FFmpeg opens playlists, network addresses and neighbouring files when a
file's bytes ask for it; the arguments made here allow plain containers and
local files alone. Knows no operation.
"""

import re
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from uploads.errors import InputError, StepError
from uploads.operations.limits import Limits

# Real containers. Whatever points to other files (hls, concat, dash, sdp, image2) is left out.
FORMATS = (
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,dv,"
    "mp3,wav,w64,flac,aac,aiff,caf,amr,ac3,eac3,wv,tta,ape,mpc,mpc8,dsf,dts,au"
)
PROTOCOLS = "file"
PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"[playlist]", b"<MPD", b"<?xml", b"v=0\r\n", b"v=0\n")
# High dynamic range to what every screen shows; without it such videos come out grey.
SDR = (
    "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,"
    "tonemap=tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
)
# Half pictures to whole ones; its time base has half ticks, by which nothing else counts.
DEINTERLACE = "bwdif=mode=send_frame:deint=interlaced"
STDERR_CHARACTERS = 4000
LINE_BYTES = 64 * 1024
# FFmpeg's exit status when more than two thirds of what it read could not be decoded.
TOO_MANY_ERRORS = 69
REPORT_SECONDS = "0.5"

# How FFmpeg marks complaints when it is asked for more (`-v level+info`).
COMPLAINTS = (b"[error]", b"[fatal]", b"[panic]")
# What only the file can be to blame for; nothing of it will be different another time.
DAMAGE = (
    "Error while decoding",
    "Invalid data found",
    "Could not find codec parameters",
    "Neither number of channels nor channel layout specified",
    "received no packets",
)
# SVT-AV1 talks past FFmpeg's log, about how it was set.
CHATTER = (b"Svt[info]", b"Svt[warn]")

Progress = Callable[[int, float], None]
Heard = Callable[[str], None]


def program(limits: Limits) -> str:
    """Return the path of the FFmpeg to run: the one that was set, else the package's own."""
    return limits.ffmpeg or _bundled()


@cache
def _bundled() -> str:
    # The package's own function runs the program once to try it, 20 ms for each child.
    spec = find_spec("imageio_ffmpeg")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for found in sorted(Path(folder, "binaries").glob("ffmpeg-*")):
            return str(found)
    raise StepError("tool_failed", tool="FFmpeg", reason="it is not installed.")


@cache
def version(path: str) -> tuple[int, int]:
    """Return major and minor version of an FFmpeg; an unnumbered build counts as new."""
    told = subprocess.run(
        [path, "-version"], capture_output=True, text=True, check=False, timeout=20
    )
    found = re.match(r"ffmpeg version n?(\d+)\.(\d+)", told.stdout)
    return (int(found[1]), int(found[2])) if found else (99, 0)


def demux_time_base(limits: Limits) -> str:
    """Return the value of `-enc_time_base` that means "as the source"; 6.1 gave it a name."""
    if not limits.ffmpeg:
        return "demux"
    return "demux" if version(limits.ffmpeg) >= (6, 1) else "-1"


def reading(source: Path) -> list[str]:
    """Return the arguments that open one local file as a plain container, and nothing else."""
    return [
        *("-protocol_whitelist", PROTOCOLS),
        *("-format_whitelist", FORMATS),
        *("-i", f"file:{source.absolute()}"),
    ]


def refuse_text(source: Path, name: str) -> None:
    """Raise `InputError` (`empty_file`, `playlist_refused`) for what no decoder should see."""
    with source.open("rb") as opened:
        head = opened.read(256).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head and source.stat().st_size < 256:
        raise InputError("empty_file", name=name)
    if head.startswith(PLAYLISTS):
        raise InputError("playlist_refused", name=name)


def run(
    arguments: Sequence[str],
    *,
    name: str,
    limits: Limits,
    progress: Progress | None = None,
    heard: Heard | None = None,
    folder: Path | None = None,
) -> str:
    """Run FFmpeg to its end and return what it complained about (at most 4,000 characters).

    `progress` gets frames and seconds written so far, twice a second; what it
    raises (`Cancelled`) ends FFmpeg. `heard` gets, in another thread, each line that is
    no complaint, such as what filters measured. `folder` is where it runs. Raises
    `InputError` when the file is at fault and `StepError` when something else is.
    """
    level = "error" if heard is None else "level+info"
    command = [program(limits), "-nostdin", "-hide_banner", "-nostats", "-v", level, "-y"]
    command += ["-progress", "pipe:1", "-stats_period", REPORT_SECONDS, *arguments]
    frames, seconds = 0, 0.0
    # No new session and no preexec_fn: the worker ends the child's whole group.
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        tail = _Tail(_pipe(running.stderr), heard)
        try:
            for frames, seconds in follow(_pipe(running.stdout)):
                if progress is not None:
                    progress(frames, seconds)
        except BaseException:
            running.kill()
            raise
        finally:
            status = running.wait()
            complaints = tail.text()
    if status != 0:
        if progress is not None:
            progress(frames, seconds)  # SIGTERM reaches FFmpeg too: then this raises `Cancelled`
        raise failure(status, complaints, name, limits)
    return complaints


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def follow(lines: Iterable[bytes]) -> Iterator[tuple[int, float]]:
    """Read `-progress` output: frames and seconds written, once for each block; N/A is no news."""
    frames, seconds = 0, 0.0
    for raw in lines:
        key, _, value = raw.decode("ascii", "replace").strip().partition("=")
        if key == "frame" and value.isdigit():
            frames = int(value)
        elif key == "out_time_us" and value.lstrip("-").isdigit():
            seconds = max(0.0, int(value) / 1e6)
        elif key == "progress":
            yield frames, seconds


class _Tail:
    """Drains a pipe in a thread, so that a talkative FFmpeg never blocks, and keeps its end."""

    def __init__(self, stream: IO[bytes], heard: Heard | None) -> None:
        self._stream = stream
        self._heard = heard
        self._kept = b""
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        while line := self._stream.readline(LINE_BYTES):
            if line.startswith(CHATTER):
                continue
            if self._heard is None or any(mark in line for mark in COMPLAINTS):
                self._kept = (self._kept + line)[-STDERR_CHARACTERS:]
            else:
                self._heard(line.decode("utf-8", "replace").strip())

    def text(self) -> str:
        self._thread.join()
        # Addresses differ at every run; the same damage is told in the same words.
        return re.sub(r" @ 0x[0-9a-f]+", "", self._kept.decode("utf-8", "replace")).strip()


def failure(status: int, complaints: str, name: str, limits: Limits) -> InputError | StepError:
    """Turn FFmpeg's exit status and last words into an error of the catalogue."""
    last = complaints.splitlines()[-1][:300] if complaints else f"it ended with status {status}."
    if status == -25:  # SIGXFSZ
        size = f"{limits.output_max_bytes / 1e9:g} GB"
        return StepError("output_too_large", limit=size, detail=complaints)
    if status < 0:
        reason = f"it was stopped by signal {-status}."
        return StepError("tool_failed", tool="FFmpeg", reason=reason, detail=complaints)
    if "Cannot allocate memory" in complaints:
        return StepError("out_of_memory", name=name, limit="it may use", detail=complaints)
    if "No space left on device" in complaints:
        return StepError("disk_full", detail=complaints)
    if "not on whitelist" in complaints or "not in whitelist" in complaints:
        return InputError("playlist_refused", name=name, detail=complaints)
    if status == TOO_MANY_ERRORS or any(words in complaints for words in DAMAGE):
        reason = "it can't be decoded."
        return InputError("media_damaged", name=name, reason=reason, detail=complaints)
    return StepError("tool_failed", tool="FFmpeg", reason=last, detail=complaints)
