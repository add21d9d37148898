"""One e-mail of a batch: how it is written, handed to the server, and what the answer means."""

import smtplib
import time
from collections.abc import Mapping
from email.utils import formataddr, parseaddr
from typing import Any

from django.conf import settings
from django.core import mail

from uploads.errors import StepError
from uploads.models import Message, MessageState
from uploads.work.lease import Grip

IDLE_SECONDS = 1.0
BUSY = 421  # RFC 5321 §4.2.3: closing the channel; about the server, not about the recipient


class Server:
    """The mail server of Django's settings, opened before anything is marked as being sent."""

    def __init__(self, grip: Grip) -> None:
        self._grip = grip
        self._backend: Any = mail.get_connection()
        self._used_at = time.monotonic()

    def ready(self) -> None:
        """Open the connection, or look whether an idle one still stands; raises `StepError`.

        Nothing has been sent where this fails, so it is worth another try.
        """
        try:
            with self._grip.kept():
                self._drop_dead()
                self._backend.open()
        except OSError as error:
            self.close()
            raise StepError("mail_server", reason=str(error)) from error
        self._used_at = time.monotonic()

    def _drop_dead(self) -> None:
        link = getattr(self._backend, "connection", None)
        if not isinstance(link, smtplib.SMTP) or time.monotonic() - self._used_at < IDLE_SECONDS:
            return
        try:
            alive = link.noop()[0] == 250
        except OSError:
            alive = False
        if not alive:
            self.close()

    def hand_over(self, email: mail.EmailMessage) -> tuple[MessageState, str]:
        """Run one dialogue and return what is known after it, with the server's reason.

        `waiting` means: it was not taken, and the server wants no more for now.
        """
        email.connection = self._backend
        try:
            with self._grip.kept():
                email.send()
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
            if BUSY not in _codes(error):
                return MessageState.REFUSED, str(error)
            self.close()  # the server has hung up; the next e-mail would find no line
            return MessageState.WAITING, str(error)
        except (smtplib.SMTPNotSupportedError, ValueError) as error:
            return MessageState.REFUSED, str(error)
        except OSError as error:  # cut in the middle of the dialogue
            self.close()
            return MessageState.UNKNOWN, str(error)
        self._used_at = time.monotonic()
        return MessageState.SENT, ""

    def close(self) -> None:
        """Hang up; whatever the server says to that."""
        try:
            self._backend.close()
        except OSError:
            self._backend = mail.get_connection()


def _codes(error: smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused) -> set[int]:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return {code for code, _ in error.recipients.values()}
    return {error.smtp_code}


def email_of(message: Message, options: Mapping[str, Any]) -> mail.EmailMessage:
    """Return the e-mail of one row; the same row has the same Message-ID however often sent."""
    number = f"<{message.job.key}.{message.pk}@{domain()}>"
    return composed(message.letter or {}, message.recipient, options, number)


def domain() -> str:
    """Return what stands behind the @ of the server's own address."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"


def composed(
    letter: Mapping[str, str], recipient: str, options: Mapping[str, Any], number: str
) -> mail.EmailMessage:
    """Return a written letter as an e-mail; `number` is its Message-ID."""
    sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    name = str(options.get("from_name", ""))
    reply_to = str(options.get("reply_to", ""))
    email = mail.EmailMultiAlternatives(
        letter.get("subject", ""),
        letter.get("text", ""),
        formataddr((name, sender)) if name else settings.DEFAULT_FROM_EMAIL,
        [recipient],
        reply_to=[reply_to] if reply_to else None,
        headers={"Message-ID": number},
    )
    if html := letter.get("html"):
        email.attach_alternative(html, "text/html")
    return email
