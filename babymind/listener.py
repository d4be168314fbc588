"""A WSGI application on a port of this machine: waitress in a thread, with a stop that is safe from any thread."""

import logging
import threading
from typing import Any, Self

import waitress
from waitress import wasyncore

ROUND_SECONDS = 1.0


class Listener:
    """Listens, answers with a pool of threads, and stops cleanly."""

    def __init__(self, app: Any, *, host: str, port: int, threads: int, max_body_bytes: int,
                 behind_proxy: bool = False) -> None:  # fmt: skip
        # Waitress warns of every request that waits for a thread, which a busy hour is full of.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._server = waitress.create_server(
            app, host=host, port=port, threads=threads, ident=None, clear_untrusted_proxy_headers=not behind_proxy,
            max_request_body_size=max_body_bytes,
        )  # fmt: skip
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.effective_port)

    def start(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Finish the requests that are under way and close every connection."""
        self._server.task_dispatcher.shutdown()
        self._stopping.set()
        self._server.pull_trigger()
        self._thread.join()
        # Only now, with nobody else at work: waitress itself has no stop that is safe from another thread.
        for channel in list(self._server.active_channels.values()):
            channel.handle_close()
        self._server.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            wasyncore.loop(timeout=ROUND_SECONDS, use_poll=True, map=self._server._map, count=1)
