"""Pages without collected static files (the browser tests have those) and with quick passwords."""

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _quick_and_plain(settings: Any) -> None:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
