"""A sample: which files it tries, what it says of all of them, and the whole job after it."""

import wave
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import F

from tests.factories import make_upload, worker
from tests.work.conftest import work_off
from uploads.errors import RequestError
from uploads.intake.sweeps import expire_uploads
from uploads.models import Job, Step, Upload
from uploads.models.prediction import Prediction, predict
from uploads.states import JobState, StepKind, UploadState
from uploads.storage import store
from uploads.work.submit import JobRequest, StageRequest, submit
from uploads.work.whole import run_on_all

pytestmark = pytest.mark.django_db

TextUpload = Callable[..., Upload]
SIZES = (50, 900, 10, 400, 300, 700, 20)


@pytest.fixture
def texts(text_upload: TextUpload) -> list[Upload]:
    """Files of 10 to 900 bytes, neither first nor last in order of size."""
    return [text_upload(str(n) * size, f"t{n}.txt") for n, size in enumerate(SIZES)]


def sampled(owner: User, uploads: list[Upload], operation: str = "test.copy", **more: Any) -> Job:
    keys = [upload.key for upload in uploads]
    return submit(owner, JobRequest([StageRequest(operation)], keys, sample=True, **more))


def foreseen(job: Job) -> Prediction:
    job.refresh_from_db()
    told = predict(job)
    assert told is not None
    return told


def test_a_small_a_middling_and_a_large_file_are_tried(alice: User, texts: list[Upload]) -> None:
    job = sampled(alice, texts, names="text {n}")
    work_off()
    job.refresh_from_db()
    assert job.name.startswith("Sample: Copy: t1.txt and 2 more")
    assert (job.state, job.items_done) == (JobState.SUCCEEDED, 3)
    assert sorted(job.items.values_list("size_bytes", flat=True)) == [10, 300, 900]
    names = job.results.order_by("item__position").values_list("name", flat=True)
    assert list(names) == ["text 2.txt", "text 3.txt", "text 5.txt"]


def test_of_films_and_recordings_one_is_enough(alice: User, text_upload: TextUpload) -> None:
    films = [text_upload("x" * size, f"f{size}.mp4") for size in (10, 20, 30, 40, 50)]
    Upload.objects.update(kind="video")
    assert list(sampled(alice, films).items.values_list("size_bytes", flat=True)) == [30]


def test_files_that_are_here_are_tried_before_those_still_arriving(
    alice: User, text_upload: TextUpload
) -> None:
    here = text_upload("here", "here.txt")
    coming = text_upload("coming" * 9, "coming.txt", complete=False)
    job = sampled(alice, [coming, here])
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert [item.name for item in job.items.all()] == ["here.txt"]


def test_it_says_how_many_bytes_all_files_become(alice: User, texts: list[Upload]) -> None:
    job = sampled(alice, texts)
    assert predict(job) is None
    work_off()
    told = foreseen(job)
    assert (told.files, told.source_bytes) == (len(SIZES), sum(SIZES))
    assert told.result_bytes == pytest.approx(sum(SIZES), rel=0.01)  # each is copied as it is


def test_bytes_of_a_part_count_for_the_whole_file(alice: User, texts: list[Upload]) -> None:
    job = sampled(alice, texts)
    work_off()
    for result in job.results.all():
        result.meta = {"sample_share": 0.1}
        result.save()
    assert foreseen(job).result_bytes == pytest.approx(10 * sum(SIZES), rel=0.01)


def test_time_follows_from_what_the_sample_took_and_the_workers(
    alice: User, text_upload: TextUpload
) -> None:
    job = sampled(alice, [text_upload("x" * 100, f"{n}.txt") for n in range(60)])
    work_off()
    Step.objects.filter(job=job).update(finished_at=F("started_at"))
    fast = foreseen(job).seconds
    assert fast is not None
    assert fast[1] <= 5
    _slow_down(job)
    alone = foreseen(job).seconds
    assert alone is not None
    assert alone[0] <= 60 * 2 <= alone[1]
    for number in range(4):
        worker(number)
    four = foreseen(job).seconds
    assert four is not None
    assert four[0] <= 60 * 2 / 4 <= four[1] < alone[0]


def _slow_down(job: Job) -> None:
    """Let every step have taken two real seconds for an estimated one."""
    for step in job.steps.filter(kind=StepKind.WORK):
        assert step.started_at is not None
        step.finished_at = step.started_at + timedelta(seconds=2 * step.weight)
        step.save()


def test_nothing_is_foreseen_from_nothing(alice: User, text_upload: TextUpload) -> None:
    job = sampled(alice, [text_upload("bad", f"{n}.txt") for n in range(4)])
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert predict(job) is None


def test_the_whole_job_takes_all_files_with_the_same_wishes_once(
    alice: User, texts: list[Upload]
) -> None:
    job = sampled(alice, texts, names="{n}", name="Trip")
    whole = run_on_all(job)
    assert run_on_all(job) == whole
    assert (whole.is_sample, whole.names, whole.items_total) == (False, "{n}", len(SIZES))
    assert [item.name for item in whole.items.all()] == [upload.name for upload in texts]
    assert whole.name == "Trip"
    with pytest.raises(RequestError, match="no sample"):
        run_on_all(whole)


def test_files_that_went_meanwhile_are_left_out(alice: User, texts: list[Upload]) -> None:
    job = sampled(alice, texts)
    texts[0].remove(UploadState.TERMINATED)
    whole = run_on_all(job)
    assert whole.items_total == len(SIZES) - 1


def test_deleting_a_sample_keeps_its_files_until_they_expire(
    alice: User, texts: list[Upload]
) -> None:
    job = sampled(alice, texts)
    work_off()
    job.refresh_from_db()
    job.remove("alice")
    assert Upload.objects.alive().count() == len(SIZES)
    assert all(store.path(upload.storage_key).exists() for upload in texts)
    Upload.objects.update(expires_at=job.created_at)
    assert expire_uploads() == len(SIZES)


def test_a_sample_keeps_none_of_the_files_it_left_out(alice: User, texts: list[Upload]) -> None:
    job = sampled(alice, texts)
    Upload.objects.update(expires_at=job.created_at)
    assert expire_uploads() == len(SIZES) - 3
    expire_uploads()
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED


def test_a_sample_sends_no_e_mail_and_the_whole_job_does(
    alice: User, texts: list[Upload], settings: object
) -> None:
    settings.TIDEMILL_EMAIL_URL = "smtp://127.0.0.1:1"  # type: ignore[attr-defined]
    job = sampled(alice, texts, notify="alice@example.org")
    work_off()
    job.refresh_from_db()
    assert job.settled_at is not None
    assert not job.steps.filter(kind=StepKind.NOTIFY).exists()
    assert run_on_all(job).notify == "alice@example.org"


def test_a_sound_file_is_tried_in_its_beginning(alice: User, tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(range(256)) * (8000 * 2 * 40 // 256))
    upload = make_upload(alice, path, media_type="audio/wav")
    job = submit(
        alice,
        JobRequest([StageRequest("audio.convert", {"format": "wav"})], [upload.key], sample=True),
    )
    work_off()
    result = job.results.get(role="result")
    assert result.meta["duration"] == pytest.approx(10, abs=0.1)
    assert result.meta["sample_share"] == pytest.approx(0.25, abs=0.01)
    assert foreseen(job).result_bytes == pytest.approx(upload.length, rel=0.05)


def test_the_whole_job_is_one_until_it_was_cancelled(alice: User, texts: list[Upload]) -> None:
    job = sampled(alice, texts)
    work_off()
    whole = run_on_all(job)
    assert run_on_all(job).pk == whole.pk
    whole.cancel("alice")
    work_off()
    again = run_on_all(job)
    assert again.pk != whole.pk
    assert run_on_all(job).pk == again.pk
    whole.remove("alice")
    assert run_on_all(job).pk == again.pk
    again.cancel("alice")
    assert run_on_all(job).pk != again.pk


def test_the_whole_job_is_done_anew_if_that_was_wanted(alice: User, texts: list[Upload]) -> None:
    assert run_on_all(sampled(alice, texts, anew=True)).is_anew
    assert not run_on_all(sampled(alice, texts)).is_anew


def test_a_sample_that_staff_have_put_first_can_be_run_on_all(
    alice: User, texts: list[Upload]
) -> None:
    job = sampled(alice, texts, priority=-5)
    assert run_on_all(job).priority == -5
    other = sampled(alice, texts)
    other.set_priority(50, "staff")
    assert run_on_all(other).priority == 0
