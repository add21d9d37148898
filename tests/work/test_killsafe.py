"""Queue, event and value of the clusters: atomic when a process dies at any moment."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from uploads.work.killsafe import BareValue, PipeEvent, SocketQueue

DEADLINE = 10
Make = Callable[..., SocketQueue]


@pytest.fixture
def queue_of() -> Iterator[Make]:
    made = []

    def make(maxsize: int = 0) -> SocketQueue:
        made.append(SocketQueue(maxsize))
        return made[-1]

    yield make
    for queue in made:
        queue._reader.close()
        queue._writer.close()


def fork(work: Any) -> int:
    """Run a function in a forked child that ends without Python's exit."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return pid


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_messages_come_out_whole_and_in_order(queue_of: Make) -> None:
    queue = queue_of()
    sent: list[Any] = [{"n": 1}, "STOP", b"x" * 5000, list(range(100_000))]
    for message in sent:
        queue.put(message)
    assert [queue.qsize(), queue.empty()] == [4, False]
    assert [queue.get() for _ in sent] == sent
    assert [queue.qsize(), queue.empty()] == [0, True]


def test_a_full_queue_waits_for_a_reader(queue_of: Make) -> None:
    queue = queue_of(maxsize=2)
    queue.put(1)
    queue.put(2)
    threading.Timer(0.3, queue.get).start()
    started = time.monotonic()
    queue.put(3)
    assert 0.2 < time.monotonic() - started < DEADLINE
    assert [queue.get(), queue.get()] == [2, 3]


def test_a_reader_that_dies_while_it_waits_keeps_nobody_out(queue_of: Make) -> None:
    queue = queue_of(maxsize=1)
    for number in range(20):
        kill(fork(queue.get))
        queue.put(number)
        assert queue.get() == number


def test_a_reader_that_dies_after_taking_frees_its_place(queue_of: Make) -> None:
    queue = queue_of(maxsize=1)
    queue.put("first")
    os.waitpid(fork(lambda: queue._reader.recv(4096)), 0)
    queue.put("second")
    assert queue.get() == "second"


def test_a_writer_that_dies_while_the_queue_is_full_leaves_it_good(queue_of: Make) -> None:
    queue = queue_of(maxsize=1)
    queue.put("kept")
    kill(fork(lambda: queue.put("lost")))
    assert queue.get() == "kept"
    queue.put("next")
    assert queue.get() == "next"


def test_a_queue_without_bound_frees_a_writer_of_another_process(queue_of: Make) -> None:
    queue = queue_of(maxsize=1)
    queue.put("in the way")
    pid = fork(lambda: queue.put("waits"))
    try:
        queue.unbound()
        give_up = time.monotonic() + DEADLINE
        while queue.qsize() < 2:
            assert time.monotonic() < give_up, "the writer still waits for room"
            time.sleep(0.01)
    finally:
        kill(pid)


def test_an_event_is_seen_by_every_process_for_good() -> None:
    event = PipeEvent()
    assert not event.wait(0.01)
    os.waitpid(fork(event.set), 0)
    assert event.is_set()
    assert event.wait(None)


def test_a_value_is_shared_without_a_lock() -> None:
    value = BareValue("f", -1)

    def work() -> None:
        with value.get_lock():
            value.value = 3

    os.waitpid(fork(work), 0)
    assert value.value == pytest.approx(3)
