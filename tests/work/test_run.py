"""From submit to the end of the job: rows, files, events."""

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from tests.factories import make_job, make_upload, make_user
from tests.work.conftest import work_off
from uploads.errors import RequestError
from uploads.models import Item, Job, Result, Step, Upload, Worker
from uploads.models.snapshot import snapshot
from uploads.states import ItemState, JobState, Lane, StepKind, StepState
from uploads.storage import store
from uploads.work.presence import me
from uploads.work.run import Following, drain, run_next
from uploads.work.submit import JobRequest, StageRequest, submit

pytestmark = pytest.mark.django_db

JobOf = Callable[..., Job]
TextUpload = Callable[..., Upload]


def contents(job: Job) -> list[str]:
    results = job.results.order_by("item__position", "position")
    return [store.path(result.storage_key).read_text() for result in results]


def test_a_batch_ends_with_a_result_for_each_file(job_of: JobOf) -> None:
    job = job_of("one", "two", "three", shout=True)
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert contents(job) == ["ONE", "TWO", "THREE"]
    assert [result.name for result in job.results.order_by("item__position")] == [
        "file-0.txt",
        "file-1.txt",
        "file-2.txt",
    ]
    assert list(store.scratch().iterdir()) == []


def test_a_bad_file_fails_alone_with_its_name_in_words(job_of: JobOf) -> None:
    job = job_of("one", "bad", "three")
    work_off()
    job.refresh_from_db()
    assert (job.state, job.items_done, job.items_failed) == (JobState.PARTIAL, 2, 1)
    item = job.items.get(state=ItemState.FAILED)
    assert "file-1.txt" in item.error_text
    assert item.error_fix


def test_a_crashing_file_is_tried_again_alone_and_then_failed(job_of: JobOf) -> None:
    job = job_of("one", "crash", "three")
    work_off()
    job.refresh_from_db()
    assert (job.items_done, job.items_failed) == (2, 1)
    assert job.items.get(state=ItemState.FAILED).error_code == "decoder_crashed"


def test_retry_does_exactly_the_failed_file_again(job_of: JobOf) -> None:
    job = job_of("one", "bad", "three")
    work_off()
    before = set(job.results.values_list("pk", flat=True))
    upload = job.items.get(state=ItemState.FAILED).upload
    assert upload is not None
    store.path(upload.storage_key).write_text("ok!")
    job.refresh_from_db()
    assert job.retry("alice") == 1
    work_off()
    job.refresh_from_db()
    assert (job.state, job.items_done, job.items_failed) == (JobState.SUCCEEDED, 3, 0)
    assert before < set(job.results.values_list("pk", flat=True))
    assert job.results.count() == 3


def test_pages_hear_which_result_is_a_picture_itself(job_of: JobOf) -> None:
    jobs = job_of("one"), job_of("picture", operation="test.split")
    work_off()
    told = [job.events.filter(kind="step_done").last() for job in jobs]
    assert [event.body["items"][0]["shows"] for event in told if event] == [False, True]


def test_a_fault_that_may_pass_is_tried_again_later_and_given_up_in_the_end(job_of: JobOf) -> None:
    job = job_of("flaky")
    tries = 0
    while job.items.filter(state=ItemState.OPEN).exists():
        Step.objects.filter(state=StepState.READY).update(not_before=timezone.now())
        work_off()
        tries += 1
        assert tries < 10
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert job.events.filter(kind="step_retry").count() == 2
    assert "no luck" in job.items.get().error_text


def test_a_postponed_step_is_not_claimed_before_its_time(job_of: JobOf) -> None:
    Worker.objects.create(host="here", pid=1, start_time="1", lane=Lane.CPU)
    job = job_of("flaky")
    work_off()
    due = Step.objects.next_due(Lane.CPU)
    assert due is not None
    assert due - timezone.now() > timedelta(seconds=3)
    assert snapshot(job)["waiting"]["reason"] == "retry"


def test_parts_are_joined_in_their_order(job_of: JobOf) -> None:
    job = job_of("a\nb\nc\n", "x\ny\n", operation="test.lines")
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert contents(job) == ["A\nB\nC\n", "X\nY\n"]
    assert not Result.objects.filter(role="part").exists()


@pytest.mark.django_db(transaction=True)
def test_the_bytes_of_parts_go_with_their_rows(job_of: JobOf) -> None:
    job = job_of("a\nb\n", operation="test.lines")
    work_off()
    files = list(store.path(f"store/{job.key[:2]}/{job.key}").rglob("*.txt"))
    assert [path.read_text() for path in files] == ["A\nB\n"]


def test_a_failed_part_fails_its_item_and_retry_keeps_the_good_parts(job_of: JobOf) -> None:
    job = job_of("a\nbad\nc\n", operation="test.lines")
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    done = job.steps.filter(kind=StepKind.WORK, state=StepState.SUCCEEDED).count()
    upload = Upload.objects.get()
    store.path(upload.storage_key).write_text("a\nbbb\nc\n")
    job.retry("alice")
    ready = job.steps.filter(kind=StepKind.WORK, state=StepState.READY).count()
    assert done + ready == 3
    assert done >= 1
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert contents(job)[-1] == "A\nBBB\nC\n"


def test_an_item_that_cannot_be_planned_fails_with_its_reason(job_of: JobOf) -> None:
    job = job_of("bad plan\n", "x\n", operation="test.lines")
    work_off()
    job.refresh_from_db()
    assert (job.state, job.items_failed, job.items_done) == (JobState.PARTIAL, 1, 1)


def test_all_files_at_once(job_of: JobOf) -> None:
    job = job_of("one ", "two", operation="test.all")
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert contents(job) == ["one two"]
    assert job.items_total == 1


def test_work_starts_before_the_last_file_is_here(alice: User, text_upload: TextUpload) -> None:
    here = text_upload("here", "here.txt")
    late = text_upload("late", "late.txt", complete=False)
    job = make_job(alice, [here, late], "test.copy")
    assert job.state == JobState.RECEIVING
    work_off()
    job.refresh_from_db()
    assert (job.items_done, job.state) == (1, JobState.RECEIVING)
    assert snapshot(job)["waiting"]["reason"] == "upload"
    late.complete(kind="text", media_type="text/plain")
    work_off()
    job.refresh_from_db()
    assert (job.items_done, job.state) == (2, JobState.SUCCEEDED)


def test_a_file_that_never_arrives_fails_its_item_only(
    alice: User, text_upload: TextUpload
) -> None:
    here = text_upload("here", "here.txt")
    late = text_upload("late", "late.txt", complete=False)
    job = make_job(alice, [here, late], "test.copy")
    late.remove(late.state.__class__("terminated"))
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.PARTIAL
    assert job.items.get(name="late.txt").error_code == "upload_removed"


def test_an_empty_file_and_a_wrong_kind_get_their_sentence(
    alice: User, text_upload: TextUpload
) -> None:
    empty = text_upload("", "empty.txt")
    late = text_upload("late", "late.bin", complete=False)
    job = make_job(alice, [empty, late], "test.copy")
    late.complete(kind="other", media_type="application/octet-stream")
    work_off()
    codes = dict(job.items.values_list("name", "error_code"))
    assert codes == {"empty.txt": "empty_file", "late.bin": "unfit_kind"}


def test_cancel_ends_what_waits_at_once(job_of: JobOf) -> None:
    job = job_of("one", "two")
    assert run_next(Lane.LIGHT)
    assert job.cancel("alice")
    assert job.state == JobState.CANCELLED
    assert work_off() == 0
    assert set(job.steps.values_list("state", flat=True)) <= {"succeeded", "cancelled"}


def test_a_cancelled_job_can_be_run_again(job_of: JobOf) -> None:
    job = job_of("one", "two")
    job.cancel("alice")
    job.retry("alice")
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED


def test_a_paused_job_is_not_claimed_and_says_who_paused_it(job_of: JobOf) -> None:
    job = job_of("one")
    assert job.pause("bob")
    assert work_off() == 0
    waiting = snapshot(job)["waiting"]
    assert waiting["reason"] == "paused"
    assert "bob" in waiting["text"]
    job.resume("bob")
    assert work_off() == 2


def test_another_owners_single_file_does_not_wait_for_a_big_job(job_of: JobOf) -> None:
    big = job_of(*[f"text {n}" for n in range(40)])
    run_next(Lane.LIGHT)
    small = job_of("one", owner=make_user("bob"))
    run_next(Lane.LIGHT)
    first = Step.objects.claim(Lane.CPU, "w:1:1:1")
    second = Step.objects.claim(Lane.CPU, "w:1:1:1")
    assert first is not None
    assert second is not None
    assert {first.job_id, second.job_id} == {big.pk, small.pk}


def test_a_priority_job_takes_the_next_claims(job_of: JobOf) -> None:
    job_of(*[f"text {n}" for n in range(20)])
    urgent = job_of("now", owner=make_user("bob"))
    urgent.set_priority(50, "admin")
    while run_next(Lane.LIGHT):
        pass
    step = Step.objects.claim(Lane.CPU, "w:1:1:1")
    assert step is not None
    assert step.job_id == urgent.pk


def test_a_stale_worker_commits_nothing(job_of: JobOf) -> None:
    job = job_of("one")
    run_next(Lane.LIGHT)
    stale = Step.objects.claim(Lane.CPU, "w:1:1:1")
    assert stale is not None
    Step.objects.filter(pk=stale.pk).update(state=StepState.READY, lease_owner="")
    fresh = Step.objects.claim(Lane.CPU, "w:2:2:2")
    assert fresh is not None
    assert fresh.lease_token != stale.lease_token
    assert not Step.succeed(stale.lease)
    assert not Step.renew(stale.lease, 0.5)
    assert Step.renew(fresh.lease, 0.5)
    assert job.items_done == 0


def test_the_same_idempotency_key_gives_the_same_job(alice: User, text_upload: TextUpload) -> None:
    upload = text_upload("one")
    request = JobRequest([StageRequest("test.copy")], [upload.key], idempotency_key="once")
    assert submit(alice, request).pk == submit(alice, request).pk
    assert Job.objects.count() == 1


def test_foreign_and_unknown_files_are_refused(alice: User, text_upload: TextUpload) -> None:
    foreign = text_upload("one", owner=make_user("bob"))
    for key in (foreign.key, "0" * 32):
        with pytest.raises(RequestError) as caught:
            submit(alice, JobRequest([StageRequest("test.copy")], [key]))
        assert caught.value.code == "upload_missing"
    assert Job.objects.count() == 0


def test_ten_thousand_items_are_planned_in_bulk(
    alice: User, text_upload: TextUpload, django_assert_max_num_queries: Callable[..., object]
) -> None:
    upload = text_upload("one")
    job = make_job(alice, [upload], "test.copy")
    stage = job.stages.get()
    Item.objects.bulk_create(
        Item(job=job, stage=stage, position=n, upload=upload, name=f"{n}", weight=0.1)
        for n in range(1, 10_000)
    )
    with django_assert_max_num_queries(2000):
        run_next(Lane.LIGHT)
    assert Item.objects.filter(step__kind=StepKind.WORK).count() == 10_000
    with django_assert_max_num_queries(25):
        snapshot(job)


def test_a_file_of_another_kind_is_an_item_that_says_so(
    alice: User, tmp_path: Path, text_upload: TextUpload
) -> None:
    other = tmp_path / "song.mp4"
    other.write_text("ffconcat version 1.0")
    good = text_upload("one", "one.txt")
    playlist = make_upload(alice, other, media_type="text/x-ffconcat")
    sound = make_upload(alice, other, media_type="audio/mpeg")
    job = make_job(alice, [good, playlist, sound], "test.copy")
    work_off()
    job.refresh_from_db()
    assert (job.state, job.items_done) == (JobState.PARTIAL, 1)
    codes = set(job.items.filter(state=ItemState.FAILED).values_list("error_code", flat=True))
    assert codes == {"playlist_refused", "unfit_kind"}


def test_a_request_of_which_nothing_fits_is_refused(alice: User, tmp_path: Path) -> None:
    other = tmp_path / "song.mp3"
    other.write_text("la")
    with pytest.raises(RequestError) as caught:
        make_job(alice, [make_upload(alice, other, media_type="audio/mpeg")], "test.copy")
    assert caught.value.code == "nothing_fits"


def test_a_claim_whose_answer_was_lost_is_taken_up_by_its_worker(job_of: JobOf) -> None:
    job = job_of("one")
    claimed = Step.objects.claim(Lane.LIGHT, me())
    assert claimed is not None
    drain(Lane.LIGHT)
    drain(Lane.CPU)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert not job.steps.filter(crashes__gt=0).exists()


def test_a_file_is_not_blamed_for_its_slow_neighbours(job_of: JobOf, settings: Any) -> None:
    settings.TIDEMILL_STEP_MAX_SECONDS = 6  # enough for each file, not for both
    job = job_of("one", "two", pause=3.1)
    assert run_next(Lane.LIGHT)
    batch, other = job.steps.filter(kind="work").order_by("seq")
    job.items.update(step=batch)
    other.delete()
    work_off()
    job.refresh_from_db()
    assert (job.state, job.items_done) == (JobState.SUCCEEDED, 2)


def test_what_an_undone_commit_claimed_is_not_begun(job_of: JobOf) -> None:
    job_of("one")
    following = Following(Lane.LIGHT, time.monotonic() + 60)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        following.claim()
        _ = 1 / 0
    assert following.step() is None
    with transaction.atomic():
        following.claim()
    step = following.step()
    # On PostgreSQL the claim is a transaction of its own.
    assert (step is None) == (connection.vendor == "postgresql")
    assert following.step() is None
    if step is not None:
        assert Step.objects.running().get() == step


def test_columns_of_a_later_version_change_nothing(job_of: JobOf) -> None:
    for number in range(6):  # from the sixth time on PostgreSQL keeps what it prepared
        job_of(f"before {number}")
        work_off()
    connection.check_constraints()  # nothing may be left to check while a table is changed
    with connection.cursor() as cursor:
        for table in ("job", "stage", "step", "item", "event"):
            cursor.execute(f"ALTER TABLE uploads_{table} ADD COLUMN later integer")
    job = job_of("after")
    work_off()
    job.refresh_from_db()
    assert (job.state, job.items_done) == (JobState.SUCCEEDED, 1)
