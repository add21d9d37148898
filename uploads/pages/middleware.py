"""One authentication for pages, uploads and API, and one shape for errors."""

import logging
import secrets
from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse

from uploads.errors import RequestError, TidemillError
from uploads.models import Token
from uploads.models.outage import outage

log = logging.getLogger("tidemill.web")

Answer = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]
JSON_PREFIXES = ("/api/", "/files/", "/metrics")  # a scraper would follow a redirect
PASSING = {"database_away": "5", "disk_full": "30"}  # with the seconds of Retry-After
PUBLIC_PREFIXES = ("/setup/", "/login/", "/static/", "/healthz", *JSON_PREFIXES)


class _Both:
    """Base of middleware that serves sync and async views without a thread hop of its own."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        self.awaits = iscoroutinefunction(get_response)
        if self.awaits:
            markcoroutinefunction(self)  # type: ignore[type-var]


class TokenAuthentication(_Both):
    """Signs a request in by `Authorization: Bearer`, before the CSRF check, which it then skips.

    A token can't be sent by a foreign page, so it needs no CSRF protection. A wrong
    token answers 401 at once; it never falls back to the session.
    """

    def __call__(self, request: HttpRequest) -> "HttpResponseBase | Awaitable[HttpResponseBase]":
        if self.awaits:
            return self._answer(request)
        return self._refusal(request) or self.get_response(request)

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        if "Authorization" in request.headers:
            refusal = await sync_to_async(self._refusal)(request)
            if refusal is not None:
                return refusal
        answer = self.get_response(request)
        assert not isinstance(answer, HttpResponseBase)
        return await answer

    def _refusal(self, request: HttpRequest) -> HttpResponse | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        owner = Token.owner_of(secret.strip())
        if owner is None:
            return error_answer(request, RequestError("not_signed_in"))
        request.token_owner = owner  # type: ignore[attr-defined]
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
        return None


class ErrorPages(_Both):
    """Turns raised errors into the catalogue's sentence, as a page or as JSON.

    Also puts the token's owner in the place of the session's user.
    """

    def __call__(self, request: HttpRequest) -> "HttpResponseBase | Awaitable[HttpResponseBase]":
        owner = getattr(request, "token_owner", None)
        if owner is not None:
            request.user = owner

            async def auser() -> object:
                return owner

            request.auser = auser  # type: ignore[assignment]
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, TidemillError):
            return error_answer(request, error)
        if isinstance(error, Http404):
            return error_answer(request, RequestError("not_found"))
        if isinstance(error, PermissionDenied):
            return error_answer(request, RequestError("forbidden"))
        if trouble := outage(error):
            log.warning("%s %s: %s", request.method, request.path, error)
            return error_answer(request, trouble)
        reference = secrets.token_hex(4)
        log.error("%s %s failed (%s)", request.method, request.path, reference, exc_info=error)
        return error_answer(request, RequestError("server_error", reference=reference))


class SignInRequired(_Both):
    """Sends everybody who is not signed in to the sign-in page; scripts get 401.

    Whatever is added later is closed unless named in `PUBLIC_PREFIXES`. The JSON doors
    ask for themselves.
    """

    def __call__(self, request: HttpRequest) -> "HttpResponseBase | Awaitable[HttpResponseBase]":
        if self.awaits:
            return self._answer(request)
        open_door = request.path.startswith(PUBLIC_PREFIXES) or request.user.is_authenticated
        return self.get_response(request) if open_door else self._refusal(request)

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(PUBLIC_PREFIXES):
            user = await request.auser()
            if not user.is_authenticated:
                return self._refusal(request)
        answer = self.get_response(request)
        assert not isinstance(answer, HttpResponseBase)
        return await answer

    def _refusal(self, request: HttpRequest) -> HttpResponse:
        if wants_json(request) or request.method not in {"GET", "HEAD"}:
            return error_answer(request, RequestError("not_signed_in"))
        return redirect_to_login(request.get_full_path(), login_url=reverse("login"))


def wants_json(request: HttpRequest) -> bool:
    """Tell whether a script asks: by the door it uses, or by what it accepts."""
    accept = request.headers.get("Accept", "")
    return request.path.startswith(JSON_PREFIXES) or accept.startswith("application/json")


def error_answer(request: HttpRequest, error: TidemillError) -> HttpResponse:
    """Return the error as `{code, message, detail}` or as a page with the same words."""
    answer = _worded(request, error)
    if error.code in PASSING:
        answer["Retry-After"] = PASSING[error.code]
    return answer


def _worded(request: HttpRequest, error: TidemillError) -> HttpResponse:
    if wants_json(request):
        body = {"code": error.code, "message": error.text, "detail": error.fix}
        return JsonResponse(body, status=error.status)
    if error.code in PASSING:  # the frame of a page asks the database who looks
        bare = render_to_string("error.html", {"error": error, "bare": True})
        return HttpResponse(bare, status=error.status)
    return render(request, "error.html", {"error": error}, status=error.status)
