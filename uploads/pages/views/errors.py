"""What Django itself refuses, in the catalogue's words."""

import secrets

from django.http import HttpRequest, HttpResponse

from uploads.errors import RequestError
from uploads.pages.middleware import error_answer


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_answer(request, RequestError("not_found"))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_answer(request, RequestError("forbidden"))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_answer(request, RequestError("bad_request", reason="it is malformed."))


def failed(request: HttpRequest) -> HttpResponse:
    return error_answer(request, RequestError("server_error", reference=secrets.token_hex(4)))


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    return error_answer(request, RequestError("csrf"))
