"""Fetch the vendored browser code again: `python scripts/vendor.py`; outputs are committed.

Each package is pinned by version and by the integrity that npm publishes. The
files that we serve, and their licence, are listed with their SHA-256 in
`static/vendor/VENDORED.json`; a test hashes them again.
"""

import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Package:
    """One npm package: which files of it go to which folder."""

    name: str
    version: str
    integrity: str
    folder: str
    files: tuple[str, ...]


PACKAGES = (
    Package(
        "tus-js-client",
        "4.3.1",
        "sha512-ZLeYmjrkaU1fUsKbIi8JML52uAocjEZtBx4DKjRrqzrZa0O4MYwT6db+oqePlspV+FxXJAyFBc/L5gwUi2OFsg==",
        "static/vendor",
        ("dist/tus.min.js", "dist/tus.min.js.map", "LICENSE"),
    ),
    Package(
        "hls.js",
        "1.7.4",
        "sha512-3GlxGdPvT2YHvQYOt+yOzT/DEior/qJVNIylHA77kgeoBTdQQqi70GwefNEUmHQeNGyjC8U62+bruqW/Tpm+tg==",
        "static/vendor",
        ("dist/hls.min.mjs", "LICENSE"),
    ),
    Package(
        "axe-core",
        "4.14.1",
        "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
        "tests/browser/vendor",
        ("axe.min.js", "LICENSE"),
    ),
)


def main() -> int:
    """Write every package's files and one list of hashes a folder."""
    lists: dict[str, dict[str, dict[str, str]]] = {}
    for package in PACKAGES:
        hashes = _write(package, _fetched(package))
        lists.setdefault(package.folder, {})[f"{package.name}-{package.version}"] = hashes
    for folder, packages in lists.items():
        path = ROOT / folder / "VENDORED.json"
        path.write_text(json.dumps(packages, indent=2) + "\n")
        print(path.relative_to(ROOT))
    return 0


def _fetched(package: Package) -> bytes:
    """Return the package's archive; refuse one with another integrity."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--ignore-scripts"]
        command.append(f"{package.name}@{package.version}")
        subprocess.run(command, cwd=folder, check=True, timeout=120, stdout=subprocess.DEVNULL)
        archive = next(Path(folder).glob("*.tgz")).read_bytes()
    digest = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if f"sha512-{digest}" != package.integrity:
        raise SystemExit(f"{package.name}: sha512-{digest} is not the pinned integrity")
    return archive


def _write(package: Package, archive: bytes) -> dict[str, str]:
    target = ROOT / package.folder / f"{package.name}-{package.version}"
    target.mkdir(parents=True, exist_ok=True)
    hashes = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for name in package.files:
            member = tar.extractfile(f"package/{name}")
            if member is None:
                raise SystemExit(f"{package.name} has no file {name}")
            data = member.read()
            path = target / Path(name).name
            path.write_bytes(data)
            hashes[path.name] = hashlib.sha256(data).hexdigest()
    return hashes


if __name__ == "__main__":
    sys.exit(main())
