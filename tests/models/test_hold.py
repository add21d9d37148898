"""Holds: what is paused is claimed by nobody until it is lifted, whoever asks and however often."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from tests.factories import make_job, make_upload, make_user
from uploads.errors import RequestError
from uploads.models import Hold, Job, Step, holding
from uploads.models.hold import owner_place
from uploads.models.snapshot import snapshot
from uploads.states import Lane

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return make_user("alice")


@pytest.fixture
def bob() -> User:
    return make_user("bob")


@pytest.fixture
def job_of(tmp_path: Path) -> Callable[[User], Job]:
    def make(owner: User) -> Job:
        path = tmp_path / f"{owner.get_username()}.jpg"
        path.write_bytes(b"x")
        return make_job(owner, [make_upload(owner, path)], "image.convert")

    return make


JobOf = Callable[[User], Job]


def claimed() -> str | None:
    """Claim on the light lane, where plans are; return whose step it is."""
    step = Step.objects.claim(Lane.LIGHT, "here:1:2:3")
    return step.job.owner.get_username() if step else None


@pytest.mark.parametrize("place", ["all", "lane:light", "owner"])
def test_what_is_held_is_not_claimed_until_it_is_lifted(
    place: str, alice: User, job_of: JobOf
) -> None:
    job_of(alice)
    place = owner_place(alice.pk) if place == "owner" else place
    assert holding.hold(place, "root")
    assert not Step.objects.claimable(Lane.LIGHT).exists()
    assert claimed() is None
    assert holding.lift(place)
    assert Step.objects.claimable(Lane.LIGHT).exists()
    assert claimed() == "alice"


def test_other_lanes_and_other_people_go_on(alice: User, bob: User, job_of: JobOf) -> None:
    job_of(alice), job_of(bob)
    holding.hold("lane:cpu", "root")
    holding.hold(owner_place(alice.pk), "root")
    assert [claimed(), claimed()] == ["bob", None]


def test_twice_is_as_once(alice: User, job_of: JobOf) -> None:
    job = job_of(alice)
    assert [holding.hold("all", "root"), holding.hold("all", "eve")] == [True, False]
    assert Hold.objects.get().held_by == "root"
    job.refresh_from_db()
    seq = job.seq
    assert [holding.lift("all"), holding.lift("all")] == [True, False]
    job.refresh_from_db()
    assert job.seq == seq + 1


def test_the_pages_of_the_jobs_concerned_change_and_no_others(
    alice: User, bob: User, job_of: JobOf
) -> None:
    mine, other = job_of(alice), job_of(bob)
    before = mine.seq, other.seq
    holding.hold(owner_place(alice.pk), "root")
    for job in (mine, other):
        job.refresh_from_db()
    assert (mine.seq, other.seq) == (before[0] + 1, before[1])
    waiting = snapshot(mine)["waiting"]
    assert waiting["reason"] == "held"
    assert waiting["text"] == "All jobs of alice are paused by root."


def test_what_staff_hold_only_staff_lift(alice: User) -> None:
    place = owner_place(alice.pk)
    holding.hold(place, "alice", by_staff=False)
    assert holding.lift(place, by_staff=False)
    holding.hold(place, "alice", by_staff=False)
    assert holding.hold(place, "root")
    with pytest.raises(RequestError) as refused:
        holding.lift(place, by_staff=False)
    assert refused.value.code == "forbidden"
    assert Hold.objects.get().held_by == "root"
    assert holding.lift(place)


@pytest.mark.parametrize("place", ["", "lane:gpu", "owner:0", "owner:x", "job:1"])
def test_an_unknown_place_is_refused(place: str) -> None:
    with pytest.raises(RequestError) as refused:
        holding.hold(place, "root")
    assert refused.value.code == "bad_request"


def test_a_hold_goes_with_its_person(alice: User) -> None:
    holding.hold(owner_place(alice.pk), "root")
    alice.delete()
    assert not Hold.objects.exists()
