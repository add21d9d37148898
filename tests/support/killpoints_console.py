"""What the web process is killed at while staff steer: one job, chosen ones, all that match, a lane."""

import re

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User

from tests.support.killpoints_people import answer_of, checked
from tests.support.killpoints_role import Scenario
from tests.support.killpoints_web import Browser, arrive
from tests.support.killpoints_worker import job_of, plan
from uploads.models import Event, Hold, Job

JOBS = "/admin/uploads/job/"
HOLD = "/admin/uploads/worker/hold/"
NAMES = ("first", "second")
ON_RECORD = [
    *("Cancel: done.", "Cancel: done.", "Pause: done.", "Pause: done."),
    *("Resume: done.", "Resume: done.", "Retry: done.", "Retry: done."),
    "Set priority to 5: done.",
]


def _console() -> None:
    arrive()
    User.objects.update(is_staff=True, is_superuser=True)
    browser = Browser()
    for name in NAMES:
        browser.remember(name, job_of(name, "one").key)
    plan()


async def _steer(browser: Browser) -> None:
    """Give one command after the other; one whose answer was lost is given again."""
    first = f"{JOBS}{browser.memory['first']}"
    chosen = {"verb": "cancel", "sure": "yes", "job": [browser.memory[name] for name in NAMES]}
    await _once(browser, "priority", f"{first}/priority/", priority="5")
    await _once(browser, "pause", f"{first}/pause/")
    await _once(browser, "resume", f"{first}/resume/")
    await _once(browser, "hold", HOLD, place="lane:cpu", do="hold")
    await _once(browser, "lift", HOLD, place="lane:cpu", do="lift")
    await _once(browser, "cancel", f"{JOBS}command/", **chosen)
    await _retry_all(browser)


async def _once(browser: Browser, name: str, path: str, **fields: object) -> None:
    if browser.memory.get("told") and name in browser.memory["told"]:
        return
    answer = await answer_of(browser, path, **fields)
    assert answer.status_code in {302, 303}, answer.text
    browser.remember("told", [*browser.memory.get("told", []), name])


async def _retry_all(browser: Browser) -> None:
    """Retry all that match: asked first, then done in batches that the page carries."""
    if "batch" not in browser.memory:
        asked = await answer_of(browser, f"{JOBS}command/", verb="retry", scope="all")
        found = re.search(r'name="batch" value="([^"]+)"', asked.text)
        assert found, asked.text
        browser.remember("batch", found[1])
    await _once(browser, "retry", f"{JOBS}command/", batch=browser.memory["batch"])


def _steered() -> None:
    """See that each command was obeyed, told and put on record once."""
    done = LogEntry.objects.exclude(object_id="").values_list("change_message", flat=True)
    assert sorted(done) == ON_RECORD, sorted(done)
    assert not Hold.objects.exists()
    assert Job.objects.get(name="first").priority == 5
    for name in NAMES:
        kinds = list(Event.objects.filter(job__name=name).values_list("kind", flat=True))
        told = [kinds.count(kind) for kind in ("cancel_requested", "retried")]
        assert told == [1, 1], kinds
    assert Event.objects.filter(kind__in=["priority", "paused", "resumed"]).count() == 3


SCENARIOS = (Scenario("web", "console", *checked(_console, _steer, _steered)),)
