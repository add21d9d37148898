"""Write a package with an operation of your own: it works, with its test, and is yours to change."""

import shlex
import sys
from argparse import ArgumentParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from uploads.operations.newop import NewOperation


class Command(BaseCommand):
    help = "Write a package with an operation of your own, its test and its page."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="such as words.count")
        parser.add_argument("--into", default=".", metavar="FOLDER", help="where its folder goes")

    def handle(self, *args: Any, **options: Any) -> None:
        made = NewOperation(options["name"], Path(options["into"]))
        if trouble := made.trouble():
            raise CommandError(trouble)
        try:
            written = made.write()
        except OSError as error:
            raise CommandError(f"It can't be written: {error}") from None
        for path in written:
            self.stdout.write(f"wrote {path}")
        self.stdout.write("\nTest it, try it, offer it:\n")
        for command in _commands(made):
            self.stdout.write(f"  {command}")
        if find_spec("pytest") is None:
            python = _short(Path(sys.executable))
            wanted = f"{python} -m uv pip install --python {python} pytest"
            self.stdout.write(f"\nThe tests need pytest, which is not here yet:\n  {wanted}")


def _commands(made: NewOperation) -> list[str]:
    python, folder = shlex.quote(_short(Path(sys.executable))), shlex.quote(str(made.folder))
    manage = shlex.quote(_short(Path(settings.BASE_DIR) / "manage.py"))
    there = f"TIDEMILL_OPERATIONS_PATH={folder} {python} {manage}"
    return [
        f"{python} -m pytest {folder}",
        f"{there} runop {made.name} {folder}/README.md",
        f"{there} up",
    ]


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
