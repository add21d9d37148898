"""An upload's own bytes, for its owner; the other half of the tus address."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from uploads.errors import RequestError
from uploads.models import Upload
from uploads.pages.serve import file_response
from uploads.states import UploadState
from uploads.storage import store


async def upload_content(request: HttpRequest, key: str) -> HttpResponseBase:
    """Return a complete upload as a download; foreign, unknown and incomplete ones are `not_found`."""
    mine = Upload.objects.visible_to(await request.auser())
    upload = await mine.filter(key=key, state=UploadState.COMPLETE).afirst()
    if upload is None:
        raise RequestError("not_found")
    return await file_response(
        request,
        path=store.path(upload.storage_key),
        name=upload.name,
        media_type=upload.media_type,
        etag=upload.sha256 or upload.key,
        download=True,
    )
