"""Commands to a job: each a form with CSRF that ends on a page again, so a reload repeats nothing."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from uploads.errors import RequestError
from uploads.models import Job
from uploads.models.message import resend
from uploads.pages.asked import asked_job
from uploads.pages.tags import size
from uploads.work.trial import send_trial
from uploads.work.whole import run_on_all

Verb = Callable[[Job, HttpRequest], str]


class SeeOther(HttpResponseRedirect):
    """303: the answer to a form is another page."""

    status_code = 303


def command(verb: Verb) -> Callable[[HttpRequest, str], HttpResponse]:
    """Return the view of one verb; its text, if any, is shown on the job's page."""

    @login_required
    @require_POST
    def view(request: HttpRequest, key: str) -> HttpResponse:
        job = asked_job(request, key)
        try:
            text = verb(job, request)
        except RequestError as error:
            messages.error(request, str(error))
            text = ""
        if text:
            messages.success(request, text)
        return SeeOther(reverse("job", args=[job.key]))

    return view


def _cancel(job: Job, request: HttpRequest) -> str:
    job.cancel(_name(request))
    return ""


def _pause(job: Job, request: HttpRequest) -> str:
    job.pause(_name(request))
    return ""


def _resume(job: Job, request: HttpRequest) -> str:
    job.resume(_name(request))
    return ""


def _retry(job: Job, request: HttpRequest) -> str:
    job.retry(_name(request), request.POST.getlist("item"))
    return ""


def _notify_again(job: Job, request: HttpRequest) -> str:
    job.tell_again(_name(request))
    return "The e-mail is sent again."


def _notify(job: Job, request: HttpRequest) -> str:
    wanted = request.POST.get("notify") == "on"
    address = getattr(request.user, "email", "")
    if wanted and not address:
        raise RequestError("bad_request", reason="your account has no e-mail address.")
    job.tell_when_done(address if wanted else "")
    return ""


def _resend(job: Job, request: HttpRequest) -> str:
    number = request.POST.get("message", "")
    if not (number.isascii() and number.isdigit() and len(number) < 18):
        raise RequestError("bad_request", reason="`message` is the number of an e-mail.")
    resend(job, int(number), _name(request))
    return "The e-mail is sent again."


def _trial(job: Job, request: HttpRequest) -> str:
    number = request.POST.get("letter", "1")
    if not (number.isascii() and number.isdigit() and len(number) < 18):
        raise RequestError("bad_request", reason="`letter` is a number.")
    address = str(getattr(request.user, "email", ""))
    send_trial(job, address, int(number), _name(request))
    return f"Letter {number} goes to {address}."


def _name(request: HttpRequest) -> str:
    return request.user.get_username()


cancel = command(_cancel)
pause = command(_pause)
resume = command(_resume)
retry = command(_retry)
notify = command(_notify)
notify_again = command(_notify_again)
resend_message = command(_resend)
trial = command(_trial)


@login_required
@require_POST
def run_all(request: HttpRequest, key: str) -> HttpResponse:
    """Start the whole job of a sample and go to it; sent twice, it starts one."""
    sample = asked_job(request, key)
    try:
        job = run_on_all(sample)
    except RequestError as error:
        messages.error(request, str(error))
        job = sample
    return SeeOther(reverse("job", args=[job.key]))


@login_required
@require_POST
def delete(request: HttpRequest, key: str) -> HttpResponse:
    """Delete the job with its files and say how much space came back."""
    job = asked_job(request, key)
    name, freed = job.name, job.remove(_name(request))
    messages.success(request, f"“{name}” is deleted; {size(freed)} came back.")
    return SeeOther("/jobs/")
