"""`manage.py runop` as a person runs it: real files, real processes, a folder of results."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings
from PIL import Image

pytestmark = pytest.mark.processes

MANAGE = str(settings.BASE_DIR / "manage.py")
ODD = settings.BASE_DIR / "tests" / "odd"


def command(*arguments: object) -> list[str]:
    return [sys.executable, MANAGE, "runop", *map(str, arguments)]


def runop(*arguments: object, data: Path) -> "subprocess.CompletedProcess[str]":
    odd = {"PYTHONPATH": str(ODD), "TIDEMILL_OPERATIONS_PATH": str(ODD)}
    environment = {**os.environ, **odd, "TIDEMILL_DATA": str(data), "TIDEMILL_WORKERS": "2"}
    return subprocess.run(
        command(*arguments),
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(5):
        Image.new("RGB", (320, 240), (number * 40, 90, 120)).save(folder / f"p{number}.jpg")
    return folder


def test_every_file_of_a_folder_comes_out(photos: Path, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    done = runop("image.convert", photos, "--option=sizes=160,80", "--out", out, data=data)
    assert done.returncode == 0, done.stderr
    made = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert len(made) == 10
    assert done.stdout.splitlines()
    with Image.open(out / made[0]) as image:
        assert max(image.size) in {80, 160}
    assert "5 of 5 done" in done.stderr
    assert [path.name for path in (data / "scratch").iterdir()] == []
    assert not (data / "db.sqlite3").exists()


def test_results_are_called_as_the_pattern_says(photos: Path, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    names = ["--names", "{folder}-{n:2}", "--option=format=webp"]
    done = runop("image.convert", photos, *names, "--out", out, data=data)
    assert done.returncode == 0, done.stderr
    made = sorted(path.name for path in out.rglob("*.webp"))
    assert made == [f"photos-{number:02d}.webp" for number in range(1, 6)]
    refused = runop("image.convert", photos, "--names", "{what}", "--out", out, data=data)
    assert refused.returncode == 2
    assert "“{what}” is no placeholder" in refused.stderr


def test_a_bad_file_is_named_and_the_others_are_done(photos: Path, tmp_path: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken after its head")
    out = tmp_path / "out"
    done = runop("image.convert", photos, "--out", out, data=tmp_path / "data")
    assert done.returncode == 1
    assert "5 of 6 done" in done.stderr
    assert "bad.jpg" in done.stderr
    assert len([path for path in out.rglob("*") if path.is_file()]) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["image.explode"], "There is no operation"),
        (["image.convert", "--option=sizes=1"], "at least 16"),
        (["image.convert", "--preset=none"], "Presets are:"),
    ],
)
def test_a_wrong_request_is_refused_in_words(
    photos: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = runop(arguments[0], photos / "p0.jpg", *arguments[1:], data=tmp_path / "data")
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_what_needs_no_file_is_given_none(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    done = runop("test.alone", "--option=lines=2", "--out", out, data=data)
    assert done.returncode == 0, done.stderr
    (made,) = out.iterdir()
    assert (made.name, made.read_text()) == ("Make lines.txt", "line 0\nline 1\n")
    assert runop("test.copy", "--out", out, data=data).returncode == 2


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    done = runop("image.convert", tmp_path / "none.jpg", data=tmp_path / "data")
    assert done.returncode == 2
    assert "there is no such file" in done.stderr


def test_ctrl_c_cancels_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("worked on for a minute\n")
    data = tmp_path / "data"
    environment = {
        **os.environ,
        "TIDEMILL_DATA": str(data),
        "TIDEMILL_WORKERS": "1",
        "PYTHONPATH": str(ODD),
        "TIDEMILL_OPERATIONS_PATH": str(ODD),
    }
    run = subprocess.Popen(
        command("test.copy", path, "--option=pause=60", "--out", tmp_path / "out"),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not list(data.glob("scratch/runop-*/scratch/[0-9]*-*")) and run.poll() is None:
        assert time.monotonic() < deadline, "no step has begun"
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGINT)
    run.communicate(timeout=50)
    assert run.returncode == 2
    assert list((data / "scratch").iterdir()) == []
