"""What the start and the clusters' guards are killed at: key, lock, tables, static files, link, names."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django_q.models import OrmQ

from project.secret_key import kept_key
from tests.support.killpoints_role import Scenario
from tests.support.killpoints_worker import job_of
from uploads import bell
from uploads.management import preparation
from uploads.models import SetupLink, Token
from uploads.work import presence
from uploads.work.tickets import BellBroker


def _nothing() -> None:
    """Begin with an empty data folder."""


def _first_start() -> None:
    """Do what `up` does before its children, then make a person and a token."""
    data = Path(settings.TIDEMILL_DATA)
    key = kept_key(data)
    lock = preparation.lock_data_folder()
    preparation.migrate()
    link = preparation.setup_link()
    os.close(lock)
    assert len(key) > 60
    assert key == kept_key(data)
    if link is None:
        assert User.objects.filter(is_superuser=True).count() == 1
    else:
        assert SetupLink.objects.count() == 1
        assert SetupLink.valid(link.split("/")[2])
    _token()


def _token() -> None:
    if not User.objects.exists():
        person = {"username": "alice", "email": "alice@example.org"}
        call_command("createsuperuser", interactive=False, verbosity=0, **person)
    call_command("createtoken", "alice", stdout=open(os.devnull, "w"))  # noqa: SIM115
    assert Token.objects.exists()


def _static_files() -> None:
    preparation.collect_static()
    root = Path(settings.STATIC_ROOT)
    names = {path.relative_to(root) for path in root.rglob("*") if path.is_file()}
    expected = {Path(name) for name in _static_names()} | {Path(".sources")}
    assert names == expected, names ^ expected


def _static_names() -> list[str]:
    found: list[str] = []
    for finder in preparation.get_finders():
        found += [name for name, _ in finder.list([])]
    return found


def _work_waits() -> None:
    job_of("waits", "one")


def _guard() -> None:
    """Do what a cluster's main process and pusher do: announce, listen, store, lock, acknowledge."""
    presence.announce(os.getpid(), "cpu")
    broker: Any = BellBroker("cpu")
    if not OrmQ.objects.exists():
        broker.enqueue("a task")
    found = broker.dequeue()
    if found and found[0][0] is not None:
        broker.acknowledge(found[0][0])
    broker.close()
    listener = bell.Listener(bell.JOB)
    listener.close()


def _forgets_the_dead() -> None:
    """See that neither sockets nor names of dead processes stay in the run folder."""
    bell.ring(bell.WORK)
    bell.ring(bell.JOB)
    presence.local_workers()
    left = [path.name for path in bell.run_folder().iterdir()]
    assert not left, left


SCENARIOS = (
    Scenario("start", "first start", _nothing, _first_start, _first_start, empty=True),
    Scenario("start", "static files", _nothing, _static_files, _static_files),
    Scenario("cluster", "guard and pusher", _work_waits, _guard, _forgets_the_dead),
)
