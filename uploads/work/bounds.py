"""What one child may use: the limits as the kernel, the census and people know them.

The kernel enforces some for each process; the census adds up the rest over all
that the child started (see docs/operators.md, "What a step may use").
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path

from uploads.conf import conf
from uploads.operations import Limits
from uploads.operations.base import Profile
from uploads.sizes import size_in_words

FILES = 256


@dataclass(frozen=True)
class Bounds:
    """What one child may use: two folders, memory, wall time, file size, the network or not.

    It may read `inputs` and write `out`; the request's paths lie in these. Of the `outbound`
    profile TCP goes to `ports` only; `look` are single files to be read. A limit of 0 for
    `output_bytes` means the setting's. The processor time may be the wall time on every core.
    """

    inputs: Path
    out: Path
    memory_bytes: int
    wall_seconds: float
    output_bytes: int = 0
    profile: Profile = "decode"
    ports: tuple[int, ...] = ()
    look: tuple[str, ...] = ()

    def limits(self) -> dict[str, int]:
        """Return what the kernel is asked to enforce; no bound is above its setting."""
        cores = os.cpu_count() or 1
        return {
            "memory_bytes": self.most_memory,
            "file_bytes": min(self.output_bytes or conf.OUTPUT_MAX_BYTES, conf.OUTPUT_MAX_BYTES),
            "cpu_seconds": math.ceil(self.wall_seconds * cores) + 1,
            "files": FILES,
        }

    @property
    def most_memory(self) -> int:
        """Return the address space of each process, which is the memory of all of them, too."""
        return min(self.memory_bytes, conf.MEMORY_MAX_BYTES)

    def words(self) -> dict[str, str]:
        """Return each limit as people read it, by the code of its error."""
        return {
            "out_of_memory": size_in_words(self.most_memory),
            "output_too_large": size_in_words(self.limits()["file_bytes"]),
            "step_timeout": f"{self.wall_seconds:g} seconds",
            "scratch_full": size_in_words(conf.SCRATCH_MAX_BYTES),
            "too_many_outputs": f"{conf.SCRATCH_MAX_FILES:,}",
            "too_many_processes": f"{conf.PROCESSES_MAX:,}",
            "too_many_open": f"{FILES}",
        }


def operation_limits() -> Limits:
    """Return the limits of inputs and outputs as operations know them."""
    return Limits(
        image_max_pixels=conf.IMAGE_MAX_PIXELS,
        image_max_frames=conf.IMAGE_MAX_FRAMES,
        zoom_max_pixels=conf.ZOOM_MAX_PIXELS,
        video_max_pixels=conf.VIDEO_MAX_PIXELS,
        video_max_seconds=conf.VIDEO_MAX_SECONDS,
        video_segment_seconds=conf.VIDEO_SEGMENT_SECONDS,
        media_max_streams=conf.MEDIA_MAX_STREAMS,
        output_max_bytes=conf.OUTPUT_MAX_BYTES,
        table_memory_bytes=conf.TABLE_MEMORY_BYTES,
        table_threads=conf.TABLE_THREADS,
        table_max_columns=conf.TABLE_MAX_COLUMNS,
        table_max_rejects=conf.TABLE_MAX_REJECTS,
        paged_rows=conf.PAGED_ROWS,
        sheet_max_bytes=conf.SHEET_MAX_BYTES,
        sheet_max_cells=conf.SHEET_MAX_CELLS,
        archive_max_files=conf.ARCHIVE_MAX_FILES,
        archive_max_bytes=conf.ARCHIVE_MAX_BYTES,
        archive_max_ratio=conf.ARCHIVE_MAX_RATIO,
        mail_max_letters=conf.MAIL_MAX_LETTERS,
        ffmpeg=conf.FFMPEG,
    )
