"""Confine the child: limits, no privileges, Landlock, seccomp. Applied before any input is read.

The rules come from the worker with the request:

    {"parent": pid, "profile": "decode" | "outbound", "layers": ["landlock", "seccomp"],
     "inputs": folder, "out": folder, "read": [path, …], "look": [file, …], "ports": [port, …],
     "limits": {"memory_bytes", "cpu_seconds", "file_bytes", "files"}}

`read` may be executed as well, `look` is only read. An `outbound` one opens TCP connections to
these ports, and calls `shut_network` once it has the one that it needs.

Run as a program, this module tries each layer on itself and prints what the
machine gives, as one JSON object: {"landlock": abi | reason, "seccomp": true | reason}.
"""

import contextlib
import ctypes
import json
import os
import resource
import struct
import sys
from pathlib import Path
from typing import Any

from uploads.errors import StepError
from uploads.operations import landlock, seccomp
from uploads.operations.guard import LINUX, prctl

PR_SET_NO_NEW_PRIVS = 38
CAPABILITY_VERSION_3 = 0x20080522
OOM_SCORE = 500
CPU_GRACE_SECONDS = 5
PACKAGE = Path(__file__).resolve().parents[1]

# What programs and libraries read of the machine; nothing of it names a person or a secret.
MACHINE_FILES = (
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/fonts",
    "/etc/libreoffice",
    "/var/spool/libreoffice",
    "/dev/urandom",
    "/dev/random",
    "/dev/zero",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
)
# Whom to trust; names are looked up before the child is shut in.
NETWORK_FILES = ("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/usr/share/ca-certificates")
# How much processor and memory the control group gives: DuckDB dies when it sees but can't read it.
GROUPS = Path("/sys/fs/cgroup")
GROUP_FILES = (
    *("cpu.max", "memory.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"),
    "memory.limit_in_bytes",
)
# Not whole prefixes: a checkout with its data folder may well lie below /usr/src or /usr/local.
PREFIX_FOLDERS = ("bin", "lib", "lib32", "lib64", "libexec", "share")


def program_folders() -> list[Path]:
    """Return the folders of programs and libraries that a child may read and execute."""
    prefixes = {Path(sys.prefix), Path(sys.base_prefix), Path("/usr"), Path("/usr/local")}
    folders = [prefix / name for prefix in sorted(prefixes) for name in PREFIX_FOLDERS]
    folders += [Path("/bin"), Path("/nix/store"), *sorted(Path("/opt").glob("libreoffice*"))]
    return [PACKAGE, *sorted(Path("/").glob("lib*")), *folders]


def _group_files() -> list[str]:
    """Return the files that hold the limits of this process's control groups, versions 1 and 2."""
    listed = "/proc/self/cgroup"
    found = [listed]
    with contextlib.suppress(OSError):
        for line in Path(listed).read_text().splitlines():
            _, controllers, place = line.split(":", 2)
            for folder in {GROUPS / name for name in ("", controllers, *controllers.split(","))}:
                group = folder / place.lstrip("/")
                inside = [folder, group, *(p for p in group.parents if folder in p.parents)]
                found += [str(made / name) for made in inside for name in GROUP_FILES]
    return sorted(set(found))


def confine(rules: dict[str, Any] | None) -> None:
    """Apply the rules to this process and all it starts; without rules nothing is applied.

    Raises `StepError` (`sandbox_unavailable`) when a layer that the rules name can't be applied.
    """
    if not rules:
        return
    _limit(rules["limits"])
    network = rules["profile"] == "outbound"
    try:
        if LINUX:
            prctl(PR_SET_NO_NEW_PRIVS, 1)
            _drop_capabilities()
            _be_first_out_of_memory()
        if "landlock" in rules["layers"]:
            landlock.restrict(_grants(rules, network=network), ports=_ports(rules))
        if "seccomp" in rules["layers"]:
            seccomp.install(network=network)
    except OSError as error:
        raise StepError("sandbox_unavailable", reason=str(error)) from error


def _ports(rules: dict[str, Any]) -> list[int]:
    return list(rules.get("ports", ())) if rules["profile"] == "outbound" else []


def shut_network(rules: dict[str, Any] | None) -> None:
    """Refuse every further connection of this process, where the machine can; for good.

    Raises `StepError` (`sandbox_unavailable`).
    """
    if not rules or "seccomp" not in rules["layers"]:
        return
    try:
        seccomp.shut_network()
    except OSError as error:
        raise StepError("sandbox_unavailable", reason=str(error)) from error


def _limit(limits: dict[str, int]) -> None:
    cpu = limits["cpu_seconds"]
    wanted = {
        resource.RLIMIT_AS: (limits["memory_bytes"],) * 2,
        resource.RLIMIT_CPU: (cpu, cpu + CPU_GRACE_SECONDS),
        resource.RLIMIT_FSIZE: (limits["file_bytes"],) * 2,
        resource.RLIMIT_NOFILE: (limits["files"],) * 2,
        resource.RLIMIT_CORE: (0, 0),
    }
    for kind, (soft, hard) in wanted.items():
        _, most = resource.getrlimit(kind)
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        try:
            resource.setrlimit(kind, (soft, hard))
        except (ValueError, OSError):
            if LINUX:  # macOS refuses RLIMIT_AS below what is mapped already
                raise


def _drop_capabilities() -> None:
    """Give up root's powers for good: with no_new_privs no program gets them back."""
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, bytes(24)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "capset")


def _be_first_out_of_memory() -> None:
    """Let the kernel end this process before the web server or the database."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(f"{OOM_SCORE}")


def _grants(rules: dict[str, Any], *, network: bool) -> list[landlock.Grant]:
    files = MACHINE_FILES + NETWORK_FILES if network else MACHINE_FILES
    return [
        *((str(folder), landlock.PROGRAMS) for folder in program_folders()),
        *((path, landlock.PROGRAMS) for path in rules["read"]),
        *((path, landlock.READ) for path in (*files, *rules.get("look", ()), *_group_files())),
        ("/dev/null", landlock.DEVICE),
        (rules["inputs"], landlock.READ),
        (rules["out"], landlock.WRITE),
    ]


def main() -> None:
    """Try each layer and print what works."""
    found: dict[str, object] = {}
    if LINUX:
        prctl(PR_SET_NO_NEW_PRIVS, 1)
    try:
        found["landlock"] = landlock.restrict([]) if LINUX else "not on this system"
    except (OSError, AttributeError) as error:
        found["landlock"] = str(error)
    try:
        seccomp.install(network=False)
        found["seccomp"] = True
    except (OSError, AttributeError) as error:
        found["seccomp"] = str(error)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
