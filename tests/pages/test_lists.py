"""The lists of uploads and jobs: what they show, whose, and at what cost."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from PIL import Image

from tests.factories import make_job, make_upload
from tests.pages.people import signed_in
from uploads.models import Job, Upload

pytestmark = pytest.mark.django_db


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "IMG_1.jpg"
    Image.new("RGB", (64, 48), "teal").save(path)
    return path


def _end(job: Job, state: str) -> None:
    Job.objects.filter(pk=job.pk).update(state=state, finished_at=timezone.now())


def test_uploads_show_kind_use_and_when_they_go(photo: Path):
    browser, user = signed_in()
    make_upload(user, photo)
    job = make_job(user, [make_upload(user, photo)], "image.convert")

    page = browser.get("/uploads/").content.decode()

    assert page.count("IMG_1.jpg</strong>") == 2
    assert f'href="/jobs/{job.key}/"' in page
    assert f"goes {(timezone.now() + timedelta(days=7)).day} " in page


def test_unfinished_uploads_come_first(photo: Path):
    browser, user = signed_in()
    ghost = make_upload(user, photo, complete=False)
    make_upload(user, photo)
    page = browser.get("/uploads/").content.decode()
    assert page.index(ghost.key) < page.index(">Here<")


def test_a_file_goes_when_its_owner_says_so_and_its_space_comes_back(photo: Path):
    browser, user = signed_in()
    upload = make_upload(user, photo)

    assert browser.post(f"/uploads/{upload.key}/delete/").status_code == 303

    assert "IMG_1.jpg</strong>" not in browser.get("/uploads/").content.decode()
    assert Upload.objects.visible_to(user).bytes_taken() == 0


def test_a_file_that_a_job_works_on_stays(photo: Path):
    browser, user = signed_in()
    upload = make_upload(user, photo)
    make_job(user, [upload], "image.convert")

    answer = browser.post(f"/uploads/{upload.key}/delete/")

    assert answer.status_code == 409
    assert "still needs this file" in answer.content.decode()
    upload.refresh_from_db()
    assert upload.is_complete


def test_all_unused_files_go_at_once_and_no_other(photo: Path):
    browser, user = signed_in()
    _, bob = signed_in("bob")
    make_upload(user, photo)
    make_upload(user, photo)
    used = make_upload(user, photo)
    make_job(user, [used], "image.convert")
    his = make_upload(bob, photo)

    browser.post("/uploads/delete-unused/")

    assert set(Upload.objects.alive()) == {used, his}


def test_nobody_sees_or_deletes_what_is_anothers(photo: Path):
    _, alice = signed_in("alice")
    bob, _ = signed_in("bob")
    upload = make_upload(alice, photo)
    job = make_job(alice, [make_upload(alice, photo)], "image.convert", sizes=[32])

    for address in ("/", "/uploads/", "/jobs/", f"/?use={upload.key}"):
        page = bob.get(address).content.decode()
        assert "IMG_1" not in page, address
        assert job.key not in page, address
    assert bob.post(f"/uploads/{upload.key}/delete/").status_code == 404


def test_jobs_are_found_by_state_and_by_the_name_of_a_file(photo: Path):
    browser, user = signed_in()
    done = make_job(user, [make_upload(user, photo)], "image.convert")
    _end(done, "succeeded")
    broken = make_job(user, [make_upload(user, photo)], "image.convert")
    _end(broken, "failed")
    Job.objects.filter(pk=broken.pk).update(name="Something else")
    waiting = make_job(user, [make_upload(user, photo)], "image.convert")

    def keys(query: str) -> set[str]:
        return {row.job.key for row in browser.get(f"/jobs/{query}").context["rows"]}

    assert keys("") == {done.key, broken.key, waiting.key}
    assert keys("?state=open") == {waiting.key}
    assert keys("?state=done") == {done.key}
    assert keys("?state=failed") == {broken.key}
    assert keys("?q=img_1.JPG&state=failed") == {broken.key}
    assert keys("?q=nothing-like-it") == set()
    assert keys("?state=nonsense&page=99") == {done.key, broken.key, waiting.key}


def test_the_next_page_keeps_the_filter(photo: Path):
    browser, user = signed_in()
    upload = make_upload(user, photo)
    for _ in range(26):
        make_job(user, [upload], "image.convert")
    page = browser.get("/jobs/?state=open&q=IMG").content.decode()
    assert 'href="?state=open&amp;q=IMG&amp;page=2"' in page


def test_the_list_of_jobs_costs_the_same_for_one_and_for_many(
    photo: Path, django_assert_max_num_queries: Any
):
    browser, user = signed_in()
    upload = make_upload(user, photo)
    for _ in range(20):
        make_job(user, [upload], "image.convert")
    with django_assert_max_num_queries(16):
        browser.get("/jobs/")
    with django_assert_max_num_queries(12):
        browser.get("/uploads/")
