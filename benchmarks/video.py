"""60 s of 1080p to 720p H.264 with two workers, against plain FFmpeg of the same binary."""

import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.images import make_photos
from benchmarks.site import arrive, run_job, site

SECONDS = 60
ROUNDS = 3


def make_video(folder: Path, ffmpeg: str) -> Path:
    """Make a 1080p film: a slow pan over a detailed photo, with grain and sound, like a camera's."""
    photo = make_photos(folder, 1)[0]
    target = folder / "film.mp4"
    pan = f"crop=1920:1080:x=(in_w-1920)*t/{SECONDS}:y=(in_h-1080)*t/{SECONDS},noise=alls=5:allf=t"
    subprocess.run(
        [
            ffmpeg,
            "-v",
            "error",
            "-loop",
            "1",
            "-framerate",
            "30",
            "-i",
            str(photo),
            "-f",
            "lavfi",
            "-i",
            f"sine=frequency=330:duration={SECONDS}",
            "-vf",
            pan,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-g",
            "60",
            "-b:v",
            "13M",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            "-t",
            str(SECONDS),
            str(target),
        ],
        check=True,
    )
    return target


def plain(ffmpeg: str, source: Path, target: Path) -> float:
    """Run the peer as people do."""
    started = time.monotonic()
    subprocess.run(
        [
            ffmpeg,
            "-v",
            "error",
            "-y",
            "-i",
            str(source),
            "-vf",
            "scale=-2:720",
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-crf",
            "23",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            "-b:a",
            "128k",
            "-movflags",
            "+faststart",
            str(target),
        ],
        check=True,
    )
    return time.monotonic() - started


def facts(path: Path) -> tuple[int, float]:
    """Return the number of video frames and the duration in seconds."""
    import av

    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        frames = sum(1 for packet in file.demux(stream) if packet.size)
        return frames, float((file.duration or 0) / 1e6)


def main() -> dict[str, float]:
    """Print the medians of interleaved rounds, the ratio, bytes, frames and duration."""
    import imageio_ffmpeg

    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="tidemill-film-") as name:
        folder = Path(name)
        source = make_video(folder, ffmpeg)
        with site(workers=2):
            from uploads.storage import store

            for number in range(ROUNDS):
                keys = arrive([source], "video/mp4")
                options = {"height": 720, "quality": 23, "speed": "veryfast", "audio": "aac"}
                job, seconds = run_job(keys, "video.transcode", options)
                assert job.items_done == 1, job.items.get().error_text
                ours.append(seconds)
                theirs.append(plain(ffmpeg, source, folder / "plain.mp4"))
                print(f"  round {number + 1}: Tidemill {ours[-1]:.1f} s, ffmpeg {theirs[-1]:.1f} s")
            result = job.results.get(role="result")
            made = store.path(result.storage_key)
            more = made.stat().st_size / (folder / "plain.mp4").stat().st_size - 1
            frames, seconds = facts(made)
            peer_frames, peer_seconds = facts(folder / "plain.mp4")
    mine, peer = statistics.median(ours), statistics.median(theirs)
    print(f"median: Tidemill {mine:.1f} s, ffmpeg {peer:.1f} s, ratio {mine / peer:.2f}")
    print(
        f"bytes {100 * more:+.1f} %, frames {frames} / {peer_frames}, {seconds:.3f} / {peer_seconds:.3f} s"
    )
    return {"ratio": mine / peer, "bytes_more": more}


if __name__ == "__main__":
    main()
