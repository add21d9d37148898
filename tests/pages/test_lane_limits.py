"""Limits of lanes by the API: operators set and lift them, and a waiting step says so."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User

from tests.factories import make_job, worker
from tests.pages.api import Api, faults, make_person
from uploads.models import LaneLimit, Step, Upload
from uploads.pages.api.schemas import SCHEMAS
from uploads.states import Lane

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(db: None) -> Api:
    person = make_person("olga", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_hold"))
    person.user_permissions.add(Permission.objects.get(codename="change_hold"))
    return Api(person)


def test_operators_set_and_lift_a_limit_and_the_job_says_so(
    operator: Api, api: Api, alice: User, photo: Upload
) -> None:
    worker(lane=Lane.LIGHT)
    make_job(alice, [photo], "image.convert")
    waiting = make_job(alice, [photo], "image.convert")
    answer = operator.call("PUT", "lanes/light/limit/", {"max_inflight": 1})
    assert answer.status_code == 200
    assert faults(answer.json(), SCHEMAS["Lane"], SCHEMAS) == []
    assert (answer.json()["max_inflight"], answer.json()["limited_by"]) == (1, "olga")
    assert Step.objects.claim(Lane.LIGHT, "here:1:2:3")
    assert Step.objects.claim(Lane.LIGHT, "here:1:2:3") is None
    said = api.get(f"jobs/{waiting.key}/")["waiting"]
    assert said["reason"] == "lane_limit"
    assert said["text"] == "At most 1 step of planning and e-mails runs at once; 1 is running."
    steps = api.get(f"jobs/{waiting.key}/steps/?state=ready")["results"]
    assert [step["waiting"]["reason"] for step in steps] == ["lane_limit"]
    lanes = {row["lane"]: row for row in operator.get("lanes/")["results"]}
    assert [lanes[name]["max_inflight"] for name in ("cpu", "light")] == [None, 1]
    assert (lanes["light"]["running"], lanes["light"]["workers"]) == (1, 1)
    for _ in range(2):
        assert operator.call("DELETE", "lanes/light/limit/").status_code == 204
    assert Step.objects.claim(Lane.LIGHT, "here:1:2:3")
    rows = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert list(rows) == ["Limit: at most 1 at once.", "Limit: none."]


def test_only_who_may_pause_sets_a_limit(api: Api) -> None:
    assert api.call("PUT", "lanes/cpu/limit/", {"max_inflight": 1}).status_code == 403
    assert api.call("DELETE", "lanes/cpu/limit/").status_code == 403
    assert api.call("GET", "lanes/").status_code == 403
    assert not LaneLimit.objects.exists()


@pytest.mark.parametrize(
    "body",
    [{}, {"max_inflight": 0}, {"max_inflight": None}, {"max_inflight": "2"}, {"max": 2}],
)
def test_what_is_no_limit_is_refused(operator: Api, body: dict[str, Any]) -> None:
    assert operator.call("PUT", "lanes/cpu/limit/", body).status_code == 400
    assert operator.call("PUT", "lanes/gpu/limit/", {"max_inflight": 1}).status_code == 404
    assert not LaneLimit.objects.exists()
