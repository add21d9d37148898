"""Statuses and headers of tus 1.0.0, on our server and on uvicorn."""

import base64
import hashlib
from email.utils import parsedate_to_datetime

import httpx
import pytest

from tests.intake.client import PIECE, Client
from tests.intake.web import Person, Web

MIB = 1024 * 1024


def checksum(data: bytes, algorithm: str = "sha1") -> dict[str, str]:
    digest = hashlib.new(algorithm, data).digest()
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(digest).decode()}"}


def test_options_names_what_works_and_needs_no_sign_in(web: Web) -> None:
    answer = httpx.options(f"{web.url}/files/")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    extensions = set(answer.headers["Tus-Extension"].split(","))
    assert {"creation", "creation-with-upload", "expiration", "termination"} <= extensions
    assert answer.headers["Tus-Max-Size"] == str(500 * MIB)


def test_a_file_arrives_in_two_pieces(client: Client) -> None:
    data = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100
    location = client.new(len(data), "picture.png")
    assert location.startswith("/files/")
    assert client.patch(location, 0, data[:1000]).headers["Upload-Offset"] == "1000"
    assert client.offset(location) == 1000
    answer = client.patch(location, 1000, data[1000:])
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(len(data)))
    assert client.http.get(location).content == data
    key = location.rpartition("/")[2]
    row = client.web.manage(
        f"from uploads.models import Upload; u = Upload.objects.get(key={key!r});"
        "print(u.state, u.kind, u.media_type, u.offset, u.name)"
    )
    assert row == f"complete image image/png {len(data)} picture.png"


def test_head_repeats_length_metadata_and_expiry(client: Client) -> None:
    answer = client.head(client.new(5, "päge.txt"))
    assert answer.headers["Upload-Length"] == "5"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    name = answer.headers["Upload-Metadata"].removeprefix("filename ")
    assert base64.b64decode(name).decode() == "päge.txt"
    assert parsedate_to_datetime(answer.headers["Upload-Expires"]).year >= 2026


def test_the_first_bytes_may_come_with_the_announcement(client: Client) -> None:
    head = {"Upload-Length": "10", **PIECE}
    answer = client.http.post("/files/", headers=head, content=b"hello")
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "5")
    assert client.offset(answer.headers["Location"]) == 5


def test_an_empty_file_is_complete_at_once(client: Client) -> None:
    location = client.new(0)
    assert client.offset(location) == 0
    assert client.http.get(location).status_code == 200


def test_empty_metadata_is_valid(client: Client) -> None:
    answer = client.http.post("/files/", headers={"Upload-Length": "1", "Upload-Metadata": ""})
    assert answer.status_code == 201


@pytest.mark.parametrize("version", ["", "0.2.2", "2.0.0"])
def test_another_protocol_version_is_412(client: Client, version: str) -> None:
    answer = client.create(1, **{"Tus-Resumable": version})
    assert answer.status_code == 412
    assert answer.headers["Tus-Version"] == "1.0.0"


@pytest.mark.parametrize("length", ["", "-1", "1.5", "abc", "٣"])
def test_a_length_that_is_no_number_is_400(client: Client, length: str) -> None:
    answer = client.http.post("/files/", headers=[(b"Upload-Length", length.encode())])
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_request"


@pytest.mark.parametrize(
    "metadata", ["filename %%%", "a YQ==,a YQ==", "filename " + "A" * 5000], ids=str.__len__
)
def test_bad_metadata_is_400(client: Client, metadata: str) -> None:
    head = {"Upload-Length": "1", "Upload-Metadata": metadata}
    assert client.http.post("/files/", headers=head).status_code == 400


@pytest.mark.parametrize("length", [501 * MIB, 10**18, 10**40])
def test_a_file_above_the_limit_is_413(client: Client, length: int) -> None:
    answer = client.create(length)
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")


def test_a_file_beyond_the_quota_is_413_before_its_first_byte(client: Client) -> None:
    client.new(400 * MIB)
    answer = client.create(300 * MIB, "film.mp4")
    assert (answer.status_code, answer.json()["code"]) == (413, "over_quota")
    assert "film.mp4" in answer.json()["message"]


def test_a_wrong_offset_is_409_and_names_the_right_one(client: Client) -> None:
    location = client.new(10)
    client.patch(location, 0, b"1234")
    answer = client.patch(location, 2, b"xx")
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (409, "4")
    assert client.offset(location) == 4


def test_a_piece_of_another_type_is_415(client: Client) -> None:
    location = client.new(10)
    head = {"Upload-Offset": "0", "Content-Type": "text/plain"}
    assert client.http.patch(location, headers=head, content=b"x").status_code == 415


@pytest.mark.parametrize("offset", ["", "-1", "x"])
def test_a_piece_without_a_proper_offset_is_400(client: Client, offset: str) -> None:
    head = {**PIECE, "Upload-Offset": offset}
    answer = client.http.patch(client.new(10), headers=head, content=b"x")
    assert answer.status_code == 400


def test_a_body_beyond_the_length_is_413_and_changes_nothing(client: Client) -> None:
    location = client.new(4)
    assert client.patch(location, 0, b"12345").status_code == 413
    assert client.offset(location) == 0


def test_a_chunked_body_beyond_the_length_is_413_and_keeps_what_fits(client: Client) -> None:
    location = client.new(400_000)
    answer = client.patch(location, 0, iter([b"a" * 300_000, b"b" * 300_000]))
    assert (answer.status_code, answer.json()["code"]) == (413, "beyond_length")
    assert client.offset(location) == 400_000


def test_a_chunked_body_of_unknown_length_arrives(client: Client) -> None:
    location = client.new(300_000)
    answer = client.patch(location, 0, iter([b"a" * 100_000] * 3))
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "300000")


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE", "GET"])
def test_foreign_and_unknown_uploads_are_the_same_404(client: Client, method: str) -> None:
    foreign = Client(client.web).new(10)
    head = {**PIECE, "Upload-Offset": "0"}
    answers = [
        client.http.request(method, location, headers=head)
        for location in (foreign, "/files/" + "0" * 32, "/files/-")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


def test_a_terminated_upload_is_gone(client: Client) -> None:
    location = client.new(10)
    client.patch(location, 0, b"12345")
    assert client.http.delete(location).status_code == 204
    assert client.head(location).status_code == 404
    assert client.patch(location, 5, b"67890").status_code == 404
    assert not client.web.file_of(location).exists()


def test_an_expired_upload_is_410(client: Client) -> None:
    location = client.new(10)
    key = location.rpartition("/")[2]
    client.web.manage(
        "from datetime import timedelta; from django.utils import timezone;"
        "from uploads.models import Upload; from uploads.intake.sweeps import expire_uploads;"
        f"mine = Upload.objects.filter(key={key!r});"
        "mine.update(expires_at=timezone.now() - timedelta(1)); print(expire_uploads())"
    )
    assert client.head(location).status_code == 410
    assert client.patch(location, 0, b"x").json()["code"] == "upload_expired"
    assert not client.web.file_of(location).exists()


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_a_piece_with_its_checksum_is_taken(client: Client, algorithm: str) -> None:
    location = client.new(11)
    answer = client.patch(location, 0, b"hello world", **checksum(b"hello world", algorithm))
    assert answer.status_code == 204
    assert client.http.get(location).content == b"hello world"


def test_a_piece_with_another_checksum_is_460_and_leaves_no_byte(client: Client) -> None:
    location = client.new(11)
    client.patch(location, 0, b"hello")
    answer = client.patch(location, 5, b" w0rld", **checksum(b" world"))
    assert (answer.status_code, answer.json()["code"]) == (460, "checksum_mismatch")
    assert client.offset(location) == 5
    assert client.patch(location, 5, b" world", **checksum(b" world")).status_code == 204


@pytest.mark.parametrize("value", ["crc8 AAAA", "sha1 !!!", "sha1 AAAA", ""])
def test_an_unknown_or_broken_checksum_is_400(client: Client, value: str) -> None:
    answer = client.patch(client.new(5), 0, b"hello", **{"Upload-Checksum": value})
    assert answer.status_code == 400


def test_another_method_may_hide_in_a_post(client: Client) -> None:
    location = client.new(5)
    head = {**PIECE, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert client.http.post(location, headers=head, content=b"hello").status_code == 204
    gone = client.http.post(location, headers={"X-HTTP-Method-Override": "DELETE"})
    assert gone.status_code == 204
    assert client.head(location).status_code == 404


def test_a_method_that_is_not_possible_is_405(client: Client) -> None:
    assert client.http.put("/files/").status_code == 405
    assert client.http.get("/files/").status_code == 405


# --- who may ---------------------------------------------------------------------


def with_session(web: Web, person: Person, *, csrf: str) -> httpx.Client:
    secret = "a" * 32
    head = {"Tus-Resumable": "1.0.0", **({"X-CSRFToken": csrf} if csrf else {})}
    cookies = {"sessionid": person.session, "csrftoken": secret}
    return httpx.Client(base_url=web.url, headers=head, cookies=cookies, timeout=30)


def test_nobody_is_401(web: Web) -> None:
    head = {"Tus-Resumable": "1.0.0", "Upload-Length": "1"}
    answer = httpx.post(f"{web.url}/files/", headers=head)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


def test_a_wrong_token_is_401(web: Web) -> None:
    head = {"Tus-Resumable": "1.0.0", "Upload-Length": "1", "Authorization": "Bearer tm_no"}
    assert httpx.post(f"{web.url}/files/", headers=head).status_code == 401


def test_a_browser_uploads_with_its_session_and_csrf_token(web: Web) -> None:
    with with_session(web, web.newcomer(), csrf="a" * 32) as http:
        answer = http.post("/files/", headers={"Upload-Length": "5"})
        assert answer.status_code == 201
        location = answer.headers["Location"]
        head = {**PIECE, "Upload-Offset": "0"}
        assert http.patch(location, headers=head, content=b"hello").status_code == 204
        assert http.delete(location).status_code == 204


@pytest.mark.parametrize("csrf", ["", "b" * 32])
def test_a_session_without_its_csrf_token_is_403(web: Web, csrf: str) -> None:
    person = web.newcomer()
    location = Client(web, person).new(5)
    with with_session(web, person, csrf=csrf) as http:
        head = {**PIECE, "Upload-Offset": "0", "Upload-Length": "5"}
        answers = [
            http.post("/files/", headers=head),
            http.patch(location, headers=head, content=b"hello"),
            http.delete(location),
            http.post(location, headers={"X-HTTP-Method-Override": "DELETE"}),
        ]
    assert {answer.status_code for answer in answers} == {403}
    assert {answer.json()["code"] for answer in answers} == {"csrf"}
    assert Client(web, person).offset(location) == 0


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"]
)
def test_a_foreign_page_s_form_is_refused(web: Web, content_type: str) -> None:
    cookies = {"sessionid": web.newcomer().session}
    answer = httpx.post(
        f"{web.url}/files/",
        headers={"Content-Type": content_type, "Origin": "https://evil.example"},
        cookies=cookies,
        content=b"--x\r\n\r\ncsrfmiddlewaretoken=a\r\n--x--",
    )
    assert answer.status_code in {403, 412}


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.jpg", "a.jpg"),
        ("in\u202evoice\0\n.pdf", "invoice.pdf"),
        ("..", "file"),
        ("", "file"),
        ("é" * 200 + ".jpg", "é" * 88 + ".jpg"),
    ],
)
def test_names_are_cleaned_and_never_a_path(client: Client, sent: str, shown: str) -> None:
    location = client.new(0, sent)
    disposition = client.http.get(location).headers["Content-Disposition"]
    assert disposition.endswith(
        "filename*=UTF-8''" + str(httpx.URL("/" + shown).raw_path.decode())[1:]
    )
    assert client.web.file_of(location).exists()
