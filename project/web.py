"""The web server's command: our streaming Daphne, or the stock one on versions it was not tried with.

Delete this module and `project.streaming`, and `daphne project.asgi:application` or
`uvicorn project.asgi:application` still work.
"""

import argparse
import logging
import os
import socket
import sys
from importlib.metadata import version
from typing import Any, Final

from uploads.conf import conf

TRIED: Final = {"daphne": "4.2", "twisted": "26"}
BACKLOG: Final = 512

log = logging.getLogger("tidemill.web")


def untried_versions() -> str:
    """Return a sentence when the streaming server was not tried with what is installed, or ''."""
    untried = [
        f"{name} {version(name)} (tried: {series})"
        for name, series in TRIED.items()
        if not version(name).startswith(f"{series}.")
    ]
    if not untried:
        return ""
    return (
        f"The streaming web server was not tried with {', '.join(untried)}; "
        "Daphne's own runs instead and needs more memory for big files."
    )


def refused_address(host: str, port: int) -> str:
    """Return why nobody can listen there, or ''; asked before the second that Django's start takes."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def serve(host: str, port: int) -> bool:
    """Serve Tidemill until SIGTERM or SIGINT; False when the address was taken meanwhile."""
    # Here, not above: they set up Django and Twisted, which a busy port need not wait for.
    from daphne.endpoints import build_endpoint_description_strings

    from project.asgi import application

    refused: list[str] = []
    (endpoint,) = build_endpoint_description_strings(host=host, port=port)
    server = _server_class()(
        application,
        endpoints=[f"{endpoint}:backlog={BACKLOG}"],
        request_buffer_size=64 * 1024,
        server_name="tidemill",
        # Believed as X-Forwarded-Proto is: only where an operator declares a TLS proxy.
        proxy_forwarded_address_header="X-Real-IP"
        if conf.PUBLIC_URL.startswith("https:")
        else None,
        ready_callable=lambda: log.info("Listening on %s, port %s", host, port),
    )
    # A little more than the upload view allows, so that its answer comes before the cut.
    server.idle_seconds = conf.UPLOAD_IDLE_SECONDS + 5
    stock = server.listen_error

    def listen_error(failure: Any) -> None:
        refused.append(str(failure))
        stock(failure)

    server.listen_error = listen_error
    server.run()
    return not refused


def _server_class() -> Any:
    # Each server class installs Twisted's reactor, and ours may not even import elsewhere.
    if warning := untried_versions():
        from daphne.server import Server

        log.warning(warning)
        return Server
    from project.streaming import StreamingServer

    return StreamingServer


def main(arguments: list[str] | None = None) -> int:
    """Run the web server; 1 when the address can't be had."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    parser = argparse.ArgumentParser(prog="python -m project.web", description=main.__doc__)
    parser.add_argument("--host", default=conf.HOST, help="address to listen on")
    parser.add_argument("--port", type=int, default=conf.PORT, help="port to listen on")
    options = parser.parse_args(arguments)
    reason = refused_address(options.host, options.port)
    if not reason and serve(options.host, options.port):
        return 0
    sys.stderr.write(
        f"Tidemill can't listen on {options.host}, port {options.port}: "
        f"{reason or 'somebody else took it'}. Choose another with --port or TIDEMILL_PORT.\n"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
