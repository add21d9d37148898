"""Options that one file has of its own: checked, obeyed in every kind of step, kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.factories import make_upload
from tests.work.conftest import work_off
from uploads.errors import RequestError
from uploads.models import Job, Upload
from uploads.states import ItemState
from uploads.storage import store
from uploads.work.submit import JobRequest, StageRequest, submit
from uploads.work.whole import run_on_all

pytestmark = pytest.mark.django_db

TextUpload = Callable[..., Upload]
Overrides = dict[str, dict[str, Any]]


def asked(
    owner: User,
    uploads: list[Upload],
    overrides: Overrides,
    operation: str = "test.copy",
    *,
    sample: bool = False,
    **options: Any,
) -> Job:
    keys = [upload.key for upload in uploads]
    stage = StageRequest(operation, options)
    return submit(owner, JobRequest([stage], keys, overrides=overrides, sample=sample))


def contents(job: Job) -> list[str]:
    rows = job.results.exclude(role="part").order_by("item__position", "position")
    return [store.path(result.storage_key).read_text() for result in rows]


@pytest.fixture
def texts(text_upload: TextUpload) -> list[Upload]:
    return [text_upload(word, f"{word}.txt") for word in ("one", "two", "three")]


def test_in_one_batch_each_file_obeys_its_own(alice: User, texts: list[Upload]) -> None:
    job = asked(alice, texts, {texts[1].key: {"shout": True}})
    work_off()
    assert contents(job) == ["one", "TWO", "three"]
    assert [item.options for item in job.items.all()] == [{}, {"shout": True}, {}]


def test_a_file_may_differ_back_to_the_default(alice: User, texts: list[Upload]) -> None:
    job = asked(alice, texts, {texts[0].key: {"shout": "false"}}, shout=True)
    work_off()
    assert contents(job) == ["one", "TWO", "THREE"]


def test_what_is_as_for_all_is_no_option_of_its_own(alice: User, texts: list[Upload]) -> None:
    job = asked(alice, texts, {texts[0].key: {"shout": "true", "pause": 0}}, shout=True)
    assert job.items.get(position=0).options == {}


def test_parts_and_their_join_obey_too(alice: User, tmp_path: Path) -> None:
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for path in paths:
        path.write_text("x\ny\n")
    uploads = [make_upload(alice, path, media_type="text/plain") for path in paths]
    job = asked(alice, uploads, {uploads[0].key: {"shout": True}}, "test.lines")
    work_off()
    made = job.results.filter(role="result").order_by("item__position")
    assert [result.meta["shout"] for result in made] == [[True] * 3, [False] * 3]


def test_a_retry_keeps_them(alice: User, text_upload: TextUpload) -> None:
    upload = text_upload("bad", "word.txt")
    job = asked(alice, [upload], {upload.key: {"shout": True}})
    work_off()
    assert job.items.get().state == ItemState.FAILED
    store.path(upload.storage_key).write_text("ok!")
    job.refresh_from_db()
    job.retry("alice")
    work_off()
    assert contents(job) == ["OK!"]


def test_a_sample_and_its_whole_job_have_the_same(alice: User, text_upload: TextUpload) -> None:
    files = [text_upload("x" * size, f"{size}.txt") for size in range(1, 8)]
    job = asked(alice, files, {upload.key: {"shout": True} for upload in files[2:4]}, sample=True)
    work_off()
    assert contents(job) == ["x", "XXXX", "xxxxxxx"]
    whole = run_on_all(job)
    own = [bool(item.options) for item in whole.items.all()]
    assert own == [False, False, True, True, False, False, False]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pause": -1}, "two.txt: Pause: at least 0 is needed"),
        ({"pause": "long"}, "two.txt: Pause: a number is expected"),
        ({"colour": "red"}, "“colour” is not known"),
    ],
)
def test_what_the_operation_refuses_is_told_with_the_files_name(
    alice: User, texts: list[Upload], values: dict[str, Any], words: str
) -> None:
    with pytest.raises(RequestError) as refused:
        asked(alice, texts, {texts[1].key: values})
    assert words in str(refused.value)
    assert not Job.objects.exists()


def test_only_files_of_the_job_can_have_any(
    alice: User, texts: list[Upload], text_upload: TextUpload
) -> None:
    other = text_upload("other", "other.txt")
    with pytest.raises(RequestError) as refused:
        asked(alice, texts, {other.key: {"shout": True}})
    assert refused.value.code == "upload_missing"


def test_a_file_for_all_is_the_same_for_all(alice: User, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    photo = make_upload(alice, path)
    with pytest.raises(RequestError, match="the same for all files"):
        asked(alice, [photo], {photo.key: {"logo": photo.key}}, "image.watermark", text="ann")
