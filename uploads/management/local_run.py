"""Run one job here and now: the real submit, plan, claim, run and commit, by processes of our own.

It knows no terminal; `runop` gives it a database that nobody else uses.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import connections

from uploads import bell
from uploads.conf import conf
from uploads.intake.arrival import arrive
from uploads.models import Job, Upload
from uploads.models.glance import glance
from uploads.names import cleaned_name
from uploads.operations import guard
from uploads.states import Lane
from uploads.storage import store
from uploads.work import stopping
from uploads.work.recover import recover_dead_workers
from uploads.work.run import run_next
from uploads.work.submit import JobRequest, StageRequest, submit

LOOK_SECONDS = 0.2
IDLE_SECONDS = 0.5


@dataclass(frozen=True)
class Source:
    """One file to work on; `relative_path` is its place below the folder that was named, or empty."""

    path: Path
    relative_path: str = ""


def sources(paths: Iterable[Path]) -> Iterator[Source]:
    """Return the files named, and those in the folders named, in order."""
    for path in paths:
        if not path.is_dir():
            yield Source(path)
            continue
        for found in sorted(path.rglob("*")):
            if found.is_file():
                yield Source(found, str(found.relative_to(path.parent)))


def take_in(owner: User, source: Source) -> Upload:
    """Return a complete upload of a copy of the file; a file being written to is copied as it is."""
    upload = Upload(
        owner=owner,
        name=cleaned_name(source.path.name),
        relative_path=source.relative_path,
        length=0,
    )
    target = store.path(upload.storage_key)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(source.path, target)
    upload.length = upload.offset = target.stat().st_size
    upload.save()
    arrive(upload)
    return upload


def start(
    owner: User, files: Iterable[Source], operation: str, options: dict[str, Any], names: str = ""
) -> Job:
    """Take the files in and submit the job; raises `RequestError` in words."""
    keys = [take_in(owner, source).key for source in files]
    return submit(owner, JobRequest([StageRequest(operation, options)], keys, names=names))


class Crew:
    """Worker processes of this program: `TIDEMILL_WORKERS` for `cpu` steps, one for `light` ones."""

    def __init__(self) -> None:
        self._lanes = [Lane.LIGHT] + max(1, conf.WORKERS) * [Lane.CPU]
        self._processes: list[tuple[Lane, BaseProcess]] = []

    def __enter__(self) -> "Crew":
        for lane in self._lanes:
            self._start(lane)
        return self

    def __exit__(self, *_: object) -> None:
        for _lane, process in self._processes:
            process.terminate()
        for _lane, process in self._processes:
            process.join(conf.DRAIN_SECONDS)
            if process.is_alive():
                process.kill()

    def _start(self, lane: Lane) -> None:
        connections.close_all()  # a connection must not be shared with a fork
        process = get_context("fork").Process(target=work, args=(lane, os.getpid()))
        process.start()
        self._processes.append((lane, process))

    def mend(self) -> None:
        """Replace dead workers and free what they held, as the sweeps do."""
        for lane, process in list(self._processes):
            if not process.is_alive():
                self._processes.remove((lane, process))
                recover_dead_workers()
                self._start(lane)

    def finish(
        self, job: Job, tell: Callable[[dict[str, Any]], None], unwanted: Callable[[], bool]
    ) -> None:
        """Wait until the job has ended, and cancel it once it is `unwanted`.

        `tell` hears its state about five times a second.
        """
        while True:
            if unwanted():
                job.cancel(job.owner.get_username())
            job.refresh_from_db()
            tell(glance([job])[0])
            if job.is_finished:
                return
            self.mend()
            time.sleep(LOOK_SECONDS)


def work(lane: Lane, parent: int) -> None:
    """Be one worker: run ready steps of a lane until asked to stop or left alone."""
    guard.die_with_parent(parent, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and cancels the job
    signal.signal(signal.SIGTERM, lambda *_: stopping.ask())
    listener = bell.Listener(bell.WORK)
    try:
        while not stopping.stopping():
            if not run_next(lane):
                listener.wait(IDLE_SECONDS)
    finally:
        listener.close()


def hand_out(job: Job, folder: Path) -> list[Path]:
    """Copy the job's results below the folder under names that are free there; return the files."""
    made = []
    for result in job.results.finished().order_by("item__position", "step_id", "position"):
        place = Path(result.relative_path).parent if result.relative_path else Path()
        target = _free(folder / place / result.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(store.path(result.storage_key), target)
        made.append(target)
    return made


def _free(path: Path) -> Path:
    number = 1
    free = path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free
