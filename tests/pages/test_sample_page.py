"""The page of a sample: what it is, what it foresees, and the two ways on from there."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_upload
from tests.pages.people import signed_in
from uploads.models import Job, Upload
from uploads.states import ItemState, UploadState
from uploads.work.submit import JobRequest, StageRequest, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> tuple[Client, User]:
    return signed_in("alice")


@pytest.fixture
def sample(alice: tuple[Client, User], tmp_path: Path) -> Job:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"x" * 100_000)
    keys = [make_upload(alice[1], path).key for _ in range(8)]
    stage = StageRequest("image.convert", {"format": "webp", "quality": 61})
    return submit(alice[1], JobRequest([stage], keys, sample=True))


def end(sample: Job, state: ItemState = ItemState.SUCCEEDED) -> None:
    """End a sample with results of a quarter of the bytes, as a worker's commits do."""
    step = sample.steps.all()[0]
    for number, item in enumerate(sample.items.all()):
        if state == ItemState.SUCCEEDED:
            sample.results.create(
                item=item, step=step, position=number, name="photo.webp", storage_key="x",
                size_bytes=25_000, sha256="", media_type="image/webp",
            )  # fmt: skip
        sample.end_item(item, state, code="" if state == ItemState.SUCCEEDED else "not_an_image")
    sample.end_if_done()


def page(browser: Client, job: Job) -> str:
    return browser.get(f"/jobs/{job.key}/").content.decode()


def test_a_sample_in_work_says_what_it_is(alice: tuple[Client, User], sample: Job) -> None:
    shown = page(alice[0], sample)
    assert "A sample: 3 of 8 files" in shown
    assert "Run on all" not in shown


def test_an_ended_sample_says_what_all_files_make(alice: tuple[Client, User], sample: Job) -> None:
    end(sample)
    shown = " ".join(page(alice[0], sample).split())
    assert "All 8 files make about <strong>195 KB</strong>" in shown
    assert "from 781 KB" in shown
    assert "Run on all 8 files" in shown
    assert "Run again" not in shown


def test_a_sample_of_which_nothing_worked_says_so(alice: tuple[Client, User], sample: Job) -> None:
    end(sample, ItemState.FAILED)
    assert "Nothing of it could be done" in page(alice[0], sample)


def test_all_files_are_run_with_the_same_options_by_one_button(
    alice: tuple[Client, User], sample: Job
) -> None:
    end(sample)
    browser, user = alice
    first = browser.post(f"/jobs/{sample.key}/run-all/")
    again = browser.post(f"/jobs/{sample.key}/run-all/")
    whole = Job.objects.get(owner=user, sample_seconds=None)
    assert first["Location"] == again["Location"] == f"/jobs/{whole.key}/"
    assert whole.items_total == 8
    assert whole.stages.get().options["quality"] == 61


def test_the_options_are_changed_with_all_files_still_chosen(
    alice: tuple[Client, User], sample: Job
) -> None:
    end(sample)
    shown = alice[0].get(f"/?again={sample.key}").content.decode()
    assert shown.count('name="uploads"') == 9  # and the template of a row
    assert 'name="image.convert-quality" value="61"' in shown


def test_a_sample_whose_files_are_gone_offers_nothing(
    alice: tuple[Client, User], sample: Job
) -> None:
    end(sample)
    for upload in Upload.objects.all():
        upload.remove(UploadState.TERMINATED)
    shown = page(alice[0], sample)
    assert "no longer here" in shown
    assert "Run on all" not in shown
    answer = alice[0].post(f"/jobs/{sample.key}/run-all/", follow=True)
    assert "No file was chosen" in answer.content.decode()


def test_a_plain_job_is_no_sample(alice: tuple[Client, User], sample: Job) -> None:
    whole = alice[0].post(f"/jobs/{sample.key}/run-all/")["Location"]
    shown = alice[0].get(whole).content.decode()
    assert "A sample" not in shown
    answer = alice[0].post(f"{whole}run-all/", follow=True)
    assert "this job is no sample" in answer.content.decode()
