"""Set-up link, sign-in, throttle, and that every page asks for a sign-in."""

import re

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.pages.people import PASSWORD, signed_in
from uploads.conf import conf
from uploads.models import SetupLink

pytestmark = pytest.mark.django_db

OPEN = {"setup", "login", "health", "tus", "tus-upload", "metrics"}  # or ask by themselves
FORM = {"username": "ada", "password": "correct-horse-9", "email": ""}


def test_the_setup_link_makes_one_administrator_and_signs_in():
    address = f"/setup/{SetupLink.issue()}/"
    browser = Client()
    assert browser.get(address).status_code == 200

    answer = browser.post(address, FORM)

    assert (answer.status_code, answer["Location"]) == (303, "/")
    assert User.objects.get(username="ada").is_superuser
    assert browser.get("/").status_code == 200


def test_the_setup_link_works_once():
    address = f"/setup/{SetupLink.issue()}/"
    Client().post(address, FORM)

    again = Client().post(address, {**FORM, "username": "eve"})

    assert again.status_code == 404
    assert "used up" in again.content.decode()
    assert not User.objects.filter(username="eve").exists()


def test_the_setup_link_is_not_used_up_by_looking_or_by_a_bad_password():
    address = f"/setup/{SetupLink.issue()}/"
    refused = Client().post(address, {**FORM, "password": "short"})

    assert refused.status_code == 400
    assert Client().get(address).status_code == 200


def test_a_link_that_is_left_over_makes_no_second_administrator():
    address = f"/setup/{SetupLink.issue()}/"
    User.objects.create_superuser("root", "", PASSWORD)

    assert Client().get(address).status_code == 404
    assert Client().post(address, FORM).status_code == 404


def test_a_wrong_password_and_an_unknown_name_read_the_same():
    User.objects.create_user("alice", "", PASSWORD)
    words = []
    for name in ("alice", "nobody"):
        answer = Client().post("/login/", {"username": name, "password": "wrong"})
        assert answer.status_code == 400
        words.append(str(answer.context["form"].non_field_errors()))
    assert words[0] == words[1] != ""


def test_sign_in_goes_where_the_visitor_wanted_but_to_no_other_site():
    User.objects.create_user("alice", "", PASSWORD)
    form = {"username": "alice", "password": PASSWORD}

    inside = Client().post("/login/", {**form, "next": "/jobs/?state=open"})
    outside = Client().post("/login/", {**form, "next": "https://evil.example/"})

    assert inside["Location"] == "/jobs/?state=open"
    assert outside["Location"] == "/"


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_too_many_tries_pause_the_name_even_with_the_right_password(name: str):
    User.objects.create_user("alice", "", PASSWORD)
    for _ in range(conf.LOGIN_TRIES):
        assert Client().post("/login/", {"username": name, "password": "x"}).status_code == 400
    # Counts are rows: another process, or a browser without cookies, starts from no zero.
    cache.clear()

    answer = Client().post("/login/", {"username": name, "password": PASSWORD})

    assert answer.status_code == 429
    assert "Too many tries" in answer.content.decode()


def test_the_pause_is_for_one_name_and_address():
    User.objects.create_user("alice", "", PASSWORD)
    for _ in range(conf.LOGIN_TRIES + 1):
        Client().post("/login/", {"username": "alice", "password": "x"})

    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    answer = elsewhere.post("/login/", {"username": "alice", "password": PASSWORD})

    assert answer.status_code == 303


def test_the_right_password_starts_the_count_again():
    User.objects.create_user("alice", "", PASSWORD)
    for _ in range(3):
        for _ in range(conf.LOGIN_TRIES - 1):
            Client().post("/login/", {"username": "alice", "password": "x"})
        good = Client().post("/login/", {"username": "alice", "password": PASSWORD})
        assert good.status_code == 303


def test_signing_out_needs_a_form():
    browser, _ = signed_in()
    assert browser.get("/logout/").status_code == 405
    assert browser.post("/logout/").status_code == 303
    assert browser.get("/").status_code == 302


def _doors(patterns: list[URLPattern | URLResolver], prefix: str = "") -> list[tuple[str, str]]:
    found = []
    for pattern in patterns:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += _doors(pattern.url_patterns, address)
        else:
            found.append((pattern.name or "", address))
    return found


def _filled(address: str) -> str:
    return "/" + re.sub(r"<(?:(\w+):)?\w+>", lambda m: "1" if m[1] == "int" else "x", address)


def test_every_page_asks_a_stranger_to_sign_in():
    stranger = Client()
    pages = [
        (name, _filled(address))
        for name, address in _doors(get_resolver().url_patterns)
        if name not in OPEN and not address.startswith(("api/", "admin/"))
    ]
    assert len(pages) > 20
    for name, address in pages:
        got = stranger.get(address)
        assert (got.status_code, got.get("Location", "")[:7]) in {(302, "/login/"), (401, "")}, name
        assert stranger.post(address).status_code == 401, name


def test_an_unknown_address_tells_a_stranger_nothing():
    assert Client().get("/no-such-page/").status_code == 302
    browser, _ = signed_in()
    answer = browser.get("/no-such-page/")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


def test_a_form_without_its_token_is_refused_in_words():
    browser = Client(enforce_csrf_checks=True)
    answer = browser.post("/login/", {"username": "a", "password": "b"})
    assert answer.status_code == 403
    assert "security token" in answer.content.decode()
