"""Lists that stay quick beside a hundred thousand jobs: counts are capped, rows are looked at once."""

from typing import TYPE_CHECKING, Any

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property

from uploads.admin.overview import job_rows
from uploads.models import Job

COUNTED = 10_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts up to 10,000 rows and pages through these; search and filters find the others."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows[:COUNTED].count())


class JobChangeList(ChangeList):
    """Attaches to each job of the page what it looks like now, in a constant number of queries."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Job] = list(self.result_list)
        for row in job_rows(rows):
            row.job.row = row  # type: ignore[attr-defined]
        self.result_list = rows


if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    AnyModelAdmin = ModelAdmin[Any]
else:
    from django.contrib.admin import ModelAdmin as AnyModelAdmin

__all__ = ["AnyModelAdmin", "CappedPaginator", "JobChangeList"]
