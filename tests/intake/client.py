"""A tus client that can misbehave: cut, stall, lie about lengths."""

import base64
import socket
import struct
from typing import Any, ClassVar

import httpx

from tests.intake.web import Person, Web

PIECE = {"Content-Type": "application/offset+octet-stream"}


class Client:
    """One person's uploads at one server; `close_all` ends every client of a test."""

    _open: ClassVar[list[httpx.Client]] = []

    def __init__(self, web: Web, person: Person | None = None) -> None:
        self.web = web
        self.person = person or web.newcomer()
        self.http = httpx.Client(base_url=web.url, headers=self.person.bearer, timeout=30)
        self._open.append(self.http)

    @classmethod
    def close_all(cls) -> None:
        while cls._open:
            cls._open.pop().close()

    def create(self, length: int, name: str = "a.bin", **headers: str) -> httpx.Response:
        metadata = f"filename {base64.b64encode(name.encode()).decode()}".strip()
        return self.http.post(
            "/files/",
            headers={"Upload-Length": str(length), "Upload-Metadata": metadata, **headers},
        )

    def new(self, length: int, name: str = "a.bin") -> str:
        """Create an upload and return its address."""
        answer = self.create(length, name)
        assert answer.status_code == 201, answer.text
        return str(answer.headers["Location"])

    def patch(self, location: str, offset: int, body: Any, **headers: str) -> httpx.Response:
        return self.http.patch(
            location, headers={**PIECE, "Upload-Offset": str(offset), **headers}, content=body
        )

    def head(self, location: str) -> httpx.Response:
        return self.http.head(location)

    def offset(self, location: str) -> int:
        answer = self.head(location)
        assert answer.status_code == 200, answer.status_code
        return int(answer.headers["Upload-Offset"])

    def open_patch(self, location: str, offset: int, length: int, **headers: str) -> socket.socket:
        """Send a PATCH's head and return the socket that its body goes into."""
        connection = socket.create_connection(("127.0.0.1", self.web.port), timeout=30)
        lines = {
            "Host": f"127.0.0.1:{self.web.port}",
            **self.person.bearer,
            **PIECE,
            "Upload-Offset": str(offset),
            "Content-Length": str(length),
            **headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        connection.sendall(f"PATCH {location} HTTP/1.1\r\n{head}\r\n".encode())
        return connection


def reset(connection: socket.socket) -> None:
    """Close the connection with RST, as a crashed machine's network does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def read_all(connection: socket.socket, seconds: float = 5) -> bytes:
    """Return what the server sends until it closes or is quiet for the time."""
    connection.settimeout(seconds)
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except (TimeoutError, ConnectionResetError):
        pass
    return received
