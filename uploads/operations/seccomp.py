"""A system call filter: what no operation needs answers EPERM; knows Linux on x86_64 and aarch64.

Everything else stays possible, so that any library and FFmpeg work. The filter
is inherited by all that the process starts and can't be taken off.
Sources: seccomp(2), the kernel's `unistd_64.h` and `asm-generic/unistd.h`.
"""

import ctypes
import errno
import os
import struct
from typing import Final

from uploads.operations.guard import prctl

PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
KILL_PROCESS, ALLOW, ERRNO = 0x80000000, 0x7FFF0000, 0x00050000

LOAD, EQUAL, AT_LEAST, ANY_BIT, AND, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
X32 = 0x40000000

Table = tuple[tuple[str, int | None, int | None], ...]

# Architecture as the kernel names it, and the column of its numbers in the tables.
ARCHITECTURES: Final = {"x86_64": (0xC000003E, 1), "aarch64": (0xC00000B7, 2)}

SOCKET: Final = (41, 198)
CLONE: Final = (56, 220)
CLONE3: Final = (435, 435)
OPENAT: Final = (257, 56)
OPEN: Final = (2, None)
OPENAT2: Final = (437, 437)
PRLIMIT: Final = (302, 261)
NEW_NAMESPACES = 0x7E020000
O_TRUNC, O_ACCMODE = 0o1000, 3
AF_INET, AF_INET6 = 2, 10
SOCK_STREAM, SOCK_KINDS, IPPROTO_TCP = 1, 0xF, 6
# With these gone a process has the connections that it has, and gets no other.
CONNECTING: Final[Table] = (
    ("socket", 41, 198),
    ("connect", 42, 203),
    ("bind", 49, 200),
    ("listen", 50, 201),
    ("accept", 43, 202),
    ("accept4", 288, 242),
)

DENIED: Final[Table] = (
    # other processes, the kernel's insides, and ways around this filter
    ("ptrace", 101, 117),
    ("process_vm_readv", 310, 270),
    ("process_vm_writev", 311, 271),
    ("process_madvise", 440, 440),
    ("kcmp", 312, 272),
    ("pidfd_getfd", 438, 438),
    ("perf_event_open", 298, 241),
    ("bpf", 321, 280),
    ("userfaultfd", 323, 282),
    ("io_uring_setup", 425, 425),
    ("io_uring_enter", 426, 426),
    ("io_uring_register", 427, 427),
    ("personality", 135, 92),
    ("modify_ldt", 154, None),
    ("iopl", 172, None),
    ("ioperm", 173, None),
    ("migrate_pages", 256, 238),
    ("move_pages", 279, 239),
    # leaving the process group, raising limits, slowing others
    ("setsid", 112, 157),
    ("setpgid", 109, 154),
    ("setrlimit", 160, 164),
    ("setpriority", 141, 140),
    # other views of the file system
    ("unshare", 272, 97),
    ("setns", 308, 268),
    ("mount", 165, 40),
    ("umount2", 166, 39),
    ("pivot_root", 155, 41),
    ("chroot", 161, 51),
    ("open_tree", 428, 428),
    ("move_mount", 429, 429),
    ("fsopen", 430, 430),
    ("fsconfig", 431, 431),
    ("fsmount", 432, 432),
    ("fspick", 433, 433),
    ("mount_setattr", 442, 442),
    ("open_tree_attr", 467, 467),
    ("name_to_handle_at", 303, 264),
    ("open_by_handle_at", 304, 265),
    ("fanotify_init", 300, 262),
    ("quotactl", 179, 60),
    ("quotactl_fd", 443, 443),
    # files' modes, owners, times and attributes: Landlock leaves these open for every path
    ("chmod", 90, None),
    ("fchmod", 91, 52),
    ("fchmodat", 268, 53),
    ("fchmodat2", 452, 452),
    ("chown", 92, None),
    ("fchown", 93, 55),
    ("lchown", 94, None),
    ("fchownat", 260, 54),
    ("utime", 132, None),
    ("utimes", 235, None),
    ("futimesat", 261, None),
    ("utimensat", 280, 88),
    ("setxattr", 188, 5),
    ("lsetxattr", 189, 6),
    ("fsetxattr", 190, 7),
    ("setxattrat", 463, 463),
    ("removexattr", 197, 14),
    ("lremovexattr", 198, 15),
    ("fremovexattr", 199, 16),
    ("removexattrat", 466, 466),
    ("file_setattr", 469, 469),
    ("truncate", 76, 45),
    ("mknod", 133, None),
    ("mknodat", 259, 33),
    # memory and messages shared with other processes of this user
    ("shmget", 29, 194),
    ("shmat", 30, 196),
    ("msgget", 68, 186),
    ("semget", 64, 190),
    ("mq_open", 240, 180),
    ("add_key", 248, 217),
    ("request_key", 249, 218),
    ("keyctl", 250, 219),
    # the machine
    ("init_module", 175, 105),
    ("finit_module", 313, 273),
    ("delete_module", 176, 106),
    ("kexec_load", 246, 104),
    ("kexec_file_load", 320, 294),
    ("reboot", 169, 142),
    ("swapon", 167, 224),
    ("swapoff", 168, 225),
    ("acct", 163, 89),
    ("syslog", 103, 116),
    ("vhangup", 153, 58),
    ("sethostname", 170, 161),
    ("setdomainname", 171, 162),
    ("settimeofday", 164, 170),
    ("clock_settime", 227, 112),
    ("clock_adjtime", 305, 266),
    ("adjtimex", 159, 171),
)

Instruction = tuple[int, int, int, int]


def _answer(code: int) -> Instruction:
    return (RETURN, 0, 0, ERRNO | code)


def _when(number: int | None, block: list[Instruction]) -> list[Instruction]:
    """Run the block for one system call; the block ends in an answer."""
    return [] if number is None else [(EQUAL, 0, len(block), number), *block]


def _argument(index: int) -> Instruction:
    return (LOAD, 0, 0, ARGUMENTS + 8 * index)  # the low half; both machines are little-endian


def _truncating(flags: int) -> list[Instruction]:
    """Refuse to empty a file that is opened for reading: kernels before 6.2 allow it on inputs."""
    return [
        _argument(flags),
        (AND, 0, 0, O_TRUNC | O_ACCMODE),
        (EQUAL, 0, 1, O_TRUNC),
        _answer(errno.EPERM),
        (RETURN, 0, 0, ALLOW),
    ]


def _sockets(*, network: bool) -> list[Instruction]:
    """Refuse every socket, or all but TCP, for Landlock knows no other ports; socketpair(2) stays."""
    if not network:
        return [_answer(errno.EPERM)]
    return [
        _argument(0),
        (EQUAL, 1, 0, AF_INET),
        (EQUAL, 0, 6, AF_INET6),
        _argument(1),
        (AND, 0, 0, SOCK_KINDS),
        (EQUAL, 0, 3, SOCK_STREAM),
        _argument(2),
        (EQUAL, 2, 0, 0),
        (EQUAL, 1, 0, IPPROTO_TCP),  # not MPTCP, which Landlock does not see
        _answer(errno.EPERM),
        (RETURN, 0, 0, ALLOW),
    ]


def program(machine: str, *, network: bool) -> list[Instruction]:
    """Return the filter as BPF instructions (code, jump if true, jump if false, constant)."""
    _, column = ARCHITECTURES[machine]
    refuse = _answer(errno.EPERM)
    allow = (RETURN, 0, 0, ALLOW)
    made = _beginning(machine)
    special: list[tuple[tuple[int | None, int | None], list[Instruction]]] = [
        (SOCKET, _sockets(network=network)),
        # Its flags lie in memory, out of a filter's sight; libraries fall back to clone(2).
        (CLONE3, [_answer(errno.ENOSYS)]),
        (OPENAT2, [_answer(errno.ENOSYS)]),
        (CLONE, [_argument(0), (ANY_BIT, 0, 1, NEW_NAMESPACES), refuse, allow]),
        (OPENAT, _truncating(2)),
        (OPEN, _truncating(1)),
        # Only to read own limits: a new limit is a pointer, both halves of it are looked at.
        (PRLIMIT, [_argument(2), (EQUAL, 1, 0, 0), refuse, _upper(2), (EQUAL, 1, 0, 0), refuse,
                   allow]),
    ]  # fmt: skip
    for numbers, block in special:
        made += _when(numbers[column - 1], block)
    for entry in DENIED:
        made += _when(entry[column], [refuse])  # type: ignore[arg-type]
    return [*made, allow]


def closing_program(machine: str) -> list[Instruction]:
    """Return the filter that refuses every further connection, and nothing else."""
    _, column = ARCHITECTURES[machine]
    made = _beginning(machine)
    for entry in CONNECTING:
        made += _when(entry[column], [_answer(errno.EPERM)])  # type: ignore[arg-type]
    return [*made, (RETURN, 0, 0, ALLOW)]


def _beginning(machine: str) -> list[Instruction]:
    """Return what every filter begins with: only calls by this machine's own numbers go on."""
    architecture, _ = ARCHITECTURES[machine]
    return [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 0, 1, X32),
        _answer(errno.EPERM),
    ]


def _upper(index: int) -> Instruction:
    return (LOAD, 0, 0, ARGUMENTS + 8 * index + 4)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def install(*, network: bool) -> None:
    """Put the filter on this process; no_new_privs must be set. Raises `OSError`."""
    _put_on(program(_machine(), network=network))


def shut_network() -> None:
    """Keep the connections that there are and refuse every further one; can't be undone.

    In addition to `install`. Raises `OSError`.
    """
    _put_on(closing_program(_machine()))


def _machine() -> str:
    machine = os.uname().machine
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no system call filter for {machine} processors")
    return machine


def _put_on(instructions: list[Instruction]) -> None:
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)
    filled = _Program(len(instructions), code)
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(filled))
