"""Start everything: web, sweeps and the workers of every lane, and keep them alive."""

import gc
import os
import signal
import sys
from argparse import ArgumentParser
from contextlib import suppress
from functools import partial
from runpy import run_module
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from uploads.conf import conf
from uploads.management import preparation
from uploads.work import killsafe
from uploads.work.supervise import Child, Supervisor

GRACE_MARGIN_SECONDS = 5


class Command(BaseCommand):
    help = "Start Tidemill: web server, sweeps and workers. Ctrl-C stops all of them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=conf.HOST, help="address to listen on")
        parser.add_argument("--port", type=int, default=conf.PORT, help="port to listen on")
        parser.add_argument("--no-web", action="store_true", help="workers only")
        parser.add_argument("--no-workers", action="store_true", help="web server only")

    def handle(self, *args: Any, **options: Any) -> None:
        host, port, web = options["host"], options["port"], not options["no_web"]
        setup = None
        with preparation.in_words():
            lock = preparation.lock_data_folder()
            if web:
                preparation.check_port(host, port)
            preparation.migrate()
            preparation.compile_operations()
            if web:
                preparation.collect_static()
                setup = preparation.setup_link()
        preparation.let_go_of_database()
        address = reachable(host, port) if web else ""
        gc.freeze()  # children share its memory for longer when no collection writes into it
        main = Supervisor(
            children(host, port, web=web, workers=not options["no_workers"]),
            grace_seconds=conf.DRAIN_SECONDS + GRACE_MARGIN_SECONDS,
            address=address,
            on_ready=lambda: self.greet(address, setup),
        ).run()
        os.close(lock)  # a child that kept it would keep the data folder when this one is gone
        if main is not None:
            main()

    def greet(self, address: str, setup: str | None) -> None:
        """Print where to go; the set-up link is shown until there is an administrator."""
        if not address:
            self.say("Tidemill's workers run.")
            return
        self.say(f"Tidemill is ready: {conf.PUBLIC_URL or address}/")
        if setup:
            self.say(f"Make the first administrator: {conf.PUBLIC_URL or address}{setup}")

    def say(self, text: str) -> None:
        with suppress(OSError):  # a log file on a full disk must not end what runs
            self.stdout.write(text)
            self.stdout.flush()


def reachable(host: str, port: int) -> str:
    """Return the address under which this machine reaches its own web server."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
    return f"http://{name if ':' not in name or name.startswith('[') else f'[{name}]'}:{port}"


def children(host: str, port: int, *, web: bool, workers: bool) -> list[Child]:
    """Return what to run; a cluster whose supervisor dies still releases its steps.

    All share one run folder: while /tmp is full, Python would choose another one for a new process.
    """
    os.environ["TIDEMILL_RUN_DIR"] = settings.TIDEMILL_RUN_DIR
    found = [Child("web", partial(serve_pages, host, port))] if web else []
    found.append(Child("sweep", partial(call_command, "sweep")))
    if workers:
        found += [
            Child(f"workers ({lane})", partial(work, lane), orphaned=signal.SIGTERM)
            for lane in settings.LANE_WORKERS
        ]
    return found


def serve_pages(host: str, port: int) -> None:
    """Be the web server, as `python -m project.web` is; ends the process."""
    sys.argv = ["project.web", "--host", host, "--port", str(port)]
    run_module("project.web", run_name="__main__", alter_sys=True)


def work(lane: str) -> None:
    """Be the cluster of a lane."""
    os.environ["Q_CLUSTER_NAME"] = lane
    killsafe.belong_to(lane)
    call_command("qcluster")
