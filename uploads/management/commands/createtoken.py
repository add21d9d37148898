"""Print a new API token of a user, and nothing else, so that a script can keep it."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from uploads.models import Token


class Command(BaseCommand):
    help = "Print a new API token of a user; it can't be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument(
            "--name", default="command line", help="what the list of tokens calls it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        users = get_user_model().objects
        owner = users.filter(username=options["username"], is_active=True).first()
        if owner is None:
            raise CommandError(f"There is no active user “{options['username']}”.")
        _, secret = Token.issue(owner, options["name"][:100])
        self.stdout.write(secret)
