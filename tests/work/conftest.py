"""A user, text files, and a worker that runs in this process; its children are real."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import odd_operations
import pytest
from django.contrib.auth.models import User

from tests.factories import make_job, make_upload, make_user
from uploads.models import Job, Upload
from uploads.states import Lane
from uploads.storage import store
from uploads.work.run import run_next


@pytest.fixture(autouse=True)
def odd_operations_for_children(settings: Any) -> None:
    """Let the sandboxed children import the tests' own operations."""
    settings.TIDEMILL_OPERATIONS_PATH = str(Path(odd_operations.__file__).parent)


@pytest.fixture(autouse=True)
def empty_store() -> Iterator[None]:
    """Remove a test's files with its rows: the next one may ask for every file's row."""
    yield
    shutil.rmtree(store.path("store"), ignore_errors=True)


@pytest.fixture
def alice(db: None) -> User:
    return make_user("alice")


@pytest.fixture
def text_upload(alice: User, tmp_path: Path) -> Callable[..., Upload]:
    def make(text: str, name: str = "", owner: User | None = None, **values: Any) -> Upload:
        path = tmp_path / (name or f"{abs(hash(text)) % 10**8}.txt")
        path.write_text(text)
        return make_upload(owner or alice, path, media_type="text/plain", **values)

    return make


@pytest.fixture
def job_of(alice: User, text_upload: Callable[..., Upload]) -> Callable[..., Job]:
    """Submit one operation over files with these texts."""

    def make(
        *texts: str, operation: str = "test.copy", owner: User | None = None, **options: Any
    ) -> Job:
        uploads = [
            text_upload(text, f"file-{number}.txt", owner) for number, text in enumerate(texts)
        ]
        return make_job(owner or alice, uploads, operation, **options)

    return make


def work_off() -> int:
    """Run everything that is ready, on all lanes, and return how many steps that were."""
    ran = 0
    while run_next(Lane.LIGHT) or run_next(Lane.CPU):
        ran += 1
    return ran
