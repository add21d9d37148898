"""Whether this process was asked to stop: SIGTERM only notes the wish; no Django.

A cluster's sentinel listens before it forks, so each worker inherits the
note-taking; `uploads.work.run` looks at the note and releases its step.
"""

import signal
from types import FrameType

_wanted = False


def listen() -> None:
    """Note SIGTERM from now on, here and in processes forked later; main thread only."""
    signal.signal(signal.SIGTERM, _note)


def stopping() -> bool:
    """Tell whether this process was asked to stop: finish or release the step, take no other."""
    return _wanted


def _note(number: int, frame: FrameType | None) -> None:
    global _wanted
    _wanted = True
