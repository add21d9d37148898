"""The settings page: what a person may change, and that it is theirs alone."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.pages.people import PASSWORD, signed_in
from uploads.models import Preferences, Token

pytestmark = pytest.mark.django_db


def test_a_token_is_shown_once_and_works_until_it_is_revoked():
    browser, user = signed_in()
    made = browser.post("/settings/tokens/", {"name": "backup"})
    secret = re.search(r"tm_[\w-]+", made.content.decode())
    assert secret is not None
    assert "no-store" in made["Cache-Control"]
    script = Client(headers={"Authorization": f"Bearer {secret[0]}"})
    assert script.get("/api/v1/jobs/").status_code == 200
    assert secret[0] not in browser.get("/settings/").content.decode()

    browser.post(f"/settings/tokens/{Token.objects.get(owner=user).pk}/revoke/")

    assert script.get("/api/v1/jobs/").status_code == 401


def test_nobody_revokes_another_ones_token():
    _, alice = signed_in("alice")
    bob, _ = signed_in("bob")
    row, _ = Token.issue(alice, "hers")

    assert bob.post(f"/settings/tokens/{row.pk}/revoke/").status_code == 404
    assert Token.objects.filter(pk=row.pk).exists()


def test_the_password_changes_and_other_browsers_are_signed_out():
    User.objects.create_user("alice", "", PASSWORD)
    here, there = Client(), Client()
    for browser in (here, there):
        browser.post("/login/", {"username": "alice", "password": PASSWORD})

    new = {
        "old_password": PASSWORD,
        "new_password1": "n3w-and-longer",
        "new_password2": "n3w-and-longer",
    }
    assert here.post("/settings/password/", new).status_code == 303

    assert here.get("/settings/").status_code == 200
    assert there.get("/settings/").status_code == 302


def test_a_wrong_current_password_changes_nothing():
    browser, user = signed_in()
    user.set_password(PASSWORD)
    user.save()
    browser.force_login(user)
    form = {
        "old_password": "guess",
        "new_password1": "n3w-and-longer",
        "new_password2": "n3w-and-longer",
    }

    assert browser.post("/settings/password/", form).status_code == 400
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_the_choice_to_be_told_by_e_mail_is_kept(settings):
    settings.TIDEMILL_EMAIL_URL = "smtp://localhost"
    browser, user = signed_in()
    browser.post("/settings/notify/", {"email": "new@example.org", "mail_when_done": "on"})

    user.refresh_from_db()
    assert user.email == "new@example.org"
    assert Preferences.of(user).mail_when_done
    assert 'name="notify" checked' in browser.get("/").content.decode()


@pytest.mark.parametrize(
    ("chosen", "expected"), [("dark", 'data-theme="dark"'), ("", '<html lang="en">')]
)
def test_the_theme_is_the_pages_own(chosen: str, expected: str):
    browser, _ = signed_in()
    browser.post("/settings/theme/", {"theme": "light"})
    browser.post("/settings/theme/", {"theme": chosen})
    assert expected in browser.get("/settings/").content.decode()


def test_a_theme_out_of_nowhere_is_not_put_into_the_page():
    browser, _ = signed_in()
    browser.cookies["theme"] = 'dark" onload="x'
    assert "onload" not in browser.get("/settings/").content.decode()
