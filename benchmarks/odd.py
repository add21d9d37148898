"""The tests' odd operations for benchmarks: files that misbehave as they say."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.site import ROOT, owner, site

ODD = ROOT / "tests" / "odd"


@contextmanager
def odd_site(**limits: str) -> Iterator[dict[str, Any]]:
    """Run a site of two workers that knows the odd operations, with these settings."""
    paths = [str(ODD), os.environ.get("PYTHONPATH", "")]
    os.environ.update(
        limits,
        TIDEMILL_OPERATIONS_PATH=str(ODD),
        PYTHONPATH=os.pathsep.join(path for path in paths if path),
    )
    sys.path.append(str(ODD))
    with site(workers=2) as running:
        yield running


def wait_for(reached: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Wait until something is so; a benchmark that waits for ever tells nobody why."""
    give_up = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > give_up:
            raise RuntimeError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.01)


def submit_text(*texts: str, operation: str = "test.poison", name: str = "") -> Any:
    """Submit a job of small text files; `name` is its owner's, so that claims are fair."""
    from django.contrib.auth.models import User

    from uploads.models import Upload
    from uploads.storage import store
    from uploads.work.submit import JobRequest, StageRequest, submit

    person = User.objects.get_or_create(username=name)[0] if name else owner()
    keys = []
    for text in texts:
        upload = Upload(owner=person, name="text.txt", length=len(text))
        path = store.path(upload.storage_key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)  # before the row: the sweep gives up a row without its file
        upload.save()
        upload.complete(kind="text", media_type="text/plain")
        keys.append(upload.key)
    return submit(person, JobRequest([StageRequest(operation)], keys, anew=True))


def processes_of_steps(folder: Path) -> list[int]:
    """Return the processes whose home is in the site's scratch folder."""
    mark = f"HOME={folder}/scratch/".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found
