"""What a child can't reach: other files, the network, other processes, more than its limits."""

import os
import platform
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.work.sandbox_room import HERE, MIB, OPEN, Room, on_each_database, room
from uploads.work.sandbox import level

__all__ = ["on_each_database", "room"]

pytestmark = pytest.mark.skipif(level().name != "full", reason="; ".join(level().reasons))
DENIED = "PermissionError"
NUMBERS = {"x86_64": {"ptrace": 101, "bpf": 321, "unshare": 272, "mount": 165, "keyctl": 250,
                      "io_uring_setup": 425, "setns": 308, "userfaultfd": 323},
           "aarch64": {"ptrace": 117, "bpf": 280, "unshare": 97, "mount": 40, "keyctl": 219,
                       "io_uring_setup": 425, "setns": 268, "userfaultfd": 282}}  # fmt: skip
FAMILIES = {
    "tcp": (socket.AF_INET, socket.SOCK_STREAM),
    "tcp6": (socket.AF_INET6, socket.SOCK_STREAM),
    "udp": (socket.AF_INET, socket.SOCK_DGRAM),
    "unix": (socket.AF_UNIX, socket.SOCK_STREAM),
    "unix datagram": (socket.AF_UNIX, socket.SOCK_DGRAM),
    "packet": (17, socket.SOCK_RAW),
    "netlink": (16, socket.SOCK_RAW),
}


def test_a_data_folder_that_operations_may_read_is_no_full_sandbox(settings: Any) -> None:
    settings.TIDEMILL_DATA = str(HERE / "var")
    settings.TIDEMILL_OPERATIONS_PATH = str(HERE)
    assert level().name == "reduced"
    assert str(HERE) in level().reasons[0]


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "/proc/self/environ", "/proc/self/mem", "/proc/1/environ", "/proc/self/maps",
     "/etc/hostname", "/root", "/tmp", "/etc/ssl/openssl.cnf", "/dev/mem"],
)  # fmt: skip
def test_other_files_are_closed(room: Room, path: str) -> None:
    assert room.told("read", path=path) in {DENIED, "FileNotFoundError"}


def test_the_secret_key_and_the_database_are_closed(room: Room, settings: Any) -> None:
    secret = Path(settings.TIDEMILL_DATA) / "secret_key"
    assert secret.exists() or "DJANGO_SECRET_KEY" in os.environ
    secret.touch()
    assert room.told("read", path=str(secret)) == DENIED


def test_the_settings_are_closed_and_the_own_package_is_open(room: Room) -> None:
    root = HERE.parents[1]
    room.run("read", path=str(root / "project" / "settings.py"))
    assert (room.out / "i0" / "source.txt").read_text() == DENIED
    room.messages.clear()
    assert room.told("read", path=str(root / "uploads" / "errors.py")) != DENIED


def test_a_sibling_step_is_closed(room: Room, tmp_path: Path) -> None:
    sibling = tmp_path / "sibling"
    sibling.mkdir()
    (sibling / "source").write_text("somebody's")
    assert room.told("read", path=str(sibling / "source")) == DENIED
    assert (sibling / "source").read_text() == "somebody's"


def test_links_can_not_be_made_and_lead_nowhere(room: Room) -> None:
    assert room.told("read_link", path="/etc/passwd") == DENIED


@pytest.mark.parametrize(
    "what", ["write_input", "truncate_input", "chmod_input", "remove_input", "touch_input",
             "link_input"]
)  # fmt: skip
def test_inputs_stay_as_they_are(room: Room, what: str) -> None:
    before = room.source.stat()
    assert room.told(what) in {DENIED, "OSError"}
    after = room.source.stat()
    assert room.source.read_text() == "the input"
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


def test_nothing_is_written_outside_the_out_folder(room: Room, tmp_path: Path) -> None:
    assert room.told("write", path=str(tmp_path / "else")) == DENIED
    assert not (tmp_path / "else").exists()


@pytest.mark.parametrize("name", FAMILIES)
def test_no_socket_opens(room: Room, name: str) -> None:
    family, kind = FAMILIES[name]
    assert room.told("open_socket", number=family * 100 + kind) == DENIED


def test_pairs_of_sockets_stay_possible(room: Room) -> None:
    assert room.told("socketpair") == "hello"


@pytest.fixture
def greeter() -> Iterator[int]:
    """Listen on a local port; the kernel completes the connection without an accept."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_network_is_closed_to_a_decoder(room: Room, greeter: int) -> None:
    assert room.told("connect", number=greeter) == DENIED


def test_the_outbound_profile_reaches_its_port(room: Room, greeter: int) -> None:
    assert room.told("connect", number=greeter, profile="outbound", ports=(greeter,)) == "connected"


def test_the_outbound_profile_reaches_no_other_port(room: Room, greeter: int) -> None:
    other = greeter - 1
    assert room.told("connect", number=greeter, profile="outbound", ports=(other,)) == DENIED
    room.messages.clear()
    assert room.told("connect", number=greeter, profile="outbound") == DENIED


def test_who_has_connected_gets_no_other_connection(room: Room, greeter: int) -> None:
    told = room.told("connect_once", number=greeter, profile="outbound", ports=(greeter,))
    assert told == f"connected, then {DENIED}, in a thread {DENIED}"


def test_only_single_files_are_opened_beside_the_inputs(room: Room, tmp_path: Path) -> None:
    for called in ("asked.db", "asked.db-wal", "other.db"):
        (tmp_path / called).write_text(called)
    look = (str(tmp_path / "asked.db"), str(tmp_path / "asked.db-wal"))
    read = str(tmp_path / "asked.db")
    assert room.told("read", path=read, profile="outbound", look=look) == b"asked.db".hex()
    for deed, called in (("read", "other.db"), ("write", "asked.db"), ("read", "")):
        room.messages.clear()
        told = room.told(deed, path=str(tmp_path / called), profile="outbound", look=look)
        assert told == DENIED, called


@pytest.mark.parametrize("name", ["udp", "unix", "unix datagram", "packet", "netlink"])
def test_the_outbound_profile_opens_internet_sockets_only(room: Room, name: str) -> None:
    family, kind = FAMILIES[name]
    assert room.told("open_socket", number=family * 100 + kind, profile="outbound") == DENIED


@pytest.mark.parametrize("name", sorted(NUMBERS["x86_64"]))
def test_what_no_operation_needs_is_denied(room: Room, name: str) -> None:
    number = NUMBERS[platform.machine()][name]
    assert room.told("call", number=number) == "Operation not permitted"


def test_limits_can_not_be_raised(room: Room) -> None:
    assert room.told("raise_limits") in {DENIED, "refused"}


@pytest.mark.skipif(
    tuple(map(int, platform.release().split(".")[:2])) < (6, 12)
    if sys.platform == "linux"
    else True,
    reason="Landlock scopes signals since Linux 6.12",
)
def test_other_processes_get_no_signals(room: Room) -> None:
    stranger = subprocess.Popen(["/bin/sleep", "60"])
    try:
        assert room.told("kill", number=stranger.pid) == DENIED
    finally:
        stranger.send_signal(signal.SIGKILL)
        stranger.wait()


@pytest.mark.parametrize("machine", [None, OPEN])
def test_root_has_no_powers(room: Room, machine: Any) -> None:
    assert room.told("chroot", machine=machine) == DENIED


def test_threads_and_programs_stay_possible(room: Room) -> None:
    assert room.told("threads") == "6 0"


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libsvtav1"])
def test_ffmpeg_encodes_in_the_sandbox(room: Room, encoder: str) -> None:
    assert room.told("ffmpeg", path=encoder) == "True"


def test_ffmpeg_is_shut_in_as_well(room: Room) -> None:
    assert "Permission denied" in room.told("ffmpeg_reads", path="file:/etc/passwd")
    room.messages.clear()
    assert "ermi" in room.told("ffmpeg_reads", path="tcp://127.0.0.1:9")


def test_vips_works_in_the_sandbox(room: Room) -> None:
    assert room.told("vips") == "100"


def test_a_weaker_machine_keeps_the_limits(room: Room) -> None:
    room.run("eat", number=4096 * MIB, machine=OPEN)
    assert room.error()["code"] == "out_of_memory"
    assert room.told_on("read", OPEN, path="/etc/hostname") != DENIED


def test_a_link_as_output_is_refused_even_on_a_weaker_machine(room: Room) -> None:
    ended = room.run("yield_link", operation="yield_link", machine=OPEN, path="/etc/passwd")
    assert ended.code == "operation_bug"
    assert "output" not in room.kinds()
