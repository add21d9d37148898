"""What people ask for during a storm, with what must come out; knows nothing of kills."""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from django.contrib.auth.models import User
from PIL import Image

from uploads.models import Job, Upload
from uploads.storage import store
from uploads.work.submit import JobRequest, StageRequest, submit

PEOPLE = ("alice", "bob", "carol")
PICTURES = ((320, 240), (200, 300), (640, 360), (64, 64))


@dataclass
class Order:
    """One job with the text that each of its items must give; None where it must fail.

    An item of a picture has an empty text: its one result is judged by its digest alone.
    """

    key: str
    kind: str
    texts: list[str | None]
    made_at: float = field(default_factory=time.time)
    may_cancel: bool = False
    notify: bool = False
    retries: int = 0

    @property
    def must_fail(self) -> int:
        return sum(text is None for text in self.texts)


def person(name: str) -> User:
    """Return a user without a password; the operator may set priorities."""
    found, _ = User.objects.get_or_create(
        username=name, defaults={"email": f"{name}@example.org", "is_staff": name == "operator"}
    )
    return found


def arrived(owner: User, name: str, body: bytes, media_type: str) -> str:
    """Return the key of a complete upload of these bytes."""
    upload = Upload(owner=owner, name=name, length=len(body))
    target = store.path(upload.storage_key)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(body)  # before the row: the sweep gives up a row without its file
    upload.save()
    upload.complete(kind=media_type.partition("/")[0], media_type=media_type)
    return upload.key


class Desk:
    """Draws orders at random and places them; `place` may be repeated until it succeeds."""

    def __init__(self, random: Random, pace: float = 1.0) -> None:
        self.random = random
        self.pace = pace
        self.orders: list[Order] = []
        self._count = 0
        self._kinds: dict[str, tuple[int, Callable[[], Any]]] = {
            "copies": (5, self._copies),
            "lines": (4, self._lines),
            "pictures": (3, self._pictures),
            "together": (1, self._together),
            "broken": (1, self._broken),
            "long": (1, self._long),
        }

    def place(self) -> Order:
        """Place a random order of a random person."""
        names = list(self._kinds)
        kind = self.random.choices(names, [self._kinds[name][0] for name in names])[0]
        order = self.order(kind, notify=self.random.random() < 0.35)
        order.may_cancel = self.random.random() < 0.15
        return order

    def order(self, kind: str, *, notify: bool) -> Order:
        """Place an order of a kind for a random person."""
        operation, options, bodies, texts = self._kinds[kind][1]()
        owner = self.random.choice(PEOPLE)
        return self._submit(owner, kind, operation, options, bodies, texts, notify=notify)

    def place_probe(self) -> Order:
        """Place the smallest order there is, before all others in every lane."""
        return self._submit(
            "operator", "probe", "test.copy", {}, [b"probe"], ["probe"], priority=100
        )

    def _submit(
        self,
        owner: str,
        kind: str,
        operation: str,
        options: dict[str, Any],
        bodies: list[bytes],
        texts: list[str | None],
        **more: Any,
    ) -> Order:
        self._count += 1
        who = person(owner)
        media, suffix = ("image/jpeg", "jpg") if kind == "pictures" else ("text/plain", "txt")
        keys = [
            arrived(who, f"{kind}-{self._count}-{number}.{suffix}", body, media)
            for number, body in enumerate(bodies)
        ]
        notify = who.email if more.pop("notify", False) else ""
        request = JobRequest([StageRequest(operation, options)], keys, notify=notify, **more)
        job = submit(who, request)
        order = Order(job.key, kind, texts, notify=bool(notify))
        self.orders.append(order)
        return order

    def _text(self, word: str = "file") -> str:
        return f"{word} {self.random.getrandbits(64):x}\n"

    def _pause(self, low: float, high: float) -> dict[str, Any]:
        return {"pause": round(self.pace * self.random.uniform(low, high), 2)}

    def _copies(self) -> Any:
        texts = [self._text() for _ in range(self.random.randint(3, 6))]
        return "test.copy", self._pause(0.2, 0.6), [text.encode() for text in texts], texts

    def _lines(self) -> Any:
        texts = [
            "".join(self._text("line") for _ in range(self.random.randint(3, 6)))
            for _ in range(self.random.randint(1, 2))
        ]
        shouted = [text.upper() for text in texts]
        return "test.lines", self._pause(0.15, 0.4), [text.encode() for text in texts], shouted

    def _together(self) -> Any:
        texts = [self._text() for _ in range(3)]
        return "test.all", {}, [text.encode() for text in texts], ["".join(texts)]

    def _broken(self) -> Any:
        texts: list[str | None] = [self._text(), None, self._text()]
        word = self.random.choice(["bad", "crash"])
        return "test.copy", self._pause(0.1, 0.2), [(t or word).encode() for t in texts], texts

    def _long(self) -> Any:
        text = self._text()
        return "test.copy", self._pause(3, 5), [text.encode()], [text]

    def _pictures(self) -> Any:
        bodies = []
        for _ in range(self.random.randint(4, 8)):
            colour = tuple(self.random.randbytes(3))
            picture = Image.new("RGB", self.random.choice(PICTURES), colour)
            file = io.BytesIO()
            picture.save(file, "JPEG")
            bodies.append(file.getvalue())
        return "image.convert", {"format": "webp"}, bodies, [""] * len(bodies)


def job_of(order: Order) -> Job:
    return Job.objects.get(key=order.key)
