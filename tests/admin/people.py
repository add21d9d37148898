"""Staff before the console, and what they press there."""

from typing import Any

from django.contrib.auth.models import Group
from django.test import Client

from tests.pages.api import make_person
from uploads.models import Job
from uploads.states import ItemState

JOBS = "/admin/uploads/job/"
COMMAND = f"{JOBS}command/"


def visit(*groups: str, **more: Any) -> Client:
    """Return the browser of a new member of staff."""
    person = make_person("staff-" + "-".join(groups), is_staff=True, **more)
    person.groups.set(Group.objects.filter(name__in=groups))
    client = Client()
    client.force_login(person)
    return client


def command(client: Client, verb: str, *jobs: Job, **more: str) -> Any:
    """Give the ticked jobs a command."""
    body = {"verb": verb, "scope": "chosen", "job": [job.key for job in jobs], **more}
    return client.post(COMMAND, body, follow=True)


def command_all(client: Client, verb: str, query: str = "", **more: str) -> Any:
    """Give all that match a command: ask, say yes, and go on until it is done."""
    body = {"verb": verb, "scope": "all", "query": query, **more}
    answer = client.post(COMMAND, body)
    while answer.status_code == 200 and answer.context["batch"]:
        answer = client.post(COMMAND, {"batch": answer.context["batch"].text()})
    return client.get(answer["Location"]) if answer.status_code == 302 else answer


def fail(job: Job, code: str = "not_an_image", detail: str = "") -> None:
    """End a job with all its files failed."""
    for item in job.items.open():
        job.end_item(item, ItemState.FAILED, code=code, detail=detail)
    job.end_if_done()
    job.refresh_from_db()
