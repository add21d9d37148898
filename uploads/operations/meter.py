"""What FFmpeg's filters say of sound: loudness and true peak (EBU R 128, `ebur128`), silences."""

import math
import re
from dataclasses import dataclass, field

LOUDNESS = "ebur128=peak=true:framelog=quiet"
# The gates of EBU R 128 let nothing through that is below −70 LUFS.
SILENT_LUFS = -69.0
SHORTEST_SILENCE_SECONDS = 0.3
KEPT_SILENCE_SECONDS = 0.15
LEAST_CUT_SECONDS = 0.25
# FFmpeg's filter that compresses; it puts out 192 kHz.
COMPRESSOR = "loudnorm"


def silence_below(decibels: float) -> str:
    """Return the filter that tells where it is quieter for a while."""
    return f"silencedetect=noise={decibels}dB:d={SHORTEST_SILENCE_SECONDS}"


@dataclass
class Measured:
    """What the first pass found out: seconds, LUFS, LU, dBTP, and where the sound begins and ends."""

    seconds: float = 0.0
    loudness: float = -70.0
    threshold: float | None = None
    range: float = 0.0
    peak: float = -math.inf
    silences: list[list[float]] = field(default_factory=list)

    @property
    def silent(self) -> bool:
        return self.loudness < SILENT_LUFS

    def hear(self, line: str) -> None:
        """Take what one line of FFmpeg's output says."""
        if found := re.search(r"silence_start: (-?[\d.]+)", line):
            self.silences.append([float(found[1]), math.inf])
        elif (found := re.search(r"silence_end: (-?[\d.]+)", line)) and self.silences:
            self.silences[-1][1] = float(found[1])
        elif found := re.fullmatch(r"(I|LRA|Peak|Threshold): +(-?[\d.]+|-?inf) \w+", line):
            self._take(found[1], float(found[2]))

    def _take(self, name: str, value: float) -> None:
        if name == "I":
            self.loudness = value
        elif name == "LRA":
            self.range = value
        elif name == "Peak":
            self.peak = value
        elif self.threshold is None:  # the first of two: that of the loudness
            self.threshold = value

    def bounds(self) -> tuple[float, float]:
        """Return where to cut, in seconds: a little silence stays on both sides."""
        begin, end = 0.0, self.seconds
        for start, stop in self.silences:
            if start <= 0.05:
                begin = max(0.0, stop - KEPT_SILENCE_SECONDS)
            if stop >= self.seconds - 0.05:
                end = min(self.seconds, start + KEPT_SILENCE_SECONDS)
        worth = LEAST_CUT_SECONDS < begin + self.seconds - end < self.seconds
        return (begin, end) if worth else (0.0, self.seconds)


def levelled(before: Measured, target: float, peak: float) -> str:
    """Return the filter that makes sound so loud: a volume where its peaks allow it, else `loudnorm`.

    `target` in LUFS, `peak` in dBTP; `before` must not be silent.
    """
    gain = target - before.loudness
    if before.peak + gain <= peak:
        return f"volume={gain:.2f}dB"
    measured = f"measured_I={before.loudness}:measured_LRA={before.range}"
    measured += f":measured_TP={before.peak}:measured_thresh={before.threshold}"
    span = min(50.0, max(7.0, before.range))
    return f"{COMPRESSOR}=I={target}:TP={peak}:LRA={span}:{measured}"
