"""Repairs of the intake: whole files, strays, expiry. Each may run twice."""

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.factories import make_job, make_upload, make_user
from uploads.intake.sweeps import (
    STRAY_SECONDS,
    expire_uploads,
    finish_whole_uploads,
    give_up_lost_uploads,
    remove_stray_files,
)
from uploads.intake.writer import create_file
from uploads.models import Upload
from uploads.states import UploadState
from uploads.storage import store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owner(settings: Any, tmp_path: Path) -> Iterator[User]:
    settings.TIDEMILL_DATA = str(tmp_path)
    yield make_user()


def upload_of(owner: User, data: bytes, length: int | None = None) -> Upload:
    upload = Upload.objects.create(owner=owner, name="a.txt", length=length or len(data))
    create_file(store.path(upload.storage_key))
    store.path(upload.storage_key).write_bytes(data)
    return upload


def make_old(path: Path) -> Path:
    moment = time.time() - STRAY_SECONDS - 10
    os.utime(path, (moment, moment))
    return path


def test_a_whole_file_is_completed_once(owner: User) -> None:
    upload = upload_of(owner, b"hello")
    assert finish_whole_uploads() == 1
    upload.refresh_from_db()
    assert (upload.is_complete, upload.media_type) == (True, "text/plain")
    assert finish_whole_uploads() == 0


def test_a_part_of_a_file_is_left_alone(owner: User) -> None:
    upload = upload_of(owner, b"hel", length=5)
    assert finish_whole_uploads() == 0
    upload.refresh_from_db()
    assert upload.state == UploadState.RECEIVING


def test_unverified_bytes_do_not_make_a_file_whole(owner: User) -> None:
    path = store.path(upload_of(owner, b"hello").storage_key)
    path.with_name(path.name + ".mark").write_text("2")
    assert finish_whole_uploads() == 0


def test_a_row_without_its_file_is_given_up(owner: User) -> None:
    upload = upload_of(owner, b"hello")
    store.path(upload.storage_key).unlink()
    assert finish_whole_uploads() == 0
    assert give_up_lost_uploads() == 1
    upload.refresh_from_db()
    assert upload.state == UploadState.TERMINATED


def test_bytes_that_no_row_knows_are_kept_for_a_while(owner: User, settings: Any) -> None:
    upload = upload_of(owner, b"hello")
    path = make_old(store.path(upload.storage_key))
    Upload.objects.all().delete()
    assert remove_stray_files() == 0
    assert path.exists()
    settings.TIDEMILL_UNCLAIMED_KEEP_SECONDS = -1
    assert remove_stray_files() == 1
    assert not path.exists()


def test_an_upload_past_its_time_goes_and_later_its_row(owner: User) -> None:
    upload = upload_of(owner, b"hel", length=5)
    young = upload_of(owner, b"hel", length=5)
    past = timezone.now() - timedelta(seconds=1)
    Upload.objects.filter(pk=upload.pk).update(expires_at=past)
    assert expire_uploads() == 1
    assert not store.path(upload.storage_key).exists()
    upload.refresh_from_db()
    assert upload.state == UploadState.EXPIRED
    assert expire_uploads() == 0
    Upload.objects.filter(pk=upload.pk).update(expires_at=past)
    expire_uploads()
    assert list(Upload.objects.all()) == [young]


def test_a_used_upload_never_expires(owner: User, tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_bytes(b"hello")
    upload = make_upload(owner, source)
    make_job(owner, [upload], "file.inspect")
    Upload.objects.update(expires_at=timezone.now() - timedelta(days=9))
    assert expire_uploads() == 0
    assert store.path(upload.storage_key).exists()


def test_old_files_that_no_upload_owns_go(owner: User) -> None:
    kept = store.path(upload_of(owner, b"hel", length=5).storage_key)
    make_old(kept)
    gone = upload_of(owner, b"", length=1)
    gone_path = make_old(store.path(gone.storage_key))
    gone.delete()
    terminated = upload_of(owner, b"x", length=2)
    terminated.remove(UploadState.TERMINATED)
    late = store.path(terminated.storage_key)
    late.write_bytes(b"late")
    make_old(late)
    mark = make_old(_write(kept.with_name(kept.name + ".mark")))
    stop = make_old(_write(kept.with_name(kept.name + ".stop")))
    young = _write(kept.with_name("f" * 32))
    assert remove_stray_files() == 3
    assert [path.exists() for path in (kept, mark, young)] == [True] * 3
    assert [path.exists() for path in (gone_path, late, stop)] == [False] * 3
    assert remove_stray_files() == 0


def _write(path: Path) -> Path:
    path.write_text("0")
    return path
