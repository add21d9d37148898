"""Uploads through the API: look and give up; their bytes travel by tus."""

import pytest
from django.contrib.auth.models import User

from tests.factories import make_job
from tests.pages.api import Api, make_person
from uploads.models import Upload
from uploads.storage import store

pytestmark = pytest.mark.django_db


def test_an_upload_shows_what_it_is(api: Api, photo: Upload) -> None:
    shown = api.get(f"uploads/{photo.key}/")
    assert shown["size_bytes"] == shown["received_bytes"] == 5
    assert (shown["state"], shown["media_type"]) == ("complete", "image/jpeg")
    assert api.get("uploads/?state=complete")["results"] == [shown]
    assert api.get("uploads/?state=receiving")["results"] == []


@pytest.mark.django_db(transaction=True)
def test_an_upload_given_up_frees_its_bytes(api: Api, photo: Upload) -> None:
    assert api.call("DELETE", f"uploads/{photo.key}/").status_code == 204
    assert not store.path(photo.storage_key).exists()
    assert api.get("uploads/")["results"] == []
    assert api.call("DELETE", f"uploads/{photo.key}/").status_code == 404


def test_an_upload_in_use_stays(api: Api, alice: User, photo: Upload) -> None:
    make_job(alice, [photo], "image.convert")
    answer = api.call("DELETE", f"uploads/{photo.key}/")
    assert answer.status_code == 409
    assert store.path(photo.storage_key).exists()


def test_another_users_upload_is_not_there(photo: Upload) -> None:
    bob = Api(make_person("bob"))
    assert bob.call("GET", f"uploads/{photo.key}/").status_code == 404
    assert bob.call("DELETE", f"uploads/{photo.key}/").status_code == 404
    assert store.path(photo.storage_key).exists()
