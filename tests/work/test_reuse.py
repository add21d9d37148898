"""Reuse: what was done before is taken over, file by file, and by nobody else."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_user
from tests.support.holders import errors, race
from tests.work.conftest import work_off
from uploads.models import Item, Job, Result, Upload
from uploads.states import JobState, StepKind
from uploads.storage import store
from uploads.work.retention import remove_orphans
from uploads.work.retry import retry_with
from uploads.work.run import run_next
from uploads.work.submit import JobRequest, StageRequest, submit

pytestmark = pytest.mark.django_db

TextUpload = Callable[..., Upload]
Link = str | tuple[str, dict[str, Any]]
SHOUT: Link = ("test.copy", {"shout": True})


@pytest.fixture(autouse=True)
def wanted(settings: Any) -> None:
    settings.TIDEMILL_REUSE = True


@pytest.fixture
def job(alice: User, text_upload: TextUpload) -> Callable[..., Job]:
    """Send files with these texts anew and run a chain of operations over them to its end."""

    def make(texts: list[str], *links: Link, owner: User | None = None, **values: Any) -> Job:
        files = [text_upload(text, f"file-{n}.txt", owner) for n, text in enumerate(texts)]
        named = [(link, {}) if isinstance(link, str) else link for link in links or ["test.copy"]]
        stages = [StageRequest(name, options) for name, options in named]
        made = submit(owner or alice, JobRequest(stages, [f.key for f in files], **values))
        work_off()
        made.refresh_from_db()
        assert made.is_finished
        return made

    return make


def taken(job: Job) -> list[bool]:
    """Tell for each item of a job whether its results were taken over."""
    items = job.items.order_by("stage__position", "position")
    return [twin is not None for twin in items.values_list("twin", flat=True)]


def contents(job: Job, role: str = "result") -> dict[str, str]:
    rows = job.results.filter(role=role).order_by("item__position", "position")
    return {row.name: store.path(row.storage_key).read_text() for row in rows}


def works(job: Job) -> int:
    return job.steps.exclude(kind=StepKind.PLAN).count()


def test_the_same_file_is_not_done_again(job: Callable[..., Job]) -> None:
    first, second = job(["one", "two"]), job(["one", "two"])
    assert (taken(first), taken(second)) == ([False, False], [True, True])
    assert contents(second) == contents(first) == {"file-0.txt": "one", "file-1.txt": "two"}
    assert (works(second), second.state, second.items_done) == (0, JobState.SUCCEEDED, 2)
    said = [event.text for event in second.events.all()]
    assert "Done before in the same way, so taken over: 2 of the files." in said
    assert not any("Planned" in text for text in said)


def test_a_file_more_costs_that_file(job: Callable[..., Job]) -> None:
    job(["one", "two"])
    more = job(["one", "two", "three"])
    assert taken(more) == [True, True, False]
    assert list(contents(more).values()) == ["one", "two", "three"]
    assert works(more) == 1


def test_another_content_of_the_same_length_is_done(job: Callable[..., Job]) -> None:
    job(["one"])
    other = job(["two"])
    assert taken(other) == [False]
    assert contents(other) == {"file-0.txt": "two"}


@pytest.mark.parametrize("options", [{"shout": True}, {"pause": 0.01}])
def test_other_options_are_done(job: Callable[..., Job], options: dict[str, Any]) -> None:
    job(["one"])
    assert taken(job(["one"], ("test.copy", options))) == [False]


def test_a_newer_version_of_the_operation_is_done(
    job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    from uploads.operations.registry import find

    job(["one"])
    monkeypatch.setattr(find("test.copy"), "version", 99)
    assert taken(job(["one"])) == [False]


def test_nobody_gets_anything_of_somebody_else(job: Callable[..., Job]) -> None:
    job(["one"])
    bob = make_user("bob")
    job(["two"], owner=bob)  # now files of this length are read before the work
    assert taken(job(["one"], owner=bob)) == [False]


def test_failures_are_never_taken_over(job: Callable[..., Job]) -> None:
    first, second = job(["bad", "one"]), job(["bad", "one"])
    assert (first.state, second.state) == (JobState.PARTIAL, JobState.PARTIAL)
    assert taken(second) == [False, True]


def test_warnings_are_taken_over(job: Callable[..., Job]) -> None:
    job(["warn"])
    again = job(["warn"])
    assert taken(again) == [True]
    assert again.items.get().warnings == ["looks odd"]


def test_names_are_those_that_this_job_wants(job: Callable[..., Job]) -> None:
    job(["zero", "one"])
    again = job(["zero", "one"], names="{n}-{name}-new")
    assert taken(again) == [True, True]
    assert list(contents(again)) == ["1-file-0-new.txt", "2-file-1-new.txt"]


def test_a_sample_is_always_done_but_taken_over_from(job: Callable[..., Job]) -> None:
    job(["one"])
    tried = job(["one", "two"], sample=True)
    assert not any(taken(tried))
    assert taken(job(["two"], names="")) == [False]  # it was the second file, of another name


def test_everything_can_be_wanted_anew(job: Callable[..., Job]) -> None:
    job(["one"])
    assert taken(job(["one"], anew=True)) == [False]
    assert taken(job(["one"])) == [True]


def test_it_can_be_switched_off(job: Callable[..., Job], settings: Any) -> None:
    job(["one"])
    settings.TIDEMILL_REUSE = False
    off = job(["one"])
    assert taken(off) == [False]
    assert Item.objects.get(job=off).result_key == ""


def test_large_files_are_not_read_for_it(job: Callable[..., Job], settings: Any) -> None:
    settings.TIDEMILL_REUSE_MAX_BYTES = 2
    job(["one"])
    assert taken(job(["one"])) == [False]
    assert not Upload.objects.exclude(sha256="").exists()


def test_what_takes_all_is_taken_over_when_all_are_the_same(job: Callable[..., Job]) -> None:
    job(["one", "two"], "test.all")
    same, swapped = job(["one", "two"], "test.all"), job(["two", "one"], "test.all")
    assert (taken(same), taken(swapped)) == ([True], [False])
    assert contents(same) == {"all.txt": "onetwo"}


def test_a_divided_file_is_taken_over_whole(job: Callable[..., Job]) -> None:
    first, second = job(["a\nb\nc"], "test.lines"), job(["a\nb\nc"], "test.lines")
    assert taken(second) == [True]
    assert contents(second) == contents(first)
    assert works(second) == 0


def test_a_chain_starts_where_it_differs(job: Callable[..., Job]) -> None:
    job(["a\nb"], "test.split", "test.copy", "test.all")
    other = job(["a\nb"], "test.split", "test.copy", ("test.all", {"pause": 0.01}))
    assert taken(other) == [True, True, True, False]
    assert contents(other) == {"all.txt": "ab"}
    assert works(other) == 1


def test_what_was_an_end_may_go_on_now(job: Callable[..., Job]) -> None:
    job(["a\nb"], "test.split")
    longer = job(["a\nb"], "test.split", SHOUT)
    assert taken(longer) == [True, False, False]
    assert list(contents(longer).values()) == ["A", "B"]
    assert list(contents(longer, "between").values()) == ["a", "b"]


def test_bytes_stay_as_long_as_anybody_refers_to_them(
    job: Callable[..., Job], django_capture_on_commit_callbacks: Any
) -> None:
    first, second = job(["one"]), job(["one"])
    (kept,) = second.results.values_list("storage_key", flat=True)
    with django_capture_on_commit_callbacks(execute=True):
        assert first.remove("alice") == 0 or store.path(kept).exists()
    assert contents(second) == {"file-0.txt": "one"}
    third = job(["one"])
    remove_orphans(0, -1)
    assert taken(third) == [True]
    with django_capture_on_commit_callbacks(execute=True):
        second.remove("alice")
        third.remove("alice")
    assert not store.path(kept).exists()


def test_lost_bytes_are_made_again(job: Callable[..., Job]) -> None:
    first = job(["one"])
    store.path(first.results.get().storage_key).unlink()
    again = job(["one"])
    assert taken(again) == [False]
    assert contents(again) == {"file-0.txt": "one"}


def test_a_retry_of_what_was_done_together_shares_nothing_away(
    job: Callable[..., Job], django_capture_on_commit_callbacks: Any
) -> None:
    first = job(["one", "bad"], "test.copy", "test.all")
    shared = job(["one", "bad"], "test.copy", "test.all")
    assert taken(shared) == [True, False, True]
    with django_capture_on_commit_callbacks(execute=True):
        retry_with(first, "alice")
        work_off()
    assert contents(shared) == {"all.txt": "one"}


def test_the_same_file_twice_in_one_job_is_done_twice(job: Callable[..., Job]) -> None:
    made = job(["one", "one"])
    assert taken(made) == [False, False]
    assert Result.objects.filter(job=made).count() == 2


def test_progress_counts_only_what_there_is_to_do(
    job: Callable[..., Job], alice: User, text_upload: TextUpload
) -> None:
    job(["one"])
    files = [text_upload("one", "file-0.txt"), text_upload("new", "file-1.txt")]
    half = submit(alice, JobRequest([StageRequest("test.copy", {})], [f.key for f in files]))
    assert run_next("light")
    half.refresh_from_db()
    assert half.items_done == 1
    assert half.weight_total - half.weight_done == pytest.approx(1.0)
    work_off()
    half.refresh_from_db()
    assert half.weight_total == pytest.approx(half.weight_done)


def test_files_sent_by_form_and_in_pieces_are_the_same(job: Callable[..., Job]) -> None:
    first = job(["one"])
    digest = first.items.get().upload
    assert digest is not None and len(digest.sha256) == 64
    assert Path(store.path(digest.storage_key)).read_text() == "one"


def test_page_and_api_say_what_was_taken_over(job: Callable[..., Job], alice: User) -> None:
    first, second = job(["one", "two"]), job(["one", "two", "three"])
    browser = Client()
    browser.force_login(alice)
    page = browser.get(f"/jobs/{second.key}/").content.decode()
    assert "2\u00a0files were done before in the same way" in page
    assert "done before" not in browser.get(f"/jobs/{first.key}/").content.decode()
    items = browser.get(f"/api/v1/jobs/{second.key}/items/").json()["results"]
    assert [item["reused_from"] for item in items] == [first.key, first.key, None]


def test_a_form_can_ask_for_everything_again(job: Callable[..., Job], alice: User) -> None:
    before = job(["one"])
    browser = Client()
    browser.force_login(alice)
    filled = browser.get(f"/?again={before.key}&anew=on").content.decode()
    assert 'name="anew" checked' in filled
    keys = [item.upload.key for item in before.items.all() if item.upload]
    for sent, expected in [({}, True), ({"anew": "on"}, False)]:
        answer = browser.post("/", {"uploads": keys, "operation": "test.copy", **sent})
        work_off()
        made = Job.objects.get(key=answer["Location"].split("/")[2])
        assert taken(made) == [expected]


@pytest.mark.django_db(transaction=True)
def test_a_removal_beside_a_reuse_costs_nobody_his_bytes(job: Callable[..., Job]) -> None:
    for number in range(3):
        old = job([f"text {number}"])
        new = job_to_be(old)
        removed, planned = race(
            partial(Job.objects.get(pk=old.pk).remove, "alice"),
            partial(run_next, "light"),
            seed=number,
        )
        errors([removed, planned])
        work_off()
        assert list(contents(new).values()) == [f"text {number}"]


def job_to_be(old: Job) -> Job:
    """Send the files of a job again, under the same names, without working on them yet."""
    keys = [item.upload.key for item in old.items.all() if item.upload]
    return submit(old.owner, JobRequest([StageRequest("test.copy", {})], keys))
