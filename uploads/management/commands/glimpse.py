"""Look into uploaded tables: which columns they have; the pages start it, and read what it keeps."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from uploads.models import Upload
from uploads.work.glimpsing import glimpse


class Command(BaseCommand):
    help = "Look into uploaded tables, and keep for the pages what was seen."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("uploads", nargs="+", help="their keys")

    def handle(self, *args: Any, **options: Any) -> None:
        glimpse(list(Upload.objects.filter(key__in=options["uploads"])))
