"""What the web process is killed at while people arrive: set-up, sign-in, and their own settings."""

import json
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.contrib.auth.models import User

from tests.support.killpoints_role import Scenario
from tests.support.killpoints_web import CSRF, Browser, Visit, arrive, visiting
from tests.support.killpoints_worker import owner
from uploads.models import Preferences, SetupLink, Token

OLD, NEW = "the-old-one-7", "the-new-one-8"


async def answer_of(browser: Browser, path: str, **fields: Any) -> httpx.Response:
    """Send a form and return its answer, whatever it is; remembers the session that it gives."""
    answer = await browser.pages.post(path, data={**fields, "csrfmiddlewaretoken": CSRF})
    if session := answer.cookies.get("sessionid"):
        browser.remember("session", session)
    browser.pages.cookies = {"sessionid": browser.memory["session"], "csrftoken": CSRF}
    return answer


def checked(prepare: Callable[[], None], visit: Visit, check: Callable[[], None]) -> Any:
    """Return the three parts of a scenario whose end is looked at by `check`."""
    live = visiting(visit)

    def again() -> None:
        live()
        check()

    return prepare, live, again


# --- the first administrator ----------------------------------------------------------


def _link() -> None:
    memory = {"token": "", "session": "", "link": SetupLink.issue()}
    (Path(settings.TIDEMILL_DATA).parent / "browser").write_text(json.dumps(memory))


async def _set_up(browser: Browser) -> None:
    """Follow the link; whose answer was lost finds it used up and signs in."""
    fields = {"username": "chief", "password": NEW, "email": "chief@example.org"}
    answer = await answer_of(browser, f"/setup/{browser.memory['link']}/", **fields)
    assert answer.status_code in {303, 404}, answer.text
    browser.pages.cookies = {"csrftoken": CSRF}
    answer = await answer_of(browser, "/login/", username="chief", password=NEW)
    assert answer.status_code == 303, answer.text
    assert (await browser.pages.get("/settings/")).status_code == 200


def _one_administrator() -> None:
    assert [user.is_superuser for user in User.objects.all()] == [True]
    assert not SetupLink.objects.exists()


# --- settings ---------------------------------------------------------------------------


def _person() -> None:
    user = owner()
    user.set_password(OLD)
    user.save()
    arrive()
    browser = Browser()
    browser.remember("old", Token.issue(user, "old")[0].pk)
    browser.remember("tokens", list(Token.objects.values_list("pk", flat=True)))


async def _settle(browser: Browser) -> None:
    """Choose an address, exchange a token for another, change the password."""
    await _be_signed_in(browser)
    fields = {"email": "new@example.org", "mail_when_done": "on"}
    await browser.form("/settings/notify/", **fields)
    await browser.form(f"/settings/tokens/{browser.memory['old']}/revoke/")
    if "secret" not in browser.memory:
        await _make_token(browser)
    if "password" not in browser.memory:
        words = {"old_password": OLD, "new_password1": NEW, "new_password2": NEW}
        answer = await answer_of(browser, "/settings/password/", **words)
        # 400: the old one is wrong by now, for the change was made and its answer lost.
        assert answer.status_code in {303, 400}, answer.text
        browser.remember("password", NEW)


async def _be_signed_in(browser: Browser) -> None:
    """Sign in again if the change of the password was kept and its answer, with a session, lost."""
    if (await browser.pages.get("/settings/")).status_code != 200:
        answer = await answer_of(browser, "/login/", username="alice", password=NEW)
        assert answer.status_code == 303, answer.text


async def _make_token(browser: Browser) -> None:
    """Make a token; one that was made and never shown is revoked by its name."""
    page = (await browser.pages.get("/settings/")).text
    numbers = set(re.findall(r"/settings/tokens/(\d+)/revoke/", page))
    known = set(map(str, browser.memory["tokens"]))
    for number in numbers - known:
        await browser.form(f"/settings/tokens/{number}/revoke/")
    answer = await answer_of(browser, "/settings/tokens/", name="script")
    found = re.search(r"tm_[\w-]+", answer.text)
    assert found, answer.text
    browser.remember("secret", found[0])


def _settled() -> None:
    user = User.objects.get(username="alice")
    assert user.check_password(NEW)
    assert (user.email, Preferences.of(user).mail_when_done) == ("new@example.org", True)
    assert sorted(Token.objects.values_list("name", flat=True)) == ["browser", "script"]
    browser = Browser()
    assert Token.owner_of(browser.memory["secret"]) == user
    session = import_module(settings.SESSION_ENGINE).SessionStore(browser.memory["session"])
    assert session.get("_auth_user_hash") == user.get_session_auth_hash()


SCENARIOS = (
    Scenario("web", "set-up and sign-in", *checked(_link, _set_up, _one_administrator), alike=True),
    Scenario("web", "settings", *checked(_person, _settle, _settled), alike=True),
)
