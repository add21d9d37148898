"""An e-mail backend whose mails are lines of a file beside the data folder, synced at once."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


def mails() -> list[str]:
    """Return the recipients of every e-mail that went out, in order."""
    path = _file()
    return path.read_text().split() if path.exists() else []


def _file() -> Path:
    return Path(settings.TIDEMILL_DATA).parent / "mails"


class EmailBackend(BaseEmailBackend):
    """Sends by writing the recipients down, as an SMTP server would have taken them."""

    def open(self) -> bool:
        return True

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        descriptor: Any = os.open(_file(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for message in messages:
            os.write(descriptor, "".join(f"{name}\n" for name in message.to).encode())
        os.close(descriptor)
        return len(messages)
