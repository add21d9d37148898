"""The OpenAPI document says what the API really answers."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import get_resolver

from tests.factories import make_upload
from tests.pages.api import Api, faults
from tests.pages.test_api_jobs import add_result, end
from uploads.models import Job, Upload
from uploads.operations.registry import operations

pytestmark = pytest.mark.django_db


@pytest.fixture
def photo(alice: User, tmp_path: Path) -> Upload:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8\xff some bytes")
    return make_upload(alice, path)


@pytest.fixture
def document() -> dict[str, Any]:
    return Api(None).get("openapi.json")


def check(document: dict[str, Any], template: str, answer: Any, method: str = "get") -> None:
    """Assert that an answer is described, with its status and with its fields."""
    operation = document["paths"][f"/api/v1/{template}"][method]
    described = operation["responses"][str(answer.status_code)]
    if answer.status_code == 204:
        assert "content" not in described
        assert answer.content == b""
        return
    shape = described["content"][answer["Content-Type"]]["schema"]
    assert faults(answer.json(), shape, document["components"]["schemas"]) == []


def test_answers_are_as_described(alice: User, photo: Upload, document: dict[str, Any]) -> None:
    api = Api(alice)
    body = {"operation": "image.convert", "uploads": [photo.key]}
    made = api.call("POST", "jobs/", body)
    check(document, "jobs/", made, "post")
    key = made.json()["id"]
    add_result(Job.objects.get(key=key))
    end(key)
    for template in ("", "operations/", "jobs/", "uploads/", "openapi.json"):
        check(document, template, api.call("GET", template))
    for template in ("jobs/{key}/", "jobs/{key}/items/", "jobs/{key}/state", "jobs/{key}/results/"):
        check(document, template, api.call("GET", template.replace("{key}", key)))
    check(document, "uploads/{key}/", api.call("GET", f"uploads/{photo.key}/"))
    check(document, "operations/{name}/", api.call("GET", "operations/image.convert/"))
    check(document, "jobs/{key}/retry/", api.call("POST", f"jobs/{key}/retry/"), "post")
    check(document, "jobs/{key}/retry/", api.call("POST", f"jobs/{key}/retry/"), "post")
    check(document, "jobs/", api.call("POST", "jobs/", {"x": 1}), "post")
    check(document, "jobs/{key}/", api.call("GET", "jobs/none/"))
    check(document, "jobs/{key}/", api.call("DELETE", f"jobs/{key}/"), "delete")


def test_the_check_itself_finds_faults(document: dict[str, Any]) -> None:
    known = document["components"]["schemas"]
    error = {"code": "x", "message": "y", "detail": "z"}
    assert faults(error, known["Error"], known) == []
    assert faults({**error, "more": 1}, known["Error"], known) == [": more is not described"]
    assert faults({"code": 1}, known["Error"], known) == [
        ": message is missing",
        ": detail is missing",
        ".code: 1 is no string",
    ]


def test_every_door_is_described(document: dict[str, Any]) -> None:
    resolver = next(
        found for found in get_resolver().url_patterns if str(found.pattern) == "api/v1/"
    )
    routes = {str(route.pattern) for route in resolver.url_patterns if route.name != "unknown"}
    described = set(document["paths"])
    assert {"/api/v1/" + route.replace("<str:", "{").replace(">", "}") for route in routes} == (
        described
    )


def test_names_of_operations_are_unique(document: dict[str, Any]) -> None:
    names = [
        operation["operationId"]
        for path in document["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
    ]
    assert len(names) == len(set(names))


def test_every_operation_shows_the_schema_of_its_options(alice: User, settings: Any) -> None:
    settings.TIDEMILL_MAIL_BATCH, settings.TIDEMILL_EMAIL_URL = True, "smtp://nowhere"
    shown = {row["name"]: row for row in Api(alice).get("operations/")["results"]}
    assert set(shown) == set(operations())
    for row in shown.values():
        assert row["options"]["additionalProperties"] is False
        for described in row["options"]["properties"].values():
            assert described["description"]
