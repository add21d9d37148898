"""Pausing by the API and from the list of jobs: who may what, and what the others see."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from tests.factories import make_job, make_upload, running_job, worker
from tests.pages.api import Api, faults, make_person
from tests.pages.people import signed_in
from uploads.models import Hold, Job, Step, Upload, holding
from uploads.models.hold import owner_place
from uploads.models.staff import WATCHERS
from uploads.pages.api.schemas import SCHEMAS
from uploads.states import Lane

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(alice: User, photo: Upload) -> Job:
    return make_job(alice, [photo], "image.convert")


@pytest.fixture
def operator(db: None) -> Api:
    person = make_person("olga", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_hold"))
    person.user_permissions.add(Permission.objects.get(codename="change_hold"))
    return Api(person)


def test_operators_pause_anything_and_the_job_says_who(operator: Api, api: Api, job: Job) -> None:
    for place in ("all", "lane:light", "owner:alice"):
        hold = operator.post("holds/", {"place": place}, status=201)
        assert faults(hold, SCHEMAS["Hold"], SCHEMAS) == []
        assert (hold["place"], hold["held_by"]) == (place, "olga")
        assert api.get("holds/")["results"][0]["text"] == hold["text"]
        assert Step.objects.claim(Lane.LIGHT, "here:1:2:3") is None
        if place != "lane:light":
            assert api.get(f"jobs/{job.key}/")["waiting"]["text"] == hold["text"]
        assert operator.call("DELETE", f"holds/{place}/").status_code == 204
    assert api.get("holds/")["results"] == []
    assert Step.objects.claim(Lane.LIGHT, "here:1:2:3")


def test_a_person_pauses_their_own_jobs_and_nothing_else(api: Api, job: Job) -> None:
    assert api.post("holds/", {"place": "owner:alice"}, status=201)["held_by"] == "alice"
    assert api.get(f"jobs/{job.key}/")["waiting"]["reason"] == "held"
    assert api.call("DELETE", "holds/owner:alice/").status_code == 204
    make_person("bob")
    for place, status in (("all", 403), ("lane:cpu", 403), ("owner:bob", 404), ("owner:no", 404)):
        api.post("holds/", {"place": place}, status=status)
        assert api.call("DELETE", f"holds/{place}/").status_code == status


def test_what_an_operator_paused_its_owner_does_not_lift(operator: Api, api: Api) -> None:
    operator.post("holds/", {"place": "owner:alice"}, status=201)
    assert api.post("holds/", {"place": "owner:alice"}, status=201)["held_by"] == "olga"
    assert api.call("DELETE", "holds/owner:alice/").status_code == 403
    assert Hold.objects.exists()


def test_what_operators_pause_by_api_is_on_record(operator: Api, alice: User) -> None:
    for _ in range(2):
        operator.post("holds/", {"place": "owner:alice"}, status=201)
        operator.post("holds/", {"place": "lane:cpu"}, status=201)
    operator.call("DELETE", "holds/lane:cpu/")
    rows = LogEntry.objects.order_by("pk").values_list("object_repr", "change_message")
    assert list(rows) == [
        ("all jobs of alice", "Pause: done."),
        ("lane cpu", "Pause: done."),
        ("lane cpu", "Resume: done."),
    ]


def test_the_quota_alone_sets_and_lifts_its_pause(operator: Api, alice: User) -> None:
    place = f"quota:{alice.pk}"
    operator.post("holds/", {"place": place}, status=400)
    Hold.objects.create(place=place, owner=alice, spares_begun=True)
    assert operator.get("holds/")["results"][0]["place"] == "quota:alice"
    assert operator.call("DELETE", f"holds/{place}/").status_code == 400
    assert Hold.objects.exists()


def test_a_place_that_is_none_can_not_be_lifted(operator: Api) -> None:
    assert operator.call("DELETE", "holds/nonsense/").status_code == 404


def test_who_may_command_jobs_only_pauses_nothing_and_watchers_see_all() -> None:
    holding.hold("lane:cpu", "olga")
    clerk = make_person("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="change_job"))
    Api(clerk).post("holds/", {"place": "all"}, status=403)
    watcher = make_person("wanda", is_staff=True)
    watcher.groups.add(Group.objects.get(name=WATCHERS))
    holding.hold(owner_place(clerk.pk), "olga")
    places = {row["place"] for row in Api(watcher).get("holds/")["results"]}
    assert places == {"lane:cpu", "owner:clerk"}
    Api(watcher).post("holds/", {"place": "all"}, status=403)


def test_staff_resume_their_own_jobs_on_their_list() -> None:
    browser, user = signed_in("olga", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_hold"))
    Api(user).post("holds/", {"place": "owner:olga"}, status=201)
    assert not Hold.objects.get().by_staff
    Hold.objects.update(by_staff=True)
    assert "/jobs/resume-all/" in browser.get("/jobs/").content.decode()
    browser.post("/jobs/resume-all/")
    assert not Hold.objects.exists()


def test_a_held_job_promises_no_time_and_says_why(alice: User, api: Api, tmp_path: Path) -> None:
    worker()
    job = running_job(alice, tmp_path, took=50.0)
    job.steps.filter(state="running").update(state="ready")
    assert api.get(f"jobs/{job.key}/")["eta_seconds"]
    holding.hold("lane:cpu", "olga")
    assert api.get(f"jobs/{job.key}/")["eta_seconds"] is None
    browser = Client()
    browser.force_login(alice)
    page = browser.get("/jobs/").content.decode()
    assert page.count("Heavy work is paused by olga.") == 2  # of the job, and above the list
    assert "left</p>" not in page
    assert 'data-state="paused"' in page
    page = browser.get(f"/jobs/{job.key}/").content.decode()
    assert 'data-state="paused"' in page
    assert 'data-show="of" hidden' in page
    job.steps.filter(state="ready", seq=2).update(state="running")
    page = browser.get(f"/jobs/{job.key}/").content.decode()
    assert 'data-state="running"' in page


@pytest.mark.parametrize(
    "body", [{}, {"place": 7}, {"place": "lane:gpu"}, {"place": "all", "x": 1}]
)
def test_a_place_that_is_none_is_refused(operator: Api, body: dict[str, Any]) -> None:
    operator.post("holds/", body, status=400)


def test_steps_say_why_they_wait(api: Api, job: Job) -> None:
    step = api.get(f"jobs/{job.key}/steps/?state=ready")["results"][0]
    assert faults(step, SCHEMAS["Step"], SCHEMAS) == []
    assert step["waiting"]["reason"] == "no_worker"
    assert api.get(f"jobs/{job.key}/steps/?state=failed")["results"] == []


def test_a_job_may_bring_its_own_limit(api: Api, photo: Upload) -> None:
    wanted = {"operation": "image.convert", "uploads": [photo.key], "max_inflight": 3}
    assert api.post("jobs/", wanted, status=201)["max_inflight"] == 3
    for wrong in (-1, 10**6, "2"):
        api.post("jobs/", {**wanted, "max_inflight": wrong}, status=400)


def test_all_own_jobs_are_paused_and_resumed_from_the_list(tmp_path: Path) -> None:
    browser, user = signed_in()
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    make_job(user, [make_upload(user, path)], "image.convert")
    assert "/jobs/pause-all/" in browser.get("/jobs/").content.decode()
    assert browser.post("/jobs/pause-all/").status_code == 303
    page = browser.get("/jobs/").content.decode()
    assert "You have paused all your jobs" in page
    assert "/jobs/resume-all/" in page
    assert browser.post("/jobs/resume-all/").status_code == 303
    assert not Hold.objects.exists()


def test_the_list_says_when_an_operator_has_paused_all_and_offers_no_button() -> None:
    browser, user = signed_in()
    holding.hold(owner_place(user.pk), "olga")
    page = browser.get("/jobs/").content.decode()
    assert "olga has paused all your jobs" in page
    assert "/jobs/resume-all/" not in page
    browser.post("/jobs/resume-all/")
    assert "only an operator resumes them" in browser.get("/jobs/").content.decode()
    assert Hold.objects.exists()
