"""One stored file on its way out: ranges, conditions, safe headers."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import RequestFactory

from uploads.errors import RequestError
from uploads.pages.serve import READ_BYTES, file_response

DATA = bytes(range(256)) * 4
ETAG = "ab" * 32


@pytest.fixture
def stored(settings: Any, tmp_path: Path) -> Path:
    settings.TIDEMILL_DATA = str(tmp_path)
    path = tmp_path / "store" / "a"
    path.parent.mkdir()
    path.write_bytes(DATA)
    return path


async def ask(
    path: Path,
    *,
    method: str = "GET",
    name: str = "a.bin",
    media_type: str = "video/mp4",
    download: bool = False,
    etag: str = ETAG,
    **headers: str,
) -> HttpResponseBase:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = RequestFactory().generic(method, "/", headers=named)
    return await file_response(
        request, path=path, name=name, media_type=media_type, etag=etag, download=download
    )


async def body(response: HttpResponseBase) -> bytes:
    assert isinstance(response, StreamingHttpResponse)
    content = b"".join([piece async for piece in cast(AsyncIterator[bytes], response)])
    response.close()
    return content


async def test_a_whole_file(stored: Path) -> None:
    response = await ask(stored)
    assert response.status_code == 200
    assert response["Content-Length"] == str(len(DATA))
    assert response["Accept-Ranges"] == "bytes"
    assert response["ETag"] == f'"{ETAG}"'
    assert await body(response) == DATA


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, 1024),
        ("bytes=10-19", 10, 20),
        ("bytes=1000-5000", 1000, 1024),
        ("bytes=-24", 1000, 1024),
        ("bytes=-5000", 0, 1024),
        ("Bytes = 5-6", 5, 7),
    ],
)
async def test_a_range(stored: Path, wanted: str, start: int, end: int) -> None:
    response = await ask(stored, Range=wanted)
    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes {start}-{end - 1}/1024"
    assert response["Content-Length"] == str(end - start)
    assert await body(response) == DATA[start:end]


@pytest.mark.parametrize("wanted", ["bytes=1024-", "bytes=5000-6000", "bytes=-0"])
async def test_a_range_of_which_nothing_exists_is_416(stored: Path, wanted: str) -> None:
    response = await ask(stored, Range=wanted)
    assert response.status_code == 416
    assert response["Content-Range"] == "bytes */1024"
    response.close()


@pytest.mark.parametrize(
    "wanted", ["bytes=5-2", "bytes=a-b", "bytes=-", "items=0-5", "bytes=0-1,5-6", "bytes=1" * 40]
)
async def test_what_is_no_single_range_gets_the_whole(stored: Path, wanted: str) -> None:
    response = await ask(stored, Range=wanted)
    assert response.status_code == 200
    assert await body(response) == DATA


async def test_if_range_goes_on_only_with_the_same_bytes(stored: Path) -> None:
    same = await ask(stored, Range="bytes=5-", If_Range=f'"{ETAG}"')
    other = await ask(stored, Range="bytes=5-", If_Range='"other"')
    dated = await ask(stored, Range="bytes=5-", If_Range=same["Last-Modified"])
    weak = await ask(stored, Range="bytes=5-", If_Range=f'W/"{ETAG}"')
    assert [r.status_code for r in (same, other, dated, weak)] == [206, 200, 206, 200]
    for response in (same, other, dated, weak):
        response.close()


async def test_what_the_client_has_is_304(stored: Path) -> None:
    first = await ask(stored)
    answers = [
        await ask(stored, If_None_Match=f'"{ETAG}"'),
        await ask(stored, If_None_Match=f'"x", W/"{ETAG}"'),
        await ask(stored, If_None_Match="*"),
        await ask(stored, If_Modified_Since=first["Last-Modified"]),
    ]
    newer = await ask(stored, If_None_Match='"x"', If_Modified_Since=first["Last-Modified"])
    assert [answer.status_code for answer in answers] == [304] * 4
    assert newer.status_code == 200
    for response in (first, newer, *answers):
        response.close()


@pytest.mark.parametrize(("wanted", "status", "length"), [("", 200, 1024), ("bytes=5-9", 206, 5)])
async def test_head_has_the_headers_and_no_body(
    stored: Path, wanted: str, status: int, length: int
) -> None:
    response = await ask(stored, method="HEAD", Range=wanted)
    assert (response.status_code, response["Content-Length"]) == (status, str(length))
    assert not response.streaming
    response.close()


async def test_an_empty_file(stored: Path) -> None:
    stored.write_bytes(b"")
    whole, part = await ask(stored), await ask(stored, Range="bytes=0-")
    assert await body(whole) == b""
    assert part.status_code == 416
    part.close()


async def test_pieces_are_small(stored: Path) -> None:
    os.truncate(stored, 3 * READ_BYTES + 1)
    response = await ask(stored)
    pieces = [len(piece) async for piece in cast(Any, response)]
    assert pieces == [READ_BYTES] * 3 + [1]
    response.close()


async def test_a_file_deleted_meanwhile_is_still_sent_whole(stored: Path) -> None:
    response = await ask(stored)
    stored.unlink()
    assert await body(response) == DATA


async def test_a_missing_file_is_said_to_be_gone(stored: Path) -> None:
    stored.unlink()
    with pytest.raises(RequestError, match="gone from the server"):
        await ask(stored)


async def test_headers_keep_a_file_from_acting_as_a_page(stored: Path) -> None:
    response = await ask(stored, media_type="text/html", name="page.html")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert response["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["Cache-Control"].startswith("private")
    assert response["Content-Disposition"].startswith("attachment;")
    response.close()


@pytest.mark.parametrize(
    ("media_type", "shown"),
    [
        ("image/jpeg", "inline"),
        ("video/mp4", "inline"),
        ("text/plain", "inline"),
        ("image/svg+xml", "attachment"),
        ("text/html", "attachment"),
        ("application/xml", "attachment"),
        ("application/pdf", "attachment"),
        ("application/octet-stream", "attachment"),
    ],
)
async def test_only_harmless_types_are_shown(stored: Path, media_type: str, shown: str) -> None:
    response = await ask(stored, media_type=media_type)
    asked = await ask(stored, media_type=media_type, download=True)
    assert response["Content-Disposition"].startswith(shown)
    assert asked["Content-Disposition"].startswith("attachment")
    response.close()
    asked.close()


@pytest.mark.parametrize(
    ("name", "plain", "full"),
    [
        ("a b.txt", "a b.txt", "a%20b.txt"),
        ('q"uo\\te%41.txt', "te_41.txt", "te%2541.txt"),
        ("é語.txt", "??.txt", "%C3%A9%E8%AA%9E.txt"),
        ("a\r\nSet-Cookie: x.txt", "aSet-Cookie: x.txt", "aSet-Cookie%3A%20x.txt"),
    ],
)
async def test_names_in_the_header(stored: Path, name: str, plain: str, full: str) -> None:
    response = await ask(stored, name=name, download=True)
    expected = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{full}"
    assert response["Content-Disposition"] == expected
    response.close()


async def test_a_proxy_may_send_the_bytes(stored: Path, settings: Any) -> None:
    settings.TIDEMILL_ACCEL_PREFIX = "/internal/"
    response = await ask(stored, name="a.bin", Range="bytes=0-4")
    assert (response.status_code, response["X-Accel-Redirect"]) == (200, "/internal/store/a")
    assert "Content-Security-Policy" in response
    response.close()


async def paged(path: Path, **facts: Any) -> HttpResponseBase:
    """Ask for a file as results do that an operation made as a page."""
    facts = {"name": "a.html", "media_type": "text/html", "etag": ETAG, "download": False, **facts}
    return await file_response(RequestFactory().get("/"), path=path, page=True, **facts)


async def test_an_operations_page_is_shown_without_any_right(stored: Path) -> None:
    response = await paged(stored)
    response.close()
    assert response["Content-Disposition"].startswith("inline")
    rules = response["Content-Security-Policy"].split("; ")
    assert {"sandbox", "default-src 'none'", "frame-ancestors 'self'"} <= set(rules)
    assert not any("script" in rule or "allow" in rule for rule in rules)
    assert response["X-Frame-Options"] == "SAMEORIGIN"


async def test_a_page_is_kept_when_it_is_asked_for_as_a_download(stored: Path) -> None:
    response = await paged(stored, download=True)
    response.close()
    assert response["Content-Disposition"].startswith("attachment")
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"


SVG = {"media_type": "image/svg+xml"}


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "application/xhtml+xml"])
async def test_other_markup_is_never_shown(stored: Path, media_type: str) -> None:
    for response in (await ask(stored, media_type=media_type), await paged(stored, **SVG)):
        response.close()
        assert response["Content-Disposition"].startswith("attachment")
