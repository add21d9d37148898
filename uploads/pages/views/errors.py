"""What Django itself refuses, in the catalogue's words."""

import logging
import secrets
import sys

from django.http import HttpRequest, HttpResponse

from uploads.errors import RequestError
from uploads.models.outage import outage
from uploads.pages.middleware import error_answer

log = logging.getLogger("tidemill.web")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_answer(request, RequestError("not_found"))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_answer(request, RequestError("forbidden"))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_answer(request, RequestError("bad_request", reason="it is malformed."))


def failed(request: HttpRequest) -> HttpResponse:
    """Answer when something broke outside a view; in plain text when pages themselves are broken."""
    trouble = outage(sys.exc_info()[1])
    if trouble is not None:
        log.warning("%s %s: %s", request.method, request.path, sys.exc_info()[1])
        return error_answer(request, trouble)
    error = RequestError("server_error", reference=secrets.token_hex(4))
    log.error("%s %s failed (%s)", request.method, request.path, error.values["reference"])
    try:
        return error_answer(request, error)
    except Exception:
        return HttpResponse(str(error), status=error.status, content_type="text/plain")


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    return error_answer(request, RequestError("csrf"))
