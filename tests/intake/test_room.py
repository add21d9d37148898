"""Room for uploads: sizes, quotas and the disk, also for many requests at once."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from tests.factories import make_user
from uploads.errors import RequestError
from uploads.intake.room import bytes_used, reserve
from uploads.models import Upload
from uploads.states import UploadState

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database")]
MIB = 1024 * 1024


@pytest.fixture
def owner(settings: Any, tmp_path: Path) -> Iterator[User]:
    settings.TIDEMILL_DATA = str(tmp_path)
    settings.TIDEMILL_QUOTA_BYTES = 10 * MIB
    settings.TIDEMILL_DISK_RESERVE_BYTES = MIB
    yield make_user()


def refused(owner: User, length: int) -> str:
    with pytest.raises(RequestError) as error:
        reserve(owner, name="a.bin", length=length)
    return error.value.code


def test_an_announced_file_counts_in_full(owner: User) -> None:
    reserve(owner, name="a.bin", length=6 * MIB)
    assert bytes_used(owner) == 6 * MIB
    assert refused(owner, 5 * MIB) == "over_quota"
    reserve(owner, name="b.bin", length=4 * MIB)


def test_a_removed_file_counts_no_more(owner: User) -> None:
    upload = reserve(owner, name="a.bin", length=10 * MIB)
    upload.remove(UploadState.TERMINATED)
    reserve(owner, name="b.bin", length=10 * MIB)


def test_others_files_do_not_count(owner: User) -> None:
    reserve(make_user("bob"), name="a.bin", length=10 * MIB)
    reserve(owner, name="a.bin", length=10 * MIB)


def test_a_file_above_the_limit_is_refused(owner: User, settings: Any) -> None:
    settings.TIDEMILL_UPLOAD_MAX_BYTES = MIB
    assert refused(owner, MIB + 1) == "upload_too_large"


def test_the_disk_s_reserve_is_kept(owner: User, settings: Any) -> None:
    settings.TIDEMILL_DISK_RESERVE_BYTES = 10**18
    assert refused(owner, 1) == "disk_full"


def test_files_on_their_way_count_against_the_disk(
    owner: User, settings: Any, tmp_path: Path
) -> None:
    free = shutil.disk_usage(tmp_path).free
    settings.TIDEMILL_QUOTA_BYTES = settings.TIDEMILL_UPLOAD_MAX_BYTES = 2 * free
    reserve(make_user("bob"), name="a.bin", length=free - 200 * MIB)
    assert refused(owner, 300 * MIB) == "disk_full"


def test_fifty_requests_at_once_never_exceed_the_quota(owner: User) -> None:
    def one(number: int) -> str:
        try:
            reserve(owner, name=f"{number}.bin", length=MIB)
        except RequestError as error:
            return error.code
        finally:
            connection.close()
        return "reserved"

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(one, range(50)))
    assert answers.count("reserved") == 10
    assert answers.count("over_quota") == 40
    assert Upload.objects.visible_to(owner).bytes_taken() == 10 * MIB
