"""Which jobs are meant: a list's parameters (filters, search, order) read, told in words, and found."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

from uploads.admin.filters import BY_NAME, FILTERS, Filter, Jobs, search
from uploads.models import Job

LONGEST = 200
ORDERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "": ("Newest first", ("-pk",)),
    "oldest": ("Oldest first", ("pk",)),
    "priority": ("Highest priority first", ("-priority", "-pk")),
    "ended": ("Last ended first", ("-finished_at", "-pk")),
}


@dataclass(frozen=True)
class Day:
    """A filter by day inside another one's list, with its chosen value."""

    filter: Filter
    value: str


@dataclass(frozen=True)
class Offer:
    """A filter as the page offers it: the chosen value in words, and a link for every choice."""

    filter: Filter
    value: str
    words: str
    links: list[tuple[str, str, bool]]
    without: str
    others: list[tuple[str, str]]
    days: list[Day]


@dataclass(frozen=True)
class Matching:
    """The jobs of one list; unknown parameters are left out, a senseless value matches nothing."""

    values: dict[str, str] = field(default_factory=dict)
    text: str = ""
    order: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """Return what the parameters of a request mean."""
        values = {one.name: query[one.name][:LONGEST] for one in FILTERS if query.get(one.name)}
        order = query.get("sort", "")
        return cls(values, query.get("q", "").strip()[:LONGEST], order if order in ORDERS else "")

    @classmethod
    def parse(cls, query: str) -> Self:
        """Return what a query string means."""
        return cls.read(dict(parse_qsl(query.removeprefix("?"))))

    @property
    def is_everything(self) -> bool:
        return not self.values and not self.text

    def rows(self) -> Jobs:
        """Return the jobs, in no order; a list by their end means only those that have ended."""
        rows: Jobs = Job.objects.all()
        for name, value in self.values.items():
            try:
                rows = BY_NAME[name].narrow(rows, value)
            except (ValueError, OverflowError):
                return rows.none()
        if self.order == "ended":
            rows = rows.exclude(finished_at=None)
        return search(rows, self.text) if self.text else rows

    def ordered(self) -> Jobs:
        """Return the jobs in the chosen order."""
        return self.rows().order_by(*ORDERS[self.order][1])

    def query(self, **more: Any) -> str:
        """Return the query string, such as `?state=failed&q=film`, with these parameters added."""
        chosen = {**self.values, "q": self.text, "sort": self.order, **more}
        return "?" + urlencode({name: value for name, value in chosen.items() if value})

    def changed(self, name: str, value: str) -> Self:
        """Return the same with one filter set, or dropped by an empty value."""
        values = {one: kept for one, kept in self.values.items() if one != name}
        return replace(self, values={**values, name: value} if value else values)

    def words(self) -> list[str]:
        """Return what is meant, one phrase a filter: `State: Failed`."""
        told = [
            f"{BY_NAME[name].label}: {dict(BY_NAME[name].choices()).get(value, value)}"
            for name, value in self.values.items()
        ]
        return [*told, f"Search: “{self.text}”"] if self.text else told

    def offers(self) -> list[Offer]:
        """Return every filter with its links."""
        return [self._offer(one) for one in FILTERS if not one.within]

    def _offer(self, one: Filter) -> Offer:
        value = self.values.get(one.name, "")
        choices = one.choices()
        links = [
            (words, self.changed(one.name, choice).query(), choice == value)
            for choice, words in choices
        ]
        days = [
            Day(day, self.values.get(day.name, "")) for day in FILTERS if day.within == one.name
        ]
        told = [dict(choices).get(value, value)]
        told += [f"{day.filter.label.lower()} {day.value}" for day in days if day.value]
        rest = self.changed(one.name, "")
        for day in days:
            rest = rest.changed(day.filter.name, "")
        others = [*rest.values.items(), ("q", self.text), ("sort", self.order)]
        return Offer(
            filter=one,
            value=value,
            words=" ".join(filter(None, told)),
            links=links,
            without=rest.query(),
            others=[(name, kept) for name, kept in others if kept],
            days=days,
        )

    def orders(self) -> list[tuple[str, str, bool]]:
        """Return every order as words, link, and whether it is the chosen one."""
        return [
            (words, replace(self, order=name).query(), name == self.order)
            for name, (words, _) in ORDERS.items()
        ]
