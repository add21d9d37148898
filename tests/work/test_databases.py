"""Questions without files: from submit to the answer; who may ask what, and what never is asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection as database

from tests.factories import make_user
from tests.work.conftest import work_off
from tests.work.databases import SECRET, answer, ask, code, done, register, shop_file
from uploads.errors import RequestError
from uploads.models import Connection, Job, Upload
from uploads.models.secret import SealBrokenError
from uploads.states import JobState
from uploads.work.retry import retry_with
from uploads.work.submit import JobRequest, StageRequest, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path) -> Connection:
    return register(kind="sqlite", database=str(shop_file(tmp_path / "shop.db")))


def test_a_question_without_files_ends_with_its_answer(alice: User, shop: Connection) -> None:
    job = ask(alice, shop, "SELECT id, city, note FROM orders ORDER BY id LIMIT 4;")
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED, job.items.get().error_text
    assert job.results.get(role="result").name == "Shop.csv"
    assert answer(job).read_text() == 'id,city,note\n0,Berlin,""\n1,Porto,\n2,Berlin,\n3,Porto,""\n'


def test_a_failed_question_is_retried_with_another(alice: User, shop: Connection) -> None:
    job = ask(alice, shop, "SELECT x FROM orders")
    assert code(job) == "sql_wrong"
    retry_with(job, "alice", options={"sql": "SELECT 1 AS x"})
    assert done(job).state == JobState.SUCCEEDED
    assert answer(job).read_text() == "x\n1\n"


# --- who may ask what ------------------------------------------------------------------


def test_only_whom_it_is_open_to_may_ask(alice: User, shop: Connection) -> None:
    bob, carol = make_user("bob"), make_user("carol")
    Connection.objects.update(everyone=False)
    shop.people.add(bob)
    group = Group.objects.create(name="Readers")
    group.user_set.add(carol)
    shop.groups.add(group)
    for user in (bob, carol):
        assert ask(user, shop, "SELECT 1").pk
    for user in (alice, User.objects.create(username="root", is_superuser=True, is_staff=True)):
        with pytest.raises(RequestError) as refused:
            ask(user, shop, "SELECT 1")
        assert refused.value.code == "invalid_options"
        unknown = Connection(key="0" * 24)
        with pytest.raises(RequestError) as missing:
            ask(user, unknown, "SELECT 1")
        assert str(missing.value) == str(refused.value)


@pytest.mark.parametrize("change", [{"enabled": False}, {"everyone": False}])
def test_a_right_that_has_gone_since_stops_the_job(
    alice: User, shop: Connection, change: dict[str, bool]
) -> None:
    job = ask(alice, shop, "SELECT 1")
    Connection.objects.update(**change)
    assert code(job) == "connection_gone"


def test_a_question_takes_no_files_and_begins_a_job(
    alice: User, shop: Connection, text_upload: Callable[..., Upload]
) -> None:
    options = {"connection": shop.key, "sql": "SELECT 1"}
    stage, other = StageRequest("db.query", options), StageRequest("test.copy")
    for stages, files in (([stage], [text_upload("x").key]), ([other, stage], [text_upload("y").key]),
                          ([other], [])):  # fmt: skip
        with pytest.raises(RequestError):
            submit(alice, JobRequest(stages, files))
    for sql in ("", " \n"):
        with pytest.raises(RequestError):
            ask(alice, shop, sql)
    assert not Job.objects.exists()


# --- secrets, and what is never a connection ---------------------------------------------


def test_a_password_opens_for_its_own_address_only(shop: Connection, settings: Any) -> None:
    made = Connection(name="x", kind="postgresql", host="db.example.org", user="reader")
    made.set_password(SECRET)
    assert SECRET not in made.sealed
    assert made.password() == SECRET
    made.host = "elsewhere.example.org"
    with pytest.raises(SealBrokenError):
        made.password()
    made.host = "db.example.org"
    settings.SECRET_KEY = "another one"
    with pytest.raises(SealBrokenError):
        made.password()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]


def test_a_password_that_can_not_be_read_is_told(alice: User) -> None:
    made = register("Far", kind="postgresql", host="127.0.0.1", port=9, database="x", user="y")
    made.set_password(SECRET)
    made.host = "127.0.0.2"
    made.save()
    assert code(ask(alice, made, "SELECT 1")) == "connection_sealed"


def test_what_is_the_mills_own_is_never_asked(
    alice: User, shop: Connection, settings: Any, tmp_path: Path
) -> None:
    data = Path(settings.TIDEMILL_DATA)
    data.mkdir(exist_ok=True)
    own = shop_file(data / "own.db")
    link = tmp_path / "link.db"
    link.symlink_to(own)
    for path in (own, link, data, Path("relative.db"), tmp_path / "missing.db"):
        with pytest.raises(ValidationError):
            register("Own", kind="sqlite", database=str(path))
    settings.TIDEMILL_DB_FOLDERS = str(tmp_path / "elsewhere")
    with pytest.raises(ValidationError):
        register("Out", kind="sqlite", database=shop.database)
    # Also one that became so after it was registered.
    settings.TIDEMILL_DB_FOLDERS = ""
    link.replace(shop.database)
    assert code(ask(alice, shop, "SELECT 1")) == "db_file"
    own.unlink()


@pytest.mark.parametrize(
    ("own", "given"),
    [("db.example.org", "DB.example.org."), ("", "localhost"), ("localhost", "127.0.0.1")],
)
def test_the_mills_own_database_on_a_server_is_refused(
    db: None, monkeypatch: pytest.MonkeyPatch, own: str, given: str
) -> None:
    for name, value in (("HOST", own), ("PORT", ""), ("NAME", "tidemill")):
        monkeypatch.setitem(database.settings_dict, name, value)
    facts = {"kind": "postgresql", "host": given, "user": "x"}
    with pytest.raises(ValidationError, match="own database"):
        register("Own", database="tidemill", **facts)
    assert register("Other", database="shop", **facts).pk


def test_a_look_keeps_tables_and_trouble(shop: Connection, capsys: Any) -> None:
    call_command("lookat", shop.name)
    shop.refresh_from_db()
    (table,) = shop.found["tables"]
    assert table["name"] == "orders"
    assert ["city", "text"] in table["columns"]
    Path(shop.database).write_bytes(b"no database" * 100)
    with pytest.raises(CommandError):
        call_command("lookat", shop.name)
    shop.refresh_from_db()
    assert shop.trouble and shop.database not in shop.trouble
    assert shop.found["tables"]
