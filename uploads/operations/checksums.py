"""The operations `archive.manifest` and `archive.verify`: options and presets; they hash nothing.

`summing` and `comparing` do, imported when there is work.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uploads.operations.base import Context, Output, Preset, operation
from uploads.operations.options import option, upload_option

MIB = 1024**2


@dataclass(frozen=True)
class Manifest:
    """Which checksums, and how they are written down."""

    algorithm: Literal["sha256", "blake2b", "sha1", "md5"] = option(
        "sha256",
        "SHA-1 and MD5 find damage, but not a forgery.",
        label="Checksum",
        choices={"sha256": "SHA-256", "blake2b": "BLAKE2b", "sha1": "SHA-1", "md5": "MD5"},
    )
    format: Literal["text", "json", "csv"] = option(
        "text",
        "How the list is written.",
        choices={
            "text": "Text, as sha256sum -c reads it",
            "json": "JSON, with sizes and kinds",
            "csv": "CSV, with sizes and kinds",
        },
    )


MANIFEST_PRESETS = (
    Preset("sha256", "SHA-256", "A text that sha256sum -c reads.", {}),
    Preset("blake2b", "BLAKE2b", "As strong and faster; for b2sum -c.", {"algorithm": "blake2b"}),
    Preset("csv", "SHA-256 as a table", "CSV with names, sizes and kinds.", {"format": "csv"}),
    Preset("md5", "MD5", "For old systems; finds damage only.", {"algorithm": "md5"}),
)


@operation(
    "archive.manifest",
    label="Checksums",
    accepts=["*/*"],
    options=Manifest,
    takes="all",
    presets=MANIFEST_PRESETS,
    seconds=lambda size: 0.2 + size / 400e6,
    needs_memory=lambda size: 64 * MIB,
    needs_disk=lambda size: 4 * MIB,
)
def manifest(sources: Sequence[Path], step: Context[Manifest]) -> Iterator[Output]:
    """List the checksums of all files, to find out later whether they are still the same."""
    from uploads.operations import summing

    yield summing.manifest(sources, step)


@dataclass(frozen=True)
class Verify:
    """What the files are compared with."""

    manifest: Path | None = upload_option(  # noqa: RUF009
        "A file of yours such as SHA256SUMS, or what “Checksums” made; when left out, one of the "
        "dropped files with such a name is taken.",
        accepts=["text/*", "application/json", "application/octet-stream"],
        label="List of checksums",
        main=True,
    )
    names: Literal["path", "name"] = option(
        "path",
        "How a file is found in the list.",
        choices={"path": "By folder and name", "name": "By name alone"},
    )


VERIFY_PRESETS = (
    Preset("path", "By folder and name", "As they were when the list was made.", {}),
    Preset("name", "By name alone", "When the folders are others by now.", {"names": "name"}),
)


@operation(
    "archive.verify",
    label="Compare with checksums",
    accepts=["*/*"],
    options=Verify,
    version=2,
    takes="all",
    presets=VERIFY_PRESETS,
    seconds=lambda size: 0.2 + size / 400e6,
    needs_memory=lambda size: 96 * MIB,
    needs_disk=lambda size: 4 * MIB,
)
def verify(sources: Sequence[Path], step: Context[Verify]) -> Iterator[Output]:
    """Compare all files with a list of checksums: which are unchanged, changed, missing, or not in it."""
    from uploads.operations import comparing

    yield from comparing.verify(sources, step)
