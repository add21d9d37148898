"""Uploads and the bytes of results for scripts."""

from django.http import HttpRequest, HttpResponse

from uploads.errors import RequestError
from uploads.models import Upload
from uploads.pages import results
from uploads.pages.api.cursor import QUERY, piece
from uploads.pages.api.door import Door, Verb, answer
from uploads.pages.api.jobs import chosen
from uploads.pages.api.schemas import SCHEMAS, listed, ref
from uploads.pages.api.shapes import uploads_json
from uploads.states import UploadState

ALIVE = [UploadState.RECEIVING.value, UploadState.COMPLETE.value]


def find_upload(request: HttpRequest, key: str) -> Upload:
    """Return the user's upload of this key; raises `not_found` for anybody else's."""
    upload = Upload.objects.visible_to(request.user).filter(key=key).first()
    if upload is None:
        raise RequestError("not_found")
    return upload


def list_uploads(request: HttpRequest) -> HttpResponse:
    rows = Upload.objects.visible_to(request.user).alive()
    if state := chosen(request, "state", ALIVE):
        rows = rows.filter(state=state)
    return piece(request, rows, uploads_json)


def show_upload(request: HttpRequest, key: str) -> HttpResponse:
    return answer(uploads_json([find_upload(request, key)])[0])


def delete_upload(request: HttpRequest, key: str) -> HttpResponse:
    upload = find_upload(request, key)
    if upload.is_complete and upload.waiting_jobs():
        raise RequestError("conflict", reason="an unfinished job uses this upload.")
    if not upload.remove(UploadState.TERMINATED):
        raise RequestError("not_found")
    return HttpResponse(status=204)


DOORS = (
    Door(
        "uploads/",
        "uploads",
        {
            "GET": Verb(
                list_uploads,
                "Your uploads, newest first",
                listed("Upload"),
                query={
                    **QUERY,
                    "state": {**SCHEMAS["Upload"]["properties"]["state"], "enum": ALIVE},
                },
            )
        },
    ),
    Door(
        "uploads/<str:key>/",
        "upload",
        {
            "GET": Verb(show_upload, "One upload", ref("Upload")),
            "DELETE": Verb(delete_upload, "Give an upload up", status=204),
        },
    ),
    Door(
        "results/<str:key>/content",
        "content",
        {
            "GET": Verb(
                results.content,
                "A result's bytes; Range is served",
                {"type": "string", "contentEncoding": "binary"},
                media_type="application/octet-stream",
                query={"download": {"type": "string", "description": "1: as an attachment."}},
            )
        },
    ),
    Door(
        "jobs/<str:key>/archive.zip",
        "archive",
        {
            "GET": Verb(
                results.archive,
                "All results of a job as one ZIP; Range is served",
                {"type": "string", "contentEncoding": "binary"},
                media_type="application/zip",
                query={
                    "q": {"type": "string", "description": "Only names with these letters."},
                    "r": {"type": "string", "description": "Only this result; may be repeated."},
                },
            )
        },
    ),
)
