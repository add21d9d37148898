"""The e-mails of a job on its page and in the API: counts, reasons, and Resend for its owner alone."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_job, make_upload, make_user
from uploads.models import Job, Message, Step
from uploads.states import ItemState, StepKind

pytestmark = pytest.mark.django_db

ADDRESSES = ("sent", "refused", "sending")


@pytest.fixture
def owner(db: None) -> User:
    return make_user("alice")


@pytest.fixture
def job(owner: User, tmp_path: Any, settings: Any) -> Job:
    """Return an ended job that sent one e-mail, was refused one and died in the middle of one."""
    settings.TIDEMILL_MAIL_BATCH, settings.TIDEMILL_EMAIL_URL = True, "smtp://nowhere"
    path = tmp_path / "people.csv"
    path.write_text("email\nann@example.org\n")
    upload = make_upload(owner, path, media_type="text/csv")
    made = make_job(owner, [upload], "mail.batch", subject="Hello", text="Hello")
    item = made.items.get()
    for position, state in enumerate(ADDRESSES):
        address = f"{state}@example.org"
        Message.objects.create(
            job=made,
            item=item,
            position=position,
            recipient=address,
            address_key=address,
            state=state,
            reason="550 no such user" if state == "refused" else "",
        )
    made.end_item(item, ItemState.SUCCEEDED)
    made.end_if_done()
    made.refresh_from_db()
    return made


def resends(job: Job) -> int:
    return Step.objects.filter(job=job, kind=StepKind.NOTIFY).count()


def test_the_page_tells_what_is_not_known_and_why_one_was_refused(
    client: Client, owner: User, job: Job
) -> None:
    client.force_login(owner)
    page = client.get(f"/jobs/{job.key}/").content.decode()
    assert "550 no such user" in page
    assert "it may or may not have arrived, so it is never sent again by itself" in page
    assert page.count(">Resend</button>") == 2
    assert "sent@example.org" not in page


def test_the_owner_sends_one_again(client: Client, owner: User, job: Job) -> None:
    client.force_login(owner)
    number = job.messages.get(state="sending").pk
    answer = client.post(f"/jobs/{job.key}/resend/", {"message": number})
    assert answer.status_code == 303
    assert resends(job) == 1
    client.post(f"/jobs/{job.key}/resend/", {"message": number})
    assert resends(job) == 1


def test_nobody_sends_the_e_mails_of_another(client: Client, job: Job) -> None:
    client.force_login(make_user("bob"))
    number = job.messages.get(state="refused").pk
    assert client.post(f"/jobs/{job.key}/resend/", {"message": number}).status_code == 404
    assert client.get(f"/api/v1/jobs/{job.key}/messages/").status_code == 404
    assert resends(job) == 0


@pytest.mark.parametrize("number", ["", "x", "999999"])
def test_what_is_no_e_mail_is_refused_in_words(
    client: Client, owner: User, job: Job, number: str
) -> None:
    client.force_login(owner)
    client.post(f"/jobs/{job.key}/resend/", {"message": number})
    assert resends(job) == 0


def test_the_api_lists_by_state_and_sends_again(client: Client, owner: User, job: Job) -> None:
    client.force_login(owner)
    address = f"/api/v1/jobs/{job.key}/messages/"
    everyone = client.get(address).json()["results"]
    assert [row["state"] for row in everyone] == ["sent", "refused", "unknown"]
    (unknown,) = client.get(f"{address}?state=unknown").json()["results"]
    assert unknown["recipient"] == "sending@example.org"
    answer = client.post(f"{address}{unknown['id']}/resend/", content_type="application/json")
    assert (answer.status_code, answer.json()["state"]) == (200, "waiting")
    refused = client.post(f"{address}{everyone[0]['id']}/resend/", content_type="application/json")
    assert refused.status_code == 409


@pytest.mark.parametrize("on", [True, False])
def test_it_is_offered_only_where_an_operator_lets_it(
    client: Client, owner: User, settings: Any, on: bool
) -> None:
    settings.TIDEMILL_MAIL_BATCH, settings.TIDEMILL_EMAIL_URL = on, "smtp://nowhere"
    client.force_login(owner)
    assert ("E-mails from a table" in client.get("/").content.decode()) is on
    names = [made["name"] for made in client.get("/api/v1/operations/").json()["results"]]
    assert ("mail.batch" in names) is on
