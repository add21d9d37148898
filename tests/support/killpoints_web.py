"""What the web process is killed at: everything that people and clients send it, and then send again.

A browser remembers what it was told and asks for the rest after a cut; its memory is a file
beside the data folder, so that it outlives the server.
"""

import asyncio
import fcntl
import json
import os
import threading
from base64 import b64encode
from collections.abc import Awaitable, Callable
from hashlib import sha1
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

from tests.factories import make_job
from tests.support.killpoints_role import Scenario
from tests.support.killpoints_worker import cpu, job_of, owner, plan, upload_of
from uploads.models import Job, Step, Token, Upload
from uploads.states import StepKind, StepState
from uploads.storage import store

# The application looks for the collected files while it is imported.
Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)

from project.asgi import StreamingDjango  # noqa: E402

TEXT = b"a long text that arrives in pieces\n" * 40
HALF = len(TEXT) // 2
PIECE = {"Content-Type": "application/offset+octet-stream"}
NAMED = {"Upload-Metadata": f"filename {b64encode(b'sent.txt').decode()}"}
CSRF = "a" * 32

Visit = Callable[["Browser"], Awaitable[None]]


class Browser:
    """One person's browser or script; `memory` is what it was told."""

    def __init__(self) -> None:
        self._file = Path(settings.TIDEMILL_DATA).parent / "browser"
        self.memory: dict[str, Any] = json.loads(self._file.read_text())
        self.script = self._client(headers={"Authorization": f"Bearer {self.memory['token']}"})
        cookies = {"sessionid": self.memory["session"], "csrftoken": CSRF}
        self.pages = self._client(cookies=cookies)

    @staticmethod
    def _client(**values: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=StreamingDjango())
        return httpx.AsyncClient(transport=transport, base_url="http://localhost", **values)

    def remember(self, name: str, value: Any) -> None:
        self.memory[name] = value
        self._file.write_text(json.dumps(self.memory))

    async def tus(self, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
        sent = {"Tus-Resumable": "1.0.0", **headers}
        answer = await self.script.request(method, path, content=body, headers=sent)
        assert answer.status_code < 300, answer.text
        return answer

    async def send(self, location: str, offset: int, piece: bytes, proof: bytes) -> int:
        """Send a piece with the checksum of `proof`; return the answer's status."""
        checksum = f"sha1 {b64encode(sha1(proof).digest()).decode()}"
        headers = {**PIECE, "Upload-Offset": str(offset), "Upload-Checksum": checksum}
        sent = {"Tus-Resumable": "1.0.0", **headers}
        answer = await self.script.patch(location, content=piece, headers=sent)
        return int(answer.status_code)

    async def form(self, path: str, files: Any = None, **fields: Any) -> None:
        """Send a form; what it no longer can do is said on a page and breaks nothing."""
        fields["csrfmiddlewaretoken"] = CSRF
        answer = await self.pages.post(path, data=fields, files=files)
        assert answer.status_code in {303, 404}, answer.text

    async def command(self, path: str, method: str = "POST") -> None:
        answer = await self.script.request(method, path)
        assert answer.status_code in {200, 201, 204, 404, 409}, answer.text


def visiting(visit: Visit) -> Callable[[], None]:
    """Return a life of the web process: the requests of one visit."""

    def live() -> None:
        asyncio.run(visit(Browser()))

    return live


def arrive() -> None:
    """Let a person sign in and make a token."""
    user = owner()
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    memory = {"token": Token.issue(user, "browser")[1], "session": session.session_key}
    (Path(settings.TIDEMILL_DATA).parent / "browser").write_text(json.dumps(memory))


# --- uploads --------------------------------------------------------------------------


async def _upload_and_start(browser: Browser) -> None:
    """Announce a file, start its job, send it in two pieces, each with its checksum."""
    if "location" not in browser.memory:
        answer = await browser.tus("POST", "/files/", **{"Upload-Length": str(len(TEXT))}, **NAMED)
        browser.remember("location", answer.headers["Location"])
    location = browser.memory["location"]
    body = {"operation": "test.copy", "uploads": [location.strip("/").rpartition("/")[2]]}
    sent = {"Idempotency-Key": "the same"}
    job = await browser.script.post("/api/v1/jobs/", json=body, headers=sent)
    assert job.status_code == 201, job.text
    while True:
        head = await browser.tus("HEAD", location)
        offset = int(head.headers["Upload-Offset"])
        if offset == len(TEXT):
            return
        piece = TEXT[offset : HALF if offset < HALF else None]
        if offset < HALF and "refused" not in browser.memory:
            assert await browser.send(location, offset, piece, proof=b"another piece") == 460
            browser.remember("refused", True)
        assert await browser.send(location, offset, piece, proof=piece) == 204


async def _upload_at_once(browser: Browser) -> None:
    """Announce a file with all its bytes, and start a job when the answer is here."""
    if "location" not in browser.memory:
        headers = {**PIECE, **NAMED, "Upload-Length": str(len(TEXT))}
        answer = await browser.tus("POST", "/files/", TEXT, **headers)
        browser.remember("location", answer.headers["Location"])
    await _upload_and_start(browser)


async def _take_over(browser: Browser) -> None:
    """Send a file while an older request still holds it for a moment."""
    upload = await Upload.objects.aget(name="held.txt")
    if upload.is_complete:
        return
    holder = os.open(store.path(upload.storage_key), os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_EX)
    threading.Timer(0.3, os.close, [holder]).start()
    location = f"/files/{upload.key}"
    head = await browser.tus("HEAD", location)
    offset = int(head.headers["Upload-Offset"])
    piece = TEXT[offset:]
    assert not piece or await browser.send(location, offset, piece, proof=piece) == 204


def _held() -> None:
    arrive()
    upload = upload_of("held.txt", "", complete=False)
    Upload.objects.filter(pk=upload.pk).update(length=len(TEXT))
    upload.refresh_from_db()
    job = make_job(upload.owner, [upload], "test.copy")
    Browser().remember("job", job.key)


async def _take_back(browser: Browser) -> None:
    """Take back one upload as tus does, one from its page, and all that no job uses."""
    key = browser.memory["unused"]
    await browser.command(f"/api/v1/uploads/{key}/", "DELETE")
    await browser.form(f"/uploads/{browser.memory['other']}/delete/")
    await browser.form("/uploads/delete-unused/")


def _some_uploads() -> None:
    arrive()
    browser = Browser()
    for name in ("unused", "other", "third"):
        browser.remember(name, upload_of(f"{name}.txt", name).key)


async def _send_form(browser: Browser) -> None:
    """Send a form with a file, then run the same files again; look at the list before a repeat."""
    seen = await browser.script.get("/api/v1/jobs/")
    jobs = seen.json()["results"]
    if not jobs:
        files = [("files", ("formed.txt", TEXT, "text/plain"))]
        await browser.form("/", files, operation="test.copy", name="by form")
    if len(jobs) < 2:
        first = (await browser.script.get("/api/v1/jobs/")).json()["results"][-1]
        items = (await browser.script.get(f"/api/v1/jobs/{first['id']}/items/")).json()
        again = await browser.pages.get(f"/?again={first['id']}")
        assert again.status_code == 200
        uploads = [item["upload"] for item in items["results"]]
        await browser.form("/", uploads=uploads, operation="test.copy", name="run again")


# --- commands -----------------------------------------------------------------------------


def _job(name: str, *texts: str) -> None:
    arrive()
    job = job_of(name, *texts)
    Browser().remember("job", job.key)
    plan()


async def _wishes(browser: Browser) -> None:
    job = f"/api/v1/jobs/{browser.memory['job']}"
    await browser.form(f"/jobs/{browser.memory['job']}/notify/", notify="on")
    await browser.form(f"/jobs/{browser.memory['job']}/notify/")
    for verb in ("pause", "resume", "pause", "cancel"):
        await browser.command(f"{job}/{verb}/")


async def _pause_and_go_on(browser: Browser) -> None:
    job = f"/api/v1/jobs/{browser.memory['job']}"
    await browser.command(f"{job}/pause/")
    await browser.command(f"{job}/resume/")


def _waiting_job() -> None:
    _job("wishes", "one", "two")


def _cancelled_job() -> None:
    _job("retried", "one", "two")
    Job.objects.get(name="retried").cancel("alice")


async def _retry(browser: Browser) -> None:
    if not browser.memory.get("retried"):
        await browser.form(f"/jobs/{browser.memory['job']}/retry/")
        browser.remember("retried", True)


def _ended_job() -> None:
    _job("ended", "one", "two")
    cpu()
    upload_of("kept.txt", "kept")


async def _delete(browser: Browser) -> None:
    await browser.form(f"/jobs/{browser.memory['job']}/delete/")


def _unsure_mail() -> None:
    _ended_job()
    Job.objects.update(notify="alice@example.org")
    job = Job.objects.get(name="ended")
    Step.objects.create(
        job=job,
        stage=job.stages.get(),
        kind=StepKind.NOTIFY,
        seq=0,
        lane="light",
        owner=job.owner,
        state=StepState.FAILED,
        params={"recipient": "alice@example.org"},
    )


async def _mail_again(browser: Browser) -> None:
    if not await Step.objects.filter(kind=StepKind.NOTIFY, seq=1).aexists():
        await browser.form(f"/jobs/{browser.memory['job']}/notify-again/")


def _web(name: str, prepare: Callable[[], None], visit: Visit) -> Scenario:
    return Scenario("web", name, prepare, visiting(visit), visiting(visit))


SCENARIOS = (
    _web("upload in pieces for a waiting job", arrive, _upload_and_start),
    _web("upload at once", arrive, _upload_at_once),
    _web("upload that another request holds", _held, _take_over),
    _web("uploads taken back", _some_uploads, _take_back),
    _web("form, and run again", arrive, _send_form),
    _web("pause, resume, cancel", _waiting_job, _wishes),
    _web("pause and go on", _waiting_job, _pause_and_go_on),
    _web("retry", _cancelled_job, _retry),
    _web("delete", _ended_job, _delete),
    _web("e-mail again", _unsure_mail, _mail_again),
)
