"""What every test may use: an isolated data folder, both databases, a real server."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django
import pytest

from tests.support.environment import isolate

# Before anything reads the settings; the conftests below import models.
isolate()
django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402

from tests.support import postgresql as private  # noqa: E402
from tests.support.asked import Asked, asked_server  # noqa: E402
from tests.support.databases import described, using  # noqa: E402
from tests.support.server import Server  # noqa: E402

DATABASES = ("sqlite", "postgresql")
ON_EACH_DATABASE = ("models", "work", "admin", "pages")

# Pages under test name static files plainly; a real server has collected and hashed them.
settings.STORAGES["staticfiles"] = {
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}


@pytest.fixture(scope="session")
def postgresql() -> Iterator[private.PostgreSQL]:
    """A private PostgreSQL server, started once a run."""
    programs = private.find_programs()
    if programs is None:
        pytest.skip(private.MISSING)
    server = private.PostgreSQL(programs)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    """A PostgreSQL on a port, with a shop in it, to be asked as a database outside."""
    with asked_server() as server:
        if server is None:
            pytest.skip(private.MISSING)
        yield server


@pytest.fixture(scope="session")
def database(
    request: pytest.FixtureRequest,
    django_db_setup: None,
    django_db_blocker: Any,
) -> Iterator[str]:
    """Use the named kind of database for the test (see `pytest_generate_tests`)."""
    if request.param == "sqlite":
        yield "sqlite"
        return
    url = request.getfixturevalue("postgresql").create("models")
    with django_db_blocker.unblock(), using(described(url)):
        call_command("migrate", verbosity=0)
        yield "postgresql"


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """Return a DATABASE_URL for a server of its own: empty for SQLite, then a PostgreSQL."""
    if request.param == "sqlite":
        return ""
    name = f"server{os.getpid()}"
    url: str = request.getfixturevalue("postgresql").create(name)
    return url


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start the real `manage.py up` on its own data folder and port; ended with the test."""
    started: list[Server] = []

    def start(database_url: str = "", *flags: str, **environment: str) -> Server:
        server = Server(tmp_path / f"server{len(started)}", database_url, flags, environment)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.end()


@pytest.fixture
def server(start_server: Callable[..., Server]) -> Server:
    """Return a whole server on SQLite, ready: web, sweeps, workers of both lanes."""
    started = start_server()
    started.wait_ready()
    return started


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of rows, work, pages and console that need a database on each kind of it.

    So are those of other folders that ask for `database` by name.
    """
    folder = metafunc.definition.path.parent.name
    needs = metafunc.definition.get_closest_marker("django_db") is not None
    needs = needs or bool({"db", "transactional_db"} & set(metafunc.fixturenames))
    if "database" in metafunc.fixturenames or (folder in ON_EACH_DATABASE and needs):
        if "database" not in metafunc.fixturenames:
            metafunc.fixturenames.insert(0, "database")
        metafunc.parametrize("database", DATABASES, indirect=True, scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each test set up the database that it is named after, before anything else.

    pytest forgets a fixture that only `pytest_generate_tests` has asked for.
    """
    for item in items:
        if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
            continue
        if "database" in item.callspec.params and "database" not in item.fixturenames:
            item.fixturenames.insert(0, "database")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly when half of the tests could not run."""
    if private.find_programs() is None:
        terminalreporter.section("PostgreSQL is missing", sep="!", red=True, bold=True)
        terminalreporter.write_line(private.MISSING, red=True, bold=True)
