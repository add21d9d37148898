"""What needs more than is installed: shown with what is missing, refused in words, lists included."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from odd_operations import LACKS

from tests.factories import make_upload
from tests.pages.api import Api
from tests.pages.people import signed_in
from uploads.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("one two")
    return path


def test_its_card_and_its_panel_say_what_is_missing_behind_all_that_works():
    browser, _ = signed_in()
    page = browser.get("/").content.decode()
    cards = re.findall(r'name="operation" value="([^"]+)"', page)
    assert cards[-1] == "test.lacks" and len(cards) > 20
    card = page[page.index('value="test.lacks"') :]
    assert "not installed yet" in card[:600]
    panel = page[page.index('data-panel="test.lacks"') :]
    assert "This server can’t do it yet." in panel and "pip install &#x27;cloth&#x27;" in panel


def test_a_job_is_refused_with_what_is_missing(words: Path):
    browser, user = signed_in()
    upload = make_upload(user, words, media_type="text/plain")
    answer = browser.post("/", {"operation": "test.lacks", "uploads": [upload.key]})
    assert answer.status_code == 501
    assert "“Weave” needs what is not installed" in answer.content.decode()
    assert not Job.objects.exists()


def test_scripts_see_it_and_options_may_change_it(words: Path):
    _, user = signed_in()
    api, upload = Api(user), make_upload(user, words, media_type="text/plain")
    assert api.get("operations/test.lacks/")["lacks"] == LACKS
    assert api.get("operations/test.copy/")["lacks"] == ""
    wanted: dict[str, Any] = {"operation": "test.lacks", "uploads": [upload.key]}
    refused = api.post("jobs/", wanted, 501)
    assert refused["code"] == "operation_lacks" and LACKS in str(refused)
    api.post("jobs/", {**wanted, "options": {"shout": True}}, 201)


def test_doctor_lists_it(capsys: pytest.CaptureFixture[str]):
    call_command("doctor", stdout=None)
    told = capsys.readouterr().out
    assert re.search(rf"test\.lacks\s+{re.escape(LACKS)}", told)
    assert re.search(r"pdf\.ocr\s+Recognise text", told)
