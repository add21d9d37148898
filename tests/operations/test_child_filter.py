"""The system call filter for every processor it knows, run through a small BPF machine."""

import errno
import os

import pytest

from uploads.operations.seccomp import (
    ALLOW,
    AND,
    ANY_BIT,
    ARCHITECTURES,
    AT_LEAST,
    CLONE,
    CLONE3,
    CONNECTING,
    DENIED,
    EQUAL,
    ERRNO,
    KILL_PROCESS,
    LOAD,
    OPENAT,
    PRLIMIT,
    RETURN,
    SOCKET,
    Instruction,
    closing_program,
    program,
)

REFUSED = ERRNO | errno.EPERM
INET, INET6, UNIX = 2, 10, 1
TCP, NONBLOCKING = 1, 0o4000


def _answer(machine: str, number: int, *arguments: int, network: bool = False) -> int:
    """Run the filter for one system call and return its answer."""
    return _run(machine, _called(machine, number, *arguments), network=network)


def _called(machine: str, number: int, *arguments: int) -> bytes:
    data = number.to_bytes(4, "little") + ARCHITECTURES[machine][0].to_bytes(4, "little") + bytes(8)
    for index in range(6):
        value = arguments[index] if index < len(arguments) else 0
        data += value.to_bytes(8, "little")
    return data


def _run(machine: str, data: bytes, *, network: bool) -> int:
    return _ran(program(machine, network=network), data)


def _ran(made: list[Instruction], data: bytes) -> int:
    at = word = 0
    while True:
        code, if_true, if_false, constant = made[at]
        at += 1
        if code == RETURN:
            return constant
        if code == LOAD:
            word = int.from_bytes(data[constant : constant + 4], "little")
        elif code == AND:
            word &= constant
        else:
            truth = {
                EQUAL: word == constant,
                AT_LEAST: word >= constant,
                ANY_BIT: bool(word & constant),
            }[code]
            at += if_true if truth else if_false


pytestmark = pytest.mark.parametrize("machine", sorted(ARCHITECTURES))


def _of(machine: str, numbers: tuple[int | None, int | None]) -> int:
    number = numbers[ARCHITECTURES[machine][1] - 1]
    assert number is not None
    return number


def test_every_denied_call_is_refused_and_its_neighbours_are_not(machine: str) -> None:
    column = ARCHITECTURES[machine][1]
    denied = {int(str(entry[column])) for entry in DENIED if entry[column] is not None}
    assert len(denied) > 60
    assert {_answer(machine, number) for number in denied} == {REFUSED}
    special = {_of(machine, numbers) for numbers in (SOCKET, CLONE, CLONE3)} | {437}
    others = set(range(470)) - denied - special
    assert {_answer(machine, number) for number in others} == {ALLOW}


def test_another_architecture_is_killed(machine: str) -> None:
    assert _run(machine, bytes(64), network=True) == KILL_PROCESS


def test_the_x32_variant_of_a_call_is_refused(machine: str) -> None:
    assert _answer(machine, 0x40000000 + _of(machine, SOCKET)) == REFUSED


@pytest.mark.parametrize("family", [INET, INET6, UNIX, 16, 17])
def test_sockets_follow_the_profile(machine: str, family: int) -> None:
    number = _of(machine, SOCKET)
    assert _answer(machine, number, family) == REFUSED
    wanted = ALLOW if family in {INET, INET6} else REFUSED
    assert _answer(machine, number, family, TCP, network=True) == wanted
    assert _answer(machine, number, family, TCP | NONBLOCKING, 6, network=True) == wanted


@pytest.mark.parametrize(("kind", "protocol"), [(2, 0), (3, 0), (1, 262), (5, 132), (2, 17)])
def test_only_tcp_is_open_to_the_outbound_profile(machine: str, kind: int, protocol: int) -> None:
    number = _of(machine, SOCKET)
    assert _answer(machine, number, INET, kind, protocol, network=True) == REFUSED


def test_the_network_shuts_for_new_connections_only(machine: str) -> None:
    shut = {int(str(entry[ARCHITECTURES[machine][1]])) for entry in CONNECTING}
    made = closing_program(machine)
    assert {
        number for number in range(470) if _ran(made, _called(machine, number)) == REFUSED
    } == shut


def test_new_namespaces_are_refused_and_forks_are_not(machine: str) -> None:
    fork, thread, new_user, new_net = 17, 0x3D0F00, 0x10000011, 0x40000011
    answers = [
        _answer(machine, _of(machine, CLONE), flags) for flags in (fork, thread, new_user, new_net)
    ]
    assert answers == [ALLOW, ALLOW, REFUSED, REFUSED]
    assert _answer(machine, _of(machine, CLONE3)) == ERRNO | errno.ENOSYS


def test_a_file_opened_for_reading_can_not_be_emptied(machine: str) -> None:
    number = _of(machine, OPENAT)
    assert _answer(machine, number, 0, 0, os.O_RDONLY) == ALLOW
    assert _answer(machine, number, 0, 0, 0o1001) == ALLOW
    assert _answer(machine, number, 0, 0, 0o1000) == REFUSED


@pytest.mark.parametrize("pointer", [0x1000, 0x7F00_0000_0000])
def test_limits_may_be_read_and_not_set(machine: str, pointer: int) -> None:
    number = _of(machine, PRLIMIT)
    assert _answer(machine, number, 0, 7, 0, 0x1000) == ALLOW
    assert _answer(machine, number, 0, 7, pointer) == REFUSED
