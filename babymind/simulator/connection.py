"""Ending a connection instead of answering, which no web framework offers."""

import socket
import struct
from typing import Any

from flask import Response


def cut_off(environ: dict[str, Any], *, reset: bool = False) -> Response:
    """Close the connection of a request without an answer; with ``reset``, as if the host had vanished.

    Waitress hands a method of the connection to the application, for asking whether the client is still there.
    Through it the connection itself is reached; under another server the request simply fails.
    """
    asks = environ.get("waitress.client_disconnected")
    channel = getattr(asks, "__self__", None)
    if channel is None:
        raise ConnectionResetError("The simulated provider closed the connection")
    if reset:
        # Closing without lingering makes the system send a reset.
        channel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    channel.cancel()
    channel.server.pull_trigger()
    return Response(status=204)  # nobody reads it
