"""Refusals of the API: one shape, the catalogue's words, and who may come in."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings

from tests.factories import make_job, make_upload
from tests.pages.api import Api, make_person
from uploads.catalogue import CATALOGUE
from uploads.conf import conf
from uploads.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(alice: User, tmp_path: Path) -> Job:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"photo")
    return make_job(alice, [make_upload(alice, path)], "image.convert")


def assert_refused(answer: object, status: int, code: str) -> None:
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert set(body) == {"code", "message", "detail"}
    assert body["code"] == code
    assert code in CATALOGUE
    assert "…" not in body["message"] + body["detail"]


@pytest.mark.parametrize(
    "path", ["nothing/", "jobs/none/", "jobs/none/items/", "uploads/none/", "operations/none/"]
)
def test_what_is_not_there_is_404(alice: User, path: str) -> None:
    assert_refused(Api(alice).call("GET", path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "jobs/{}/"),
        ("DELETE", "jobs/{}/"),
        ("GET", "jobs/{}/items/"),
        ("GET", "jobs/{}/results/"),
        ("POST", "jobs/{}/cancel/"),
        ("POST", "jobs/{}/retry/"),
    ],
)
def test_what_is_not_yours_answers_as_if_it_were_not_there(
    job: Job, method: str, path: str
) -> None:
    boss = make_person("boss", is_staff=True, is_superuser=True)
    for stranger in (make_person("bob"), boss):
        foreign = Api(stranger).call(method, path.format(job.key))
        absent = Api(stranger).call(method, path.format("f" * 24))
        assert_refused(foreign, 404, "not_found")
        assert foreign.content == absent.content
    assert Job.objects.filter(pk=job.pk, cancel_requested_at=None).exists()


@pytest.mark.parametrize("path", ["", "jobs/", "uploads/", "operations/", "jobs/none/"])
def test_nobody_gets_401(path: str) -> None:
    answer = Api(None).call("GET", path)
    assert_refused(answer, 401, "not_signed_in")


def test_a_wrong_token_gets_401_even_with_a_session(alice: User, client: Client) -> None:
    client.force_login(alice)
    assert client.get("/api/v1/jobs/").status_code == 200
    refused = client.get("/api/v1/jobs/", headers={"Authorization": "Bearer tm_wrong"})
    assert_refused(refused, 401, "not_signed_in")


def test_a_token_of_an_inactive_user_is_worth_nothing(alice: User) -> None:
    api = Api(alice)
    User.objects.update(is_active=False)
    assert_refused(api.call("GET", "jobs/"), 401, "not_signed_in")


def test_another_method_is_405_and_says_which(alice: User) -> None:
    answer = Api(alice).call("PUT", "jobs/")
    assert_refused(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "GET, POST"


@pytest.mark.parametrize("body", [b"{", b"[]", b"7", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(alice: User, body: bytes) -> None:
    assert_refused(Api(alice).call("POST", "jobs/", body), 400, "bad_request")


def test_another_type_of_body_is_refused(alice: User) -> None:
    api = Api(alice)
    answer = api.client.post("/api/v1/jobs/", {"operation": "x"}, headers=api.headers)
    assert_refused(answer, 400, "bad_request")


def test_a_body_above_the_limit_is_413(alice: User) -> None:
    with override_settings(TIDEMILL_JSON_MAX_BYTES=1000):
        assert conf.JSON_MAX_BYTES == 1000
        body = b'{"name": "' + b"x" * 1000 + b'"}'
        assert_refused(Api(alice).call("POST", "jobs/", body), 413, "body_too_large")


def test_a_session_needs_the_csrf_token(alice: User, job: Job) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    answer = client.post(f"/api/v1/jobs/{job.key}/cancel/", content_type="application/json")
    assert answer.status_code == 403
    job.refresh_from_db()
    assert job.cancel_requested_at is None


def test_too_many_unfinished_jobs_are_429(alice: User, job: Job) -> None:
    body = {"operation": "image.convert", "uploads": [job.inputs.get().upload.key]}
    with override_settings(TIDEMILL_OWNER_MAX_JOBS=1):
        assert_refused(Api(alice).call("POST", "jobs/", body), 429, "too_many_jobs")
