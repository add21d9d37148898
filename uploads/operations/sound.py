"""Measures, encodes and checks sound with FFmpeg, and draws its waveform; imports PyAV.

Two passes where the loudness or silence has to be known first: the first decodes
everything once.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uploads.errors import InputError, StepError
from uploads.operations import chapters, ffmpeg, meter
from uploads.operations.base import Context, Json, Output
from uploads.operations.meter import Measured
from uploads.operations.probe import Media, Sound, clock, opened, probe
from uploads.operations.tags import Tags, tags_of

if TYPE_CHECKING:
    from uploads.operations.audio import ConvertSound

SUFFIXES = {"mp3": ".mp3", "aac": ".m4a", "opus": ".ogg", "flac": ".flac", "wav": ".wav"}
ENCODERS = {"mp3": "libmp3lame", "aac": "aac", "opus": "libopus", "flac": "flac"}
# kbit/s for each channel that hardly anybody hears a difference at.
GOOD_BIT_RATES = {"mp3": 96, "aac": 80, "opus": 56}
MOST_BIT_RATE = {"mp3": 320, "aac": 512, "opus": 510}
TWO_CHANNELS = ("mp3", "opus")
# Sources of which more than 16 bits of a sample are worth keeping, if they have them.
LOSSLESS = re.compile("pcm_|flac|alac|wavpack|tta|ape")
SHALLOW = {"u8", "u8p", "s16", "s16p"}
# Encoders put up to 0.1 s of silence around the sound, and cut at whole packets.
TOLERANCE_SECONDS = 0.25
TOLERANCE_LU = 1.0
# Encoders fill their last packet, and put one of silence before the first.
PACKET_SAMPLES = 1152
# Formats whose header says how long they really are.
EXACT = {"wav", "flac", "aiff", "caf", "w64"}
# Formats whose length is guessed from the size of their first packets.
GUESSED = {"amr", "aac", "ac3", "eac3", "dts"}
WAVE = "640x480"


def convert(source: Path, step: "Context[ConvertSound]") -> Iterator[Output]:
    """Make one sound file and its waveform; raises `InputError` for what has no such track."""
    media, sound = track_of(source, step)
    work = Work(source, step, sound, sound.duration or media.duration or 0.0)
    wanted = step.options.loudness is not None or step.options.trim_silence
    if wanted:
        work.measure()
    target = step.path("source" + SUFFIXES[step.options.format])
    complaints = work.encode(target)
    made = seconds_of(target, step.name)
    _check(made, media, work, damaged=bool(complaints))
    meta: Json = {"duration": round(made, 3), "channels": work.channels}
    meta |= {"source_bytes": source.stat().st_size, "source_codec": sound.codec}
    meta |= {"sample_share": round(work.share, 6)} if work.share < 1 else {}
    if step.options.loudness is not None and not work.before.silent:
        meta |= work.judge(target)
    yield Output(target, meta=meta)
    yield _waveform(target, step)


def track_of(source: Path, step: Context[Any]) -> tuple[Media, Sound]:
    """Return the facts of a file and of the sound track that `options.track` chooses."""
    try:
        media = probe(source, step.name, step.limits)
    except InputError as error:
        if error.code == "not_a_video":
            raise InputError("not_a_sound", name=step.name) from error
        raise
    known = [sound for sound in media.sounds if sound.codec != "unknown"]
    if len(known) < step.options.track:
        count = {0: "it has no sound.", 1: "it has one."}.get(len(known), f"it has {len(known)}.")
        raise InputError("no_audio_stream", name=step.name, reason=count)
    return media, known[step.options.track - 1]


@dataclass
class Work:
    """The passes over one sound track of so many seconds; a sample reads but its beginning."""

    source: Path
    step: "Context[ConvertSound]"
    sound: Sound
    seconds: float
    before: Measured = field(default_factory=Measured)
    filters: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.share = self.step.sample_share(self.seconds)
        self.total = self.share * self.seconds
        if self.channels != self.sound.channels:
            layout = {1: "mono", 2: "stereo"}[self.channels]
            self.filters.append(f"aformat=channel_layouts={layout}")
            if self.channels == 2 and self.step.options.channels == "keep":
                self.step.log(f"{self.sound.channels} channels were mixed down to stereo.")

    @property
    def channels(self) -> int:
        """Return how many channels the result has."""
        options = self.step.options
        if options.channels != "keep":
            return 1 if options.channels == "mono" else 2
        most = 2 if options.format in TWO_CHANNELS else 8
        return min(most, self.sound.channels)

    def _reading(self) -> list[str]:
        piece = ["-t", f"{self.total:.3f}"] if self.share < 1 else []
        return [*piece, *ffmpeg.reading(self.source)]

    def measure(self) -> None:
        """Decode everything once: loudness, true peak, silences."""
        options = self.step.options
        meters = [meter.silence_below(options.silence)] if options.trim_silence else []
        meters += [meter.LOUDNESS] if options.loudness is not None else []
        filters = [*self.filters, *meters]
        track = f"0:{self.sound.index}"
        self._measure(self._reading(), track, self.before, filters, (0.0, 0.35))
        if options.trim_silence:
            self._trim()
        if options.loudness is not None:
            self._level(options.loudness)

    def _measure(
        self,
        reading: list[str],
        track: str,
        into: Measured,
        filters: list[str],
        span: tuple[float, float],
    ) -> None:
        total = self.before.seconds or self.total

        def progress(frames: int, seconds: float) -> None:
            into.seconds = max(into.seconds, seconds)
            self.step.report(_share(span, seconds, total), "measuring")

        arguments = [*reading, "-map", track, "-af", ",".join(filters)]
        ffmpeg.run(
            [*arguments, "-f", "null", "-"],
            name=self.step.name,
            limits=self.step.limits,
            progress=progress,
            heard=into.hear,
        )

    def _trim(self) -> None:
        begin, end = self.before.bounds()
        cut = self.before.seconds - (end - begin)
        if cut > 0:
            self.filters.append(f"atrim=start={begin:.6f}:end={end:.6f},asetpts=PTS-STARTPTS")
            self.step.log(f"{cut:.1f} s of silence cut off.")

    def _level(self, target: float) -> None:
        """Turn the volume where the peaks allow it, else compress as well (FFmpeg's `loudnorm`)."""
        if self.before.silent:
            self.step.warn("It is silent; its loudness was left as it is.")
            return
        turned = meter.levelled(self.before, target, self.step.options.peak)
        self.filters.append(turned)
        if turned.startswith(meter.COMPRESSOR):
            self.step.log("Its peaks were compressed to make it that loud.")

    def encode(self, target: Path) -> str:
        """Write the result; return FFmpeg's complaints about the source."""
        options, step = self.step.options, self.step
        total = self.before.seconds or self.total
        span = (0.35 if self.before.seconds else 0.0, 0.8)

        def progress(frames: int, seconds: float) -> None:
            step.report(_share(span, seconds, total), "converting")

        tags = tags_of(self.source, step.name, options.format) if options.tags == "keep" else None
        kept = tags.kept(*self._stretch()) if tags else []
        noted = chapters.reading(kept, step.path("chapters.txt")) if kept else []
        arguments = [*self._reading(), *noted, "-map", f"0:{self.sound.index}"]
        arguments += (tags or Tags({})).arguments(1 if kept else None)
        arguments += ["-sn", "-dn", "-af", ",".join(self.filters) or "anull"]
        arguments += self.encoder()
        arguments += ["-fflags", "+bitexact", "-flags:a", "+bitexact", str(target)]
        return ffmpeg.run(arguments, name=step.name, limits=step.limits, progress=progress)

    def _stretch(self) -> tuple[float, float]:
        """Return the seconds of the source that the result holds."""
        if self.step.options.trim_silence:
            return self.before.bounds()
        return 0.0, self.total or math.inf

    def encoder(self) -> list[str]:
        """Return FFmpeg's arguments that encode in the chosen format."""
        kind, sound = self.step.options.format, self.sound
        deep = LOSSLESS.match(sound.codec) and sound.sample_format not in SHALLOW
        if kind == "wav":
            chosen = ["-c:a", "pcm_s24le" if deep else "pcm_s16le", "-rf64", "auto"]
        elif kind == "flac":
            chosen = ["-c:a", "flac", "-sample_fmt", "s32" if deep else "s16"]
        else:
            good = GOOD_BIT_RATES[kind] * self.channels
            rate = min(self.step.options.bit_rate or good, MOST_BIT_RATE[kind])
            chosen = ["-c:a", ENCODERS[kind], "-b:a", f"{rate}k"]
        rate = self._sample_rate()
        return [*chosen, "-ar", str(rate)] if rate else chosen

    def _sample_rate(self) -> int:
        """Return the rate to force, 0 to let FFmpeg choose the nearest that the format holds."""
        wanted = self.step.options.sample_rate
        rate = self.sound.rate if wanted == "keep" else int(wanted)
        if self.step.options.format == "opus":
            return 48000
        return min(rate, 48000) if self.step.options.format == "mp3" else rate

    def judge(self, target: Path) -> Json:
        """Measure the result; what could not be reached is said."""
        after = Measured()
        self._measure(ffmpeg.reading(target), "0:a:0", after, [meter.LOUDNESS], (0.8, 0.95))
        wanted = self.step.options.loudness or 0.0
        if abs(after.loudness - wanted) > TOLERANCE_LU:
            self.step.warn(
                f"Its loudness is {_number(after.loudness)} instead of {_number(wanted)} LUFS; "
                f"more was not possible below a peak of {_number(self.step.options.peak)} dBTP."
            )
        before, peak = _number(self.before.loudness), _number(after.peak)
        self.step.log(f"Loudness {before} → {_number(after.loudness)} LUFS, peak {peak} dBTP.")
        return {
            "loudness": after.loudness,
            "peak": after.peak,
            "source_loudness": self.before.loudness,
        }


def _share(span: tuple[float, float], seconds: float, total: float) -> float:
    low, high = span
    return low + (high - low) * min(1.0, seconds / max(1.0, total))


def _number(value: float) -> str:
    return f"{value:.1f}".replace("-", "−")


def seconds_of(path: Path, name: str) -> float:
    """Return how long a sound file lasts, by its packets."""
    with opened(path, name) as container:
        stream = container.streams.audio[0]
        ticks = sum(packet.duration or 0 for packet in container.demux(stream) if packet.size)
        return float(ticks * stream.time_base)


def _check(made: float, media: Media, work: Work, *, damaged: bool) -> None:
    """Compare the result's length with the source's; what is missing there is said."""
    step = work.step
    begin, end = work.before.bounds() if step.options.trim_silence else (0.0, 0.0)
    decoded = end - begin if step.options.trim_silence else work.before.seconds
    padded = max(TOLERANCE_SECONDS, 2 * PACKET_SAMPLES / max(1, work.sound.rate))
    if decoded and abs(made - decoded) > padded:
        reason = f"{made:.2f} s long instead of {decoded:.2f} s."
        raise StepError("verification_failed", name=step.name, reason=reason)
    if made <= 0:
        raise InputError("media_damaged", name=step.name, reason="no sound in it can be decoded.")
    claimed = work.sound.duration or (media.duration if media.container in EXACT else 0.0)
    claimed = 0.0 if media.container in GUESSED else claimed
    claimed *= work.share
    reached = work.before.seconds or made
    if claimed - reached > max(TOLERANCE_SECONDS, 0.01 * claimed):
        step.warn(f"The file ends at {clock(reached)} of {clock(claimed)}.")
    elif damaged:
        step.warn("The source is damaged in places; listen to the result there.")


def _waveform(target: Path, step: "Context[ConvertSound]") -> Output:
    """Draw the result as a picture for pages."""
    step.report(0.95, "drawing")
    path = step.path("source-waveform.png")
    drawn = f"aformat=channel_layouts=mono,showwavespic=s={WAVE}:colors=0x4a9fd8:scale=sqrt"
    arguments = [*ffmpeg.reading(target), "-filter_complex", f"[0:a:0]{drawn}", "-frames:v", "1"]
    ffmpeg.run([*arguments, str(path)], name=step.name, limits=step.limits)
    width, height = map(int, WAVE.split("x"))
    return Output(path, role="preview", meta={"width": width, "height": height})
