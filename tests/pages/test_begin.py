"""The page of an operation that needs no file: offered, filled in, started, done again."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.pages.api import Api
from tests.work.conftest import work_off
from uploads.models import Job
from uploads.states import JobState
from uploads.storage import store

pytestmark = pytest.mark.django_db

PAGE = "/begin/test.alone/"
FIELD = "test.alone-"


@pytest.fixture
def person(alice: User, client: Any) -> Any:
    client.force_login(alice)
    return client


def done(person: Any, **sent: str) -> Job:
    answer = person.post(PAGE, {f"{FIELD}preset": "own", f"{FIELD}lines": "2", **sent})
    assert answer.status_code == 303
    job = Job.objects.get(key=answer["Location"].strip("/").rpartition("/")[2])
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    return job


def test_it_is_offered_and_makes_its_file_without_one(person: Any) -> None:
    assert f'href="{PAGE}"' in person.get("/").content.decode()
    assert "Three lines" in person.get(PAGE).content.decode()
    job = done(person)
    result = job.results.get()
    assert (job.name, result.name) == ("Make lines", "Make lines.txt")
    assert store.path(result.storage_key).read_text() == "line 0\nline 1\n"


def test_what_it_makes_goes_on_in_the_same_job(person: Any) -> None:
    more = {f"{FIELD}lines": "1", "then-1": "test.copy", "then-1-test.copy-shout": "on"}
    job = done(person, **more, **{"then-1-test.copy-preset": "own"})
    assert store.path(job.results.get(role="result").storage_key).read_text() == "LINE 0\n"


def test_run_again_leads_to_its_page_filled_in(person: Any) -> None:
    job = done(person)
    answer = person.get(f"/?again={job.key}")
    assert answer["Location"] == f"{PAGE}?again={job.key}"
    assert 'value="2"' in person.get(answer["Location"]).content.decode()


def test_a_fault_is_said_with_what_was_typed(person: Any) -> None:
    answer = person.post(PAGE, {f"{FIELD}preset": "own", f"{FIELD}lines": "0", "name": "Mine"})
    assert answer.status_code == 400
    assert 'value="Mine"' in answer.content.decode()
    assert not Job.objects.exists()


@pytest.mark.parametrize("name", ["test.copy", "db.query", "no.such"])
def test_others_have_no_such_page(person: Any, name: str) -> None:
    assert person.get(f"/begin/{name}/").status_code == 404


def test_by_the_api_it_is_a_job_without_uploads(api: Api) -> None:
    body = {"operation": "test.alone", "uploads": [], "options": {"lines": 1}}
    assert api.post("jobs/", body, 201)["state"] == "queued"
