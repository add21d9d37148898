"""The matrix of doors and visitors; a route that is not in it fails here."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from tests.architecture.doors import CASES, SOCKETS, Case
from tests.factories import make_job, make_upload
from tests.pages.api import make_person
from tests.pages.test_api_jobs import add_result, end
from uploads.live.routing import websocket_application
from uploads.models import Connection, Job, Message, MessageState, Token
from uploads.pages.tiles import PLAYLIST
from uploads.work.presets import keep
from uploads.work.submit import StageRequest

VISITORS = ("stranger", "owner", "other", "staff", "admin")


@dataclass
class House:
    """The people, and the names of the owner's objects."""

    people: dict[str, User | None]
    objects: dict[str, str]


@pytest.fixture
def house(tmp_path: Path) -> House:
    owner = make_person("owner")
    people = {
        "stranger": None,
        "owner": owner,
        "other": make_person("other"),
        "staff": make_person("staff", is_staff=True),
        "admin": make_person("admin", is_staff=True, is_superuser=True),
    }
    uploads = {}
    for name in ("job", "ended", "free", "half"):
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(b"x")
        uploads[name] = make_upload(owner, path, complete=name != "half")
    job = make_job(owner, [uploads["job"]], "image.convert")
    ended = make_job(owner, [uploads["ended"]], "image.convert")
    result = add_result(ended)
    end(ended.key)
    film = _finished_stream(owner, tmp_path)
    uploads["half"].touch(0)
    _empty(uploads["half"])
    file = tmp_path / "shop.db"
    file.touch()
    base = Connection.objects.create(
        name="Shop", kind="sqlite", database=str(file), looked_at=timezone.now()
    )
    base.people.add(owner)
    objects = {
        "job": job.key,
        "ended": ended.key,
        "result": result.key,
        "stream": film.key,
        "message": str(_refused(ended)),
        "preset": keep(owner, "Kept", [StageRequest("image.convert", {})]).key,
        "connection": base.key,
        "connection_number": str(base.pk),
        "free_upload": uploads["free"].key,
        "half_upload": uploads["half"].key,
        "token": str(Token.issue(owner, "script")[0].pk),
        "person": str(people["other"].pk),
        "group": str(Group.objects.get(name="Watchers").pk),
    }
    return House(people, objects)


def _refused(job: Job) -> int:
    """Return the number of an e-mail that was refused."""
    message = Message.objects.create(
        job=job,
        item=job.items.get(),
        position=0,
        recipient="ann@example.org",
        address_key="ann@example.org",
        state=MessageState.REFUSED,
    )
    return message.pk


def _finished_stream(owner: User, folder: Path) -> Job:
    path = folder / "film.mp4"
    path.write_bytes(b"x")
    job = make_job(owner, [make_upload(owner, path, media_type="video/mp4")], "video.hls")
    result = add_result(job, "index.m3u8")
    result.media_type = PLAYLIST
    result.save()
    return job


def _empty(upload: Any) -> None:
    """Leave an upload that waits for its one byte."""
    from uploads.storage import store

    store.path(upload.storage_key).write_bytes(b"")


def routes() -> Iterator[str]:
    """Return every route of the URLconf as one text."""

    def walk(patterns: list[Any], before: str) -> Iterator[str]:
        for pattern in patterns:
            route = before + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, route)
            else:
                yield f"{route}[any]" if pattern.name == "unknown" else route

    yield from walk(get_resolver().url_patterns, "")


def test_every_route_is_in_the_matrix() -> None:
    assert sorted(set(routes())) == sorted({case.route for case in CASES})


def test_every_socket_is_in_the_matrix() -> None:
    doors = {str(route.pattern) for route in websocket_application.routes}
    assert doors - {""} == set(SOCKETS)


def _filled(value: Any, objects: dict[str, str]) -> Any:
    if isinstance(value, str):
        return value.format(**objects)
    if isinstance(value, list):
        return [_filled(item, objects) for item in value]
    return value


def _visit(case: Case, person: User | None, objects: dict[str, str]) -> Any:
    client = Client()
    if person is not None:
        client.force_login(person)
    address = case.address.format(**objects)
    named = {name: value for name, value in case.headers if name != "Content-Type"}
    kind = dict(case.headers).get("Content-Type")
    if isinstance(case.body, bytes) or case.method not in {"POST", "PUT"}:
        body, kind = case.body or b"", kind or "application/octet-stream"
    elif address.startswith("/api/"):
        filled = {name: _filled(value, objects) for name, value in (case.body or {}).items()}
        body, kind = json.dumps(filled).encode(), "application/json"
    else:
        return client.post(address, case.body or {}, headers=named)
    return client.generic(case.method, address, body, content_type=kind, headers=named)


@pytest.mark.django_db
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.method} /{case.route}")
def test_each_visitor_gets_what_the_matrix_says(case: Case, house: House) -> None:
    got = []
    for visitor in VISITORS:
        with transaction.atomic():
            answer = _visit(case, house.people[visitor], house.objects)
            got.append(answer.status_code)
            for close in answer._resource_closers:  # answer.close() would end the connection too
                close()
            transaction.set_rollback(True)
    assert dict(zip(VISITORS, got, strict=True)) == dict(zip(VISITORS, case.statuses, strict=True))


OBJECTS = [case for case in CASES if "{" in case.address and not case.route.startswith("admin")]


@pytest.mark.django_db
@pytest.mark.parametrize("case", OBJECTS, ids=lambda case: f"{case.method} /{case.route}")
def test_a_foreign_object_answers_as_an_unknown_one(case: Case, house: House) -> None:
    unknown = {
        name: "9" * 8 if value.isdigit() and len(value) < 9 else "f" * len(value)
        for name, value in house.objects.items()
    }
    other = house.people["other"]
    answers = []
    for objects in (house.objects, unknown):
        with transaction.atomic():
            answer = _visit(case, other, objects)
            answers.append((answer.status_code, _without_secrets(answer.content)))
            transaction.set_rollback(True)
    assert answers[0][0] == 404
    assert answers[0] == answers[1]


def _without_secrets(page: bytes) -> bytes:
    return re.sub(rb'name="csrfmiddlewaretoken" value="\w+"', b"", page)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("visitor", VISITORS)
async def test_each_visitor_of_a_socket_gets_what_the_matrix_says(
    visitor: str, tmp_path: Path
) -> None:
    from channels.db import database_sync_to_async

    job, cookie = await database_sync_to_async(_prepared)(visitor, tmp_path)
    headers = [(b"host", b"localhost"), (b"origin", b"http://localhost"), (b"cookie", cookie)]
    socket = WebsocketCommunicator(websocket_application, f"/ws/jobs/{job}/", headers=headers)
    opened, _ = await socket.connect(timeout=10)
    assert opened
    first = json.loads(await socket.receive_from(timeout=10))
    expected = dict(zip(VISITORS, SOCKETS["ws/jobs/<key>/"], strict=True))[visitor]
    if expected:
        assert first["t"] == "bye"
        assert (await socket.receive_output(timeout=10))["code"] == expected
    else:
        assert first["state"]["id"] == job
    await socket.disconnect(timeout=10)


def _prepared(visitor: str, folder: Path) -> tuple[str, bytes]:
    """Return a job's key and the visitor's cookie."""
    owner = make_person("owner")
    path = folder / "a.jpg"
    path.write_bytes(b"x")
    job: Job = make_job(owner, [make_upload(owner, path)], "image.convert")
    if visitor == "stranger":
        return job.key, b""
    rights = {"staff": {"is_staff": True}, "admin": {"is_staff": True, "is_superuser": True}}
    person = owner if visitor == "owner" else make_person(visitor, **rights.get(visitor, {}))
    client = Client()
    client.force_login(person)
    return job.key, f"sessionid={client.cookies[settings.SESSION_COOKIE_NAME].value}".encode()
