"""Who is at the other end of a socket, and whether its page is one of ours."""

from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host

from uploads.models import Job, Token

Scope = dict[str, Any]


def header(scope: Scope, name: bytes) -> str:
    """Return a header of the handshake, or an empty text."""
    return next((v.decode("latin-1") for n, v in scope["headers"] if n.lower() == name), "")


def origin_allowed(scope: Scope) -> bool:
    """Tell whether the handshake comes from this very address: scheme, host and port.

    A browser always sends Origin. Without one only a Bearer token, which no page can
    send, opens the door. The Host must be an allowed one, against rebound names.
    """
    host = header(scope, b"host")
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return False
    origin = header(scope, b"origin")
    if not origin:
        return _bearer(scope) != ""
    own = f"{_scheme(scope)}://{host}"
    trusted = {_normal(text) for text in (own, *settings.CSRF_TRUSTED_ORIGINS)}
    return _normal(origin) in trusted - {None}


def _scheme(scope: Scope) -> str:
    proxy = settings.SECURE_PROXY_SSL_HEADER
    if proxy:
        name = proxy[0].removeprefix("HTTP_").replace("_", "-").lower().encode()
        if header(scope, name).split(",")[0].strip() == proxy[1]:
            return "https"
    return "https" if scope.get("scheme") in {"wss", "https"} else "http"


def _normal(origin: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(origin)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return None
    plain = not (parts.path or parts.query or parts.fragment or parts.username)
    if not plain or not parts.hostname or parts.scheme not in {"http", "https"}:
        return None
    return parts.scheme, parts.hostname, port


def _bearer(scope: Scope) -> str:
    scheme, _, secret = header(scope, b"authorization").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def user_of(scope: Scope) -> Any:
    """Return the active user of the token or session, read anew from the rows, or None.

    A session whose user logged out, was deactivated or changed the password is nobody's.
    """
    if secret := _bearer(scope):
        return Token.owner_of(secret)
    request = HttpRequest()
    request.session = _session(header(scope, b"cookie"))
    user = get_user(request)
    return user if user.is_authenticated and user.is_active else None


def _session(cookies: str) -> Any:
    try:
        morsel = SimpleCookie(cookies).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        morsel = None
    engine = import_module(settings.SESSION_ENGINE)
    return engine.SessionStore(morsel.value if morsel else None)


def job_of(user: Any, key: str) -> int | None:
    """Return the number of the user's job, or None for one that is not theirs or not there."""
    return Job.objects.visible_to(user).filter(key=key).values_list("pk", flat=True).first()
