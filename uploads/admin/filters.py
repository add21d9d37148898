"""Filters of the list of jobs; each finds its rows by an index or a subquery, never by a join."""

from datetime import timedelta
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from uploads.errors import CATALOGUE
from uploads.models import Item, Job, Stage
from uploads.operations.registry import operations
from uploads.states import ItemState, JobState

SHOWN_OWNERS = 30
Rows = QuerySet[Any]


class StateFilter(SimpleListFilter):
    """By state, and by the wishes that are no states."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        states = [(state.value, state.value.capitalize()) for state in JobState]
        return [("unfinished", "Unfinished"), *states, ("paused", "Paused")]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        value = self.value()
        if value == "unfinished":
            return queryset.filter(finished_at=None)
        if value == "paused":
            return queryset.filter(finished_at=None).exclude(paused_at=None)
        return queryset.filter(state=value) if value else queryset


class OwnerFilter(SimpleListFilter):
    """By owner: those who have jobs, thirty at most; the search finds the others."""

    title = "owner"
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        theirs = Job.objects.filter(owner=OuterRef("pk"))
        people = get_user_model().objects.filter(Exists(theirs)).order_by("username")
        names = people.values_list("username", flat=True)[:SHOWN_OWNERS]
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        return queryset.filter(owner__username=self.value()) if self.value() else queryset


class OperationFilter(SimpleListFilter):
    """By operation."""

    title = "operation"
    parameter_name = "operation"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(operation.name, operation.label) for operation in operations().values()]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        if not self.value():
            return queryset
        stages = Stage.objects.filter(job=OuterRef("pk"), operation=self.value())
        return queryset.filter(Exists(stages))


class AgeFilter(SimpleListFilter):
    """By the time since the job was sent."""

    title = "age"
    parameter_name = "age"
    SPANS: tuple[tuple[str, str, timedelta], ...] = (
        ("hour", "Last hour", timedelta(hours=1)),
        ("day", "Last day", timedelta(days=1)),
        ("week", "Last week", timedelta(days=7)),
        ("older", "Older", timedelta(days=7)),
    )

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, words) for name, words, _ in self.SPANS]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        spans = {name: span for name, _, span in self.SPANS}
        span = spans.get(self.value() or "")
        if span is None:
            return queryset
        moment = timezone.now() - span
        if self.value() == "older":
            return queryset.filter(created_at__lt=moment)
        return queryset.filter(created_at__gte=moment)


class ErrorFilter(SimpleListFilter):
    """By the error of an item; the console's failures lead here. Shown only when chosen."""

    title = "error"
    parameter_name = "error"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        chosen = request.GET.get(self.parameter_name)
        return [(chosen, chosen)] if chosen in CATALOGUE else []

    def has_output(self) -> bool:
        return bool(self.lookup_choices)

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        if not self.value():
            return queryset
        items = Item.objects.filter(
            job=OuterRef("pk"), state=ItemState.FAILED, error_code=self.value()
        )
        return queryset.filter(Exists(items))


FILTERS = (
    ErrorFilter,
    StateFilter,
    OwnerFilter,
    OperationFilter,
    AgeFilter,
)
