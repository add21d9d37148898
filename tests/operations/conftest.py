"""Pictures and videos made on the spot, a listener, and the real child program."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pillow_heif
import pytest
import pyvips
from django.contrib.auth.models import User

from tests.factories import make_user
from uploads.operations import Context, Limits, Operation, Output, Source
from uploads.operations.contract import Room, Told
from uploads.operations.ffmpeg import program
from uploads.operations.options import parse_options
from uploads.operations.registry import find
from uploads.packed import ENDINGS
from uploads.sniff import sniff

ROOT = Path(__file__).resolve().parents[2]
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


@pytest.fixture
def alice(db: None) -> User:
    return make_user("alice")


@dataclass
class Listener:
    """Remembers what an operation says, and wants it stopped when told so."""

    fractions: list[float] = field(default_factory=list)
    infos: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    raises: type[Exception] | None = None

    def progress(self, fraction: float, note: str) -> None:
        if self.raises is not None:
            raise self.raises
        self.fractions.append(fraction)

    def log(self, text: str, level: str) -> None:
        (self.warnings if level == "warning" else self.infos).append(text)


def ffmpeg(*arguments: str) -> None:
    """Run the package's own FFmpeg to make test material."""
    command = [program(Limits()), "-nostdin", "-v", "error", "-y", *arguments]
    subprocess.run(command, check=True, timeout=60)


def moving(seconds: float, *, rate: int = 15, size: str = "160x120") -> tuple[str, ...]:
    """Return the input arguments of a test picture that moves."""
    return ("-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}")


def sounding(seconds: float) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"sine=f=440:d={seconds}")


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for test material that several tests share."""
    return tmp_path_factory.mktemp("material")


@pytest.fixture(scope="session")
def video(material: Path) -> Callable[..., Path]:
    """Make a video once a session: `video("name.mp4", *ffmpeg_arguments)`."""

    @cache
    def make(name: str, *arguments: str) -> Path:
        path = material / name
        ffmpeg(*arguments, str(path))
        return path

    return make


@pytest.fixture(scope="session")
def short_video(video: Callable[..., Path]) -> Path:
    return video("short.mp4", *moving(2), *sounding(2), *H264, "-c:a", "aac", "-shortest")


@pytest.fixture(scope="session")
def long_video(video: Callable[..., Path]) -> Path:
    """24 s with a key frame each 2 s: long enough to be cut."""
    return video("long.mp4", *moving(24), *sounding(24), *H264, "-g", "30", "-c:a", "aac")


@pytest.fixture(scope="session")
def photo(material: Path) -> Callable[..., Path]:
    """Make a picture once: reddish left half, bluish right half, a little noise."""

    @cache
    def make(name: str = "photo.jpg", width: int = 800, height: int = 600, turn: int = 1) -> Path:
        path = material / f"{width}x{height}-{turn}-{name}"
        image = halves(width, height)
        if turn == 6:
            image = image.rot270()
        image.set_type(pyvips.GValue.gint_type, "orientation", turn)
        if path.suffix in {".heic", ".heif"}:
            heif = pillow_heif.from_bytes(
                "RGB", (image.width, image.height), image.write_to_memory()
            )
            heif.save(path, quality=90)
        else:
            image.write_to_file(str(path))
        return path

    return make


def flat(width: int, height: int, *bands: int) -> Any:
    """Return a picture of one colour."""
    image = pyvips.Image.black(width, height, bands=len(bands))
    return image.linear([1] * len(bands), list(bands)).cast("uchar")


def halves(width: int, height: int) -> Any:
    left = flat(width // 2, height, 200, 40, 40)
    right = flat(width - width // 2, height, 40, 60, 200)
    noise = pyvips.Image.gaussnoise(width, height, sigma=6, mean=0, seed=1)
    return (left.join(right, "horizontal") + noise).cast("uchar").copy(interpretation="srgb")


@pytest.fixture(scope="session")
def table(material: Path) -> Path:
    """Orders of a shop, with numbers, days, texts and a gap."""
    path = material / "orders.csv"
    lines = ["order,day,city,amount,note"]
    for number in range(300):
        city = ("Berlin", "Porto", "Lund")[number % 3]
        amount = f"{number * 7 % 90}.{number % 10}0" if number % 11 else ""
        lines.append(f'{number},2024-{number % 12 + 1:02}-05,{city},{amount},"a, {number % 7}"')
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def archive(material: Path) -> Path:
    """A ZIP with two files, one of them in a folder."""
    path = material / "things.zip"
    with ZipFile(path, "w", ZIP_DEFLATED) as made:
        made.writestr("readme.txt", "Read me.\n" * 50)
        made.writestr("tables/a.csv", "a,b\n" + "1,2\n" * 50)
    return path


@pytest.fixture(scope="session")
def sums(material: Path) -> Path:
    """A list of checksums, as sha256sum writes it, of a file that is not there."""
    path = material / "SHA256SUMS"
    path.write_text(f"{'0' * 64}  gone.jpg\n")
    return path


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def perform(tmp_path: Path, listener: Listener) -> Callable[..., list[Output]]:
    """Run an operation in this process: `perform("image.convert", path, format="png")`."""

    def run(
        name: str,
        *sources: Path,
        limits: Limits | None = None,
        shown: str = "",
        sample_seconds: float | None = None,
        **options: Any,
    ) -> list[Output]:
        operation: Operation[Any] = find(name)
        step = Context(
            parse_options(operation.options, options),
            tmp_path,
            name=shown or sources[0].name,
            media_type=media_type(sources[0]),
            limits=limits or Limits(),
            reporter=listener,
            sample_seconds=sample_seconds,
            sources=[Source(path.name, media_type(path)) for path in sources],
        )
        given: Any = sources if operation.takes == "all" else sources[0]
        return [o if isinstance(o, Output) else Output(o) for o in operation.run(given, step)]

    return run


def media_type(path: Path) -> str:
    kinds = {
        ".jpg": "image/jpeg",
        ".png": "image/png",
        ".heic": "image/heic",
        ".ts": "video/mp2t",
        ".mkv": "video/x-matroska",
        ".txt": "text/plain",
        ".mp3": "audio/mpeg",
        ".wav": "audio/x-wav",
        ".flac": "audio/flac",
        ".m4a": "audio/mp4",
        ".csv": "text/csv",
        ".pdf": "application/pdf",
        ".tsv": "text/tab-separated-values",
        ".json": "application/json",
        ".ndjson": "application/x-ndjson",
        ".parquet": "application/vnd.apache.parquet",
        ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ".sqlite": "application/vnd.sqlite3",
        ".zip": "application/zip",
        ".7z": "application/x-7z-compressed",
        ".tar": "application/x-tar",
    }
    if path.suffix in ENDINGS:  # a table may be in it
        return sniff(path, path.name).media_type
    return kinds.get(path.suffix, f"video/{path.suffix[1:]}")


@pytest.fixture
def child(tmp_path: Path) -> Callable[..., Told]:
    """Serve one request in the real, shut-in child program: inputs readable, `out` writable."""
    room = Room(tmp_path)

    def serve(
        name: str, *sources: Path, call: str = "run", limits: Any = None, **item: Any
    ) -> Told:
        options = item.pop("options", {})
        items = [
            room.item(str(n), path, **{"media_type": media_type(path), **item})
            for n, path in enumerate(sources)
        ]
        told = room.serve(find(name), items, call=call, options=options, limits=limits or {})
        assert told.status == 0, told.errors
        return told

    return serve
