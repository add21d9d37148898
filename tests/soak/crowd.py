"""The people of a storm: one keeps the queue filled and changes their mind, one uploads by tus.

Each runs in a thread of its own, for a database whose lock holder has been
stopped answers nobody for a while. What fails is tried again, as people do.
"""

import base64
import contextlib
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from random import Random
from typing import Any

import httpx
from django.db import DatabaseError, InterfaceError, connection

from tests.soak.orders import Desk, Order, job_of, person
from uploads.errors import RequestError
from uploads.models import Job, Token

# What a storm itself can do to an item: a person reads it and presses "Retry".
BLAMED = frozenset({"worker_lost", "decoder_crashed", "operation_bug"})
PIECE = 16 * 1024


class Thread(threading.Thread, ABC):
    """A thread whose failure is kept for the test, and whose connection is closed."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            self.live()
        except BaseException as error:
            self.failure = error
        finally:
            connection.close()

    @abstractmethod
    def live(self) -> None:
        """Do what this one does, until it is over."""

    def leave(self) -> None:
        self.over.set()


class Crowd(Thread):
    """Keeps some jobs open, and cancels, pauses, resumes and retries some of them."""

    def __init__(self, desk: Desk, random: Random, open_jobs: int) -> None:
        super().__init__()
        self.desk = desk
        self.open_jobs = open_jobs
        self.random = random
        self.orders = desk.orders
        self.closing = threading.Event()
        self.tally = {"cancelled": 0, "paused": 0, "retried": 0, "busy database": 0}
        self._probes = threading.Semaphore(0)
        self._resume_at: dict[str, float] = {}
        self._ended: set[str] = set()

    def probe(self) -> None:
        """Have a probe placed as soon as the database lets it."""
        self._probes.release()

    def live(self) -> None:
        while not self.over.is_set():
            try:
                self._turn()
            except (DatabaseError, InterfaceError):
                self.tally["busy database"] += 1
                connection.close()
            time.sleep(0.1)

    def _turn(self) -> None:
        while self._probes.acquire(blocking=False):
            self.desk.place_probe()
        open_keys = set(Job.objects.filter(settled_at=None).values_list("key", flat=True))
        if not self.closing.is_set():
            for _ in range(self.open_jobs - len(open_keys)):
                self.desk.place()
            self._change_minds(open_keys)
        now = time.monotonic()
        for key, at in list(self._resume_at.items()):
            if now > at or self.closing.is_set():
                Job.objects.get(key=key).resume("operator")
                del self._resume_at[key]
        self._retry(open_keys)

    def _change_minds(self, open_keys: set[str]) -> None:
        if self.random.random() > 0.15 or not open_keys:
            return
        key = self.random.choice(sorted(open_keys))
        order = next((order for order in self.orders if order.key == key), None)
        if order is None or order.kind == "probe":
            return
        if order.may_cancel:
            self.tally["cancelled"] += job_of(order).cancel("alice")
        elif job_of(order).pause("operator"):
            self._resume_at[key] = time.monotonic() + self.random.uniform(0.5, 4)
            self.tally["paused"] += 1

    def _retry(self, open_keys: set[str]) -> None:
        """Retry what the storm broke; nothing else fails but what must."""
        for order in list(self.orders):
            if order.key in self._ended or order.key in open_keys:
                continue
            job = job_of(order)
            if not job.is_finished or job.settled_at is None:
                continue
            broken = job.items.filter(state="failed", error_code__in=BLAMED)
            places = broken.values_list("position", flat=True)
            if any(order.texts[place] is not None for place in places):
                with contextlib.suppress(RequestError):
                    job.retry("alice")
                    order.retries += 1
                    self.tally["retried"] += 1
                    continue
            self._ended.add(order.key)


class Uploader(Thread):
    """Uploads files over HTTP in pieces, resumes after every cut, and reads its results back."""

    def __init__(self, address: str, random: Random) -> None:
        super().__init__()
        self.random = random
        secret = Token.issue(person("dora"), "storm")[1]
        headers = {"Authorization": f"Bearer {secret}", "Tus-Resumable": "1.0.0"}
        self.http = httpx.Client(base_url=address, headers=headers, timeout=10)
        self.orders: list[Order] = []
        self.done = 0
        self.cuts = 0
        self.faults: list[str] = []

    def live(self) -> None:
        with self.http:
            while not self.over.is_set():
                self._errand()

    def _errand(self) -> None:
        text = "".join(f"{self.random.getrandbits(256):064x}\n" for _ in range(1500))
        upload = self._create(len(text))
        early = self.random.random() < 0.5
        job = self._order(upload, text) if early else ""
        self._send(upload, text.encode())
        job = job or self._order(upload, text)
        self._collect(job, text)
        self.done += 1

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask until an answer comes that is no cut and no "later"."""
        for answer in self._tries(method, path, **more):
            if answer is not None and answer.status_code < 500:
                return answer
        raise AssertionError("unreachable")

    def _tries(self, method: str, path: str, **more: Any) -> Iterator[httpx.Response | None]:
        while True:
            try:
                yield self.http.request(method, path, **more)
            except httpx.TransportError:
                yield None
            self.cuts += 1
            time.sleep(0.2)

    def _create(self, length: int) -> str:
        name = base64.b64encode(b"storm.txt").decode()
        headers = {"Upload-Length": str(length), "Upload-Metadata": f"filename {name}"}
        answer = self._ask("POST", "/files/", headers=headers)
        assert answer.status_code == 201, answer.text
        return str(answer.headers["Location"])

    def _send(self, location: str, body: bytes) -> None:
        offset = 0
        while offset < len(body):
            headers = {
                "Content-Type": "application/offset+octet-stream",
                "Upload-Offset": str(offset),
            }
            piece = body[offset : offset + PIECE]
            try:
                answer = self.http.patch(location, headers=headers, content=piece)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 204:
                offset = int(answer.headers["Upload-Offset"])
                time.sleep(0.05)
                continue
            self.cuts += 1
            time.sleep(0.2)
            offset = int(self._ask("HEAD", location).headers["Upload-Offset"])

    def _order(self, location: str, text: str) -> str:
        body = {
            "operation": "test.copy",
            "options": {"pause": 0.3},
            "uploads": [location.rstrip("/").rpartition("/")[2]],
            "notify": True,
        }
        headers = {"Idempotency-Key": uuid.UUID(int=self.random.getrandbits(128)).hex}
        answer = self._ask("POST", "/api/v1/jobs/", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        key = str(answer.json()["id"])
        self.orders.append(Order(key, "upload", [text], notify=True))
        return key

    def _collect(self, job: str, text: str) -> None:
        while True:
            seen = self._ask("GET", f"/api/v1/jobs/{job}/").json()
            if seen["state"] in {"partial", "failed"}:
                self._ask("POST", f"/api/v1/jobs/{job}/retry/")
            if seen["state"] == "succeeded":
                break
            time.sleep(0.3)
        results = self._ask("GET", f"/api/v1/jobs/{job}/results/").json()["results"]
        bodies = [self._ask("GET", result["content_url"]).text for result in results]
        if bodies != [text]:
            sizes = [len(body) for body in bodies]
            self.faults.append(f"job {job}: {len(text)} bytes went up, {sizes} came down")
