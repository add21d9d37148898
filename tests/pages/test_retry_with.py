"""Retry with other options: a form filled in as it was, and only what failed is done again."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_job
from uploads.models import Item, Job, Upload
from uploads.states import ItemState
from uploads.work.retry import retry_with
from uploads.work.submit import JobRequest, StageRequest, submit

pytestmark = pytest.mark.django_db


def test_what_failed_is_done_again_with_other_options(alice: User, photo: Upload) -> None:
    job = make_job(alice, [photo], "image.convert", height=240)
    item = job.items.get()
    job.end_item(item, ItemState.FAILED, code="not_an_image")
    job.end_if_done()
    browser = Client()
    browser.force_login(alice)
    page = browser.get(f"/jobs/{job.key}/").content.decode()
    assert f"/jobs/{job.key}/retry-with/" in page
    form = browser.get(f"/jobs/{job.key}/retry-with/").content.decode()
    assert 'name="image.convert-height" value="240"' in form

    sent = {"image.convert-preset": "own", "image.convert-height": "0"}
    refused = browser.post(f"/jobs/{job.key}/retry-with/", sent)
    assert refused.status_code == 400
    assert "Height" in refused.content.decode()

    answer = browser.post(f"/jobs/{job.key}/retry-with/", {"image.convert-preset": "webp"})
    assert answer["Location"] == f"/jobs/{job.key}/"
    item.refresh_from_db()
    assert (item.state, item.options["format"], item.options["height"]) == ("open", "webp", None)


def ended(job: Job) -> Item:
    """Let the job's one file fail, and return it."""
    item = job.items.get()
    job.refresh_from_db()
    job.end_item(item, ItemState.FAILED, code="not_an_image")
    job.end_if_done()
    job.refresh_from_db()
    return item


def options_of(item: Item) -> dict[str, Any]:
    item.refresh_from_db()
    return {**item.stage.options, **item.options}


def test_what_was_changed_once_can_be_changed_back(alice: User, photo: Upload) -> None:
    job = make_job(alice, [photo], "image.convert", height=240)
    browser = Client()
    browser.force_login(alice)
    shown = "240"
    for height in ("480", "240"):
        item = ended(job)
        form = browser.get(f"/jobs/{job.key}/retry-with/").content.decode()
        assert f'name="image.convert-height" value="{shown}"' in form
        sent = {"image.convert-preset": "own", "image.convert-height": height}
        browser.post(f"/jobs/{job.key}/retry-with/", sent)
        assert options_of(item)["height"] == int(height)
        shown = height


def test_a_file_keeps_its_own_options_unless_they_are_changed(alice: User, photo: Upload) -> None:
    stage = StageRequest("image.convert", {"height": 240, "quality": 70})
    job = submit(alice, JobRequest([stage], [photo.key], overrides={photo.key: {"quality": 30}}))
    for change, wanted in (({"height": 480}, (480, 30)), ({"quality": 70}, (480, 70))):
        item = ended(job)
        retry_with(job, "alice", options=change)
        options = options_of(item)
        assert (options["height"], options["quality"]) == wanted
