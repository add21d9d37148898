"""The page of a job: right without scripts in every state, its commands, its results, its log."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from tests.factories import make_user
from tests.live.drive import claim, fail, finish, make_job, plan, receiving, say
from uploads.models import EventKind, Job, Result, Upload, Worker
from uploads.storage import store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice() -> User:
    return make_user("alice")


@pytest.fixture
def browser(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def fetch(browser: Client) -> Iterator[Callable[..., Any]]:
    """Ask for bytes; what answers is closed with the test, as a server does."""
    with ExitStack() as stack:

        def get(address: str, *values: Any, **named: Any) -> Any:
            answer = browser.get(address, *values, **named)
            stack.callback(answer.close)
            return answer

        yield get


@pytest.fixture
def job(alice: User) -> Job:
    made = make_job(alice, files=3)
    plan(made)
    return made


def page(browser: Client, job: Job, query: str = "") -> str:
    answer = browser.get(f"/jobs/{job.key}/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def end(job: Job, *, bad: int = 0, warn: str = "") -> None:
    """Work the job off; the first `bad` items fail."""
    for position in range(job.items_total):
        step = claim(job)
        if position < bad:
            fail(step, detail="VipsJpeg: premature end")
        else:
            finish(step, warn=warn)
    job.refresh_from_db()


def test_a_running_job_refreshes_itself_only_without_scripts(browser: Client, job: Job) -> None:
    finish(claim(job))
    shown = page(browser, job)
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in shown
    assert '<span data-bind="percent">33</span>' in shown
    assert "1 of 3" in shown


def test_an_ended_job_stands_still_and_shows_its_results(browser: Client, job: Job) -> None:
    end(job)
    shown = page(browser, job)
    assert "http-equiv" not in shown
    assert "All done." in shown
    assert f"/jobs/{job.key}/results.zip" in shown
    assert "Kept until" in shown


def test_a_small_picture_alone_stands_for_its_file(browser: Client, job: Job) -> None:
    """A poster can be all that is made of a film; beside a larger result it is left out."""
    end(job)
    first, second, third = job.results.order_by("pk")
    Result.objects.filter(pk__in=[first.pk, third.pk]).update(
        meta={"preview": True}, name="small.jpg"
    )
    Result.objects.filter(pk=third.pk).update(item=second.item)
    shown = page(browser, job)
    assert f"/results/{first.key}/" in shown and f"/results/{second.key}/" in shown
    assert f'href="/results/{third.key}/' not in shown


def test_failed_files_are_named_with_reason_and_fix(browser: Client, job: Job) -> None:
    end(job, bad=1)
    shown = page(browser, job)
    assert "Done, but not all of it." in shown
    assert "“IMG_2000.jpg” is not an image that can be read." in shown
    assert "save it again as JPEG or PNG" in shown
    assert "VipsJpeg: premature end" in shown


def test_warnings_stand_beside_the_result(browser: Client, job: Job) -> None:
    end(job, warn="The colour profile was ignored.")
    assert "The colour profile was ignored." in page(browser, job)


def test_markup_in_names_and_lines_stays_text(browser: Client, alice: User) -> None:
    job = make_job(alice, files=1, name="<img src=x onerror=alert(1)>")
    say(job, "<script>alert(2)</script>")
    shown = page(browser, job)
    assert "<img src=x" not in shown
    assert "<script>alert" not in shown


def test_a_waiting_job_says_why(browser: Client, job: Job) -> None:
    assert "No worker" in page(browser, job)
    Worker.objects.create(host="mill", pid=1, start_time="1", lane="cpu")
    assert "Next in line" in page(browser, job)


def test_a_paused_job_says_who_paused_it(browser: Client, job: Job) -> None:
    browser.post(f"/jobs/{job.key}/pause/")
    shown = page(browser, job)
    assert "Paused by alice." in shown
    assert f"/jobs/{job.key}/resume/" in shown


def test_a_receiving_job_shows_what_has_arrived(browser: Client, alice: User) -> None:
    shown = page(browser, receiving(alice, files=3))
    assert "2 of 3 files have arrived." in shown
    assert "of the bytes have arrived" in shown


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("pause", EventKind.PAUSED),
        ("cancel", EventKind.CANCEL_REQUESTED),
    ],
)
def test_a_command_is_obeyed_noted_and_leads_back(
    browser: Client, job: Job, command: str, kind: str
) -> None:
    answer = browser.post(f"/jobs/{job.key}/{command}/")
    assert (answer.status_code, answer["Location"]) == (303, f"/jobs/{job.key}/")
    event = job.events.get(kind=kind)
    assert event.actor == "alice"


def test_cancel_ends_what_waits_while_a_batch_still_runs(browser: Client, job: Job) -> None:
    running = claim(job)
    job.items.filter(position=2).update(step=None)
    browser.post(f"/jobs/{job.key}/cancel/")
    states = list(job.items.order_by("position").values_list("state", flat=True))
    assert states == ["open", "cancelled", "cancelled"]
    finish(running)
    job.refresh_from_db()
    assert (job.state, job.items_done) == ("cancelled", 1)


def test_retry_does_only_what_failed_again(browser: Client, job: Job) -> None:
    end(job, bad=1)
    browser.post(f"/jobs/{job.key}/retry/")
    job.refresh_from_db()
    assert (job.state, job.items_open, job.items_done) == ("queued", 1, 2)


def test_a_command_that_is_not_possible_says_so(browser: Client, job: Job) -> None:
    answer = browser.post(f"/jobs/{job.key}/retry/", follow=True)
    assert "there is nothing to retry" in answer.content.decode()


def test_commands_need_a_post_with_its_token(alice: User, job: Job) -> None:
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(alice)
    assert careful.post(f"/jobs/{job.key}/cancel/").status_code == 403
    assert careful.get(f"/jobs/{job.key}/cancel/").status_code == 405
    job.refresh_from_db()
    assert job.cancel_requested_at is None


def test_the_mail_at_the_end_is_switched_on_and_off(
    browser: Client, job: Job, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert "E-mail me when it is done" in page(browser, job)
    browser.post(f"/jobs/{job.key}/notify/", {"notify": "on"})
    assert "An e-mail goes to alice@example.org" in page(browser, job)
    browser.post(f"/jobs/{job.key}/notify/")
    job.refresh_from_db()
    assert job.notify == ""


def test_deleting_frees_results_and_uploads_that_nobody_else_uses(
    browser: Client, alice: User, job: Job
) -> None:
    end(job)
    other = make_job(alice, files=1)
    shared = job.inputs.first().upload  # type: ignore[union-attr]
    other.inputs.update(upload=shared)
    results = [store.path(row.storage_key) for row in job.results.all()]
    inputs = [store.path(use.upload.storage_key) for use in job.inputs.all()]
    answer = browser.post(f"/jobs/{job.key}/delete/")
    assert (answer.status_code, answer["Location"]) == (303, "/jobs/")
    assert not Job.objects.filter(pk=job.pk).exists()
    assert not Result.objects.exists()
    assert [path.exists() for path in results] == [False, False, False]
    assert [path.exists() for path in inputs] == [True, False, False]
    assert Upload.objects.get(pk=shared.pk).is_complete


def test_a_running_job_can_be_deleted_and_its_worker_finds_nothing(
    browser: Client, job: Job
) -> None:
    step = claim(job)
    browser.post(f"/jobs/{job.key}/delete/")
    assert not type(step).succeed(step.lease)


def test_the_log_is_whole_in_its_file(browser: Client, job: Job) -> None:
    for number in range(230):
        say(job, f"line {number}")
    shown = page(browser, job)
    assert ">line 229<" in shown
    assert ">line 5<" not in shown
    answer = browser.get(f"/jobs/{job.key}/log.txt")
    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert sum(" line " in line for line in lines) == 230


def test_the_gallery_pages_by_sixty_and_filters_by_name(browser: Client, alice: User) -> None:
    job = make_job(alice, files=70)
    for step in plan(job, batch=70):
        finish(claim(job), seed=1)
        assert step.job_id == job.pk
    first = browser.get(f"/jobs/{job.key}/results/").content.decode()
    second = browser.get(f"/jobs/{job.key}/results/?page=2&show=table").content.decode()
    found = browser.get(f"/jobs/{job.key}/results/?q=2069").content.decode()
    assert (first.count('class="pick"'), second.count('name="r"')) == (60, 10)
    assert found.count('class="pick"') == 1
    assert "IMG_2069.jpg" in found


def test_a_result_and_its_original_are_served_with_range(fetch: Any, job: Job) -> None:
    end(job)
    result = job.results.first()
    assert result is not None
    whole = fetch(f"/results/{result.key}/content")
    part = fetch(f"/results/{result.key}/content", headers={"Range": "bytes=2-5"})
    assert whole.status_code == 200
    assert "inline" in whole["Content-Disposition"]
    assert (part.status_code, part["Content-Range"]) == (206, f"bytes 2-5/{result.size_bytes}")
    kept = fetch(f"/results/{result.key}/content?download=1")
    assert kept["Content-Disposition"].startswith("attachment")
    before = fetch(f"/results/{result.key}/original")
    assert before["Content-Type"] == "image/jpeg"


def test_a_selection_is_one_zip(fetch: Any, job: Job) -> None:
    end(job)
    keys = list(job.results.values_list("key", flat=True))
    every = fetch(f"/jobs/{job.key}/results.zip")
    chosen = fetch(f"/jobs/{job.key}/results.zip", {"r": keys[:1]})
    assert every["Content-Type"] == "application/zip"
    assert int(chosen["Content-Length"]) < int(every["Content-Length"])


DOORS = (
    "/jobs/{job}/",
    "/jobs/{job}/log.txt",
    "/jobs/{job}/results/",
    "/jobs/{job}/results.zip",
    "/results/{result}/content",
    "/results/{result}/original",
    "/jobs/{job}/state",
)


@pytest.mark.parametrize("door", DOORS)
def test_what_is_not_yours_is_not_there(client: Client, job: Job, door: str) -> None:
    end(job)
    result = job.results.first()
    assert result is not None
    client.force_login(make_user("bob"))
    address = door.format(job=job.key, result=result.key)
    nowhere = door.format(job="0" * 24, result="0" * 24)
    foreign, missing = client.get(address), client.get(nowhere)
    assert foreign.status_code == missing.status_code == 404


@pytest.mark.parametrize("command", ["cancel", "pause", "resume", "retry", "notify", "delete"])
def test_no_command_reaches_a_foreign_job(client: Client, job: Job, command: str) -> None:
    client.force_login(make_user("bob"))
    before = Job.objects.get(pk=job.pk).seq
    assert client.post(f"/jobs/{job.key}/{command}/").status_code == 404
    assert Job.objects.get(pk=job.pk).seq == before


def test_the_state_url_tells_patches_snaps_and_no_news(browser: Client, job: Job) -> None:
    finish(claim(job))
    job.refresh_from_db()
    address = f"/jobs/{job.key}/state"
    patch = browser.get(address, {"after": 1}).json()
    assert (patch["t"], patch["prev"], patch["seq"]) == ("patch", 1, job.seq)
    assert [event[0] for event in patch["ev"]] == list(range(2, job.seq + 1))
    assert browser.get(address).json()["t"] == "snap"
    assert browser.get(address, {"after": job.seq + 1}).json()["t"] == "snap"
    assert (
        browser.get(address, {"after": "x"}, headers={"accept": "application/json"}).status_code
        == 400
    )
    known = browser.get(address, {"after": job.seq})
    again = browser.get(address, {"after": job.seq}, headers={"If-None-Match": known["ETag"]})
    assert again.status_code == 304


def test_a_page_of_ten_thousand_items_asks_few_questions(
    browser: Client, alice: User, django_assert_max_num_queries: Any
) -> None:
    job = make_job(alice, files=12)
    steps = plan(job, batch=4)
    finish(claim(job), seed=1)
    Job.objects.filter(pk=job.pk).update(items_total=10_000, started_at=timezone.now())
    assert len(steps) == 3
    with django_assert_max_num_queries(30):
        page(browser, job)


def test_of_an_archive_with_many_files_only_those_shown_are_read(
    browser: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(alice, files=1)
    plan(job)
    finish(claim(job), seed=1)
    one = job.results.filter(role="result").get()
    Result.objects.bulk_create(
        Result(
            job=job,
            item_id=one.item_id,
            step_id=one.step_id,
            position=100 + number,
            name=f"{number}.txt",
            storage_key=one.storage_key,
            size_bytes=1,
            media_type="text/plain",
        )
        for number in range(500)
    )
    read: list[str] = []
    load = Result.from_db.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(
        Result, "from_db", classmethod(lambda cls, *row: read.append("") or load(cls, *row))
    )
    for address in (f"/jobs/{job.key}/", f"/jobs/{job.key}/results/"):
        read.clear()
        assert browser.get(address).status_code == 200
        assert len(read) < 150


def test_run_again_opens_with_the_same_files_operation_and_options(
    browser: Client, job: Job
) -> None:
    job.stages.update(options={**job.stages.get().options, "quality": 55})
    shown = browser.get(f"/?again={job.key}").content.decode()
    for use in job.inputs.all():
        assert f'value="{use.upload.key}"' in shown
    assert re.search(
        r'name="image.convert-quality"[^>]*value="55"|value="55"[^>]*name="image.convert-quality"',
        shown,
    )
    assert re.search(r'name="image.convert-preset" value="own" checked', shown)


def test_run_again_of_a_foreign_job_is_not_found(client: Client, job: Job) -> None:
    client.force_login(make_user("bob"))
    assert client.get(f"/?again={job.key}").status_code == 404


def test_one_failed_file_can_be_retried_alone(browser: Client, job: Job) -> None:
    end(job, bad=2)
    shown = page(browser, job)
    chosen = job.items.filter(state="failed").order_by("position")[1]
    assert f'aria-label="Retry {chosen.name}"' in shown
    browser.post(f"/jobs/{job.key}/retry/", {"item": chosen.position})
    assert list(job.items.filter(state="open")) == [chosen]
    job.refresh_from_db()
    assert (job.state, job.items_failed) == ("queued", 1)
