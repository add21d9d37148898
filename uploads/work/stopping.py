"""Whether this process has been asked to stop; steps are released then."""

_asked = False


def stopping() -> bool:
    """Tell whether the running step should be put back soon."""
    return _asked


def ask() -> None:
    """Note the wish, as the SIGTERM of a worker does."""
    global _asked
    _asked = True
