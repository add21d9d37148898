"""Two supervisors begin on one data folder in the same moment: one has it, the others say why not."""

import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connection

from uploads.management.preparation import lock_data_folder

pytestmark = pytest.mark.django_db


def take(barrier: Any, ready: Any, said: Any) -> None:
    """Try to take the folder at the barrier, say what came of it, and hold it until all have."""
    barrier.wait(60)
    try:
        lock_data_folder()
        said.put("")
    except CommandError as error:
        said.put(str(error))
    ready.wait(60)
    os._exit(0)


@pytest.mark.parametrize("rounds", [4, pytest.param(200, marks=pytest.mark.soak)])
def test_one_of_many_supervisors_has_the_data_folder(
    tmp_path: Path, settings: Any, rounds: int
) -> None:
    settings.TIDEMILL_DATA = str(tmp_path)
    assert connection.vendor  # known before the forks, which must not use the connection
    fork = multiprocessing.get_context("fork")
    for _ in range(rounds):
        barrier, ready, said = fork.Barrier(3), fork.Barrier(4), fork.SimpleQueue()
        parties = [fork.Process(target=take, args=(barrier, ready, said)) for _ in range(3)]
        for party in parties:
            party.start()
        words = sorted(said.get() for _ in parties)
        ready.wait(60)
        for party in parties:
            party.join(60)
            assert party.exitcode == 0
        assert words[0] == ""
        assert all("Tidemill already runs on" in word for word in words[1:])


def test_each_host_has_its_own_supervisor_where_hosts_share_the_folder(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TIDEMILL_DATA = str(tmp_path)
    first = lock_data_folder()
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    try:
        if connection.vendor == "postgresql":
            os.close(lock_data_folder())
        else:
            with pytest.raises(CommandError, match="already runs on"):
                lock_data_folder()
    finally:
        os.close(first)
