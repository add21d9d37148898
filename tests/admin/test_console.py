"""The console: who may look, who may command, what it shows, and that it stays quick."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.admin.people import COMMAND, JOBS, command, fail, visit
from tests.factories import make_job, make_upload
from tests.pages.api import make_person
from uploads.admin.site import console
from uploads.models import Job, Upload, Worker
from uploads.models.staff import OPERATORS, WATCHERS
from uploads.states import StepState, UploadState
from uploads.storage import store

pytestmark = pytest.mark.django_db

# --- who ---------------------------------------------------------------------


def test_strangers_are_sent_to_the_one_sign_in(client: Client) -> None:
    answer = client.get("/admin/")
    assert answer.status_code == 302
    assert answer["Location"] == "/login/?next=/admin/"


def test_for_those_who_are_no_staff_there_is_no_console(client: Client, alice: User) -> None:
    client.force_login(alice)
    for path in ("/admin/", JOBS, "/admin/login/"):
        assert client.get(path, follow=True).status_code == 404


def test_staff_without_a_right_see_nothing(job: Job) -> None:
    client = visit()
    for path in ("/admin/", JOBS, f"{JOBS}{job.key}/change/", "/admin/uploads/worker/"):
        assert client.get(path).status_code == 403


def test_watchers_look_but_do_not_command(watcher: Client, job: Job) -> None:
    for path in ("/admin/", JOBS, f"{JOBS}{job.key}/change/", "/admin/uploads/worker/"):
        assert watcher.get(path).status_code == 200
    page = watcher.get(f"{JOBS}{job.key}/change/").content.decode()
    assert "/pause/" not in page
    assert watcher.post(f"{JOBS}{job.key}/pause/").status_code == 403
    refused = command(watcher, "cancel", job)
    assert refused.status_code == 403
    assert "You may not do this." in refused.content.decode()
    job.refresh_from_db()
    assert job.cancel_requested_at is None
    assert job.paused_at is None


def test_operators_make_nobody_an_administrator(operator: Client) -> None:
    assert operator.get("/admin/auth/user/").status_code == 403


def test_unsigned_pickles_are_refused() -> None:
    from django_q.models import Schedule, Task

    for model in (Task, Schedule, [Task]):
        with pytest.raises(ImproperlyConfigured, match="pickles"):
            console.register(model)
    assert not [model for model in console._registry if model._meta.app_label == "django_q"]


@pytest.mark.parametrize("path", ["/admin/django_q/", "/admin/django_q/task/"])
def test_the_queues_own_pages_are_not_there(boss: Client, path: str) -> None:
    assert b"django_q" not in boss.get("/admin/").content
    assert boss.get(path, follow=True).request["PATH_INFO"] == "/admin/" or (
        boss.get(path).status_code == 404
    )


# --- what --------------------------------------------------------------------


def test_the_overview_counts_and_groups_failures(
    watcher: Client, alice: User, photo: Upload, job: Job
) -> None:
    failed = make_job(alice, [photo], "image.convert")
    fail(failed)
    page = watcher.get("/admin/").content.decode()
    assert job.name in page
    assert "No worker for" in page
    assert "“photo.jpg” is not an image that can be read." in page
    assert "error=not_an_image" in page


def test_silent_workers_are_marked(watcher: Client) -> None:
    long_ago = timezone.now() - timedelta(minutes=5)
    Worker.objects.create(host="mill", pid=7, start_time="1", lane="cpu", last_seen_at=long_ago)
    Worker.objects.create(host="mill", pid=8, start_time="1", lane="light")
    page = watcher.get("/admin/uploads/worker/").content.decode()
    assert "last seen" in page
    assert page.count("worker silent") == 1


def test_a_jobs_page_tells_its_steps_and_troubles(watcher: Client, job: Job) -> None:
    step = job.steps.get()
    job.steps.filter(pk=step.pk).update(
        state=StepState.FAILED, error="boom & <b>", attempt=3, crashes=1, lease_owner="mill:1:7:9"
    )
    fail(job)
    page = watcher.get(f"{JOBS}{job.key}/change/").content.decode()
    assert "boom &amp; &lt;b&gt;" in page
    assert "mill:1:7:9" in page
    assert "Open it in an image program" in page


def test_only_its_owner_gets_a_link_to_the_jobs_own_page(
    boss: Client, watcher: Client, alice: User, job: Job
) -> None:
    assert f"/jobs/{job.key}/" not in watcher.get(f"{JOBS}{job.key}/change/").content.decode()
    alice.is_staff = alice.is_superuser = True
    alice.save()
    client = Client()
    client.force_login(alice)
    assert f'"/jobs/{job.key}/"' in client.get(f"{JOBS}{job.key}/change/").content.decode()


@pytest.mark.parametrize("path", ["/admin/", JOBS, "/admin/uploads/upload/"])
def test_no_query_per_row(watcher: Client, alice: User, photo: Upload, path: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert watcher.get(path).status_code == 200
        return len(captured)

    make_job(alice, [photo], "image.convert")
    queries()
    few = queries()
    for _ in range(10):
        make_job(alice, [photo], "image.convert")
    assert queries() <= few


def test_pages_obey_the_strict_policy(boss: Client, job: Job) -> None:
    paths = ["/admin/", JOBS, f"{JOBS}{job.key}/change/", "/admin/auth/user/add/"]
    more = [f"{JOBS}failures/", "/admin/uploads/worker/", "/admin/admin/logentry/"]
    for path in [*paths, *more, "/admin/auth/group/", "/admin/uploads/upload/"]:
        answer = boss.get(path)
        assert answer.status_code == 200, path
        page = answer.content.decode()
        assert "style=" not in page, path
        assert "<style" not in page, path
        assert "onclick" not in page, path
        assert "<script>" not in page, path
        assert "'unsafe" not in answer["Content-Security-Policy"]


# --- commands ------------------------------------------------------------------


def test_commands_need_a_post_with_the_forms_token(operator: Client, job: Job) -> None:
    assert operator.get(f"{JOBS}{job.key}/cancel/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies
    assert strict.post(f"{JOBS}{job.key}/cancel/").status_code == 403
    assert strict.post(COMMAND, {"verb": "cancel", "job": job.key}).status_code == 403
    job.refresh_from_db()
    assert job.cancel_requested_at is None


@pytest.mark.django_db(transaction=True)
def test_unused_uploads_can_be_removed(alice: User, tmp_path: Path) -> None:
    files = []
    for name in ("used.jpg", "free.jpg"):
        path = tmp_path / name
        path.write_bytes(b"x")
        files.append(make_upload(alice, path))
    make_job(alice, files[:1], "image.convert")
    client = visit(OPERATORS)
    body = {"action": "give_up", "_selected_action": [upload.pk for upload in files]}
    answer = client.post("/admin/uploads/upload/", body, follow=True)
    assert "1 removed; 1 are in use or were gone." in answer.content.decode()
    states = [Upload.objects.get(pk=upload.pk).state for upload in files]
    assert states == [UploadState.COMPLETE, UploadState.TERMINATED]
    assert not store.path(files[1].storage_key).exists()


def test_an_administrator_makes_a_watcher(boss: Client, alice: User) -> None:
    group = Group.objects.get(name=WATCHERS)
    body = {"username": "alice", "email": "", "is_active": "on", "is_staff": "on"}
    answer = boss.post(f"/admin/auth/user/{alice.pk}/change/", {**body, "groups": [group.pk]})
    assert answer.status_code == 302, answer.content.decode()
    alice.refresh_from_db()
    assert User.objects.get(pk=alice.pk).has_perm("uploads.view_job")
    assert not User.objects.get(pk=alice.pk).has_perm("uploads.change_job")


def test_who_has_work_or_commands_on_record_is_not_deleted(
    boss: Client, operator: Client, alice: User, job: Job
) -> None:
    command(operator, "pause", job)
    for person in (alice, User.objects.get(username="staff-Operators")):
        page = boss.get(f"/admin/auth/user/{person.pk}/change/").content.decode()
        assert "Untick Active instead" in page
        assert "/delete/" not in page
        path = f"/admin/auth/user/{person.pk}/delete/"
        assert boss.post(path, {"post": "yes"}).status_code == 403
    body = {"action": "delete_selected", "_selected_action": [alice.pk], "post": "yes"}
    boss.post("/admin/auth/user/", body)
    assert User.objects.filter(pk=alice.pk).exists()
    bob = make_person("bob")
    assert "/delete/" in boss.get(f"/admin/auth/user/{bob.pk}/change/").content.decode()
    boss.post(f"/admin/auth/user/{bob.pk}/delete/", {"post": "yes"})
    assert not User.objects.filter(pk=bob.pk).exists()


def test_who_may_change_users_does_not_change_administrators(alice: User) -> None:
    from django.contrib.auth.models import Permission

    chief = make_person("chief", is_staff=True, is_superuser=True)
    clerk = make_person("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client = Client()
    client.force_login(clerk)
    body = {"username": "chief", "is_active": "", "is_superuser": ""}
    assert client.post(f"/admin/auth/user/{chief.pk}/change/", body).status_code == 403
    body = {"username": "alice", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    client.post(f"/admin/auth/user/{alice.pk}/change/", body)
    alice.refresh_from_db()
    assert not alice.is_superuser
    assert not alice.is_staff


@pytest.mark.django_db(transaction=True)
def test_uploads_beyond_one_command_are_told(
    alice: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from uploads.admin import files

    monkeypatch.setattr(files, "AT_ONCE", 1)
    path = tmp_path / "free.jpg"
    path.write_bytes(b"x")
    chosen = [make_upload(alice, path).pk for _ in range(2)]
    body = {"action": "give_up", "_selected_action": chosen}
    answer = visit(OPERATORS).post("/admin/uploads/upload/", body, follow=True)
    assert "1 removed. 1 more were chosen and are untouched" in answer.content.decode()
    assert Upload.objects.filter(state=UploadState.COMPLETE).count() == 1


def test_staff_find_the_way_from_a_jobs_own_page_and_back(job: Job, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    console_page = f"{JOBS}{job.key}/change/"
    assert console_page not in client.get(f"/jobs/{job.key}/").content.decode()
    alice.is_staff = alice.is_superuser = True
    alice.save()
    assert client.get(f"/jobs/{job.key}/").content.decode().count(console_page) == 1
    assert f'"/jobs/{job.key}/"' in client.get(console_page).content.decode()


def test_what_comes_later_has_its_place_on_the_live_page(watcher: Client, job: Job) -> None:
    empty = watcher.get(f"{JOBS}?state=failed").content.decode()
    assert 'id="list" data-live-shown hidden' in empty
    assert '<tbody id="rows" data-live-rows>' in empty
    troubles = '<section class="card" id="troubles" data-live data-live-shown'
    assert f"{troubles} hidden>" in watcher.get(f"{JOBS}{job.key}/change/").content.decode()
    fail(job)
    assert f"{troubles}>" in watcher.get(f"{JOBS}{job.key}/change/").content.decode()
    assert 'id="none" data-live-shown hidden' in watcher.get(JOBS).content.decode()
