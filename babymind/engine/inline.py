"""The engine of one process: a thread for each kind of work, woken by a hint."""

import threading
import time
from collections.abc import Callable, Mapping

import structlog

from babymind.engine.base import Handlers, Work

log = structlog.get_logger()


class InlineEngine:
    """Runs each kind of work in a thread of its own, so that a slow picture never delays a text."""

    def __init__(self) -> None:
        self._wake = {work: threading.Event() for work in Work}
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._failures = 0

    def hint(self, work: Work) -> None:
        """Wake the thread of a kind of work; hints that come while it works are one more look."""
        self._wake[work].set()

    def start(self, handlers: Handlers) -> None:
        """Start the threads."""
        for work, handler in handlers.items():
            thread = threading.Thread(target=self._run, args=(work, handler), name=f"engine-{work}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """Let each thread finish its look, then end."""
        until = time.monotonic() + timeout_seconds
        self._stopping.set()
        for event in self._wake.values():
            event.set()
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._threads.clear()

    def health(self) -> Mapping[str, object]:
        """Return which threads live and how many looks failed."""
        return {"alive": {t.name: t.is_alive() for t in self._threads}, "failures": self._failures}

    def _run(self, work: Work, handler: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            self._wake[work].wait()
            self._wake[work].clear()
            if self._stopping.is_set():
                return
            try:
                handler()
            except Exception:  # whatever it was, the thread lives on and the next tick looks again
                self._failures += 1
                log.exception("work failed", work=work)
