"""A disk that fills up under an upload: an answer, not a crash, and what fitted stays."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.intake.client import Client
from tests.intake.web import Web, running
from tests.support.disks import MIB, Filler, free_bytes, small_disk

ENOUGH_FOR_TABLES = 32
CSRF = "a" * 32
BOUNDARY = "a-boundary-of-a-form"
WORDS = "The server&#x27;s disk has no room for this."


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with (
        small_disk(tmp_path_factory.mktemp("full") / "disk", ENOUGH_FOR_TABLES) as folder,
        running(folder, TIDEMILL_DISK_RESERVE_BYTES="0") as web,
    ):
        yield web


@pytest.fixture
def filler(web: Web) -> Iterator[Filler]:
    filler = Filler(web.folder)
    yield filler
    filler.give_back()
    shutil.rmtree(web.folder / "data" / "incoming", ignore_errors=True)


@pytest.fixture
def form(web: Web, filler: Filler) -> Iterator["Form"]:
    form = Form(web)
    with form.http:
        yield form


def test_a_file_that_does_not_fit_is_507_before_its_first_byte(web: Web) -> None:
    answer = Client(web).create(ENOUGH_FOR_TABLES * 2 * MIB)
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
    assert not list((web.folder / "data" / "incoming").rglob("*.*"))


def test_a_disk_that_fills_up_on_the_way_is_507_and_keeps_what_fitted(
    web: Web, filler: Filler
) -> None:
    client = Client(web)
    location = client.new(6 * MIB)
    filler.leave(3 * MIB)
    data = os.urandom(6 * MIB)
    answer = client.patch(location, 0, data)
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
    filler.give_back()
    kept = client.offset(location)
    assert MIB <= kept < 6 * MIB
    assert client.patch(location, kept, data[kept:]).status_code == 204
    assert client.http.get(location).content == data


# --- a plain form, without JavaScript ------------------------------------------------------


class Form:
    """One person's form with one text file in it."""

    def __init__(self, web: Web) -> None:
        self.folder = web.folder / "data"
        cookies = {"sessionid": web.newcomer().session, "csrftoken": CSRF}
        self.http = httpx.Client(base_url=web.url, cookies=cookies, timeout=60)

    def send(
        self,
        file_bytes: int,
        *,
        accept: str = "text/html",
        midway: Callable[[], Any] = lambda: None,
        announced: bool = True,
    ) -> httpx.Response:
        """Send the form; `midway` happens when most of the file is on its way."""
        body = _multipart(b"text\n" * (file_bytes // 5))
        headers = {"Accept": accept, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        if announced:
            headers["Content-Length"] = str(len(body))

        def pieces() -> Iterator[bytes]:
            yield body[: -2 * MIB]
            midway()
            yield body[-2 * MIB :]

        return self.http.post("/", content=pieces(), headers=headers)

    def left_behind(self) -> list[Path]:
        found = [*(self.folder / "scratch").rglob("*"), *(self.folder / "incoming").rglob("*")]
        return [path for path in found if path.is_file()]

    def uploads(self) -> list[Any]:
        listed = self.http.get("/api/v1/uploads/").json()
        return list(listed["results"])


def _multipart(file: bytes) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    fields = {"csrfmiddlewaretoken": CSRF, "operation": "image.resize"}
    parts = "".join(f'{head}"{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
    start = f'{head}"files"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
    return f"{parts}{start}".encode() + file + f"\r\n--{BOUNDARY}--\r\n".encode()


def check_refused(form: Form, answer: httpx.Response) -> None:
    assert answer.status_code == 507, answer.text
    if answer.headers["Content-Type"].startswith("application/json"):
        assert answer.json()["code"] == "disk_full"
    else:
        assert WORDS in answer.text
        assert "Internal Server Error" not in answer.text
    assert not form.left_behind()


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize("left_bytes", [0, MIB], ids=["nothing left", "a little left"])
@pytest.mark.parametrize("file_bytes", [2 * MIB + 5, 6 * MIB], ids=["in memory", "spooled"])
def test_a_form_on_a_full_disk_is_answered_in_words_and_works_once_there_is_room(
    form: Form, filler: Filler, file_bytes: int, left_bytes: int, accept: str
) -> None:
    filler.leave(left_bytes)
    check_refused(form, form.send(file_bytes, accept=accept))
    filler.give_back()
    assert not form.uploads()
    check_accepted(form, form.send(file_bytes, accept=accept))


def check_accepted(form: Form, answer: httpx.Response) -> None:
    # No operation takes a text file; the file has arrived all the same and waits for one.
    assert answer.status_code in {303, 400}, answer.text
    assert len(form.uploads()) == 1


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "in chunks"])
def test_a_disk_that_fills_up_under_a_form_is_507_and_nothing_of_it_stays(
    form: Form, filler: Filler, announced: bool
) -> None:
    before = free_bytes(filler.disk)
    answer = form.send(6 * MIB, midway=lambda: filler.leave(0), announced=announced)
    check_refused(form, answer)
    filler.give_back()
    assert free_bytes(filler.disk) > before - MIB
    check_accepted(form, form.send(6 * MIB))


def test_a_disk_with_room_for_the_form_but_not_for_its_file_too_keeps_neither(
    form: Form, filler: Filler
) -> None:
    answer = form.send(6 * MIB, midway=lambda: filler.leave(3 * MIB))
    check_refused(form, answer)
