"""Set-up, sign-in and sign-out."""

from django.contrib.auth import get_user_model, login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from uploads.errors import RequestError
from uploads.models import SetupLink
from uploads.pages.account_forms import SetupForm, SignInForm
from uploads.pages.answers import SeeOther, private

BACKEND = "django.contrib.auth.backends.ModelBackend"


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def setup(request: HttpRequest, secret: str) -> HttpResponse:
    """Show the one-time link's form; POST makes the first administrator and signs in."""
    if not SetupLink.valid(secret) or _has_administrator():
        raise RequestError("setup_link_invalid")
    form = SetupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        login(request, form.use_up(secret), BACKEND)
        return SeeOther("/")
    status = 400 if form.is_bound else 200
    return private(render(request, "account/setup.html", {"form": form}, status=status))


def _has_administrator() -> bool:
    return get_user_model().objects.filter(is_superuser=True, is_active=True).exists()


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Show the sign-in form; POST signs in and goes to where the visitor wanted to be."""
    target = _target(request)
    if request.user.is_authenticated:
        return SeeOther(target)
    form = SignInForm(request, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        login(request, form.user)
        return SeeOther(target)
    status = _status(form)
    return private(
        render(request, "account/login.html", {"form": form, "next": target}, status=status)
    )


def _status(form: SignInForm) -> int:
    if not form.is_bound:
        return 200
    return 429 if form.has_error("__all__", "too_many_attempts") else 400


def _target(request: HttpRequest) -> str:
    """Return the wanted page, never another site's."""
    wanted = request.POST.get("next") or request.GET.get("next") or "/"
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if safe else "/"


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return SeeOther("/login/")
