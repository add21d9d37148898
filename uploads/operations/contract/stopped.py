"""The child's program, told to stop at the operation's first word: a cancel at a known moment."""

import os
import signal
import time
from typing import Any

from uploads.operations.child import Child, PipeReporter, main


class _LastWord(PipeReporter):
    """Stops its own process by the signal that a worker sends, then reports as ever."""

    def progress(self, fraction: float, note: str) -> None:
        self._stop()
        super().progress(fraction, note)

    def checkpoint(self, state: dict[str, Any]) -> None:
        self._stop()
        super().checkpoint(state)

    def _stop(self) -> None:
        self._pipe.send(t="stopped", item=self._item, at=time.monotonic())
        os.kill(os.getpid(), signal.SIGTERM)


class _StoppedChild(Child):
    reporter = _LastWord


if __name__ == "__main__":
    main(_StoppedChild)
