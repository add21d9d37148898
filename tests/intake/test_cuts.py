"""Connections that are cut, stall, overlap or lie; processes that are killed. No byte is lost."""

import array
import fcntl
import hashlib
import os
import socket
import termios
import threading
import time
from pathlib import Path

import pytest

from tests.intake.client import Client, read_all, reset
from tests.intake.test_tus import checksum
from tests.intake.web import Web, running, wait_for

MIB = 1024 * 1024


def on_disk(web: Web, location: str) -> int:
    return web.file_of(location).stat().st_size


def is_being_written(web: Web, location: str) -> bool:
    with web.file_of(location).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.parametrize("cut", [socket.socket.close, reset], ids=["fin", "rst"])
def test_a_cut_connection_keeps_every_byte_that_was_sent(client: Client, cut: object) -> None:
    assert callable(cut)
    sent = 3 * MIB + 12345
    location = client.new(10 * MIB)
    connection = client.open_patch(location, 0, 10 * MIB)
    connection.sendall(b"x" * sent)
    if cut is reset:  # a reset throws away what the server has not read yet
        wait_for(lambda: is_read(connection, client.web))
    cut(connection)
    wait_for(lambda: client.offset(location) == sent)


def is_read(connection: socket.socket, web: Web) -> bool:
    """Tell whether the server has read all that was sent: nothing waits in either kernel queue."""
    unsent = array.array("i", [0])
    fcntl.ioctl(connection, termios.TIOCOUTQ, unsent)
    return unsent[0] == 0 and _unread(web.port) == 0


def _unread(port: int) -> int:
    """Return the bytes that wait in the kernel for the server that listens on this port."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    own = [line.split() for line in lines if line.split()[1].endswith(f":{port:04X}")]
    return sum(int(columns[4].partition(":")[2], 16) for columns in own if columns[3] == "01")


def test_a_newer_request_takes_over_from_a_stalled_one(client: Client) -> None:
    location = client.new(10_000)
    stalled = client.open_patch(location, 0, 10_000)
    stalled.sendall(b"a" * 4000)
    wait_for(lambda: is_being_written(client.web, location) and is_read(stalled, client.web))
    began = time.monotonic()
    assert client.offset(location) == 4000
    assert client.patch(location, 4000, b"b" * 6000).status_code == 204
    assert time.monotonic() - began < 3
    assert client.http.get(location).content == b"a" * 4000 + b"b" * 6000
    assert b" 423 " in stalled.recv(100)
    stalled.close()


def test_of_two_writers_at_one_offset_one_goes_on_and_bytes_are_never_mixed(
    client: Client,
) -> None:
    size = 4 * MIB
    location = client.new(size)
    first = client.open_patch(location, 0, size)
    first.sendall(b"a" * MIB)
    wait_for(lambda: on_disk(client.web, location) == MIB)
    second = client.open_patch(location, 0, size)
    second.sendall(b"b" * 100)
    answer = read_all(second, 2)
    second.close()
    first.close()
    assert b" 409 " in answer
    offset = client.offset(location)
    rest = client.patch(location, offset, b"a" * (size - offset))
    assert rest.status_code == 204
    assert hashlib.sha256(client.http.get(location).content).digest() == (
        hashlib.sha256(b"a" * size).digest()
    )


def test_a_body_refused_early_is_never_read_as_the_next_request(client: Client) -> None:
    victim = client.new(10)
    location = client.new(1000)
    smuggled = (
        f"DELETE {victim} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\n"
        f"Authorization: Bearer {client.person.token}\r\n\r\n"
    ).encode()
    connection = client.open_patch(location, 7, len(smuggled))
    connection.sendall(smuggled)
    answer = read_all(connection, 1)
    connection.close()
    assert answer.startswith(b"HTTP/1.1 409 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert client.offset(victim) == 0


def test_a_connection_goes_on_after_a_refused_body(client: Client) -> None:
    if client.web.kind == "uvicorn":
        pytest.skip("uvicorn closes the connection instead, which is as right")
    location = client.new(1000)
    connection = client.open_patch(location, 7, 1000)
    connection.sendall(b"x" * 400)
    assert b" 409 " in connection.recv(4096)
    connection.sendall(
        b"x" * 600 + b"OPTIONS /files/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    assert read_all(connection).startswith(b"HTTP/1.1 204 ")
    connection.close()


def test_a_cut_piece_with_a_checksum_leaves_no_byte(client: Client) -> None:
    location = client.new(1000)
    client.patch(location, 0, b"a" * 100)
    connection = client.open_patch(location, 100, 900, **checksum(b"b" * 900))
    connection.sendall(b"b" * 500)
    connection.close()
    assert client.offset(location) == 100


def test_a_silent_client_is_let_go_and_its_bytes_stay(tmp_path: Path) -> None:
    with running(tmp_path, TIDEMILL_UPLOAD_IDLE_SECONDS="0.5") as web:
        client = Client(web)
        location = client.new(1000)
        connection = client.open_patch(location, 0, 1000)
        connection.sendall(b"x" * 300)
        answer = read_all(connection, 5)
        connection.close()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert client.offset(location) == 300


def test_a_killed_server_resumes_to_identical_bytes(tmp_path: Path) -> None:
    data = os.urandom(12 * MIB)
    with running(tmp_path) as web:
        client = Client(web)
        location = client.new(len(data))
        acknowledged = 0
        for _ in range(2):
            assert client.offset(location) >= acknowledged
            acknowledged = client.offset(location)
            connection = client.open_patch(location, acknowledged, len(data) - acknowledged)
            sender = threading.Thread(target=_send, args=(connection, data[acknowledged:]))
            sender.start()
            goal = acknowledged + 2 * MIB
            wait_for(lambda goal=goal: on_disk(web, location) >= goal)
            web.kill()
            sender.join(10)
            connection.close()
            web.start()
        offset = client.offset(location)
        for start in range(offset, len(data), 5 * MIB):
            answer = client.patch(location, start, data[start : start + 5 * MIB])
            assert answer.status_code == 204
        assert client.http.get(location).content == data


def _send(connection: socket.socket, data: bytes) -> None:
    try:
        for start in range(0, len(data), 65536):
            connection.sendall(data[start : start + 65536])
            time.sleep(0.002)  # a network has a speed; the kill has to fall into the transfer
    except OSError:
        pass


def test_a_server_killed_in_an_unverified_piece_drops_it(tmp_path: Path) -> None:
    with running(tmp_path) as web:
        client = Client(web)
        location = client.new(8 * MIB)
        client.patch(location, 0, b"a" * 1000)
        piece = b"b" * (4 * MIB)
        connection = client.open_patch(location, 1000, len(piece), **checksum(piece))
        connection.sendall(piece[: 3 * MIB])
        wait_for(lambda: on_disk(web, location) > 1000)
        web.kill()
        connection.close()
        web.start()
        assert client.offset(location) == 1000
        assert client.patch(location, 1000, piece, **checksum(piece)).status_code == 204


def test_a_server_that_is_asked_to_stop_puts_its_bytes_away(tmp_path: Path) -> None:
    with running(tmp_path) as web:
        client = Client(web)
        location = client.new(8 * MIB)
        connection = client.open_patch(location, 0, 8 * MIB)
        connection.sendall(b"x" * (2 * MIB + 7))
        wait_for(lambda: is_read(connection, web))
        began = time.monotonic()
        assert web.stop() == 0
        assert time.monotonic() - began < 6
        connection.close()
        assert on_disk(web, location) == 2 * MIB + 7


def test_a_whole_file_of_a_killed_server_is_finished_by_the_sweep(tmp_path: Path) -> None:
    with running(tmp_path) as web:
        client = Client(web)
        location = client.new(5)
        web.kill()
        web.file_of(location).write_bytes(b"hello")
        swept = web.manage(
            "from uploads.intake.sweeps import finish_whole_uploads as f; print(f(), f())"
        )
        assert swept == "1 0"
        web.start()
        assert client.http.get(location).content == b"hello"
