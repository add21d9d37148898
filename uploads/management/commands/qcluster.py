"""Run the workers of one lane, kill-safe; takes the place of django-q2's own command."""

import logging
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from uploads.operations.registry import operations
from uploads.work import killsafe, run

logger = logging.getLogger("tidemill.cluster")


class Command(BaseCommand):
    help = "Run the workers of one lane, named by Q_CLUSTER_NAME (cpu or light)."

    requires_system_checks = []  # `up` and `check` have looked; a restart should be quick

    def handle(self, *args: Any, **options: Any) -> None:
        lane, lanes = settings.Q_CLUSTER_NAME, ", ".join(settings.LANE_WORKERS)
        if lane not in settings.LANE_WORKERS:
            raise CommandError(f"There is no lane {lane!r}; set Q_CLUSTER_NAME to one of: {lanes}.")
        # Loaded before the fork: workers share the memory, and their first ticket is quick.
        logger.debug("%s with %d operations", run.__name__, len(operations()))
        if not killsafe.serve():
            raise CommandError(f"The cluster of lane {lane} died.")
