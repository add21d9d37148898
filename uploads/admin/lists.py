"""Lists that stay quick beside a hundred thousand rows: they count only as far as a page needs."""

from typing import TYPE_CHECKING, Any

from django.core.paginator import Page, Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property

COUNTED = 10_000
PER_PAGE = 50


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts up to 10,000 rows and pages through these; search and filters find the others."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows[:COUNTED].count())

    @property
    def is_capped(self) -> bool:
        return bool(self.count >= COUNTED)


def page_of(request: HttpRequest, rows: Any) -> "Page[Any]":
    """Return the page of rows that `?p=` names; a number beyond the end is the last page's.

    A first page that is not full is its own count: a search that finds little looks once.
    """
    paginator = CappedPaginator(rows, PER_PAGE)
    number = request.GET.get("p", "1")
    if number == "1":
        shown = list(rows[: PER_PAGE + 1])
        if len(shown) <= PER_PAGE:
            paginator.count = len(shown)
            return Page(shown, 1, paginator)
    page: Page[Any] = paginator.get_page(number)
    return page


if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    AnyModelAdmin = ModelAdmin[Any]
else:
    from django.contrib.admin import ModelAdmin as AnyModelAdmin

__all__ = ["AnyModelAdmin", "CappedPaginator", "page_of"]
