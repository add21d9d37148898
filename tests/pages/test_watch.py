"""Streams by HTTP: what can be watched before all is made is byte for byte what there is at the end."""

import re
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import Client

from tests.pages.streams import Making
from uploads.models import Item, Result

pytestmark = pytest.mark.django_db


@pytest.fixture
def making(alice: User, tmp_path: Path) -> Making:
    return Making(alice, tmp_path)


@pytest.fixture
def client(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def ask(client: Client, making: Making, name: str, **headers: str) -> Any:
    return client.get(f"/jobs/{making.job.key}/watch/1/{name}", headers=headers)


async def _gathered(answer: Any) -> bytes:
    return b"".join([piece async for piece in answer.streaming_content])


def content(answer: Any) -> bytes:
    if not answer.streaming:
        return bytes(answer.content)
    return async_to_sync(_gathered)(answer)


def segments(text: str) -> list[tuple[int, int]]:
    found = re.findall(r"#EXT-X-BYTERANGE:(\d+)@(\d+)", text)
    return [(int(offset), int(size)) for size, offset in found]


def test_nothing_can_be_watched_before_sound_and_first_piece(making: Making, client: Client):
    assert ask(client, making, "index.m3u8").status_code == 404
    making.finish(1)
    assert ask(client, making, "index.m3u8").status_code == 404, "the sound is missing"
    page = client.get(f"/jobs/{making.job.key}/watch/1/").content.decode()
    assert "The first seconds are being made" in page
    making.finish(0)
    text = content(ask(client, making, "index.m3u8")).decode()
    assert "120p.m3u8" in text and "60p.m3u8" in text and 'URI="sound.m3u8"' in text
    assert (
        "can be watched already" in client.get(f"/jobs/{making.job.key}/watch/1/").content.decode()
    )


def test_what_lies_behind_a_gap_is_not_listed_yet(making: Making, client: Client):
    for number in (0, 1, 3):
        making.finish(number)
    before = content(ask(client, making, "120p.m3u8")).decode()
    assert "#EXT-X-ENDLIST" not in before and "EVENT" in before
    making.finish(2)
    after = content(ask(client, making, "120p.m3u8")).decode()
    assert after.startswith(before), "players see it grow at its end alone"
    assert len(segments(after)) > len(segments(before))


def test_bytes_do_not_change_when_the_parts_are_joined(making: Making, client: Client):
    for number in range(len(making.parts)):
        making.finish(number)
    early = content(ask(client, making, "120p.m3u8")).decode()
    first = [
        content(ask(client, making, "120p.mp4", range=f"bytes={at}-{at + size - 1}"))
        for at, size in segments(early)
    ]
    sound = content(ask(client, making, "sound.mp4"))
    making.join()
    late = content(ask(client, making, "120p.m3u8")).decode()
    assert "#EXT-X-ENDLIST" in late and "VOD" in late
    assert segments(late) == segments(early)
    whole = content(ask(client, making, "120p.mp4"))
    assert [whole[at : at + size] for at, size in segments(late)] == first
    assert content(ask(client, making, "sound.mp4")) == sound


def test_ranges_cross_parts_and_end_where_the_parts_end(making: Making, client: Client):
    for number in range(len(making.parts)):
        making.finish(number)
    whole = content(ask(client, making, "60p.mp4"))
    answer = ask(client, making, "60p.mp4", range=f"bytes=10-{len(whole) - 11}")
    assert answer.status_code == 206
    assert content(answer) == whole[10:-10]
    assert ask(client, making, "60p.mp4", range=f"bytes={len(whole)}-").status_code == 416


@pytest.mark.parametrize("name", ["../index.m3u8", "999p.m3u8", "999p.mp4", "part-0-120p.mp4", "x"])
def test_other_names_are_not_found(name: str, making: Making, client: Client):
    making.finish(0)
    making.finish(1)
    assert ask(client, making, name).status_code == 404


def test_the_gallery_shows_one_film_and_the_zip_holds_all_of_it(making: Making, client: Client):
    for number in range(len(making.parts)):
        making.finish(number)
    making.join()
    page = client.get(f"/jobs/{making.job.key}/results/").content.decode()
    assert page.count('class="shot"') == 1 and f"/jobs/{making.job.key}/watch/1/" in page
    listed = re.findall(r'name="r" value="(\w+)"', page)
    for query in ("", f"?r={listed[0]}"):
        archive = content(client.get(f"/jobs/{making.job.key}/results.zip{query}"))
        for name in ("index.m3u8", "120p.mp4", "120p.m3u8", "60p.mp4", "sound.mp4", "sound.m3u8"):
            assert f"Evening/{name}".encode() in archive


def test_two_films_of_one_name_get_folders_of_their_own(
    making: Making, client: Client, alice: User, tmp_path: Path
):
    (tmp_path / "second").mkdir()
    other = Making(alice, tmp_path / "second")
    for one in (making, other):
        for number in range(len(one.parts)):
            one.finish(number)
        one.join()
    # Both in one job, as two folders of films with equal names would be.
    Item.objects.filter(pk=other.item.pk).update(job=making.job, position=1)
    Result.objects.filter(item=other.item).update(job=making.job)
    archive = content(client.get(f"/jobs/{making.job.key}/results.zip"))
    for name in ("index.m3u8", "120p.mp4", "120p.m3u8", "sound.mp4"):
        assert f"Evening/{name}".encode() in archive
        assert f"Evening (2)/{name}".encode() in archive


def test_a_job_that_makes_no_stream_has_nothing_to_watch(photo: Any, client: Client, alice: User):
    from tests.factories import make_job

    job = make_job(alice, [photo], "image.convert")
    assert client.get(f"/jobs/{job.key}/watch/1/").status_code == 404
