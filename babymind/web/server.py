"""The WSGI server of one process: waitress, on a thread for the demo and tests, or until it is told to stop."""

import logging
import signal
import threading
from types import TracebackType
from typing import Self

import waitress
from flask import Flask

THREADS = 8
MAX_BODY_BYTES = 30_000_000


class WebServer:
    """Serves an application from a thread of its own; also a context manager."""

    def __init__(self, app: Flask, *, host: str = "127.0.0.1", port: int = 0, threads: int = THREADS) -> None:
        # Waitress warns of every request that waits for a thread, which a busy hour is full of.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._server = waitress.create_server(
            app, host=host, port=port, threads=threads, ident=None, clear_untrusted_proxy_headers=True,
            asyncore_use_poll=True, max_request_body_size=MAX_BODY_BYTES,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._server.run, name="web", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.effective_port)

    def start(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Finish the requests that are under way, and close."""
        self._server.task_dispatcher.shutdown()
        self._server.trigger.pull_trigger(self._close_all)  # runs in the server's own thread
        self._thread.join()

    def _close_all(self) -> None:
        for channel in list(self._server.active_channels.values()):
            channel.handle_close()
        self._server.close()

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
