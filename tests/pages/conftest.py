"""Pages without collected static files (the browser tests have those) and with quick passwords."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.factories import make_upload
from tests.pages.api import Api, make_person
from uploads.models import Upload


@pytest.fixture(autouse=True)
def _quick_and_plain(settings: Any) -> None:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def alice(db: None) -> User:
    return make_person("alice")


@pytest.fixture
def api(alice: User) -> Api:
    return Api(alice)


@pytest.fixture
def photo(alice: User, tmp_path: Path) -> Upload:
    """Return an arrived file of Alice's."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"photo")
    return make_upload(alice, path)
