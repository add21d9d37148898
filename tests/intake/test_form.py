"""Files from a plain form: the same checks and the same completion as resumable uploads."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile

from tests.factories import make_user
from uploads.errors import RequestError
from uploads.intake.form import receive_form_file
from uploads.models import Upload
from uploads.storage import store

pytestmark = pytest.mark.django_db(transaction=True)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(1000)


@pytest.fixture
def owner(settings: Any, tmp_path: Path) -> Iterator[User]:
    settings.TIDEMILL_DATA = str(tmp_path)
    settings.FILE_UPLOAD_TEMP_DIR = str(store.scratch())
    settings.TIDEMILL_QUOTA_BYTES = 5000
    settings.TIDEMILL_DISK_RESERVE_BYTES = 0
    yield make_user()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def on_disk(name: str, data: bytes) -> TemporaryUploadedFile:
    file = TemporaryUploadedFile(name, "text/html", len(data), None)
    file.write(data)
    file.seek(0)
    return file


@pytest.mark.parametrize("make", [SimpleUploadedFile, on_disk], ids=["memory", "disk"])
def test_a_form_s_file_is_moved_in_and_complete(owner: User, tmp_path: Path, make: Any) -> None:
    with make("../picture\u202e.png", PNG) as file:
        upload = receive_form_file(owner, file)
    assert upload.is_complete
    assert (upload.name, upload.kind, upload.media_type) == ("picture.png", "image", "image/png")
    assert store.path(upload.storage_key).read_bytes() == PNG
    assert len(files(tmp_path)) == 1
    assert upload.expires_at is not None


def test_a_file_beyond_the_quota_leaves_nothing(owner: User, tmp_path: Path) -> None:
    with on_disk("a.png", PNG * 6) as file, pytest.raises(RequestError) as error:
        receive_form_file(owner, file)
    assert error.value.code == "over_quota"
    assert not Upload.objects.exists()
    assert not files(tmp_path)


def test_a_file_above_the_limit_is_refused_unmoved(owner: User, settings: Any) -> None:
    settings.TIDEMILL_UPLOAD_MAX_BYTES = 10
    with on_disk("a.png", PNG) as file:
        with pytest.raises(RequestError) as error:
            receive_form_file(owner, file)
        assert error.value.code == "upload_too_large"
        assert Path(file.temporary_file_path()).exists()


def test_an_empty_file_is_complete(owner: User) -> None:
    with on_disk("..\\", b"") as file:
        upload = receive_form_file(owner, file)
    assert upload.is_complete
    assert upload.name == "file"
