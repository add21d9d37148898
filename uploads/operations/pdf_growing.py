"""A PDF that grows out of many others, in bounded memory and with few files open at once."""

from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any, Self

import pikepdf

from uploads.operations.base import Context

# What is copied is read from its file when the result is written, and a step may open only 256.
OPEN_AT_ONCE = 60


class Growing:
    """The document so far (`pdf`), and the files that it is still read from."""

    def __init__(self, step: Context[Any]) -> None:
        self.step = step
        self.pdf = pikepdf.new()
        self._files = ExitStack()
        self._open = 0
        self._saved = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.close()
        self.pdf.close()

    def keep(self, opening: AbstractContextManager[pikepdf.Pdf]) -> pikepdf.Pdf:
        """Open a document and keep it open as long as pages are read from it."""
        self._open += 1
        return self._files.enter_context(opening)

    def settle(self) -> None:
        """Write down what there is when many files are open, close them and go on from that."""
        if self._open < OPEN_AT_ONCE:
            return
        self._saved += 1
        path = self.step.path(f"so-far-{self._saved}.pdf")
        self.pdf.save(path)
        self.pdf.close()
        self._files.close()
        self.pdf = pikepdf.open(path)
        path.unlink()  # an open file stays until it is closed
        self._open = 1
