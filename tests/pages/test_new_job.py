"""The new-job page as a form: what it offers, what it starts, what it says when it can't."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from tests.factories import make_job, make_upload
from tests.pages.people import signed_in
from uploads.models import Job, Upload
from uploads.operations.registry import operations
from uploads.pages.forms import OptionsForm

pytestmark = pytest.mark.django_db


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "IMG_1.jpg"
    Image.new("RGB", (64, 48), "teal").save(path)
    return path


def _job(browser: Client, user: Any, answer: Any) -> Job:
    assert answer.status_code == 303, answer.content.decode()
    job = Job.objects.get(owner=user)
    assert answer["Location"] == f"/jobs/{job.key}/"
    return job


def test_a_plain_form_with_files_starts_a_job(photo: Path):
    browser, user = signed_in()
    file = SimpleUploadedFile("IMG_1.jpg", photo.read_bytes(), "image/jpeg")

    answer = browser.post("/", {"operation": "image.convert", "files": [file]})

    job = _job(browser, user, answer)
    assert job.items_total == 1
    assert Upload.objects.get(owner=user).media_type == "image/jpeg"


def test_uploads_that_are_here_or_still_arriving_are_taken_by_their_keys(photo: Path):
    browser, user = signed_in()
    here = make_upload(user, photo)
    coming = make_upload(user, photo, complete=False)

    answer = browser.post(
        "/", {"operation": "image.convert", "uploads": [here.key, coming.key], "name": "Trip"}
    )

    job = _job(browser, user, answer)
    assert (job.name, job.items_total, job.state) == ("Trip", 2, "receiving")


def test_a_preset_decides_the_options_whatever_the_fields_say(photo: Path):
    browser, user = signed_in()
    upload = make_upload(user, photo)
    form = {
        "operation": "image.convert",
        "uploads": [upload.key],
        "image.convert-preset": "webp",
        "image.convert-format": "png",
    }

    job = _job(browser, user, browser.post("/", form))

    assert job.stages.get().options["format"] == "webp"


def film_of(user: Any, folder: Path) -> Any:
    path = folder / "film.mp4"
    path.write_bytes(b"not looked at here")
    return make_upload(user, path, media_type="video/mp4")


def test_what_no_preset_can_know_is_asked_for_beside_it(tmp_path: Path):
    browser, user = signed_in()
    form = {
        "operation": "video.clip",
        "uploads": [film_of(user, tmp_path).key],
        "video.clip-preset": "fast",
        "video.clip-ranges": "1:00-1:30",
    }

    options = _job(browser, user, browser.post("/", form)).stages.get().options

    assert (options["ranges"], options["mode"]) == ("1:00-1:30", "keyframes")


def test_a_fault_in_it_comes_back_with_what_was_written(tmp_path: Path):
    browser, user = signed_in()
    form = {
        "operation": "video.clip",
        "uploads": [film_of(user, tmp_path).key],
        "video.clip-preset": "fast",
        "video.clip-ranges": "half past",
    }

    answer = browser.post("/", form)
    page = answer.content.decode()

    assert answer.status_code == 400
    assert "“half past” is no range" in page
    assert 'value="half past"' in page
    assert re.search(r'name="video.clip-preset" value="fast"[^>]* checked', page)


def test_own_settings_come_from_the_fields(photo: Path):
    browser, user = signed_in()
    upload = make_upload(user, photo)
    form = {
        "operation": "image.convert",
        "uploads": [upload.key],
        "image.convert-preset": "own",
        "image.convert-format": "png",
        "image.convert-sizes": "800, 200",
        "image.convert-mode": "fit",
        "image.convert-metadata": "keep",
    }

    options = _job(browser, user, browser.post("/", form)).stages.get().options

    assert (options["format"], options["sizes"], options["metadata"]) == ("png", [800, 200], "keep")


def test_a_bad_option_comes_back_at_its_field_with_the_files_still_listed(photo: Path):
    browser, user = signed_in()
    upload = make_upload(user, photo)
    form = {
        "operation": "image.convert",
        "uploads": [upload.key],
        "image.convert-preset": "own",
        "image.convert-format": "jpeg",
        "image.convert-quality": "900",
        "name": "Keep me",
    }

    answer = browser.post("/", form)
    page = answer.content.decode()

    assert answer.status_code == 400
    assert not Job.objects.exists()
    assert f'value="{upload.key}"' in page
    assert 'value="Keep me"' in page
    assert "at most 100 is possible" in page
    chosen = next(offer for offer in answer.context["offers"] if offer.chosen)
    assert "quality" in chosen.form.errors


def test_files_of_a_refused_plain_form_need_not_be_sent_again(photo: Path):
    browser, user = signed_in()
    file = SimpleUploadedFile("IMG_1.jpg", photo.read_bytes(), "image/jpeg")

    answer = browser.post("/", {"operation": "video.transcode", "files": [file]})

    assert answer.status_code == 400
    assert f'value="{Upload.objects.get(owner=user).key}"' in answer.content.decode()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"operation": "image.convert"}, "No file was chosen"),
        ({"operation": "no.such", "uploads": ["KEY"]}, "There is no operation"),
        ({"operation": "image.convert", "uploads": ["0" * 32]}, "does not exist or is not yours"),
    ],
)
def test_what_is_missing_is_said(photo: Path, form: dict[str, Any], words: str):
    browser, user = signed_in()
    upload = make_upload(user, photo)
    keys = [upload.key if key == "KEY" else key for key in form.get("uploads", [])]

    answer = browser.post("/", {**form, "uploads": keys})

    assert answer.status_code == 400
    assert words in answer.content.decode()


def test_the_names_of_the_results_are_asked_for(photo: Path):
    browser, user = signed_in()
    upload = make_upload(user, photo)
    form = {"operation": "image.convert", "uploads": [upload.key], "names": " trip-{n:3} "}

    job = _job(browser, user, browser.post("/", form))

    assert job.names == "trip-{n:3}"
    again = browser.get(f"/?again={job.key}").content.decode()
    assert 'value="trip-{n:3}"' in again
    assert "<strong data-to>trip-001</strong>" in again


def test_a_pattern_that_is_not_understood_comes_back_at_its_field(photo: Path):
    browser, user = signed_in()
    upload = make_upload(user, photo)
    form = {"operation": "image.convert", "uploads": [upload.key], "names": "{nummer}"}

    answer = browser.post("/", form)
    page = answer.content.decode()

    assert answer.status_code == 400
    assert "“{nummer}” is no placeholder; there are {name}, {n}, {date}" in page
    assert 'value="{nummer}"' in page
    assert not Job.objects.exists()


def test_a_sample_is_started_with_the_same_form_and_leaves_the_files_on_the_page(
    photo: Path, tmp_path: Path
):
    browser, user = signed_in()
    uploads = [make_upload(user, photo) for _ in range(5)]
    keys = [upload.key for upload in uploads]
    form = {"operation": "image.convert", "uploads": keys, "sample": "1", "names": "x{n}"}

    job = _job(browser, user, browser.post("/", form))

    assert (job.is_sample, job.items_total, job.names) == (True, 3, "x{n}")
    for page in ("/", f"/?again={job.key}"):
        shown = browser.get(page).content.decode()
        assert all(f'name="uploads" value="{key}"' in shown for key in keys)


def test_a_file_may_have_options_of_its_own(photo: Path):
    browser, user = signed_in()
    one, other = make_upload(user, photo), make_upload(user, photo)
    form = {
        "operation": "image.convert",
        "uploads": [one.key, other.key],
        "image.convert-preset": "webp",
        f"own:{other.key}": json.dumps({"quality": "60", "sizes": "800, 200"}),
    }

    job = _job(browser, user, browser.post("/", form))

    own = [item.options for item in job.items.order_by("position")]
    assert own == [{}, {"quality": 60, "sizes": [800, 200]}]
    again = browser.get(f"/?again={job.key}").content.decode()
    assert "Own options: Sizes 800, 200 pixels, Quality 60" in again
    assert f'name="own:{other.key}" value="{{&quot;sizes&quot;: &quot;800, 200' in again


def test_a_fault_in_the_options_of_one_file_names_it_and_loses_nothing(photo: Path):
    browser, user = signed_in()
    one, other = make_upload(user, photo), make_upload(user, photo)
    Upload.objects.filter(pk=other.pk).update(name="night.jpg")
    form = {
        "operation": "image.convert",
        "uploads": [one.key, other.key],
        f"own:{other.key}": json.dumps({"quality": "600"}),
    }

    answer = browser.post("/", form)
    page = answer.content.decode()

    assert answer.status_code == 400
    assert "night.jpg: Quality: at most 100 is possible" in page
    assert "Own options: Quality 600" in page
    assert browser.post("/", {**form, f"own:{other.key}": "[1]"}).status_code == 400
    assert not Job.objects.exists()


def test_a_foreign_upload_starts_nothing(photo: Path):
    _, alice = signed_in("alice")
    bob, _ = signed_in("bob")
    hers = make_upload(alice, photo)

    answer = bob.post("/", {"operation": "image.convert", "uploads": [hers.key]})

    assert answer.status_code == 400
    assert not Job.objects.exists()
    assert "IMG_1.jpg" not in answer.content.decode()


def test_an_e_mail_goes_to_ones_own_address_only(photo: Path, settings: Any):
    settings.TIDEMILL_EMAIL_URL = "smtp://localhost"
    browser, user = signed_in()
    upload = make_upload(user, photo)
    form = {"operation": "image.convert", "uploads": [upload.key], "notify": "on"}

    job = _job(browser, user, browser.post("/", {**form, "notify_to": "x@example.net"}))

    assert job.notify == "alice@example.org"


def test_after_a_reload_the_page_lists_what_is_here_and_what_is_missing(photo: Path):
    browser, user = signed_in()
    make_upload(user, photo)
    ghost = make_upload(user, photo, complete=False)
    Upload.objects.filter(pk=ghost.pk).update(name="lecture-07.mov", length=1000, offset=620)

    page = browser.get("/").content.decode()

    assert "IMG_1.jpg" in page
    assert "lecture-07.mov" in page
    assert "62 % of" in page
    assert "needs the file again" in page or "arriving" in page


def test_a_file_that_a_job_has_taken_is_not_offered_again(photo: Path):
    browser, user = signed_in()
    upload = make_upload(user, photo)
    listed = f'name="uploads" value="{upload.key}"'
    assert listed in browser.get("/").content.decode()
    make_job(user, [upload], "image.convert")
    assert listed not in browser.get("/").content.decode()


def test_names_with_markup_are_shown_as_text(photo: Path):
    browser, user = signed_in()
    make_upload(user, photo)
    Upload.objects.update(name='<img src=x onerror="alert(1)">.jpg')
    page = browser.get("/").content.decode()
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_every_operations_form_shows_every_option_with_its_bounds():
    _, user = signed_in()
    for operation in operations().values():
        form = OptionsForm(operation, owner=user)
        html = str(form)
        for name, field in form.fields.items():
            assert f'name="{operation.name}-{name}"' in html
            assert field.help_text


def test_the_values_that_a_preset_puts_into_the_fields_are_accepted():
    browser, user = signed_in()
    for offer in browser.get("/").context["offers"]:
        for choice in offer.choices:
            values = json.loads(choice.values)
            data = {f"{offer.operation.name}-{name}": value for name, value in values.items()}
            form = OptionsForm(offer.operation, data, owner=user)
            assert form.is_valid(), (offer.operation.name, choice.preset.name, form.errors)


def test_the_page_takes_a_fixed_number_of_queries(photo: Path, django_assert_max_num_queries: Any):
    browser, user = signed_in()
    browser.get("/")
    for _ in range(30):
        make_upload(user, photo)
    with django_assert_max_num_queries(14):
        browser.get("/")


def test_a_text_of_several_lines_has_a_box_with_examples_and_keeps_its_lines(tmp_path: Path):
    browser, user = signed_in()
    page = browser.get("/").content.decode()
    box = re.search(r"<textarea[^>]*name=\"data\.query-sql\"[^>]*>", page)
    assert box is not None
    assert 'spellcheck="false"' in box[0]
    assert "<strong>Join two files</strong><pre>SELECT customers.name" in page

    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    sql = "SELECT a,\r\n\tb\r\nFROM a"
    fields = {"data.query-preset": "xlsx", "data.query-sql": sql}
    key = make_upload(user, path, media_type="text/csv").key
    job = _job(
        browser, user, browser.post("/", {"operation": "data.query", "uploads": key, **fields})
    )
    options = job.stages.get().options
    assert (options["sql"], options["format"]) == ("SELECT a,\n\tb\nFROM a", "xlsx")
