"""Names of results by a job's pattern, as its workers give them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from PIL import Image

from tests.factories import make_upload
from tests.work.conftest import work_off
from uploads.errors import RequestError
from uploads.models import Job, Upload
from uploads.work.submit import JobRequest, StageRequest, submit

pytestmark = pytest.mark.django_db

TextUpload = Callable[..., Upload]


def _named(
    owner: User, uploads: list[Upload], names: str, operation: str, **options: object
) -> Job:
    keys = [upload.key for upload in uploads]
    return submit(owner, JobRequest([StageRequest(operation, options)], keys, names=names))


def _names(job: Job) -> list[str]:
    rows = job.results.exclude(role="part").order_by("item__position", "position")
    return [result.name for result in rows]


def test_results_are_called_as_the_pattern_says(alice: User, text_upload: TextUpload) -> None:
    uploads = [text_upload(text, f"{text}.txt") for text in ("one", "bad", "two")]
    Upload.objects.filter(pk=uploads[2].pk).update(relative_path="Rome/Day 2/two.txt")
    job = _named(alice, uploads, "{folder} {n:3} {name}", "test.copy")
    work_off()
    assert _names(job) == ["001 one.txt", "Day 2 003 two.txt"]


def test_a_divided_file_gets_one_name_and_its_parts_none(
    alice: User, text_upload: TextUpload
) -> None:
    job = _named(alice, [text_upload("a\nb\nc\n", "x.txt")], "whole-{n}", "test.lines")
    work_off()
    assert _names(job) == ["whole-1-shouted.txt"]


def test_sizes_and_previews_keep_their_endings_beside_the_dimensions(
    alice: User, tmp_path: Path
) -> None:
    path = tmp_path / "IMG_1.png"
    Image.new("RGB", (64, 48), "teal").save(path)
    options = {"sizes": [32, 16], "format": "png"}
    upload = make_upload(alice, path, media_type="image/png")
    job = _named(alice, [upload], "{name} {dimensions} {preset}", "image.convert", **options)
    work_off()
    assert _names(job) == ["IMG_1 32x24 own-32.png", "IMG_1 16x12 own-16.png"]


def test_a_pattern_that_names_nothing_known_starts_no_job(
    alice: User, text_upload: TextUpload
) -> None:
    with pytest.raises(RequestError, match="nummer"):
        _named(alice, [text_upload("one")], "{nummer}", "test.copy")
    assert not Job.objects.exists()
