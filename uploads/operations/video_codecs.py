"""What each picture codec asks of FFmpeg: encoder, speeds, quality, cost, and where it may lie.

`quality` is H.264's CRF everywhere; the other encoders get what looks about the same on their
own scale, as their makers recommend (x265: CRF 28 for 23, VP9: 31, SVT-AV1: 35).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

CodecName = Literal["h264", "h265", "vp9", "av1"]
Speed = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"]
SPEEDS: tuple[Speed, ...] = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower",
)  # fmt: skip


@dataclass(frozen=True)
class Codec:
    """One encoder. `decodes_as` is what PyAV calls its pictures.

    `nanoseconds` of one core for each pixel, by speed, measured with FFmpeg 9 on 720p;
    `least_bits` a pixel below which pictures fall apart; `bytes_per_pixel` of memory.
    """

    words: str
    decodes_as: str
    containers: tuple[str, ...]
    crf: Callable[[int], int]
    nanoseconds: Sequence[float]
    least_bits: float
    bytes_per_pixel: int

    def cost(self, speed: Speed) -> float:
        """Return the nanoseconds of one core for a pixel."""
        return self.nanoseconds[SPEEDS.index(speed)]


CODECS: dict[CodecName, Codec] = {
    "h264": Codec(
        "H.264", "h264", ("mp4", "mkv"), lambda quality: quality,
        (6.0, 10.0, 14.0, 20.0, 28.0, 36.0, 65.0, 130.0), 0.03, 200,
    ),
    "h265": Codec(
        "H.265", "hevc", ("mp4", "mkv"), lambda quality: quality + 5,
        (20.0, 24.0, 31.0, 31.0, 45.0, 46.0, 111.0, 480.0), 0.02, 260,
    ),
    "vp9": Codec(
        "VP9", "vp9", ("webm", "mkv", "mp4"), lambda quality: round(quality * 1.35),
        (75.0, 75.0, 73.0, 73.0, 87.0, 114.0, 140.0, 344.0), 0.02, 200,
    ),
    "av1": Codec(
        "AV1", "av1", ("mp4", "mkv", "webm"), lambda quality: round(quality * 1.5),
        (14.0, 13.0, 12.0, 18.0, 23.0, 36.0, 60.0, 110.0), 0.015, 420,
    ),
}  # fmt: skip

# libvpx: the same words for its own steps of effort (`-deadline good -cpu-used`).
VP9_EFFORT = {"ultrafast": 5, "superfast": 5, "veryfast": 4, "faster": 4, "fast": 3}
VP9_EFFORT |= {"medium": 2, "slow": 1, "slower": 0}
AV1_PRESET = {"ultrafast": 12, "superfast": 11, "veryfast": 10, "faster": 9, "fast": 8}
AV1_PRESET |= {"medium": 7, "slow": 5, "slower": 4}


@dataclass(frozen=True)
class Encoding:
    """How one file's pictures are encoded: by quality, or to an average of bits a second."""

    codec: CodecName
    speed: Speed
    quality: int
    bit_rate: int | None = None
    one_thread: bool = False

    @property
    def passes(self) -> int:
        """Return how often the pictures are read: SVT-AV1 and x265 meet a rate well enough in one."""
        return 2 if self.bit_rate and self.codec in {"h264", "vp9"} else 1

    def arguments(self) -> list[str]:
        """Return FFmpeg's arguments for the encoder; the passes are the caller's."""
        makers = {"h264": self._h264, "h265": self._h265, "vp9": self._vp9, "av1": self._av1}
        rate = ["-b:v", str(self.bit_rate)] if self.bit_rate else []
        return [*makers[self.codec](), *rate, "-pix_fmt", "yuv420p"]

    def _crf(self, *unlimited: str) -> list[str]:
        if self.bit_rate:
            return []
        return ["-crf", str(CODECS[self.codec].crf(self.quality)), *unlimited]

    def _h264(self) -> list[str]:
        # Headers that fit any part, whatever is seen in it.
        alike = ["-x264-params", "stitchable=1"]
        threads = ["-threads", "1"] if self.one_thread else []
        return ["-c:v", "libx264", "-preset", self.speed, *self._crf(), *alike, *threads]

    def _h265(self) -> list[str]:
        threads = ":pools=1:frame-threads=1" if self.one_thread else ""
        arguments = ["-c:v", "libx265", "-preset", self.speed, *self._crf()]
        # Without this name for it, Apple's players show no picture.
        arguments += ["-tag:v", "hvc1"]
        # `info` would write the part's own bit rate into its header.
        return [*arguments, "-x265-params", f"log-level=error:info=0{threads}"]

    def _vp9(self) -> list[str]:
        effort = str(VP9_EFFORT[self.speed])
        threads = ["-threads", "1"] if self.one_thread else ["-row-mt", "1", "-tile-columns", "2"]
        arguments = ["-c:v", "libvpx-vp9", "-deadline", "good", "-cpu-used", effort]
        return [*arguments, *self._crf("-b:v", "0"), *threads]

    def _av1(self) -> list[str]:
        arguments = ["-c:v", "libsvtav1", "-preset", str(AV1_PRESET[self.speed]), *self._crf()]
        return [*arguments, *(["-svtav1-params", "lp=1"] if self.one_thread else [])]
