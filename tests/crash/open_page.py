"""A job's page in a browser, as far as its sockets go: it listens, acknowledges and comes back."""

import threading
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.test import override_settings
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.live.talk import Talk
from tests.support.server import Server
from uploads.models import Job

MUTE_SECONDS = 6  # until the first message, as in static/js/job/socket.js
QUIET_SECONDS = 60
LEAST_PAUSE_SECONDS = 0.2
MUTE = 0
FOR_GOOD = {4401, 4404}


def session_of(server: Server, user: User) -> str:
    """Sign a user in and return the session's cookie; the server's own key signs it."""
    secret = (server.data / "secret_key").read_text().strip()
    with override_settings(SECRET_KEY=secret):
        session: Any = import_module(settings.SESSION_ENGINE).SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
    return str(session.session_key)


class OpenPage(threading.Thread):
    """`seqs` are the events that it heard, in their order; `codes` how its sockets ended."""

    def __init__(self, server: Server, session: str, job: Job) -> None:
        super().__init__(daemon=True)
        self._address = f"ws://127.0.0.1:{server.port}/ws/jobs/{job.key}/"
        self._origin = Origin(server.address)
        self._cookie = {"Cookie": f"sessionid={session}"}
        self._closing = threading.Event()
        self._socket: ClientConnection | None = None
        self.have = 0
        self.seqs: list[int] = []
        self.codes: list[int] = []

    def run(self) -> None:
        while not self._closing.is_set():
            try:
                pause = self._listen()
            except (OSError, InvalidHandshake):  # refused, or no answer to the handshake
                pause = LEAST_PAUSE_SECONDS
                self.codes.append(MUTE)
            if self.codes and self.codes[-1] in FOR_GOOD:
                return
            self._closing.wait(pause)

    def _listen(self) -> float:
        """Follow one socket to its end; return how long to wait before the next."""
        patience = LEAST_PAUSE_SECONDS
        with connect(
            f"{self._address}?after={self.have}&v=1",
            additional_headers=self._cookie,
            origin=self._origin,
            open_timeout=MUTE_SECONDS,
            close_timeout=2,
        ) as self._socket:
            talk = Talk(self._socket, self.have)
            seconds = MUTE_SECONDS
            try:
                while True:
                    message = talk.hear(seconds)
                    if message["t"] == "bye":
                        patience = (message["retry_ms"] or 0) / 1000
                        continue
                    seconds = QUIET_SECONDS
                    self.have = talk.have
                    self.seqs += talk.seqs
                    talk.seqs.clear()
            except ConnectionClosed as closed:
                if not self._closing.is_set():
                    self.codes.append(closed.rcvd.code if closed.rcvd else MUTE)
            except TimeoutError:
                self.codes.append(MUTE)
        return max(patience, LEAST_PAUSE_SECONDS)

    def close(self) -> None:
        self._closing.set()
        if self._socket is not None:
            self._socket.close()
        self.join(10)
