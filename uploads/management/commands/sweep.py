"""Repair, each second, what killed processes left behind."""

from typing import Any

from django.core.management.base import BaseCommand

from uploads.intake import sweeps as intake
from uploads.work.sweeper import Sweep, Sweeper
from uploads.work.sweeps import SWEEPS

INTAKE_SWEEPS = (
    Sweep("whole_uploads", intake.finish_whole_uploads, every_seconds=5),
    Sweep("expired_uploads", intake.expire_uploads, every_seconds=60, by_age=True),
    Sweep("stray_files", intake.remove_stray_files, every_seconds=300, by_age=True),
)


class Command(BaseCommand):
    help = "Run the sweeps until stopped; one such process a host (`up` starts it)."

    requires_system_checks = []  # `up` and `check` have looked; a restart should be quick

    def handle(self, *args: Any, **options: Any) -> None:
        Sweeper((*SWEEPS, *INTAKE_SWEEPS)).run()
