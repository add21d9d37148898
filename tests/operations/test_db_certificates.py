"""Certificates of databases: with “check who it is” only the right server gets the password."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.factories import make_user
from tests.support.asked import READER, SECRET, Asked
from tests.support.certificates import Authority, Certificate
from tests.support.mariadb import MISSING as NO_MARIADB
from tests.support.mariadb import mariadb_server
from tests.support.server import wait_until
from tests.work.conftest import work_off
from tests.work.databases import answer, ask, register
from uploads.errors import InputError
from uploads.operations.db_asked import Session
from uploads.operations.db_mysql import MySQL
from uploads.operations.db_postgresql import PostgreSQL
from uploads.operations.outside import Outside
from uploads.states import JobState

HOST = "db.mill.test"
OURS, ANOTHER = Authority(), Authority("Somebody else")
# What the server shows, whom the connection trusts, and whether they belong together.
CASES = [
    pytest.param(OURS.sign(HOST), OURS.pem, True, id="the right one"),
    pytest.param(OURS.sign("other.mill.test"), OURS.pem, False, id="of another host"),
    pytest.param(ANOTHER.sign(HOST), OURS.pem, False, id="of another authority"),
    pytest.param(OURS.sign(HOST, ended=True), OURS.pem, False, id="over"),
    pytest.param(OURS.sign(HOST), "", False, id="of nobody whom the machine knows"),
]


class Shown:
    """A server of which the certificate can be changed."""

    def __init__(self, kind: str, facts: dict[str, Any]) -> None:
        self.facts = {"kind": kind, **facts}

    def show(self, certificate: Certificate) -> None:
        """Let new connections see this certificate."""
        raise NotImplementedError

    @contextmanager
    def session(self, folder: Path, **facts: Any) -> Iterator[Session]:
        own = {**self.facts, "host": HOST, "addresses": ("127.0.0.1",), "password": SECRET}
        opener = PostgreSQL if self.facts["kind"] == "postgresql" else MySQL
        made = opener(Outside("Shop", **{**own, **facts}), folder)
        try:
            yield made
        finally:
            made.close()


class ShownPostgreSQL(Shown):
    def __init__(self, asked: Asked) -> None:
        super().__init__("postgresql", asked.facts())
        self._asked = asked

    def show(self, certificate: Certificate) -> None:
        folder = self._asked.server.folder / "data"
        owner = folder.stat()
        for path in certificate.write(folder):
            os.chown(path, owner.st_uid, owner.st_gid)
        self._asked.rows("ALTER SYSTEM SET ssl = on")
        loaded = "SELECT pg_conf_load_time()"
        before = self._asked.rows(loaded)
        self._asked.rows("SELECT pg_reload_conf()")
        wait_until(lambda: self._asked.rows(loaded) != before, 20, "the new certificate")


class ShownMariaDB(Shown):
    def __init__(self, port: int, folder: Path) -> None:
        facts = {"host": "127.0.0.1", "port": port, "database": "shop", "user": READER}
        super().__init__("mysql", facts)
        self._folder = folder

    def show(self, certificate: Certificate) -> None:
        certificate.write(self._folder)
        boss = {**self.facts, "user": "boss", "password": SECRET}
        boss.pop("kind")
        with pymysql.connect(**boss, ssl_disabled=True) as made, made.cursor() as cursor:
            cursor.execute("FLUSH SSL")


@pytest.fixture(scope="module")
def postgresql(asked: Asked) -> Shown:
    return ShownPostgreSQL(asked)


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("shown")
    certificate, key = OURS.sign(HOST).write(folder)
    with mariadb_server(f"--ssl-cert={certificate}", f"--ssl-key={key}") as port:
        if port is None:
            pytest.skip(NO_MARIADB)
        yield ShownMariaDB(port, folder)


@pytest.fixture(params=["mariadb", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def server(request: pytest.FixtureRequest) -> Shown:
    found: Shown = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize(("shown", "trusted", "fits"), CASES)
def test_who_checks_takes_the_right_server_alone(
    server: Shown, tmp_path: Path, shown: Certificate, trusted: str, fits: bool
) -> None:
    server.show(shown)
    if fits:
        with server.session(tmp_path, tls="verify", ca=trusted) as session:
            assert "not encrypted" not in " ".join(session.look().warnings)
        return
    with pytest.raises(InputError) as refused, server.session(tmp_path, tls="verify", ca=trusted):
        pass
    assert refused.value.code == "db_login"


def test_who_only_wants_encryption_takes_any(server: Shown, tmp_path: Path) -> None:
    server.show(ANOTHER.sign("other.mill.test"))
    with server.session(tmp_path, tls="require") as session:
        assert "not encrypted" not in " ".join(session.look().warnings)


@pytest.mark.django_db
def test_a_question_goes_to_a_checked_server_from_the_sandbox(server: Shown) -> None:
    server.show(OURS.sign("localhost"))
    made = register(**{**server.facts, "host": "localhost"}, tls="verify", ca=OURS.pem)
    made.set_password(SECRET)
    made.save()
    job = ask(make_user("alice"), made, "SELECT id FROM orders ORDER BY id LIMIT 1")
    work_off()
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED, job.items.get().error_text
    assert answer(job).read_text() == "id\n1\n"
