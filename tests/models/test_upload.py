"""Uploads: complete once, given up once, counted from the first byte."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User

from tests.factories import make_upload, make_user
from uploads.models import Upload
from uploads.states import UploadState
from uploads.storage import store

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return make_user()


@pytest.fixture
def upload(alice: User, tmp_path: Path) -> Upload:
    path = tmp_path / "a.txt"
    path.write_text("hello")
    return make_upload(alice, path, complete=False)


def test_two_last_pieces_complete_an_upload_once(upload: Upload) -> None:
    twin = Upload.objects.get(pk=upload.pk)
    assert upload.complete(kind="text", media_type="text/plain")
    assert not twin.complete(kind="text", media_type="text/plain")
    assert upload.is_complete


def test_space_is_reserved_by_the_announced_length(alice: User, upload: Upload) -> None:
    assert Upload.objects.visible_to(alice).bytes_taken() == 5
    upload.remove(UploadState.TERMINATED)
    assert Upload.objects.visible_to(alice).bytes_taken() == 0


@pytest.mark.django_db(transaction=True)
def test_giving_an_upload_up_frees_its_bytes_once(upload: Upload) -> None:
    path = store.path(upload.storage_key)
    assert path.exists()
    assert upload.remove(UploadState.TERMINATED)
    assert not path.exists()
    assert not upload.remove(UploadState.EXPIRED)


def test_nobody_sees_anothers_uploads(upload: Upload) -> None:
    assert not Upload.objects.visible_to(make_user("bob")).exists()


def test_an_upload_without_a_job_is_unused(upload: Upload) -> None:
    assert list(Upload.objects.all().unused()) == [upload]
