"""The settings page: e-mail, password, API tokens, theme, space."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from uploads.conf import conf
from uploads.errors import RequestError
from uploads.models import Preferences, Token
from uploads.pages.account_forms import NewPasswordForm, NotifyForm, ThemeForm, TokenForm
from uploads.pages.answers import SeeOther, private
from uploads.pages.space import space_of

YEAR_SECONDS = 365 * 86400


@require_safe
def settings_page(request: HttpRequest) -> HttpResponse:
    return _shown(request)


def _shown(request: HttpRequest, status: int = 200, **changed: Any) -> HttpResponse:
    """Render the page, with one form as it came back or a token that is shown once."""
    user: Any = request.user
    wanted = Preferences.of(user).mail_when_done
    page = {
        "section": "settings",
        "notify": NotifyForm(initial={"email": user.email, "mail_when_done": wanted}),
        "password": NewPasswordForm(user),
        "token": TokenForm(),
        "theme_form": ThemeForm(initial={"theme": request.COOKIES.get("theme", "")}),
        "tokens": Token.objects.filter(owner=user),
        "space": space_of(user),
        "mail_possible": bool(conf.EMAIL_URL),
        **changed,
    }
    return private(render(request, "settings.html", page, status=status))


@require_POST
def notify(request: HttpRequest) -> HttpResponse:
    form = NotifyForm(request.POST)
    if not form.is_valid():
        return _shown(request, 400, notify=form)
    form.save(request.user)
    messages.success(request, "Your choice is kept.")
    return SeeOther("/settings/")


@never_cache
@sensitive_post_parameters()
@require_POST
def password(request: HttpRequest) -> HttpResponse:
    """Change the password; this browser stays signed in, all others are signed out."""
    form = NewPasswordForm(request.user, request.POST)
    if not form.is_valid():
        return _shown(request, 400, password=form)
    update_session_auth_hash(request, form.save())
    messages.success(request, "The password is changed; other browsers are signed out.")
    return SeeOther("/settings/")


@never_cache
@require_POST
def add_token(request: HttpRequest) -> HttpResponse:
    """Make a token and show it, this once."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _shown(request, 400, token=form)
    row, secret = Token.issue(request.user, form.cleaned_data["name"])
    return _shown(request, new_token=row, secret=secret)


@require_POST
def revoke_token(request: HttpRequest, number: int) -> HttpResponse:
    user: Any = request.user
    gone, _ = Token.objects.filter(owner=user, pk=number).delete()
    if not gone:
        raise RequestError("not_found")
    messages.success(request, "The token is revoked; what used it is signed out.")
    return SeeOther("/settings/#tokens")


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the theme in a cookie, so that the sign-in page has it too."""
    form = ThemeForm(request.POST)
    answer = SeeOther("/settings/#theme")
    chosen = form.cleaned_data["theme"] if form.is_valid() else ""
    if chosen:
        answer.set_cookie(
            "theme", chosen, max_age=YEAR_SECONDS, samesite="Lax", secure=request.is_secure()
        )
    else:
        answer.delete_cookie("theme")
    return answer
