"""`doctor`, `/healthz`, `/metrics`, `createtoken`: what they say when things are well and when not."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings

from tests.pages.api import Api, make_person
from uploads.checks import check_settings
from uploads.management.findings import Finding, choices, database, folders, sandbox
from uploads.models import Token, Worker
from uploads.pages.health import faults
from uploads.states import Lane

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data_folder() -> Path:
    folder = Path(settings.TIDEMILL_DATA)
    folder.chmod(0o700)
    return folder


def marks(findings: Any) -> dict[str, str]:
    return {finding.name: finding.mark for finding in findings}


def text_of(findings: Any, name: str) -> str:
    return next(finding.text for finding in findings if finding.name == name)


def make_workers() -> None:
    for number, lane in enumerate(Lane):
        Worker.objects.create(host="mill", pid=number, start_time="1", lane=lane, rss_bytes=5)


def doctor() -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("doctor", stdout=out, no_color=True)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


# --- doctor --------------------------------------------------------------------


def test_a_sound_machine_is_told_so_with_its_versions() -> None:
    status, text = doctor()
    assert status == 0, text
    for name in ("Python", "django ", "channels", "daphne", "django-q2", "FFmpeg", "libvips"):
        assert name in text
    assert "made kill-safe" in text
    assert "All is well" in text


def test_a_data_folder_that_others_may_read_is_a_fault(data_folder: Path) -> None:
    data_folder.chmod(0o755)
    assert marks(folders())["data folder"] == "fault"
    status, text = doctor()
    assert status == 1
    assert "chmod go-rwx" in text


def test_too_little_space_is_a_fault() -> None:
    with override_settings(TIDEMILL_DISK_RESERVE_BYTES=10**18):
        assert marks(folders())["free space"] == "fault"


def test_an_ffmpeg_that_does_not_run_is_a_fault(tmp_path: Path) -> None:
    with override_settings(TIDEMILL_FFMPEG=str(tmp_path / "ffmpeg")):
        status, text = doctor()
    assert status == 1
    assert "does not run" in text


def test_workers_are_told_from_none() -> None:
    assert marks(database())["workers: cpu"] == "warn"
    make_workers()
    assert marks(database())["workers: cpu"] == "ok"


def test_what_is_off_is_a_choice_and_no_fault() -> None:
    found = marks(choices())
    assert found["e-mail"] == found["public address"] == "off"
    with override_settings(TIDEMILL_HOST="0.0.0.0"):
        assert "in the clear" in text_of(choices(), "public address")


def test_a_reduced_sandbox_is_a_fault_only_when_a_full_one_is_required() -> None:
    found = list(sandbox())
    assert {finding.name for finding in found} == {"sandbox"}
    assert "fault" not in marks(found).values()
    assert isinstance(found[0], Finding)


# --- checks ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "id"),
    [
        ({"TIDEMILL_QUOTA_BYTES": -1}, "tidemill.E001"),
        ({"TIDEMILL_STEP_ATTEMPTS": 0}, "tidemill.E002"),
        ({"TIDEMILL_LEASE_SECONDS": 7}, "tidemill.E003"),
        ({"TIDEMILL_STEP_MAX_SECONDS": 1}, "tidemill.E004"),
        ({"TIDEMILL_SANDBOX": "strong"}, "tidemill.E005"),
        ({"TIDEMILL_PUBLIC_URL": "mill.example.org"}, "tidemill.E006"),
        ({"TIDEMILL_EMAIL_URL": "smtp://localhost"}, "tidemill.W001"),
    ],
)
def test_settings_that_contradict_are_named(values: dict[str, Any], id: str) -> None:
    assert check_settings(None) == []
    with override_settings(**values):
        assert [found.id for found in check_settings(None)] == [id]


# --- health ------------------------------------------------------------------------


def test_health_needs_a_live_worker_in_every_lane(client: Client) -> None:
    sick = client.get("/healthz")
    assert sick.status_code == 503
    assert sick.json()["reasons"] == [
        "No worker of the lane “cpu” is alive.",
        "No worker of the lane “light” is alive.",
    ]
    make_workers()
    well = client.get("/healthz")
    assert well.status_code == 200
    assert well.json() == {"status": "ok", "reasons": []}
    assert "no-store" in well["Cache-Control"]


def test_health_is_cheap(client: Client, django_assert_max_num_queries: Any) -> None:
    """Most when no worker is alive: then it tries whether the database takes writes at all."""
    with django_assert_max_num_queries(8):
        client.get("/healthz")


def test_a_database_that_is_away_is_a_reason() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE uploads_step RENAME TO uploads_step_away")
    assert faults() == ["The database does not answer."]


# --- metrics -----------------------------------------------------------------------


def test_metrics_are_for_staffs_tokens_alone() -> None:
    assert Api(None).call("GET", "/metrics").status_code == 401
    assert Api(make_person("alice")).call("GET", "/metrics").status_code == 404
    make_workers()
    answer = Api(make_person("boss", is_staff=True)).call("GET", "/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.content.decode().splitlines()
    assert 'tidemill_workers{lane="cpu"} 1' in lines
    assert 'tidemill_jobs{state="running"} 0' in lines
    assert "tidemill_uploads_receiving 0" in lines
    samples = [line for line in lines if not line.startswith("#")]
    assert all(
        len(line.rsplit(" ", 1)) == 2 and float(line.rsplit(" ", 1)[1]) >= 0 for line in samples
    )


# --- createtoken ---------------------------------------------------------------------


def test_createtoken_prints_the_token_alone() -> None:
    make_person("alice")
    out = StringIO()
    call_command("createtoken", "alice", stdout=out)
    secret = out.getvalue().removesuffix("\n")
    assert secret.split() == [secret]
    owner = Token.owner_of(secret)
    assert owner is not None
    assert owner.username == "alice"


def test_createtoken_needs_an_active_user() -> None:
    make_person("gone", is_active=False)
    for name in ("nobody", "gone"):
        with pytest.raises(CommandError, match="no active user"):
            call_command("createtoken", name)
