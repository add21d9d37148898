"""Try a registered connection: whether it can be reached, what its user may do, which tables it has."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from uploads.models import Connection
from uploads.work.looking import look


class Command(BaseCommand):
    help = "Try a registered connection, and keep what was seen for the pages."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("connection", help="its name, or its key")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = options["connection"]
        connection = Connection.objects.filter(Q(name=wanted) | Q(key=wanted)).first()
        if connection is None:
            raise CommandError(f"There is no connection “{wanted}”.")
        if not look(connection):
            raise CommandError(connection.trouble)
        found = connection.found
        self.stdout.write(f"{connection.name}: {found['server']}, {len(found['tables'])} tables.")
        for warning in found["warnings"]:
            self.stdout.write(f"Beware: {warning}")
