"""The live path: one job, many sockets; latency from commit to client and the web process's CPU."""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HERTZ = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / HERTZ


async def listen(address: str, session: str, heard: list[float], stop: float) -> None:
    from websockets.asyncio.client import connect
    from websockets.typing import Origin

    origin = address.replace("ws://", "http://").partition("/ws/")[0]
    headers = {"Cookie": f"sessionid={session}"}
    async with connect(address, origin=Origin(origin), additional_headers=headers) as socket:
        unseen = 0
        while (left := stop - time.time()) > 0:
            try:
                message = json.loads(await asyncio.wait_for(socket.recv(), left))
            except TimeoutError:
                return
            now = time.time()
            for _, kind, body in message.get("ev", ()):
                if kind == "log":
                    heard.append(1000 * (now - float(body["text"])))
            unseen += 1
            if unseen >= 8:
                unseen = 0
                await socket.send(json.dumps({"ack": message["seq"]}))


def readers(address: str, session: str, count: int, stop: float, pipe: Any) -> None:
    async def all_of_them() -> list[float]:
        heard: list[float] = []
        await asyncio.gather(*(listen(address, session, heard, stop) for _ in range(count)))
        return heard

    pipe.send(asyncio.run(all_of_them()))


def measure(mill: Any, sockets: int, each_second: int, seconds: float) -> str:
    """Return one line of figures."""
    from django.db import transaction

    from tests.live.drive import make_job
    from uploads.models import EventKind, Job

    person = mill.web.newcomer()
    job = mill.rows(make_job, mill.owner(person), files=1)
    address = f"ws://127.0.0.1:{mill.web.port}/ws/jobs/{job.key}/?after={job.seq}"
    ours, theirs = get_context("fork").Pipe()
    begin = time.time() + 1.5 + sockets / 60
    stop = begin + seconds + 1
    process = get_context("fork").Process(
        target=readers, args=(address, person.session, sockets, stop, theirs)
    )
    process.start()

    def write() -> int:
        count = 0
        while time.time() < begin + seconds:
            with transaction.atomic():
                Job.objects.locked(job.pk).record(EventKind.LOG, text=repr(time.time()))
            count += 1
            time.sleep(max(0.0, begin + count / each_second - time.time()))
        return count

    time.sleep(max(0.0, begin - time.time()))
    spent = cpu_seconds(mill.web.process.pid)
    written = mill.rows(write)
    spent = cpu_seconds(mill.web.process.pid) - spent
    heard = sorted(ours.recv())
    process.join()
    p50, p99 = statistics.median(heard), heard[int(len(heard) * 0.99)]
    return (
        f"{sockets:5} sockets × {written / seconds:5.1f} events/s: web CPU {100 * spent / seconds:5.1f} %, "
        f"commit to client p50 {p50:6.1f} p99 {p99:6.1f} ms, heard {len(heard)} of {written * sockets}"
    )


def main() -> None:
    """Print the figures of a few shapes."""
    sys.path.insert(0, str(ROOT))
    from tests.support.environment import isolate

    isolate()
    import django

    django.setup()
    from tests.live.mill import milling

    with tempfile.TemporaryDirectory() as folder:
        settings = {"TIDEMILL_SOCKETS_PER_USER": "1000"}
        with milling(Path(folder), **settings) as mill:
            for sockets, each_second in ((1, 10), (100, 10), (100, 100)):
                print(measure(mill, sockets, each_second, 6))


if __name__ == "__main__":
    main()
