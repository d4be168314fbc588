"""The web application on a port: in a thread for the demo and tests, or until the process is told to stop."""

import signal
import threading
from types import TracebackType
from typing import Self

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from babymind.listener import Listener

THREADS = 8
MAX_BODY_BYTES = 30_000_000


class WebServer(Listener):
    """Serves an application; also a context manager."""

    def __init__(self, app: Flask, *, host: str = "127.0.0.1", port: int = 0, threads: int = THREADS) -> None:
        behind_proxy = isinstance(app.wsgi_app, ProxyFix)  # which then reads what the proxy says
        super().__init__(app, host=host, port=port, threads=threads, max_body_bytes=MAX_BODY_BYTES,
                         behind_proxy=behind_proxy)  # fmt: skip

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


def serve_forever(app: Flask, *, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl+C."""
    done = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: done.set())
    with WebServer(app, host=host, port=port):
        done.wait()
