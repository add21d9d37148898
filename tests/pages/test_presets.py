"""Presets of one's own: kept from a job, used, shared, and nobody else's."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.factories import make_upload
from tests.pages.api import Api
from tests.pages.people import signed_in
from uploads.models import Job, SavedPreset, Upload

pytestmark = pytest.mark.django_db

SHEET = {"operation": "image.sheet", "options": {"columns": 2}}
SMALL = {"operation": "image.convert", "options": {"width": 320, "sizes": []}}


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def chain(api: Api, photo: Upload) -> Job:
    body = {"stages": [SMALL, SHEET], "uploads": [photo.key], "names": "{n}"}
    return Job.objects.get(key=api.post("jobs/", body, status=201)["id"])


def test_a_job_is_kept_as_a_preset_and_used_again(alice: User, chain: Job, photo: Upload) -> None:
    browser = browser_of(alice)
    answer = browser.post(f"/jobs/{chain.key}/keep-preset/", {"name": "  Small   sheet "})
    assert answer["Location"] == "/presets/"
    preset = SavedPreset.objects.get(owner=alice, name="Small sheet")
    page = browser.get("/").content.decode()
    assert f'value="preset:{preset.key}"' in page

    form = {"operation": f"preset:{preset.key}", "uploads": [photo.key]}
    started = browser.post("/", form)
    job = Job.objects.get(key=started["Location"].split("/")[2])
    assert [s.options["columns"] for s in job.stages.filter(position=1)] == [2]
    assert (job.links, job.names) == (2, "{n}")


def test_a_preset_fills_the_form_to_be_changed(alice: User, chain: Job) -> None:
    browser = browser_of(alice)
    browser.post(f"/jobs/{chain.key}/keep-preset/", {"name": "Sheet"})
    preset = SavedPreset.objects.get()
    page = browser.get(f"/?preset={preset.key}").content.decode()
    assert 'name="then-1-image.sheet-columns"' in page
    assert '<option value="image.sheet" selected>' in page


def test_the_places_of_a_kept_question_are_filled_in_each_time(
    alice: User, api: Api, tmp_path: Any
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("city,amount\nPorto,1\nLund,2\n")
    table = make_upload(alice, path, media_type="text/csv")
    sql = "SELECT * FROM data WHERE city IN (:city) AND amount < :most"
    asked = {"operation": "data.query", "options": {"sql": sql, "values": "city = Lund"}}
    made = api.post("presets/", {"name": "By city", "stages": [asked]}, status=201)
    value, field = f"preset:{made['id']}", f"preset:{made['id']}-0-"
    browser = browser_of(alice)
    page = browser.get("/").content.decode()
    assert f'name="{field}city"' in page and ">Lund</textarea>" in page

    form = {"operation": value, "uploads": [table.key], f"{field}city": "Porto\r\nOslo"}
    refused = browser.post("/", form)
    assert refused.status_code == 400
    assert "no value for “:most”" in refused.content.decode()
    assert ">Porto\r\nOslo</textarea>" in refused.content.decode()

    assert browser.post("/", {**form, f"{field}most": "5"}).status_code == 303
    kept = Job.objects.get().stages.get().options
    assert kept["values"] == "city = Porto\ncity = Oslo\nmost = 5"


def test_one_of_the_same_name_is_replaced(api: Api) -> None:
    api.post("presets/", {"name": "A", "stages": [SMALL]}, status=201)
    api.post("presets/", {"name": "A", "stages": [SHEET]}, status=201)
    (kept,) = api.get("presets/")["results"]
    assert [stage["operation"] for stage in kept["stages"]] == ["image.sheet"]


def test_a_preset_travels_as_json(alice: User, api: Api, photo: Upload) -> None:
    made = api.post("presets/", {"name": "A", "stages": [SMALL, SHEET]}, status=201)
    browser, bob = signed_in("bob")
    assert browser.get(f"/presets/{made['id']}.json").status_code == 404
    mine = browser_of(alice)
    text = mine.get(f"/presets/{made['id']}.json").content
    browser.post("/presets/bring/", {"file": SimpleUploadedFile("p.json", text)})
    assert SavedPreset.objects.get(owner=bob).stages == SavedPreset.objects.get(owner=alice).stages


def test_files_stay_with_their_owner_and_are_kept(alice: User, api: Api, tmp_path: Any) -> None:
    path = tmp_path / "logo.png"
    path.write_bytes(b"logo")
    logo = make_upload(alice, path, media_type="image/png")
    mark = {"operation": "image.watermark", "options": {"logo": logo.key}}
    made = api.post("presets/", {"name": "A", "stages": [mark]}, status=201)
    assert "logo" not in made["stages"][0]["options"]
    assert not Upload.objects.unused().filter(pk=logo.pk).exists()
    api.call("DELETE", f"presets/{made['id']}/")
    assert Upload.objects.unused().filter(pk=logo.pk).exists()


def test_a_script_names_a_preset_instead_of_operations(api: Api, photo: Upload) -> None:
    made = api.post("presets/", {"name": "A", "stages": [SMALL, SHEET]}, status=201)
    job = api.post("jobs/", {"preset": made["id"], "uploads": [photo.key]}, status=201)
    assert [stage["operation"] for stage in job["stages"]] == ["image.convert", "image.sheet"]
    body = {"preset": made["id"], "operation": "image.convert", "uploads": [photo.key]}
    assert api.post("jobs/", body, status=400)["code"] == "bad_request"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no", "it is no JSON."),
        ("[]", "it is no preset that Tidemill has written."),
        (json.dumps({"name": "A", "stages": ["x"]}), "its operations can&#x27;t be read."),
        (json.dumps({"name": " ", "stages": [SMALL]}), "a name of 1 to 100 letters is needed."),
        (json.dumps({"name": "A", "stages": []}), "it has one to 8 operations."),
        (json.dumps({"name": "A", "stages": [{"operation": "x.y"}]}), "x.y"),
    ],
)
def test_what_is_no_preset_is_refused_in_words(text: str, words: str) -> None:
    browser, _ = signed_in()
    answer = browser.post("/presets/bring/", {"text": text})
    assert answer.status_code == 400 or answer.status_code == 404
    assert words in answer.content.decode()
    assert not SavedPreset.objects.exists()


def test_there_is_a_most(api: Api, settings: Any) -> None:
    settings.TIDEMILL_OWNER_MAX_PRESETS = 1
    api.post("presets/", {"name": "A", "stages": [SMALL]}, status=201)
    assert (
        api.post("presets/", {"name": "B", "stages": [SMALL]}, status=400)["code"] == "bad_preset"
    )
