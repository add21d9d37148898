"""File access by grant only, for this process and all it starts; knows the kernel's Landlock.

Sources: landlock(7) and the kernel's `include/uapi/linux/landlock.h`; each ABI
adds rights, an older kernel is asked for those that it knows.
"""

import ctypes
import os
import struct
from collections.abc import Iterable, Sequence

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every machine
ASK_VERSION = 1
RULE_PATH_BENEATH, RULE_NET_PORT = 1, 2

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
FIRST_RIGHTS = (1 << 13) - 1  # all of ABI 1, so what is not granted is denied
LATER_RIGHTS = {2: REFER, 3: TRUNCATE, 5: IOCTL_DEV}
ONLY_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

BIND_TCP, CONNECT_TCP = 1, 2
SCOPE_ABSTRACT_UNIX_SOCKET, SCOPE_SIGNAL = 1, 2
ABI_NETWORK, ABI_SCOPE = 4, 6

READ = READ_FILE | READ_DIR
PROGRAMS = READ | EXECUTE
# No links, pipes, sockets or devices: an output is a plain file or nothing.
WRITE = READ | WRITE_FILE | TRUNCATE | REFER | MAKE_REG | MAKE_DIR | REMOVE_FILE | REMOVE_DIR
DEVICE = READ_FILE | WRITE_FILE

Grant = tuple[str, int]


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    result = int(libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"landlock {number}")
    return result


def abi() -> int:
    """Return the kernel's Landlock version; raises `OSError` where there is none."""
    return _call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(ASK_VERSION))


def restrict(grants: Iterable[Grant], *, ports: Sequence[int] = ()) -> int:
    """Allow the granted paths only and return the ABI; no_new_privs must be set. Raises `OSError`.

    Paths that don't exist grant nothing. TCP goes to these ports only (of any host: the kernel
    knows no finer rule), signals and abstract sockets reach only what this process started,
    as far as the kernel's ABI goes.
    """
    version = abi()
    files = FIRST_RIGHTS | sum(right for since, right in LATER_RIGHTS.items() if since <= version)
    attributes = struct.pack("=Q", files)
    if version >= ABI_NETWORK:
        attributes += struct.pack("=Q", BIND_TCP | CONNECT_TCP)
    if version >= ABI_SCOPE:
        attributes += struct.pack("=Q", SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL)
    size = ctypes.c_size_t(len(attributes))
    ruleset = _call(CREATE_RULESET, attributes, size, ctypes.c_uint32(0))
    try:
        for path, rights in grants:
            _grant(ruleset, path, rights & files)
        for port in ports if version >= ABI_NETWORK else ():
            _add_rule(ruleset, RULE_NET_PORT, struct.pack("=QQ", CONNECT_TCP, port))
        _call(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)
    return version


def _grant(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    try:
        if not os.path.isdir(descriptor):  # noqa: PTH112 - asks the descriptor, not the path again
            rights &= ONLY_FILES
        _add_rule(ruleset, RULE_PATH_BENEATH, struct.pack("=Qi", rights, descriptor))
    finally:
        os.close(descriptor)


def _add_rule(ruleset: int, kind: int, rule: bytes) -> None:
    _call(ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(kind), rule, ctypes.c_uint32(0))
