"""Jobs for scripts: start, look, command, delete."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from uploads.errors import RequestError
from uploads.models import Item, Job, Result, Step
from uploads.pages.api.bodies import JOB_BODY, RETRY_BODY, job_request, retry_request
from uploads.pages.api.cursor import QUERY, piece
from uploads.pages.api.door import Door, Verb, answer, no_body
from uploads.pages.api.schemas import SCHEMAS, listed, ref
from uploads.pages.api.shapes import items_json, job_json, jobs_json, results_json, steps_json
from uploads.pages.state import state
from uploads.states import ItemState, JobState, StepState
from uploads.work.retry import retry_with
from uploads.work.submit import submit


def find_job(request: HttpRequest, key: str) -> Job:
    """Return the user's job of this key; raises `not_found` for anybody else's."""
    job = Job.objects.visible_to(request.user).filter(key=key).first()
    if job is None:
        raise RequestError("not_found")
    return job


def list_jobs(request: HttpRequest) -> HttpResponse:
    rows = Job.objects.visible_to(request.user)
    if state := chosen(request, "state", [state.value for state in JobState]):
        rows = rows.filter(state=state)
    return piece(request, rows, jobs_json)


def chosen(request: HttpRequest, name: str, known: list[str]) -> str | None:
    """Return a filter's value, which must be one of the known ones, or None without it."""
    value = request.GET.get(name)
    if value is not None and value not in known:
        raise RequestError("bad_request", reason=f"`{name}` is one of {', '.join(known)}.")
    return value


def create_job(request: HttpRequest) -> HttpResponse:
    job = submit(request.user, job_request(request))
    made = answer(job_json(job), status=201)
    made["Location"] = reverse("api:job", kwargs={"key": job.key})
    return made


def show_job(request: HttpRequest, key: str) -> HttpResponse:
    return answer(job_json(find_job(request, key)))


def delete_job(request: HttpRequest, key: str) -> HttpResponse:
    find_job(request, key).remove(request.user.get_username())
    return HttpResponse(status=204)


def _cancel(job: Job, actor: str) -> None:
    _refuse_ended(job)
    job.cancel(actor)


def _pause(job: Job, actor: str) -> None:
    _refuse_ended(job)
    job.pause(actor)


def _resume(job: Job, actor: str) -> None:
    _refuse_ended(job)
    job.resume(actor)


def _refuse_ended(job: Job) -> None:
    if job.is_finished:
        raise RequestError("conflict", reason="the job has ended.")


def command(verb: Callable[[Job, str], None]) -> Callable[..., HttpResponse]:
    """Return the view of one command; asked twice, it changes nothing more."""

    def obey(request: HttpRequest, key: str) -> HttpResponse:
        no_body(request)
        job = find_job(request, key)
        verb(job, request.user.get_username())
        job.refresh_from_db()
        return answer(job_json(job))

    return obey


def retry_job(request: HttpRequest, key: str) -> HttpResponse:
    wanted = retry_request(request)
    job = find_job(request, key)
    actor = request.user.get_username()
    retry_with(job, actor, wanted.places, options=wanted.options, stage=wanted.stage)
    job.refresh_from_db()
    return answer(job_json(job))


def list_items(request: HttpRequest, key: str) -> HttpResponse:
    rows: QuerySet[Item] = Item.objects.filter(job=find_job(request, key)).select_related(
        "upload", "stage", "twin__job"
    )
    if state := chosen(request, "state", [state.value for state in ItemState]):
        rows = rows.filter(state=state)
    return piece(request, rows, items_json, newest_first=False)


def list_steps(request: HttpRequest, key: str) -> HttpResponse:
    job = find_job(request, key)
    rows: QuerySet[Step] = Step.objects.filter(job=job)
    if state := chosen(request, "state", [state.value for state in StepState]):
        rows = rows.filter(state=state)
    return piece(request, rows, lambda steps: steps_json(job, steps), newest_first=False)


def list_results(request: HttpRequest, key: str) -> HttpResponse:
    rows: QuerySet[Result] = (
        Result.objects.filter(job=find_job(request, key))
        .exclude(role="part")
        .select_related("item__upload", "item__stage")
    )
    if role := chosen(request, "role", SCHEMAS["Result"]["properties"]["role"]["enum"]):
        rows = rows.filter(role=role)
    return piece(request, rows, results_json, newest_first=False)


def _filter(name: str, shape: str) -> Mapping[str, Any]:
    return {**QUERY, name: SCHEMAS[shape]["properties"][name]}


DOORS = (
    Door(
        "jobs/",
        "jobs",
        {
            "GET": Verb(
                list_jobs, "Your jobs, newest first", listed("Job"), query=_filter("state", "Job")
            ),
            "POST": Verb(create_job, "Start a job", ref("Job"), status=201, body=JOB_BODY),
        },
    ),
    Door(
        "jobs/<str:key>/",
        "job",
        {
            "GET": Verb(show_job, "One job", ref("Job")),
            "DELETE": Verb(
                delete_job,
                "Delete a job, its results and the uploads that no other job uses; it is cancelled first",
                status=204,
            ),
        },
    ),
    *(
        Door(
            f"jobs/<str:key>/{name}/",
            f"job-{name}",
            {"POST": Verb(command(verb), summary, ref("Job"))},
        )
        for name, verb, summary in (
            ("cancel", _cancel, "Cancel; results so far stay"),
            ("pause", _pause, "Start no further step"),
            ("resume", _resume, "Go on after a pause"),
        )
    ),
    Door(
        "jobs/<str:key>/retry/",
        "job-retry",
        {
            "POST": Verb(
                retry_job,
                "Do the failed and cancelled items again, with other options if wanted",
                ref("Job"),
                body=RETRY_BODY,
            )
        },
    ),
    Door(
        "jobs/<str:key>/state",
        "state",
        {
            "GET": Verb(
                state,
                "A job's state, and its events after a number: what the socket sends",
                ref("State"),
                query={"after": {"type": "integer", "minimum": 0}},
            )
        },
    ),
    Door(
        "jobs/<str:key>/items/",
        "items",
        {"GET": Verb(list_items, "A job's items", listed("Item"), query=_filter("state", "Item"))},
    ),
    Door(
        "jobs/<str:key>/steps/",
        "steps",
        {
            "GET": Verb(
                list_steps,
                "A job's steps, and why those wait that do",
                listed("Step"),
                query=_filter("state", "Step"),
            )
        },
    ),
    Door(
        "jobs/<str:key>/results/",
        "results",
        {
            "GET": Verb(
                list_results, "A job's results", listed("Result"), query=_filter("role", "Result")
            )
        },
    ),
)
