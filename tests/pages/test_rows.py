"""A long answer is paged through: our page around, rows in a frame of their own, wrong lists harmless."""

import gzip
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_upload, make_user
from tests.work.conftest import work_off
from uploads.models import Job, Result
from uploads.work.submit import JobRequest, StageRequest, submit

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "SELECT n, 'row ' || n AS words FROM range({}) AS r(n)"


@pytest.fixture
def fetch(client: Client, alice: User) -> Iterator[Callable[..., Any]]:
    """Ask for bytes as Alice; what answers is closed with the test, as a server does."""
    client.force_login(alice)
    with ExitStack() as stack:

        def get(address: str, **named: Any) -> Any:
            answer = client.get(address, **named)
            stack.callback(answer.close)
            return answer

        yield get


@pytest.fixture
def answered(alice: User, tmp_path: Path) -> Callable[[int], Job]:
    """Have a question answered with so many rows, by a real child."""

    def ask(rows: int) -> Job:
        path = tmp_path / "data.csv"
        path.write_text("a\n1\n")
        upload = make_upload(alice, path, media_type="text/csv")
        asked = StageRequest("data.query", {"sql": LONG.format(rows)})
        job = submit(alice, JobRequest([asked], [upload.key]))
        work_off()
        job.refresh_from_db()
        assert job.state == "succeeded"
        return job

    return ask


def made(job: Job) -> tuple[Result, Result]:
    return job.results.get(role="result"), job.results.get(role="preview")


def body(response: Any) -> bytes:
    async def read() -> bytes:
        return b"".join([piece async for piece in response.streaming_content])

    return async_to_sync(read)()


def test_each_page_is_sent_as_a_page_of_its_own(fetch: Any, answered: Any) -> None:
    _, preview = made(answered(2500))
    address = f"/results/{preview.key}/content"
    first, third = fetch(address), fetch(f"{address}?page=3")
    assert ">999</td>" in body(first).decode() and not first.has_header("Content-Encoding")
    assert third["Content-Encoding"] == "gzip"
    assert ">2499</td>" in gzip.decompress(body(third)).decode()
    assert first["ETag"] != third["ETag"]
    for answer in (first, third):
        assert answer["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        assert answer["Content-Type"] == "text/html; charset=utf-8"
    known = fetch(f"{address}?page=3", headers={"If-None-Match": third["ETag"]})
    assert known.status_code == 304


def test_a_page_that_there_is_not_is_not_found(fetch: Any, answered: Any) -> None:
    answer, preview = made(answered(2500))
    for page in ("0", "4", "-1", "x", "²", "1" * 4000):
        assert fetch(f"/results/{preview.key}/content?page={page}").status_code == 404
        assert fetch(f"/results/{answer.key}/rows/?page={page}").status_code == 404


def test_the_pages_around_are_offered(fetch: Any, answered: Any, settings: Any) -> None:
    settings.TIDEMILL_PAGED_ROWS = 9000
    job = answered(12_000)
    answer, preview = made(job)
    shown = fetch(f"/results/{answer.key}/rows/?page=5").content.decode()
    assert f'src="/results/{preview.key}/content?page=5"' in shown
    links = re.findall(
        r'href="\?page=(\d)"(?: aria-label="([^"]*)")?', shown[: shown.index("<iframe")]
    )
    assert [number for number, _ in links] == ["4", "1", "3", "4", "6", "7", "9", "6"]
    assert links[1][1] == "Page 1: Rows 1 to 1,000"
    assert "Rows 4,001 to 5,000 of 12,000" in shown
    assert "the first 9,000 can be seen here, all are in the file" in shown
    assert f"/results/{answer.key}/rows/?page=2" in fetch(f"/jobs/{job.key}/").content.decode()


def test_a_short_answer_has_no_pages_to_offer(fetch: Any, answered: Any) -> None:
    job = answered(3)
    answer, _ = made(job)
    shown = fetch(f"/results/{answer.key}/rows/")
    assert shown.status_code == 200 and "?page=" not in shown.content.decode()
    assert "3 rows" in shown.content.decode()
    assert "Further rows" not in fetch(f"/jobs/{job.key}/").content.decode().partition("viewer")[0]


def test_another_persons_rows_are_not_there(client: Client, answered: Any) -> None:
    answer, preview = made(answered(2500))
    client.force_login(make_user("bob"))
    for address in (f"/results/{answer.key}/rows/", f"/results/{preview.key}/content?page=2"):
        assert client.get(address).status_code == 404


WRONG: tuple[dict[str, Any], ...] = (
    {"pages": [10, 5]}, {"pages": [0, 10]}, {"pages": [10, 10**15]}, {"pages": ["x"]},
    {"pages": [True, 2]}, {"pages": 7}, {"pages": []}, {"each": 0}, {"rows": None},
)  # fmt: skip


def test_a_list_of_pages_that_is_wrong_is_none(fetch: Any, answered: Any) -> None:
    answer, preview = made(answered(1200))
    right = dict(preview.meta)
    for wrong in WRONG:
        preview.meta = right | wrong
        preview.save()
        whole = fetch(f"/results/{preview.key}/content?page=2")
        assert whole.status_code == 200 and not whole.has_header("Content-Encoding")
        assert fetch(f"/results/{answer.key}/rows/").status_code == 200
