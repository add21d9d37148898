"""Lists of the API: pieces, cursors, filters, and a constant number of queries."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import make_upload
from tests.pages.api import Api, make_person
from uploads.models import Job, Upload
from uploads.pages.api.cursor import seal, unseal
from uploads.work.submit import JobRequest, StageRequest, submit

pytestmark = pytest.mark.django_db


def make_jobs(owner: User, upload: Upload, count: int) -> list[Job]:
    request = JobRequest([StageRequest("image.convert")], [upload.key])
    return [submit(owner, request) for _ in range(count)]


def read_all(api: Api, path: str) -> list[dict]:
    rows: list[dict] = []
    address: str | None = path
    while address:
        piece = api.get(address)
        rows += piece["results"]
        address = piece["next"]
    return rows


def test_pieces_together_are_the_whole_list_newest_first(
    api: Api, alice: User, photo: Upload
) -> None:
    jobs = make_jobs(alice, photo, 7)
    assert [row["id"] for row in read_all(api, "jobs/?limit=3")] == [j.key for j in jobs[::-1]]


def test_a_cursor_survives_the_deletion_of_its_row(api: Api, alice: User, photo: Upload) -> None:
    jobs = make_jobs(alice, photo, 4)
    piece = api.get("jobs/?limit=2")
    for row in piece["results"]:
        assert api.call("DELETE", f"jobs/{row['id']}/").status_code == 204
    assert [row["id"] for row in api.get(piece["next"])["results"]] == [jobs[1].key, jobs[0].key]


def test_the_next_address_keeps_the_filter(api: Api, alice: User, photo: Upload) -> None:
    jobs = make_jobs(alice, photo, 4)
    for job in jobs[:3]:
        job.cancel("alice")
    rows = read_all(api, "jobs/?state=cancelled&limit=1")
    assert [row["id"] for row in rows] == [job.key for job in jobs[2::-1]]


def test_a_cursor_hides_its_number_and_can_not_be_made_up() -> None:
    sealed = seal(123456)
    assert unseal(sealed) == 123456
    assert seal(123456) != sealed
    changed = ("A" if sealed[9] != "A" else "B").join([sealed[:9], sealed[10:]])
    for forged in (changed, "", "x", "123456", "ü" * 10, sealed + "AAAA"):
        with pytest.raises(Exception, match="cursor"):
            unseal(forged)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "limit=-1", "after=forged", "state=odd", "colour=red"],
)
def test_a_wrong_query_is_refused(api: Api, query: str) -> None:
    assert api.get(f"jobs/?{query}", status=400)["code"] in {"bad_request", "unknown_field"}


@pytest.mark.parametrize("path", ["jobs/", "uploads/"])
def test_others_rows_are_not_in_the_list(api: Api, alice: User, photo: Upload, path: str) -> None:
    make_jobs(alice, photo, 1)
    assert len(api.get(path)["results"]) == 1
    assert Api(make_person("bob")).get(path)["results"] == []


def test_no_query_per_job(api: Api, alice: User, photo: Upload) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            api.get("jobs/")
        return len(captured)

    make_jobs(alice, photo, 2)
    queries()
    few = queries()
    for job in make_jobs(alice, photo, 12)[:3]:
        job.pause("alice")
    assert queries() <= few
    assert few <= 12


def test_no_query_per_item(api: Api, alice: User, tmp_path: Path) -> None:
    keys = []
    for number in range(12):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(b"x")
        keys.append(make_upload(alice, path).key)
    stage = [StageRequest("image.convert")]
    counts = []
    for chosen in (keys[:1], keys):
        job = submit(alice, JobRequest(stage, chosen))
        with CaptureQueriesContext(connection) as captured:
            assert len(api.get(f"jobs/{job.key}/items/")["results"]) == len(chosen)
        counts.append(len(captured))
    assert counts[1] <= counts[0]
