"""Whether this process was asked to stop: SIGTERM only notes the wish; no Django.

A cluster's sentinel listens before it forks, so each worker inherits the
note-taking; `uploads.work.run` looks at the note and releases its step.
"""

import signal

_asked = False


def listen() -> None:
    """Note SIGTERM from now on, here and in processes forked later; main thread only."""
    signal.signal(signal.SIGTERM, lambda *_: ask())


def ask() -> None:
    """Note the wish; it can't be taken back."""
    global _asked
    _asked = True


def stopping() -> bool:
    """Tell whether this process was asked to stop: release the step, take no other."""
    return _asked
