"""The errors that are told to people: each has a code of the catalogue and the values of its sentence."""

from uploads.catalogue import CATALOGUE, Entry


class TidemillError(Exception):
    """An error with a code of the catalogue; `text` is its sentence, `fix` the remedy."""

    def __init__(self, code: str, **values: object) -> None:
        self.code = code
        self.values = values
        super().__init__(code)

    @property
    def entry(self) -> Entry:
        return CATALOGUE[self.code]

    @property
    def status(self) -> int:
        return self.entry.status

    @property
    def text(self) -> str:
        return fill(self.entry.sentence, self.values)

    @property
    def fix(self) -> str:
        return fill(self.entry.fix, self.values)

    def __str__(self) -> str:
        return f"{self.text} {self.fix}"


class RequestError(TidemillError):
    """A request that can't be served as it is; its status goes to the client."""


class InputError(TidemillError):
    """The item's file is at fault: its item fails at once and is never retried by itself."""


class StepError(TidemillError):
    """The step failed for a reason that may pass: retried with back-off, then failed."""


class Cancelled(Exception):  # noqa: N818 - a fact of life, not an error
    """Somebody wants the job stopped; unwind and leave nothing behind."""


class LeaseLost(Exception):  # noqa: N818
    """Another worker owns the step now; stop and discard, commit nothing."""


class _Blank(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "…"


def fill(template: str, values: dict[str, object]) -> str:
    """Return the template with its `{fields}` filled; a missing value shows as an ellipsis."""
    return template.format_map(_Blank(values))


def sentence(code: str, values: dict[str, object]) -> str:
    """Return the sentence of a stored error; an unknown code (older row) names itself."""
    entry = CATALOGUE.get(code)
    return fill(entry.sentence, values) if entry else f"Error “{code}”."


def remedy(code: str, values: dict[str, object]) -> str:
    """Return what the reader can do about a stored error, or an empty text."""
    entry = CATALOGUE.get(code)
    return fill(entry.fix, values) if entry else ""
