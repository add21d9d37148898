"""An archive in a job: each file in it is a result of its own, in its folder, with its kind."""

import io
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_job, make_upload
from tests.pages.api import body_of
from tests.work.conftest import work_off
from uploads.models import Item, Upload
from uploads.states import JobState
from uploads.storage import store

pytestmark = pytest.mark.django_db


def packed(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with ZipFile(path, "w", ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


def names_in(client: Client, key: str) -> list[str]:
    answer = client.get(f"/jobs/{key}/results.zip")
    with ZipFile(io.BytesIO(body_of(answer))) as made:
        assert made.testzip() is None
        return made.namelist()


def test_files_keep_their_folders_names_and_kinds(
    alice: User, tmp_path: Path, client: Client
) -> None:
    files = {
        "a.png": b"\x89PNG\r\n\x1a\n" + bytes(60),
        "deep/er/b.csv": b"x,y\n1,2\n3,4\n",
        "../../c": b"plain words here\n",
    }
    source = packed(tmp_path / "holiday.zip", files)
    job = make_job(
        alice, [make_upload(alice, source, media_type="application/zip")], "archive.unpack"
    )
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    rows = job.results.order_by("position").values_list(
        "name", "relative_path", "media_type", "role"
    )
    assert list(rows) == [
        ("a.png", "holiday/a.png", "image/png", "result"),
        ("b.csv", "holiday/deep/er/b.csv", "text/csv", "result"),
        ("c", "holiday/c", "text/plain", "result"),
    ]
    client.force_login(alice)
    assert names_in(client, job.key) == ["holiday/a.png", "holiday/deep/er/b.csv", "holiday/c"]


def test_two_archives_of_one_name_lie_in_two_folders(
    alice: User, tmp_path: Path, client: Client
) -> None:
    uploads = [
        make_upload(
            alice,
            packed(tmp_path / part / "a.zip", {"x/1": part.encode(), "2": b""}),
            media_type="application/zip",
        )
        for part in ("one", "two")
    ]
    job = make_job(alice, uploads, "archive.unpack")
    work_off()
    client.force_login(alice)
    assert names_in(client, job.key) == ["a/x/1", "a/2", "a (2)/x/1", "a (2)/2"]


def test_a_damaged_archive_is_done_with_a_warning(alice: User, tmp_path: Path) -> None:
    files = {f"{n}.txt": bytes(range(n, 256)) * 99 for n in range(9)}
    source = packed(tmp_path / "a.zip", files)
    source.write_bytes(source.read_bytes()[:-400])
    job = make_job(
        alice, [make_upload(alice, source, media_type="application/zip")], "archive.unpack"
    )
    work_off()
    job.refresh_from_db()
    assert (job.state, job.results.count()) == (JobState.SUCCEEDED, 9)
    assert "damaged" in Item.objects.get(job=job).warnings[0]


def test_an_archive_is_packed_with_the_folders_of_the_uploads(alice: User, tmp_path: Path) -> None:
    uploads = []
    for name, folder in (
        ("a.txt", "trip/day 1/a.txt"),
        ("a.txt", "trip/day 2/a.txt"),
        ("b.txt", ""),
    ):
        path = tmp_path / name
        path.write_text(folder)
        uploads.append(make_upload(alice, path, media_type="text/plain"))
        Upload.objects.filter(pk=uploads[-1].pk).update(relative_path=folder)
    job = make_job(alice, uploads, "archive.pack")
    work_off()
    result = job.results.get()
    with ZipFile(store.path(result.storage_key)) as made:
        assert made.namelist() == ["trip/day 1/a.txt", "trip/day 2/a.txt", "b.txt"]
        assert made.read("trip/day 2/a.txt") == b"trip/day 2/a.txt"


def test_files_are_compared_with_a_list_that_is_an_option(alice: User, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("hello")
    upload = make_upload(alice, path, media_type="text/plain")
    listing = make_job(alice, [upload], "archive.manifest")
    work_off()
    made = listing.results.get()
    assert (made.name, made.media_type) == ("SHA256SUMS", "text/plain")
    kept = tmp_path / "SHA256SUMS"
    kept.write_bytes(store.path(made.storage_key).read_bytes())
    chosen = make_upload(alice, kept, media_type="text/plain")
    job = make_job(alice, [upload], "archive.verify", manifest=chosen.key)
    work_off()
    report = job.results.get(role="report")
    assert report.meta == {"changed": 0, "missing": 0, "extra": 0, "ok": 1}
