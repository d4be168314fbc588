"""Ending a connection instead of answering, or answering byte by byte: no web framework offers either."""

import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Any

from flask import Response


def cut_off(environ: dict[str, Any], *, reset: bool = False) -> Response:
    """Close the connection of a request without an answer; with ``reset``, as if the host had vanished.

    Waitress hands a method of the connection to the application, for asking whether the client is still there.
    Through it the connection itself is reached; under another server the request simply fails.
    """
    channel = _channel(environ)
    if reset:
        # Closing without lingering makes the system send a reset.
        channel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    channel.cancel()
    channel.server.pull_trigger()
    return Response(status=204)  # nobody reads it


def drip(environ: dict[str, Any], answer: Response, seconds: float, pause: Callable[[float], None]) -> Response:
    """Give an answer one byte at a time, over so many seconds in all, and close the connection."""
    channel = _channel(environ)
    body = answer.get_data()
    answer.headers["Content-Length"] = str(len(body))
    answer.headers["Connection"] = "close"
    head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    raw = f"HTTP/1.1 {answer.status}\r\n{head}\r\n".encode("latin-1") + body
    with contextlib.suppress(OSError):  # the client has heard enough
        for position in range(len(raw)):
            channel.socket.send(raw[position : position + 1])  # past the server, which would gather them
            pause(seconds / len(raw))
    return cut_off(environ)


def _channel(environ: dict[str, Any]) -> Any:
    channel = getattr(environ.get("waitress.client_disconnected"), "__self__", None)
    if channel is None:
        raise ConnectionResetError("The simulated provider closed the connection")
    return channel
