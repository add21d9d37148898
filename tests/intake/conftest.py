"""Web servers for the intake's tests: ours, and stock uvicorn, which has to behave the same."""

from collections.abc import Iterator

import pytest

from tests.intake.client import Client
from tests.intake.web import Web, install_uvicorn, running

MIB = 1024 * 1024


@pytest.fixture(scope="session", params=["daphne", "uvicorn"])
def web(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    if request.param == "uvicorn" and (reason := install_uvicorn()):
        pytest.skip(f"uvicorn can't be installed: {reason}")
    limits = {
        "TIDEMILL_QUOTA_BYTES": str(600 * MIB),
        "TIDEMILL_UPLOAD_MAX_BYTES": str(500 * MIB),
        "TIDEMILL_DISK_RESERVE_BYTES": str(64 * MIB),
    }
    with running(tmp_path_factory.mktemp(request.param), request.param, **limits) as web:
        yield web


@pytest.fixture(autouse=True)
def _closed_clients() -> Iterator[None]:
    yield
    Client.close_all()


@pytest.fixture
def client(web: Web) -> Client:
    return Client(web)
