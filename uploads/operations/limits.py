"""What operations may take and make at most, as the settings say; `uploads.conf` documents each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one input and one output may be at most; pixels, frames, seconds, bytes."""

    image_max_pixels: int = 200_000_000
    image_max_frames: int = 300
    zoom_max_pixels: int = 4_000_000_000
    video_max_pixels: int = 7680 * 4320
    video_max_seconds: float = 24 * 3600
    video_segment_seconds: float = 10
    media_max_streams: int = 16
    output_max_bytes: int = 100 * 1024**3
    table_memory_bytes: int = 640 * 1024**2
    table_threads: int = 0
    table_max_columns: int = 2000
    table_max_rejects: int = 100_000
    paged_rows: int = 100_000
    sheet_max_bytes: int = 512 * 1024**2
    sheet_max_cells: int = 50_000_000
    archive_max_files: int = 20_000
    archive_max_bytes: int = 100 * 1024**3
    archive_max_ratio: int = 1000
    mail_max_letters: int = 10_000
    ffmpeg: str = ""
