"""Run an operation on files from the command line, by the real plan, claim, run and commit.

It works in a private data folder that is removed afterwards, so it neither
needs nor touches the site's database, and no other worker takes its steps.
"""

import signal
import subprocess
import tempfile
from argparse import SUPPRESS, ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from uploads.errors import TidemillError
from uploads.management.local_run import Crew, hand_out, sources, start
from uploads.models import Item, Job
from uploads.models.words import time_range
from uploads.naming import check_pattern
from uploads.operations.options import parse_options
from uploads.operations.registry import find
from uploads.states import ItemState, JobState
from uploads.storage import store
from uploads.work.supervise import python

ALL_DONE, SOME_FAILED, NOTHING_DONE = 0, 1, 2


class Command(BaseCommand):
    help = (
        "Run an operation on files or folders; 0: all done, 1: some failed, "
        "2: nothing done or the request was refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("operation", help="such as image.convert")
        parser.add_argument("files", nargs="*", help="files, or folders with files")
        parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
        parser.add_argument("--preset", default="", help="a ready choice of options")
        parser.add_argument("--names", default="", help="of the results, such as {name}-{n:3}")
        parser.add_argument("--out", default="results", help="folder of the results")
        parser.add_argument("--inside", action="store_true", help=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        status = self._inside(options) if options["inside"] else self._outside(options)
        if status:
            raise SystemExit(status)

    def _outside(self, options: dict[str, Any]) -> int:
        """Start this command again on a private data folder and short-lived sockets."""
        again = [options["operation"], *options["files"], "--out", options["out"], "--inside"]
        again += [f"--option={pair}" for pair in options["option"]]
        again += [f"--preset={options['preset']}"] if options["preset"] else []
        again += [f"--names={options['names']}"] if options["names"] else []
        with (
            tempfile.TemporaryDirectory(prefix="runop-", dir=store.scratch()) as data,
            tempfile.TemporaryDirectory(prefix="tidemill-") as sockets,
        ):
            manage = str(settings.BASE_DIR / "manage.py")
            private = {"TIDEMILL_DATA": data, "TIDEMILL_RUN_DIR": sockets, "DATABASE_URL": ""}
            with subprocess.Popen(python(manage, "runop", *again, **private)) as run:
                while True:
                    try:
                        return run.wait()
                    except KeyboardInterrupt:
                        continue  # it heard the same Ctrl-C and cancels its job

    def _inside(self, options: dict[str, Any]) -> int:
        files = list(sources(Path(name) for name in options["files"]))
        missing = next((str(file.path) for file in files if not file.path.is_file()), None)
        if missing is not None:
            raise CommandError(f"{missing}: there is no such file.", returncode=NOTHING_DONE)
        try:
            chosen = self._options(options)
            parse_options(find(options["operation"]).options, chosen)
            check_pattern(options["names"])
            call_command("migrate", verbosity=0)
            owner = User.objects.create(username="runop")
            job = start(owner, files, options["operation"], chosen, options["names"])
        except TidemillError as error:
            raise CommandError(str(error), returncode=NOTHING_DONE) from None
        # Only noted: an exception in the middle of anything may be lost in a callback.
        interrupts: list[int] = []
        signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
        with Crew() as crew:
            crew.finish(job, self._progress, unwanted=lambda: bool(interrupts))
        self._progress_ended()
        return self._report(job, Path(options["out"]))

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the preset's options, overridden by those given one by one."""
        chosen: dict[str, Any] = {}
        if options["preset"]:
            presets = {preset.name: preset for preset in find(options["operation"]).presets}
            if options["preset"] not in presets:
                known = ", ".join(presets) or "none"
                raise CommandError(f"Presets are: {known}.", returncode=NOTHING_DONE)
            chosen.update(presets[options["preset"]].options)
        for pair in options["option"]:
            name, equals, value = pair.partition("=")
            if not equals:
                raise CommandError(
                    f"--option {pair}: NAME=VALUE is needed.", returncode=NOTHING_DONE
                )
            chosen[name] = value
        return chosen

    def _progress(self, state: dict[str, Any]) -> None:
        items = state["items"]
        ended = items["done"] + items["failed"] + items["cancelled"]
        line = f"{state['progress']:6.1%}  {ended} of {items['total']} done"
        if items["failed"]:
            line += f", {items['failed']} failed"
        if eta := state["eta_seconds"]:
            line += f", {time_range(eta['low'], eta['high'])} left"
        if self.stderr.isatty():
            self.stderr.write(f"\r\x1b[K{line}", ending="")

    def _progress_ended(self) -> None:
        if self.stderr.isatty():
            self.stderr.write("\r\x1b[K", ending="")

    def _report(self, job: Job, out: Path) -> int:
        out.mkdir(parents=True, exist_ok=True)
        for path in hand_out(job, out):
            self.stdout.write(str(path))
        for item in job.items.order_by("position"):
            self._say(item)
        words = f"{job.items_done} of {job.items_total} done"
        took = (job.finished_at - job.created_at).total_seconds() if job.finished_at else 0.0
        self.stderr.write(f"{words} in {took:.1f} s; results are in {out}.")
        if job.state == JobState.SUCCEEDED:
            return ALL_DONE
        return SOME_FAILED if job.items_done else NOTHING_DONE

    def _say(self, item: Item) -> None:
        if item.state in {ItemState.FAILED, ItemState.CANCELLED}:
            self.stderr.write(self.style.ERROR(f"✗ {item.error_text} {item.error_fix}".strip()))
            if item.error_code == "operation_bug":
                self.stderr.write(item.error_detail)
        for warning in item.warnings:
            self.stderr.write(self.style.WARNING(f"! {item.name}: {warning}"))
