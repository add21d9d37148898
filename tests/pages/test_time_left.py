"""The time left on pages and in the API: one range, in words where people read."""

import re
from pathlib import Path

from django.contrib.auth.models import User
from django.test import Client

from tests.factories import running_job, worker
from tests.pages.api import Api
from uploads.models import Job


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def test_list_page_and_api_tell_the_same(alice: User, api: Api, tmp_path: Path):
    worker()
    job = running_job(alice, tmp_path, took=50.0, ready=8)
    told = api.get(f"jobs/{job.key}/")["eta_seconds"]
    assert 0 < told["low"] <= told["high"]
    browser = browser_of(alice)
    words = re.compile(r"\d+ to \d+ minutes left|[Aa]bout \d+ minutes left")
    [page] = words.findall(browser.get(f"/jobs/{job.key}/").content.decode())[:1]
    assert page in browser.get("/jobs/").content.decode()


def test_a_job_of_which_nothing_is_measured_promises_nothing(alice: User, api: Api, tmp_path: Path):
    worker()
    job = running_job(alice, tmp_path)
    job.steps.filter(state="succeeded", kind="work").delete()
    job.steps.filter(state="running").update(progress=0)
    Job.objects.filter(pk=job.pk).update(weight_done=0)
    assert api.get(f"jobs/{job.key}/")["eta_seconds"] is None
    page = browser_of(alice).get(f"/jobs/{job.key}/").content.decode()
    assert "The time left shows once enough of it is done to tell." in page
