"""`manage.py newop`: what it writes works at once: its tests, its types, installed and on the pages."""

import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from tests.browser.mill import Mill, milling
from tests.operations.conftest import ROOT
from tests.operations.test_registry import install
from tests.support.server import wait_until
from uploads.models import Token

TOOLS = {
    "tests": ["pytest", "-q", "-p", "no:cacheprovider", "-W", "error::ResourceWarning"],
    "style": ["ruff", "check", "--no-cache", "."],
    "format": ["ruff", "format", "--no-cache", "--check", "."],
    "types": ["mypy", "."],
}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    call_command("newop", "words.count", into=str(tmp_path), verbosity=0)
    return tmp_path / "mill-words"


def run(command: list[str], folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("tool", TOOLS)
def test_what_it_writes_passes_its_own(written: Path, tool: str) -> None:
    cache = {"MYPY_CACHE_DIR": str(written.parent / "mypy"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = run([sys.executable, "-m", *TOOLS[tool]], written, **cache)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_names_the_files_and_the_next_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("newop", "words.count", into=str(tmp_path / "my work"))
    said = capsys.readouterr().out
    for place in ("pyproject.toml", "mill_words/__init__.py", "tests/test_words_count.py"):
        assert f"wrote {tmp_path}/my work/mill-words/{place}\n" in said
    assert f"'{tmp_path}/my work/mill-words'" in said
    assert sum(line.startswith("  ") for line in said.splitlines()) == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("words", "no operation's name"),
        ("Words.count", "no operation's name"),
        ("words.count.all", "no operation's name"),
        ("../words.count", "no operation's name"),
        ("words.import", "means something to Python"),
        ("words.print", "means something to Python"),
        ("image.convert", "already"),
    ],
)
def test_a_name_that_can_not_be_is_refused_in_words(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("newop", name, into=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(written: Path) -> None:
    (written / "README.md").write_text("mine")
    with pytest.raises(CommandError, match="nothing is overwritten"):
        call_command("newop", "words.longest", into=str(written.parent))
    assert (written / "README.md").read_text() == "mine"


def test_it_is_tried_without_being_installed_and_a_bug_is_shown_where_it_is(
    written: Path, tmp_path: Path
) -> None:
    poem = tmp_path / "poem.txt"
    poem.write_text("one three\n")
    around = {"TIDEMILL_DATA": str(tmp_path / "data"), "TIDEMILL_OPERATIONS_PATH": str(written)}
    command = [sys.executable, "manage.py", "runop", "words.count", str(poem)]
    done = run([*command, "--out", str(tmp_path / "out"), "--option=longest=3"], ROOT, **around)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "poem-count.txt").read_text() == "1\n"

    module = written / "mill_words" / "__init__.py"
    module.write_text(module.read_text().replace("    total, read", "    1 / 0\n    total, read"))
    failed = run([*command, "--out", str(tmp_path / "out")], ROOT, **around)
    assert failed.returncode == 2
    assert "1 / 0" in failed.stderr and "ZeroDivisionError" in failed.stderr


# --- installed, before people -----------------------------------------------------


@pytest.fixture
def mill(written: Path, django_db_blocker: Any) -> Iterator[Mill]:
    """A server in whose Python the package is installed, and a broken one beside it."""
    site = written.parent / "site"
    site.mkdir()
    install(site, "mill_words", (written / "mill_words" / "__init__.py").read_text())
    install(site, "mill_broken", "import no_such_library")
    around = {"PYTHONPATH": str(site), "TIDEMILL_OPERATIONS_PATH": ""}
    with django_db_blocker.unblock(), milling(written.parent / "mill", **around) as running:
        yield running


def send(client: httpx.Client, name: str, content: bytes) -> str:
    described = f"filename {b64encode(name.encode()).decode()}"
    answer = client.post(
        "/files/",
        content=content,
        headers={
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(len(content)),
            "Upload-Metadata": described,
            "Content-Type": "application/offset+octet-stream",
        },
    )
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"].rstrip("/").rpartition("/")[2]


def ended(client: httpx.Client, address: str) -> dict[str, Any]:
    wait_until(lambda: client.get(address).json()["finished_at"], 60, f"the end of {address}")
    job: dict[str, Any] = client.get(address).json()
    return job


@pytest.mark.processes
def test_installed_it_is_offered_run_and_refuses_in_its_own_words(mill: Mill) -> None:
    ann = mill.newcomer(is_staff=True, is_superuser=True)
    key = mill.rows(lambda: Token.issue(User.objects.get(pk=ann.pk), "test")[1])
    with (
        httpx.Client(base_url=mill.address, headers={"Authorization": f"Bearer {key}"}) as api,
        httpx.Client(base_url=mill.address, cookies={"sessionid": ann.session}) as pages,
    ):
        check_offer(api, pages)
        uploads = [send(api, "poem.txt", b"one three\n"), send(api, "a.txt", b"caf\xe9 noir\n")]
        wanted = {"operation": "words.count", "options": {"longest": 3}, "uploads": uploads}
        made = api.post("/api/v1/jobs/", json=wanted)
        assert made.status_code == 201, made.text
        job = ended(api, made.headers["Location"])
        check_end(api, pages, job["id"])

        console = pages.get("/admin/").text
        assert "The operations of “mill_broken” can&#x27;t be used" in console
        assert "no_such_library" in console


def check_offer(api: httpx.Client, pages: httpx.Client) -> None:
    described = api.get("/api/v1/operations/words.count/").json()
    assert described["label"] == "Count words"
    assert [preset["name"] for preset in described["presets"]] == ["all", "short"]
    assert described["options"]["properties"]["longest"]["maximum"] == 1000
    form = pages.get("/").text
    for words in ("Count words", "Short words", "Only words up to this length count."):
        assert words in form


def check_end(api: httpx.Client, pages: httpx.Client, job: str) -> None:
    address = f"/api/v1/jobs/{job}/"
    assert api.get(address).json()["state"] == "partial"
    (result,) = api.get(f"{address}results/").json()["results"]
    assert result["name"] == "poem-count.txt"
    assert api.get(result["content_url"]).text == "1\n"
    told = {"code": "operation_says", "message": "“a.txt” is not UTF-8 text."}
    told["detail"] = "Save it as UTF-8 and send it again."
    items = api.get(f"{address}items/").json()["results"]
    assert [item["error"] for item in items if item["error"]] == [told]
    page = pages.get(f"/jobs/{job}/").text
    assert told["message"] in page and told["detail"] in page
