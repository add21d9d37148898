"""A django-q2 cluster that survives the death of any of its processes; knows nothing of steps.

Stock django-q2 shares `multiprocessing`'s Queue, Event and Value. These keep
user-space locks in shared memory: a process killed while it holds one locks
out the others for ever, and an idle worker always holds the queue's
(django-q2 #23, #339, #346). `install` puts implementations in their place
whose atomicity is the kernel's, and gives each child a parent-death signal.
See docs/decisions/0001-kill-safe-clusters.md.
"""

import array
import contextlib
import fcntl
import logging
import math
import os
import pickle
import select
import signal
import socket
import sys
import tempfile
import termios
from importlib.metadata import version
from multiprocessing.sharedctypes import RawValue
from typing import Any, Final

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django_q import cluster
from django_q.conf import Conf

from uploads import bell
from uploads.conf import conf
from uploads.operations import guard
from uploads.work import presence, stopping
from uploads.work.niceness import stand_back

logger = logging.getLogger("tidemill.cluster")

TESTED: Final = frozenset({"1.11.1"})
FRAME_BYTES: Final = 2048
FULL_LOOK_SECONDS: Final = 0.5
STOP_MARGIN_SECONDS: Final = 3
WORKER_NICE: Final = 5  # pages are answered before work is done


class PipeEvent:
    """A flag that can only be raised: a pipe that stays readable once a byte is in it."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    def set(self) -> None:
        """Raise the flag for every process that has this pipe."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._writer, b"!")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the flag is up or the seconds are over; tell whether it is up."""
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000))

    def is_set(self) -> bool:
        return self.wait(0)

    def lower(self) -> None:
        """Take the flag down."""
        os.set_blocking(self._reader, False)
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 65536)


class BareValue:
    """A shared number without a lock: one writer at a time is enough for a worker's timer."""

    def __init__(self, typecode: str, initial: float) -> None:
        self._raw: Any = RawValue(typecode, initial)

    @property
    def value(self) -> float:
        number: float = self._raw.value
        return number

    @value.setter
    def value(self, number: float) -> None:
        self._raw.value = number

    def get_lock(self) -> contextlib.nullcontext[None]:
        return contextlib.nullcontext()


class SocketQueue:
    """A queue on a socket pair: the kernel gives each message to one reader whole, or to none.

    Every message fills one frame, so the bytes waiting tell their number. A
    larger one travels as the descriptor of an unnamed file, which the kernel
    removes with its last holder.
    """

    def __init__(self, maxsize: int = 0) -> None:
        kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
        self._reader, self._writer = socket.socketpair(socket.AF_UNIX, kind)
        self._maxsize = RawValue("i", maxsize)  # shared: who waits for room may be another process
        self._taken = PipeEvent()

    def put(self, message: Any) -> None:
        """Add a message; waits while the queue is full."""
        while 0 < self._maxsize.value <= self.qsize():
            # Only a hint: a reader may die between taking a message and saying so.
            self._taken.wait(FULL_LOOK_SECONDS)
            self._taken.lower()
        body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        if len(body) <= FRAME_BYTES:
            self._writer.send(body.ljust(FRAME_BYTES, b"\0"))
            return
        with tempfile.TemporaryFile() as file:
            file.write(body)
            file.flush()
            socket.send_fds(self._writer, [bytes(FRAME_BYTES)], [file.fileno()])

    def get(self) -> Any:
        """Take the next message; waits for one."""
        body, descriptors, _, _ = socket.recv_fds(self._reader, FRAME_BYTES, 1)
        self._taken.set()
        if not descriptors:
            return pickle.loads(body)
        with os.fdopen(descriptors[0], "rb") as file:
            file.seek(0)
            return pickle.load(file)

    def unbound(self) -> None:
        """Take messages beyond the size from now on, in every process."""
        self._maxsize.value = 0
        self._taken.set()

    def qsize(self) -> int:
        waiting = array.array("i", [0])
        fcntl.ioctl(self._reader, termios.FIONREAD, waiting)
        return waiting[0] // FRAME_BYTES

    def empty(self) -> bool:
        return self.qsize() == 0

    def close(self) -> None:
        """Nothing is buffered outside the kernel; the other processes still read."""

    def join_thread(self) -> None:
        """There is no feeder thread."""


class Sentinel(cluster.Sentinel):  # type: ignore[misc]
    """The guard of one lane's processes; if it fails, it takes its whole tree with it."""

    def start(self) -> None:
        """Guard until told to stop. SIGTERM to the group only notes the wish in each process."""
        stopping.listen()
        try:
            super().start()
        except BaseException:
            # Python's own exit would wait for workers that nobody guards any more.
            logger.exception("The cluster's sentinel failed")
            os._exit(1)

    def spawn_process(self, target: Any, *args: Any) -> Any:
        process = super().spawn_process(target, *args)
        if target is cluster.worker:
            presence.announce(process.pid, settings.Q_CLUSTER_NAME)
        return process

    def reincarnate(self, process: Any) -> None:
        """Replace a dead process; one beyond its time limit ignores SIGTERM and is killed."""
        super().reincarnate(process)
        if process.is_alive():
            process.kill()
        self._ring()  # where a limit holds, another may have waited for its end

    @staticmethod
    def _ring() -> None:
        """Wake the lane; keeps no connection, which the next fork would share."""
        with contextlib.suppress(DatabaseError, OSError):
            bell.ring(bell.WORK, settings.Q_CLUSTER_NAME)
        connection.close()

    def stop(self) -> None:
        """Tell the workers to release their steps, wake the pusher, then stop as ever."""
        self.event_out.set()
        for worker in self.pool:
            worker.terminate()
        self._ring()
        # Workers may be gone: neither the pusher's last ticket nor the pills may wait for room.
        self.task_queue.unbound()
        super().stop()


class Cluster(cluster.Cluster):  # type: ignore[misc]
    """The main process of one lane; a stop that hangs is ended by force."""

    asked = False

    def stop(self) -> bool:
        if not self.asked:
            self.asked = True
            signal.signal(signal.SIGALRM, self._force)
            signal.alarm(math.ceil(conf.DRAIN_SECONDS) + STOP_MARGIN_SECONDS)
        return bool(super().stop())

    def _force(self, *_: object) -> None:
        logger.warning("Running steps did not end in time; they will be done again")
        self.sentinel.kill()


def install() -> None:
    """Make clusters of this process kill-safe; warns on a version it was not tested with."""
    found = version("django-q2")
    if found not in TESTED:
        logger.warning(
            "django-q2 %s was not tested with kill-safe clusters; known: %s. "
            "Run tests/crash, or install a known version.",
            found,
            ", ".join(sorted(TESTED)),
        )
    cluster.Queue, cluster.Event, cluster.Value = SocketQueue, PipeEvent, BareValue
    cluster.Sentinel = Sentinel
    parent = [0]
    os.register_at_fork(
        before=lambda: parent.__setitem__(0, os.getpid()),
        after_in_child=lambda: guard.die_with_parent(parent[0], signal.SIGKILL),
    )


def belong_to(lane: str) -> None:
    """Be of a lane although Django was set up for another; before anything of a cluster is made."""
    settings.Q_CLUSTER_NAME = Conf.CLUSTER_NAME = lane
    Conf.WORKERS = Conf.QUEUE_LIMIT = settings.LANE_WORKERS[lane]


def serve() -> bool:
    """Run this lane's cluster until SIGTERM or SIGINT; False means that it died by itself."""
    install()
    stand_back(os.getpid(), WORKER_NICE)
    running = Cluster()
    running.start()
    running.sentinel.join()
    return running.asked
