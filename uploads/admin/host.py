"""The machine that serves this page, in numbers: disk, memory, load; knows no rows."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname

from uploads.conf import conf
from uploads.storage import store

NEARLY = 2


@dataclass(frozen=True)
class Host:
    """One machine now; memory is 0 where the kernel does not tell."""

    name: str
    cores: int
    load: float
    memory_bytes: int
    memory_free_bytes: int
    disk_bytes: int
    disk_free_bytes: int
    reserve_bytes: int

    @property
    def memory_share(self) -> float:
        return _share(self.memory_bytes - self.memory_free_bytes, self.memory_bytes)

    @property
    def disk_share(self) -> float:
        return _share(self.disk_bytes - self.disk_free_bytes, self.disk_bytes)

    @property
    def load_share(self) -> float:
        return min(1.0, self.load / self.cores)

    @property
    def is_full(self) -> bool:
        """Tell whether uploads are refused and work waits for room."""
        return self.disk_free_bytes < self.reserve_bytes

    @property
    def is_nearly_full(self) -> bool:
        return self.disk_free_bytes < NEARLY * self.reserve_bytes


def _share(part: int, whole: int) -> float:
    return round(max(0.0, min(1.0, part / whole)), 3) if whole else 0.0


def this_host() -> Host:
    """Return what this machine has left; reads no database."""
    memory = _memory()
    root = store.root
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    disk = shutil.disk_usage(root)
    return Host(
        name=gethostname(),
        cores=os.cpu_count() or 1,
        load=round(os.getloadavg()[0], 2),
        memory_bytes=memory.get("MemTotal", 0),
        memory_free_bytes=memory.get("MemAvailable", 0),
        disk_bytes=disk.total,
        disk_free_bytes=store.free_bytes(),
        reserve_bytes=conf.DISK_RESERVE_BYTES,
    )


def _memory() -> dict[str, int]:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split() for line in lines)
    return {pair[0].removesuffix(":"): int(pair[1]) * 1024 for pair in pairs if len(pair) > 1}
