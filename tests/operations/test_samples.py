"""The sample files: real pictures, a real tune and a real video, made in a process of their own."""

import csv
import subprocess
import sys
from array import array
from pathlib import Path

import av
import pytest
import pyvips

from tests.operations.conftest import ROOT


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("samples") / "new"
    command = [sys.executable, "-m", "uploads.operations.samples", str(folder)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=90)
    paths = [Path(line) for line in told.stdout.splitlines()]
    assert sorted(paths) == sorted(folder.iterdir())
    return paths


def test_photographs_of_some_megapixels(samples: list[Path]) -> None:
    photographs = [pyvips.Image.new_from_file(str(path)) for path in samples[:-3]]
    assert len(photographs) == 5
    assert all(2e6 < image.width * image.height < 3.5e6 for image in photographs)
    assert sorted(image.get("orientation") for image in photographs) == [1, 1, 1, 1, 6]
    assert all(image.deviate() > 20 for image in photographs)
    assert all(any("GPS" in field for field in image.get_fields()) for image in photographs)


def test_a_tune(samples: list[Path]) -> None:
    with av.open(str(samples[-3])) as container:
        (sound,) = container.streams.audio
        assert float(sound.duration * sound.time_base) == pytest.approx(12.2, abs=0.1)
        loudest = max(max(array("h", bytes(f.planes[0]))) for f in container.decode(sound))
        assert 8000 < loudest < 32000


def test_a_video_with_sound(samples: list[Path]) -> None:
    with av.open(str(samples[-2])) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.width, video.codec_context.height) == (1280, 720)
        assert video.frames == 240
        assert float(sound.duration * sound.time_base) == pytest.approx(8, abs=0.1)


def test_a_table_with_the_faults_of_real_ones(samples: list[Path]) -> None:
    with samples[-1].open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0][:3] == ["order_id", "ordered", "customer"]
    assert {len(row) for row in rows[1:-1]} == {9}
    assert len(rows[-1]) == 2
