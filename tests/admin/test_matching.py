"""Which jobs the list finds: filters, search, order and pages, on each database."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.admin.people import JOBS, fail, visit
from tests.factories import make_job, make_upload
from tests.pages.api import make_person
from uploads.admin.failures import failures
from uploads.admin.matching import Matching
from uploads.admin.throughput import minutes, throughput
from uploads.models import Job
from uploads.models.staff import WATCHERS
from uploads.states import ItemState

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("database")]

TODAY = f"{timezone.now():%Y-%m-%d}"


@pytest.fixture
def two(alice: User, tmp_path: Path) -> list[Job]:
    """A failed job of Alice's, a day old, and a new one of Bob's that waits, moved up and paused."""
    found = []
    for name, owner in (("Sunset 100%_.jpg", alice), ("forest.jpg", make_person("bob"))):
        path = tmp_path / name
        path.write_bytes(b"x")
        found.append(make_job(owner, [make_upload(owner, path)], "image.convert"))
    step = found[0].steps.get()
    found[0].steps.filter(pk=step.pk).update(lease_owner="mill:ab.4:77:123")
    fail(found[0])
    Job.objects.filter(pk=found[0].pk).update(created_at=timezone.now() - timedelta(days=2))
    found[1].set_priority(20, "bob")
    found[1].pause("bob")
    return found


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("", [1, 0]),
        ("state=failed", [0]),
        ("state=troubled", [0]),
        ("state=unfinished", [1]),
        ("state=nonsense", []),
        ("owner=alice", [0]),
        ("owner=nobody", []),
        ("operation=image.convert", [1, 0]),
        ("operation=video.transcode", []),
        ("error=not_an_image", [0]),
        ("error=worker_lost", []),
        ("error=nonsense", []),
        ("failed=hour", [0]),
        ("failed=nonsense", []),
        ("worker=mill", [0]),
        ("worker=mill:77", [0]),
        ("worker=mill:7", []),
        ("worker=mill:x", []),
        ("paused=yes", [1]),
        ("priority=raised", [1]),
        ("priority=normal", [0]),
        ("priority=lowered", []),
        ("priority=20", [1]),
        ("age=hour", [1]),
        ("age=week", [1, 0]),
        ("age=older", []),
        (f"from={TODAY}", [1]),
        ("to=2020-01-01", []),
        ("from=yesterday", []),
        ("to=9999-12-31", []),
        ("q=FOREST", [1]),
        ("q=100%_", [0]),
        ("q=100__", []),
        ("q=alice", [0]),
        ("q=nothing", []),
        ("sort=oldest", [0, 1]),
        ("sort=priority", [1, 0]),
        ("sort=ended", [0]),
        ("sort=nonsense", [1, 0]),
        ("state=failed&owner=bob", []),
        ("nonsense=1", [1, 0]),
    ],
)
def test_the_list_finds_what_is_meant(two: list[Job], query: str, places: list[int]) -> None:
    assert list(Matching.parse(query).ordered()) == [two[place] for place in places]


def test_a_key_finds_its_job(two: list[Job]) -> None:
    assert list(Matching.parse(f"q={two[0].key}").ordered()) == [two[0]]


def test_a_matching_survives_its_own_address() -> None:
    matching = Matching.parse("?state=failed&q=a%26b&sort=oldest")
    assert Matching.parse(matching.query()) == matching


def test_the_page_shows_and_drops_filters(two: list[Job]) -> None:
    page = visit(WATCHERS).get(f"{JOBS}?state=failed&q=sunset").content.decode()
    assert f"{two[0].key}/change/" in page
    assert f"{two[1].key}/change/" not in page
    assert 'href="?q=sunset"' in page


@pytest.mark.parametrize("path", ["/admin/", JOBS, f"{JOBS}failures/", "/admin/admin/logentry/"])
def test_no_query_per_row(two: list[Job], tmp_path: Path, path: str) -> None:
    watcher = visit(WATCHERS)
    owner = two[0].owner
    files = [make_upload(owner, tmp_path / "forest.jpg")]

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert watcher.get(path).status_code == 200
        return len(captured)

    make_job(owner, files, "image.convert")
    queries()
    few = queries()
    for place in range(10):
        fresh = make_job(owner, files, "image.convert")
        if place % 2:
            fail(fresh)
    assert queries() <= few
    assert few <= 32


def test_failures_are_grouped_by_error_and_operation(two: list[Job]) -> None:
    (group,) = failures("day")
    assert (group.code, group.operation) == ("not_an_image", "image.convert")
    assert (group.items, group.jobs) == (1, 1)
    assert group.example.job == two[0]
    two[0].items.update(finished_at=timezone.now() - timedelta(hours=3))
    assert failures("hour") == []
    assert len(failures("day")) == 1


def test_a_group_of_failures_and_its_list_mean_the_same_jobs(two: list[Job]) -> None:
    owner, files = two[0].owner, [row.upload for row in two[0].inputs.all()]
    cancelled, running = (make_job(owner, files * 2, "image.convert") for _ in range(2))
    for job in (cancelled, running):
        job.end_item(job.items.order_by("pk")[0], ItemState.FAILED, code="not_an_image")
    cancelled.cancel("alice")
    cancelled.end_if_done()
    (group,) = failures("hour")
    assert (group.jobs, group.ended) == (3, 2)
    assert set(Matching.parse(group.query).rows()) == {two[0], cancelled}
    two[0].items.update(finished_at=timezone.now() - timedelta(hours=3))
    (group,) = failures("hour")
    assert list(Matching.parse(group.query).rows()) == [cancelled]


def test_the_chart_counts_files_by_minute(two: list[Job]) -> None:
    item = two[1].items.get()
    two[1].end_item(item, ItemState.SUCCEEDED)
    two[1].items.update(finished_at=timezone.now() - timedelta(minutes=30))
    chart = throughput()
    assert (chart.done, chart.failed) == (1, 1)
    assert [place for place, bar in enumerate(chart.bars) if bar.done] in ([29], [30])
    assert throughput() == chart


def test_the_chart_counts_what_came_since(two: list[Job]) -> None:
    assert throughput().done == 0
    two[1].end_item(two[1].items.get(), ItemState.SUCCEEDED)
    assert throughput().done == 1


def test_the_chart_counts_a_file_once_however_often_it_is_read(two: list[Job]) -> None:
    now = timezone.now().replace(second=30, microsecond=987_654)
    two[1].end_item(two[1].items.get(), ItemState.SUCCEEDED)
    boundary = now.replace(second=0, microsecond=0) - timedelta(minutes=2)
    two[1].items.update(finished_at=boundary + timedelta(seconds=1))
    for _ in range(3):
        assert minutes.counts(now)[ItemState.SUCCEEDED][boundary] == 1


def test_all_that_match_are_those_of_the_list(two: list[Job]) -> None:
    matching = Matching.parse("?sort=ended")
    assert set(matching.rows()) == set(matching.ordered()) == {two[0]}


def test_a_long_list_has_pages(two: list[Job]) -> None:
    Job.objects.bulk_create(Job(owner=two[0].owner, name="forest") for _ in range(52))
    watcher: Client = visit(WATCHERS)
    first = watcher.get(f"{JOBS}?owner=alice")
    assert len(first.context["rows"]) == 50
    assert "?owner=alice&amp;p=2" in first.content.decode()
    second = watcher.get(f"{JOBS}?owner=alice&p=2")
    assert [row.job for row in second.context["rows"]][-1] == two[0]
    assert len(second.context["rows"]) == 3
