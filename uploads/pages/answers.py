"""Answers that pages share."""

from django.http import HttpResponse
from django.http.response import HttpResponseRedirectBase


class SeeOther(HttpResponseRedirectBase):
    """303: the POST is done; look at the result there, by GET."""

    status_code = 303


def private(answer: HttpResponse) -> HttpResponse:
    """Keep a page with a secret on it out of every cache."""
    answer["Cache-Control"] = "no-store"
    return answer
