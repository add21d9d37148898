"""A real SMTP server that keeps what it has accepted; knows nothing of jobs."""

import os
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.server import free_port


class Mailbox:
    """Accepts every letter and keeps it, in memory and in an append-only file."""

    def __init__(self, file: Path) -> None:
        self.letters: list[str] = []
        self.port = free_port()
        self._file = file
        self._server: Controller | None = None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        text = bytes(envelope.content or b"").decode(errors="replace")
        with self._file.open("a") as file:
            file.write(text + "\n" + "=" * 40 + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.letters.append(text)
        return "250 taken"

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?from=mill@example.org"

    def about(self, job_key: str) -> int:
        """Return how many letters name a job."""
        return sum(job_key in letter for letter in self.letters)

    def start(self) -> None:
        self._server = Controller(self, hostname="127.0.0.1", port=self.port)
        self._server.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
