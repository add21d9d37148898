"""Writes HLS playlists (RFC 8216): the text alone, no files, no libraries."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

MASTER = "index.m3u8"
SOUND = "sound"


@dataclass(frozen=True)
class Segment:
    """So many seconds of one file: `size` bytes from `offset`."""

    seconds: float
    offset: int
    size: int


@dataclass(frozen=True)
class Rendition:
    """One quality of a ladder; `peak` and `average` in bits a second, with the sound."""

    name: str
    width: int
    height: int
    codecs: str
    peak: int
    average: int
    rate: float | None = None


def media(file: str, head: int, segments: Sequence[Segment], usual: float, *, whole: bool) -> str:
    """Return the playlist of one file whose first `head` bytes every segment needs.

    `usual` is the length that segments have, but for few. While it is not `whole` it only
    grows: players fetch it again until it is.
    """
    # To the nearest second, as RFC 8216 compares it (4.3.3.1).
    longest = max([round(usual), *(math.floor(segment.seconds + 0.5) for segment in segments)])
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{longest}"]
    lines += [f"#EXT-X-PLAYLIST-TYPE:{'VOD' if whole else 'EVENT'}", "#EXT-X-MEDIA-SEQUENCE:0"]
    lines += ["#EXT-X-INDEPENDENT-SEGMENTS", "#EXT-X-START:TIME-OFFSET=0"]
    lines.append(f'#EXT-X-MAP:URI="{file}",BYTERANGE="{head}@0"')
    for segment in segments:
        lines.append(f"#EXTINF:{segment.seconds:.6f},")
        lines += [f"#EXT-X-BYTERANGE:{segment.size}@{segment.offset}", file]
    lines += ["#EXT-X-ENDLIST"] if whole else []
    return "\n".join(lines) + "\n"


def master(renditions: Sequence[Rendition], *, sound: bool) -> str:
    """Return the playlist that names all qualities, the best one first, and the sound."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if sound:
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{SOUND}",NAME="Sound",DEFAULT=YES,'
            f'AUTOSELECT=YES,CHANNELS="2",URI="{SOUND}.m3u8"'
        )
    for rendition in renditions:
        facts = [f"BANDWIDTH={rendition.peak}", f"AVERAGE-BANDWIDTH={rendition.average}"]
        facts += [f"RESOLUTION={rendition.width}x{rendition.height}"]
        facts += [f'CODECS="{rendition.codecs}"']
        facts += [f"FRAME-RATE={rendition.rate:.3f}"] if rendition.rate else []
        facts += [f'AUDIO="{SOUND}"'] if sound else []
        lines += [f"#EXT-X-STREAM-INF:{','.join(facts)}", f"{rendition.name}.m3u8"]
    return "\n".join(lines) + "\n"
