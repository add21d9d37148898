"""Retry with other options: a form filled in as it was, and only what failed is done again."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_job
from uploads.models import Upload
from uploads.states import ItemState

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
