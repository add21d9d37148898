"""The errors that are told to people: each has a code of the catalogue and the values of its sentence."""

from typing import Self

from uploads.catalogue import CATALOGUE, Entry

WORDS_MAX = 500  # characters


class TidemillError(Exception):
    """An error with a code of the catalogue; `text` is its sentence, `fix` the remedy.

    Raises `ValueError` for a code that is not there: an operation of your own says what is wrong
    in its own words, by `because`.
    """

    def __init__(self, code: str, **values: object) -> None:
        if code not in CATALOGUE:
            own = f'{type(self).__name__}.because("what is wrong", "what to do")'
            raise ValueError(f"{code!r} is no code of Tidemill's catalogue; use {own}")
        self.code = code
        self.values = values
        super().__init__(code)

    @classmethod
    def because(cls, sentence: str, fix: str = "") -> Self:
        """Return an error of the operation's own: what is wrong, and what its reader can do.

        Both are shown as they are, up to 500 characters; the sentence names the file (`step.name`).
        """
        return cls("operation_says", sentence=sentence[:WORDS_MAX], remedy=fix[:WORDS_MAX])

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
