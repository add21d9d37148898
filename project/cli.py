"""The command line; knows only where the settings are, and what a full disk is called."""

import errno
import os
import sys
from typing import Final

FULL: Final = (
    "The disk is full. Make room on the disk with the data folder (TIDEMILL_DATA), then try again."
)


def main() -> None:
    """Run one management command and exit with its status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except OSError as error:  # the settings themselves make the secret key, for one
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sys.exit(FULL)
