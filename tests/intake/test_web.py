"""The web server: limits of ordinary bodies, slow readers, start and stop."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from project import web as command
from tests.intake.client import Client, read_all
from tests.intake.web import ROOT, Web, running, wait_for

MIB = 1024 * 1024


def _endless(piece: bytes = b"x" * 65536) -> Iterator[bytes]:
    for _ in range(64):
        yield piece


@pytest.mark.parametrize("announced", [True, False], ids=["length", "chunked"])
def test_a_json_body_above_its_limit_is_413(web: Web, announced: bool) -> None:
    body: object = b"x" * (2 * MIB) if announced else _endless()
    try:
        answer = httpx.post(
            f"{web.url}/api/v1/jobs/",
            headers={"Content-Type": "application/json"},
            content=body,  # type: ignore[arg-type]
        )
    except httpx.TransportError:
        assert web.kind == "uvicorn"  # it closes at once, so the answer may be lost on the way
        return
    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"
    assert "1.0" in answer.json()["message"]


def test_an_announced_body_above_its_limit_is_refused_before_it_is_sent(web: Web) -> None:
    with socket.create_connection(("127.0.0.1", web.port)) as connection:
        connection.sendall(
            b"POST /api/v1/jobs/ HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 9000000000\r\n\r\n"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_slow_reader_does_not_fill_the_memory(tmp_path: Path) -> None:
    with running(tmp_path) as web:
        client = Client(web)
        location = client.new(256 * MIB)
        with web.file_of(location).open("r+b") as file:
            file.truncate(256 * MIB)
        assert client.offset(location) == 256 * MIB
        before = web.rss_bytes()
        with socket.create_connection(("127.0.0.1", web.port)) as connection:
            connection.sendall(
                f"GET {location} HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: Bearer {client.person.token}\r\n\r\n".encode()
            )
            assert connection.recv(100)
            assert client.offset(location) == 256 * MIB  # it still answers
            received = 100
            while received < 100 * MIB:
                received += len(connection.recv(MIB))
            assert web.rss_bytes() - before < 40 * MIB


def test_a_finished_download_leaves_nothing_open(tmp_path: Path) -> None:
    with running(tmp_path) as web:
        client = Client(web)
        location = client.new(16 * MIB)
        with web.file_of(location).open("r+b") as file:
            file.truncate(16 * MIB)
        assert client.offset(location) == 16 * MIB
        for _ in range(5):
            assert len(client.http.get(location).content) == 16 * MIB
        assert web.process is not None
        descriptors = Path(f"/proc/{web.process.pid}/fd")
        key = location.rpartition("/")[2]
        wait_for(lambda: not any(key in _target(path) for path in descriptors.iterdir()))


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


def test_a_disk_that_is_slow_or_a_view_that_reads_nothing_does_not_fill_the_memory(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as web:
        client = Client(web)
        before = web.rss_bytes()
        with client.open_patch("/files/" + "0" * 32, 0, 2**40) as connection:
            connection.settimeout(5)
            sent = 0
            with pytest.raises(OSError):
                while sent < 200 * MIB:
                    sent += connection.send(b"x" * MIB)
            assert sent < 100 * MIB
        assert web.rss_bytes() - before < 40 * MIB


def test_too_many_header_bytes_are_refused(tmp_path: Path, web: Web) -> None:
    with socket.create_connection(("127.0.0.1", web.port)) as connection:
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 100_000)
            answer = read_all(connection, 3)
        except (ConnectionResetError, BrokenPipeError):
            return
    assert b"200 OK" not in answer


def test_a_busy_port_is_one_sentence_and_an_exit_code(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "project.web", "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, "TIDEMILL_DATA": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_stopped_server_s_port_is_free_at_once(tmp_path: Path) -> None:
    with running(tmp_path) as web:
        kept_open = socket.create_connection(("127.0.0.1", web.port))
        assert web.stop() == 0
        web.start()
        kept_open.close()
        assert httpx.options(f"{web.url}/files/").status_code == 204


def test_a_failing_answer_does_not_stop_the_server(tmp_path: Path) -> None:
    with running(tmp_path) as web:
        client = Client(web)
        location = client.new(8 * MIB)
        file = web.file_of(location)
        file.write_bytes(bytes(8 * MIB))
        client.offset(location)
        with httpx.stream("GET", web.url + location, headers=client.person.bearer) as answer:
            pieces = answer.iter_bytes(65536)
            next(pieces)
            os.truncate(file, MIB)
            with pytest.raises(httpx.TransportError):
                for _ in pieces:
                    pass
        wait_for(lambda: "became shorter" in web.log)
        assert client.offset(location) == 8 * MIB


def test_untried_versions_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert command.untried_versions() == ""
    monkeypatch.setitem(command.TRIED, "daphne", "3.9")
    assert "daphne 4" in command.untried_versions()


def test_the_stock_server_takes_over_on_untried_versions(tmp_path: Path) -> None:
    with running(tmp_path / "one") as web:
        web.stop()
        code = (
            "import sys; from project import web; web.TRIED['daphne'] = '3.9';"
            f"sys.exit(web.main(['--port', '{web.port}']))"
        )
        web._command = lambda: [sys.executable, "-c", code]  # type: ignore[method-assign]
        web.start()
        client = Client(web)
        location = client.new(11)
        assert client.patch(location, 0, b"hello world").status_code == 204
        assert client.http.get(location).content == b"hello world"
        assert "was not tried with daphne" in web.log


@pytest.mark.parametrize(("signed_in", "limit"), [(True, "256.0"), (False, "8.0")])
def test_a_form_above_its_limit_is_413_on_a_page_with_the_reason(
    web: Web, signed_in: bool, limit: str
) -> None:
    token = f"Authorization: Bearer {web.newcomer().token}\r\n" if signed_in else ""
    with socket.create_connection(("127.0.0.1", web.port)) as connection:
        connection.sendall(
            f"POST / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n{token}"
            "Content-Type: multipart/form-data; boundary=x\r\n"
            "Content-Length: 9000000000\r\n\r\n".encode()
        )
        answer = read_all(connection, 1)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert f"The request is larger than {limit}\xa0MB." in answer.decode()


def test_pipelined_requests_are_answered_in_order(web: Web) -> None:
    ask = b"OPTIONS /files/ HTTP/1.1\r\nHost: localhost\r\n"
    post = (
        b"POST /files/ HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\n"
        b"Content-Length: 7\r\n\r\nnothing"
    )
    with socket.create_connection(("127.0.0.1", web.port)) as connection:
        connection.sendall(ask + b"\r\n" + post + ask + b"Connection: close\r\n\r\n")
        answer = read_all(connection)
    statuses = [line.split()[1] for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1")]
    # A server may close after a body that it did not read; it never answers it as a request.
    assert statuses in ([b"204", b"401", b"204"], [b"204", b"401"])


def test_static_files_come_compressed_and_are_kept_for_ever(web: Web) -> None:
    (hashed,) = (web.folder / "data" / "static" / "css").glob("base.*.css")
    answer = httpx.get(f"{web.url}/static/css/{hashed.name}", headers={"Accept-Encoding": "br"})
    assert answer.status_code == 200
    assert answer.headers["Content-Encoding"] == "br"
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert httpx.get(f"{web.url}/static/../db.sqlite3").status_code != 200
    assert httpx.get(f"{web.url}/static/%2e%2e/db.sqlite3").status_code != 200
