"""Repair, each second, what killed processes left behind."""

from typing import Any

from django.core.management.base import BaseCommand

from uploads.work.sweeper import Sweeper
from uploads.work.sweeps import SWEEPS


class Command(BaseCommand):
    help = "Run the sweeps until stopped; one such process a host (`up` starts it)."

    requires_system_checks = []  # `up` and `check` have looked; a restart should be quick

    def handle(self, *args: Any, **options: Any) -> None:
        Sweeper(SWEEPS).run()
