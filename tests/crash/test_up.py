"""`manage.py up` before its children run, and the plain commands without it."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.support.server import ROOT, Server, wait_until
from uploads.models import SetupLink

pytestmark = pytest.mark.processes


@pytest.fixture
def idle(tmp_path: Path, django_db_blocker: Any) -> Iterator[Server]:
    """A server that has not been started."""
    server = Server(tmp_path / "data")
    with django_db_blocker.unblock():
        yield server
    server.end()


def run(server: Server, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=server.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_a_busy_port_is_named_with_what_to_do(idle: Server) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", idle.port))
        other.listen()
        idle.start()
        assert idle.reap(40) == 1
    assert f"Port {idle.port} is in use by another program" in idle.output()
    assert f"--port {idle.port + 1}" in idle.output()


def test_a_second_up_on_the_same_data_is_refused_and_the_link_makes_one_admin(idle: Server) -> None:
    idle.start()
    idle.wait_ready()
    second = run(idle, "up", "--port", "1")
    assert second.wait(40) == 1
    assert f"already runs on {idle.data} (process {idle.role('up')})" in second.communicate()[0]
    secrets = re.findall(r"/setup/([\w-]+)/", idle.output())
    with idle.rows():
        assert len(secrets) == 1
        assert SetupLink.valid(secrets[0])
        User.objects.create_superuser("root", "root@example.org", "long-enough-7")
    assert idle.stop(signal.SIGINT) == 0
    idle.start()
    idle.wait_ready()
    assert re.findall(r"/setup/([\w-]+)/", idle.output()) == secrets


def test_the_supervisor_holds_no_database_connection_and_has_one_thread(idle: Server) -> None:
    idle.start()
    idle.wait_ready()
    me = Path(f"/proc/{idle.role('up')}")
    assert not [path for path in (me / "fd").iterdir() if "sqlite3" in str(path.readlink())]
    assert len(list((me / "task").iterdir())) == 1  # it forks


def test_a_child_that_outlives_its_supervisor_does_not_keep_the_data_folder(idle: Server) -> None:
    idle.start()
    idle.wait_ready()
    stopped = idle.role("main")
    idle.kill(stopped, signal.SIGSTOP)  # it can't heed that its supervisor died
    idle.kill(idle.role("up"))
    idle.reap()
    said = len(idle.output())
    idle.start()
    wait_until(lambda: "Tidemill is ready" in idle.output()[said:], 60, idle.output)
    assert stopped in {process.pid for process in idle.processes()}


def test_each_lane_has_its_own_number_of_workers(idle: Server) -> None:
    idle.extra["TIDEMILL_WORKERS"] = "1"
    idle.start()
    wait_until(lambda: len(idle.workers("light")) == 2, 60, "workers for light work")
    wait_until(lambda: idle.workers("cpu"), 60, "a worker for heavy work")
    assert len(idle.workers("cpu")) == 1


def test_hosts_may_run_only_workers_or_only_the_web(idle: Server) -> None:
    idle.flags = ["--no-web"]
    idle.start()
    idle.wait_ready()
    assert idle.called("web") == []
    assert idle.stop() == 0
    idle.flags = ["--no-workers"]
    idle.start()
    idle.wait_ready()
    assert idle.called("workers (cpu)") == []
    assert idle.get("/")[0] != 0


def test_the_plain_qcluster_gives_workers_and_stops_with_its_group(idle: Server) -> None:
    assert run(idle, "migrate", "-v0").communicate(timeout=60)[0] == ""
    cluster = run(idle, "qcluster")
    wait_until(lambda: len(idle.workers("cpu")) == 2, 40, "workers")
    os.killpg(cluster.pid, signal.SIGTERM)
    assert cluster.wait(25) == 0
    assert idle.processes() == []
    cluster.communicate()


def test_an_unknown_lane_is_named(idle: Server) -> None:
    idle.extra["Q_CLUSTER_NAME"] = "gpu"
    cluster = run(idle, "qcluster")
    assert cluster.wait(40) == 1
    assert (
        "There is no lane 'gpu'; set Q_CLUSTER_NAME to one of: cpu, light."
        in (cluster.communicate()[0])
    )
