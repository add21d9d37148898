"""Hold SQLite's write lock from another thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def writing(seconds: float) -> Iterator[None]:
    """Let another connection hold the write lock: so long from now, or to the block's end."""
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                held.set()
                over.wait(seconds)
        finally:
            connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(30)
        yield
    finally:
        over.set()
        thread.join(30)
