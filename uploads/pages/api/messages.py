"""The e-mails of a job for scripts: who got one, who did not and why; one sent again."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse

from uploads.errors import RequestError
from uploads.models import Message, MessageState
from uploads.models.message import resend
from uploads.pages.api.bodies import refuse_unknown
from uploads.pages.api.cursor import QUERY, piece
from uploads.pages.api.door import Door, Schema, Verb, answer, json_body, no_body
from uploads.pages.api.jobs import chosen, find_job
from uploads.pages.api.schemas import listed, ref
from uploads.pages.api.shapes import job_json
from uploads.work.trial import send_trial

LONGEST_NUMBER = 18
STATES = [state.value for state in MessageState]


def messages_json(rows: Sequence[Message]) -> list[dict[str, Any]]:
    """Return messages as the API shows them."""
    return [
        {
            "id": row.pk,
            "recipient": row.recipient,
            "state": str(row.shown_state),
            "reason": row.reason,
            "finished_at": row.finished_at.isoformat() if row.finished_at else None,
        }
        for row in rows
    ]


def list_messages(request: HttpRequest, key: str) -> HttpResponse:
    rows = find_job(request, key).messages.select_related("job")
    state = chosen(request, "state", STATES)
    if state == MessageState.UNKNOWN:
        rows = rows.unknown()
    elif state:
        rows = rows.filter(state=state)
    return piece(request, rows, messages_json, newest_first=False)


def resend_message(request: HttpRequest, key: str, number: str) -> HttpResponse:
    no_body(request)
    job = find_job(request, key)
    if not (number.isascii() and number.isdigit() and len(number) < LONGEST_NUMBER):
        raise RequestError("not_found")
    resend(job, int(number), request.user.get_username())
    row = Message.objects.select_related("job").get(pk=int(number))
    return answer(messages_json([row])[0])


TRIAL_BODY: Schema = {
    "type": "object",
    "properties": {
        "letter": {"type": "integer", "minimum": 1, "default": 1, "description": "Which row's."}
    },
    "additionalProperties": False,
}


def try_letter(request: HttpRequest, key: str) -> HttpResponse:
    body = json_body(request)
    refuse_unknown(body, TRIAL_BODY)
    number = body.get("letter", 1)
    if isinstance(number, bool) or not isinstance(number, int):
        raise RequestError("bad_request", reason="`letter` must be a whole number.")
    person = request.user
    job = find_job(request, key)
    send_trial(job, str(getattr(person, "email", "")), number, person.get_username())
    return answer(job_json(job))


DOORS = (
    Door(
        "jobs/<str:key>/trial/",
        "job-trial",
        {
            "POST": Verb(
                try_letter,
                "Send one letter of a sample to your own address",
                ref("Job"),
                body=TRIAL_BODY,
            )
        },
    ),
    Door(
        "jobs/<str:key>/messages/",
        "messages",
        {
            "GET": Verb(
                list_messages,
                "The e-mails that a job sends, one a recipient",
                listed("Message"),
                query={**QUERY, "state": {"type": "string", "enum": STATES}},
            )
        },
    ),
    Door(
        "jobs/<str:key>/messages/<str:number>/resend/",
        "message-resend",
        {
            "POST": Verb(
                resend_message,
                "Send an e-mail of an ended job again: refused, unknown or never sent",
                ref("Message"),
            )
        },
    ),
)
