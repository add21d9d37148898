"""The command line; knows only where the settings are."""

import os
import sys


def main() -> None:
    """Run one management command and exit with its status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
