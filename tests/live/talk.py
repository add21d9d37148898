"""A script's end of a job's socket: reads messages, acknowledges when told to, keeps the log."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.intake.web import Person
from tests.live.mill import Mill
from uploads.models import Job

Json = dict[str, Any]


class Talk:
    """One socket; `seqs` are the events heard so far, in the order they came."""

    def __init__(self, socket: ClientConnection, have: int) -> None:
        self.socket = socket
        self.have = have
        self.seqs: list[int] = []
        self.texts: list[str] = []
        self.state: Json = {}

    def hear(self, seconds: float = 5, *, ack: bool = True) -> Json:
        """Return the next message; follows the client's rules for patches."""
        message: Json = json.loads(self.socket.recv(timeout=seconds))
        if message["t"] == "patch":
            assert message["prev"] <= self.have <= message["seq"], "a gap"
            for seq, _, body in message["ev"]:
                self.seqs.append(seq)
                self.texts.append(body["text"])
        if message["t"] != "bye":
            self.have, self.state = message["seq"], message["state"]
            if ack:
                self.ack()
        return message

    def ack(self) -> None:
        self.socket.send(json.dumps({"ack": self.have}))

    def until(self, condition: Callable[[Json], object], seconds: float = 10) -> Json:
        """Hear until the state is as wanted, and return it."""
        end = time.monotonic() + seconds
        while not self.state or not condition(self.state):
            self.hear(max(0.01, end - time.monotonic()))
        return self.state

    def closed(self, seconds: float = 8) -> tuple[int, Json]:
        """Wait for the end; return its code and the last words."""
        last: Json = {}
        end = time.monotonic() + seconds
        try:
            while True:
                last = self.hear(max(0.01, end - time.monotonic()), ack=False)
        except ConnectionClosed as closed:
            assert closed.rcvd is not None, "the line broke without a word"
            return closed.rcvd.code, last


@contextmanager
def call(
    mill: Mill, person: Person | None, job: Job | str, after: int = 0, **headers: str
) -> Iterator[Talk]:
    """Open a socket as the person's browser does, for the length of the block."""
    key = job if isinstance(job, str) else job.key
    sent = {"Origin": mill.web.url, **headers}
    if person is not None:
        sent.setdefault("Cookie", f"sessionid={person.session}")
    address = f"ws://127.0.0.1:{mill.web.port}/ws/jobs/{key}/?after={after}&v=1"
    with connect(
        address,
        additional_headers={name: v for name, v in sent.items() if v and name != "Origin"},
        origin=Origin(sent["Origin"]) if sent["Origin"] else None,
        open_timeout=10,
        close_timeout=2,
        max_size=8 * 2**20,
    ) as socket:
        yield Talk(socket, after)
