"""Jobs through the API: what a script can do from start to deletion."""

from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from tests.factories import make_upload
from tests.pages.api import Api, body_of, make_person
from uploads.models import Job, Result, Upload
from uploads.states import ItemState, JobState, StepKind, StepState, UploadState
from uploads.storage import store

pytestmark = pytest.mark.django_db


def start(api: Api, *uploads: Upload, **more: object) -> dict:
    body = {"operation": "image.convert", "uploads": [upload.key for upload in uploads], **more}
    return api.post("jobs/", body, status=201)


def end(key: str, state: ItemState = ItemState.FAILED) -> Job:
    """End every item of a job as a worker's commit does."""
    job = Job.objects.get(key=key)
    for item in job.items.open():
        code = "not_an_image" if state == ItemState.FAILED else ""
        job.end_item(item, state, code=code)
    job.end_if_done()
    job.refresh_from_db()
    return job


def add_result(job: Job, name: str = "photo.webp", role: str = "result") -> Result:
    item = job.items.get()
    count = job.results.count()
    key = f"store/aa/{job.key}/1-{'a' * 24}/{name}"
    path = store.path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"webp bytes")
    return Result.objects.create(
        job=job,
        item=item,
        step=job.steps.all()[0],
        position=count,
        name=name,
        role=role,
        storage_key=key,
        size_bytes=10,
        sha256="0" * 64,
        media_type="image/webp",
        meta={"width": 4},
    )


def test_the_work_is_estimated_by_the_options(api: Api, alice: User, tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(bytes(4_000_000))
    upload = make_upload(alice, path)

    def seconds(**options: object) -> float:
        found: float = Job.objects.get(key=start(api, upload, options=options)["id"]).weight_total
        return found

    plain, small = seconds(), seconds(sizes=[320])
    assert small < plain / 4
    assert seconds(format="avif") > 10 * plain
    assert small < seconds(sizes=[1600, 320]) < plain
    box = seconds(mode="fill", width=800, height=600)
    assert small < box < seconds(mode="percent", percent=90) < plain


def test_a_started_job_answers_201_with_its_address(api: Api, photo: Upload) -> None:
    body = {"operation": "image.convert", "options": {"sizes": [320]}, "uploads": [photo.key]}
    answer = api.call("POST", "jobs/", body)
    assert answer.status_code == 201
    job = answer.json()
    assert answer["Location"] == f"/api/v1/jobs/{job['id']}/"
    assert api.get(answer["Location"]) == job
    assert job["state"] == "queued"
    assert job["options"]["sizes"] == [320]
    assert job["items"] == {"total": 1, "done": 0, "failed": 0, "cancelled": 0}
    assert job["waiting"]["reason"] == "no_worker"


def test_stages_are_the_longer_spelling_of_operation(api: Api, photo: Upload) -> None:
    stages = [{"operation": "image.convert", "options": {"format": "png"}}]
    job = api.post("jobs/", {"stages": stages, "uploads": [photo.key]}, status=201)
    assert job["options"]["format"] == "png"


def test_the_names_of_results_are_a_pattern(api: Api, photo: Upload) -> None:
    assert start(api, photo, names="{name}-{n:3}")["names"] == "{name}-{n:3}"
    body = {"operation": "image.convert", "uploads": [photo.key]}
    refused = api.post("jobs/", {**body, "names": "{what}"}, status=400)
    assert refused["code"] == "bad_names"
    assert "“{what}” is no placeholder" in refused["message"]
    api.post("jobs/", {**body, "names": 7}, status=400)


def test_a_sample_says_in_the_end_what_all_files_will_take(
    api: Api, alice: User, tmp_path: Path
) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"x" * 1000)
    uploads = [make_upload(alice, path) for _ in range(8)]
    made = start(api, *uploads, sample=True)
    assert (made["sample"], made["prediction"], made["items"]["total"]) == (True, None, 3)
    job = Job.objects.get(key=made["id"])
    step = job.steps.all()[0]
    for number, item in enumerate(job.items.all()):
        job.results.create(
            item=item, step=step, position=number, name="x", storage_key="x", size_bytes=250,
            sha256="", media_type="image/webp",
        )  # fmt: skip
    end(job.key, ItemState.SUCCEEDED)
    told = api.get(f"jobs/{job.key}/")["prediction"]
    assert told == {"files": 8, "source_bytes": 8000, "result_bytes": 2000, "seconds": None}
    assert api.get("jobs/")["results"][0]["prediction"] is None
    body = {"operation": "image.convert", "uploads": [uploads[0].key], "sample": "yes"}
    assert api.post("jobs/", body, status=400)["code"] == "bad_request"


def test_single_files_may_have_options_of_their_own(api: Api, alice: User, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"photo")
    one, other = make_upload(alice, path), make_upload(alice, path)
    job = start(api, one, other, overrides={other.key: {"quality": 60}})
    items = api.get(f"jobs/{job['id']}/items/")["results"]
    assert [item["options"] for item in items] == [{}, {"quality": 60}]
    body = {"operation": "image.convert", "uploads": [one.key]}
    for wrong, code in (
        ({other.key: {}}, "upload_missing"),
        ({one.key: {"quality": 0}}, "invalid_options"),
        ({one.key: 7}, "bad_request"),
        ([], "bad_request"),
    ):
        assert api.post("jobs/", {**body, "overrides": wrong}, status=400)["code"] == code


def test_name_priority_and_notify_are_kept(api: Api, photo: Upload) -> None:
    with override_settings(TIDEMILL_EMAIL_URL="smtp://localhost"):
        job = start(api, photo, name="Holiday", priority=-7, notify=True)
    assert (job["name"], job["priority"]) == ("Holiday", -7)
    assert Job.objects.get(key=job["id"]).notify == "alice@example.org"


def test_the_same_idempotency_key_starts_one_job(api: Api, photo: Upload) -> None:
    body = {"operation": "image.convert", "uploads": [photo.key]}
    first = api.call("POST", "jobs/", body, **{"Idempotency-Key": "once"})
    again = api.call("POST", "jobs/", body, **{"Idempotency-Key": "once"})
    assert first.status_code == again.status_code == 201
    assert first["Location"] == again["Location"]
    assert Job.objects.count() == 1


def test_an_idempotency_key_belongs_to_its_owner(api: Api, photo: Upload, tmp_path: Path) -> None:
    bob = make_person("bob")
    path = tmp_path / "bob.jpg"
    path.write_bytes(b"bob")
    upload = make_upload(bob, path)
    mine = {"operation": "image.convert", "uploads": [photo.key]}
    his = {"operation": "image.convert", "uploads": [upload.key]}
    first = api.post("jobs/", mine, status=201, **{"Idempotency-Key": "once"})
    other = Api(bob).post("jobs/", his, status=201, **{"Idempotency-Key": "once"})
    assert first["id"] != other["id"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"operation": "image.explode"}, "unknown_operation"),
        ({"operation": None}, "bad_request"),
        ({"options": {"colour": "red"}}, "unknown_field"),
        ({"options": {"sizes": [1]}}, "invalid_options"),
        ({"options": "webp"}, "bad_request"),
        ({"uploads": []}, "no_files"),
        ({"uploads": ["0" * 32]}, "upload_missing"),
        ({"uploads": [7]}, "bad_request"),
        ({"uploads": "x"}, "bad_request"),
        ({"stages": []}, "bad_request"),
        ({"priority": 101}, "bad_request"),
        ({"priority": 1}, "bad_request"),
        ({"priority": True}, "bad_request"),
        ({"priority": "high"}, "bad_request"),
        ({"notify": "no address"}, "bad_request"),
        ({"notify": 1}, "bad_request"),
        ({"name": ["x"]}, "bad_request"),
        ({"colour": "red"}, "unknown_field"),
    ],
)
def test_a_wrong_request_is_refused_in_words(
    api: Api, photo: Upload, change: dict, code: str
) -> None:
    body = {"operation": "image.convert", "uploads": [photo.key], **change}
    refused = api.post("jobs/", body, status=400)
    assert refused["code"] == code
    assert refused["message"]
    assert not Job.objects.exists()


def test_another_users_upload_can_not_be_used(photo: Upload) -> None:
    bob = Api(make_person("bob"))
    body = {"operation": "image.convert", "uploads": [photo.key]}
    assert bob.post("jobs/", body, status=400)["code"] == "upload_missing"


def test_commands_do_what_they_say(api: Api, photo: Upload) -> None:
    address = f"jobs/{start(api, photo)['id']}"
    assert api.post(f"{address}/pause/")["paused"] is True
    assert api.post(f"{address}/pause/")["waiting"]["text"] == "Paused by alice."
    assert api.post(f"{address}/resume/")["paused"] is False
    assert api.post(f"{address}/cancel/")["state"] == "cancelled"
    assert api.post(f"{address}/retry/", {})["state"] == "queued"


def test_an_ended_job_takes_no_commands_but_retry(api: Api, photo: Upload) -> None:
    key = start(api, photo)["id"]
    end(key)
    for name in ("cancel", "pause", "resume"):
        assert api.post(f"jobs/{key}/{name}/", status=409)["code"] == "conflict"
    assert api.post(f"jobs/{key}/retry/")["items"]["failed"] == 0


def test_nothing_to_retry_is_a_conflict(api: Api, photo: Upload) -> None:
    key = start(api, photo)["id"]
    end(key, ItemState.SUCCEEDED)
    assert api.post(f"jobs/{key}/retry/", status=409)["code"] == "conflict"


def test_a_command_takes_no_fields(api: Api, photo: Upload) -> None:
    key = start(api, photo)["id"]
    assert api.post(f"jobs/{key}/cancel/", {"now": True}, status=400)["code"] == "unknown_field"
    assert Job.objects.get(key=key).cancel_requested_at is None


def test_failed_items_say_what_is_wrong(api: Api, photo: Upload) -> None:
    key = start(api, photo)["id"]
    end(key)
    (item,) = api.get(f"jobs/{key}/items/?state=failed")["results"]
    assert item["error"]["code"] == "not_an_image"
    assert "photo.jpg" in item["error"]["message"]
    assert item["upload"] == photo.key
    assert api.get(f"jobs/{key}/items/?state=open")["results"] == []


def test_results_name_their_source(api: Api, photo: Upload) -> None:
    key = start(api, photo)["id"]
    job = Job.objects.get(key=key)
    result = add_result(job)
    add_result(job, "small.webp", role="preview")
    add_result(job, "part-1", role="part")
    shown = api.get(f"jobs/{key}/results/")["results"]
    assert [row["role"] for row in shown] == ["result", "preview"]
    assert shown[0]["source_upload"] == photo.key
    assert shown[0]["content_url"] == f"/api/v1/results/{result.key}/content"
    assert shown[0]["item"] == 0
    only = api.get(f"jobs/{key}/results/?role=preview")["results"]
    assert [row["name"] for row in only] == ["small.webp"]


def test_results_come_with_ranges_and_as_one_archive(api: Api, photo: Upload) -> None:
    key = start(api, photo)["id"]
    result = add_result(Job.objects.get(key=key))
    (shown,) = api.get(f"jobs/{key}/results/")["results"]
    whole = api.call("GET", shown["content_url"])
    assert (whole.status_code, body_of(whole)) == (200, b"webp bytes")
    part = api.call("GET", shown["content_url"], Range="bytes=5-")
    assert (part.status_code, body_of(part)) == (206, b"bytes")
    archive = api.call("GET", f"jobs/{key}/archive.zip")
    body = body_of(archive)
    assert int(archive["Content-Length"]) == len(body)
    with ZipFile(BytesIO(body)) as opened:
        assert opened.namelist() == [result.name]
        assert opened.read(result.name) == b"webp bytes"


@pytest.mark.django_db(transaction=True)
def test_a_deleted_job_is_gone_with_its_bytes(api: Api, photo: Upload) -> None:
    key = start(api, photo)["id"]
    path = store.path(add_result(Job.objects.get(key=key)).storage_key)
    assert api.call("DELETE", f"jobs/{key}/").status_code == 204
    assert api.get(f"jobs/{key}/", status=404)["code"] == "not_found"
    assert not path.exists()


def test_progress_counts_ended_and_running_steps(api: Api, photo: Upload) -> None:
    job = Job.objects.get(key=start(api, photo)["id"])
    stage = job.stages.get()
    steps = {"job": job, "stage": stage, "owner_id": job.owner_id, "kind": StepKind.WORK}
    job.steps.create(**steps, seq=1, weight=10, state=StepState.RUNNING, progress=0.5)
    Job.objects.filter(pk=job.pk).update(
        weight_total=20, weight_done=10, state=JobState.RUNNING, started_at=job.created_at
    )
    shown = api.get(f"jobs/{job.key}/")
    assert shown["progress"] == pytest.approx(0.75)
    assert shown["waiting"] is None


def test_a_job_still_receiving_says_how_many_files_are_here(
    api: Api, alice: User, photo: Upload, tmp_path: Path
) -> None:
    path = tmp_path / "late.jpg"
    path.write_bytes(b"late")
    late = make_upload(alice, path, complete=False)
    job = start(api, photo, late)
    assert job["state"] == "receiving"
    late.remove(UploadState.TERMINATED)
    assert api.get(f"jobs/{job['id']}/")["state"] == "queued"
