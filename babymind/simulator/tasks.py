"""Work for later: a few threads that run small pieces of work when their time comes."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Tasks:
    """Runs work after a delay, in threads of its own; a piece that fails is logged and harms nothing else."""

    def __init__(self, workers: int) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()  # breaks ties, so that equal times keep their order
        self._running = 0
        self._closed = False
        lock = threading.Lock()
        self._changed = threading.Condition(lock)  # the workers wait on this
        self._idle = threading.Condition(lock)  # and `settle` on this
        self._threads = [
            threading.Thread(target=self._work, name=f"simulator-{n}", daemon=True) for n in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def run(self, delay_seconds: float, work: Callable[[], None]) -> None:
        """Run a piece of work after a delay; once closed, nothing is taken any more."""
        with self._changed:
            if self._closed:
                return
            entry = (time.monotonic() + delay_seconds, next(self._count), work)
            heapq.heappush(self._due, entry)
            if self._due[0] is entry:  # else somebody waits for an earlier one, and will see to this one too
                self._changed.notify()

    def settle(self, timeout_seconds: float) -> bool:
        """Wait until nothing is left to do; False where the time ran out first."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._due and not self._running, timeout_seconds)

    def close(self) -> None:
        """Forget what is left, and wait for what is running."""
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify_all()
            self._idle.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (work := self._next()) is not None:
            try:
                work()
            except Exception:
                log.exception("a piece of the simulator's own work failed")
            finally:
                with self._changed:
                    self._running -= 1
                    if not self._due and not self._running:
                        self._idle.notify_all()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._closed:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    self._running += 1
                    work = heapq.heappop(self._due)[2]
                    if self._due:
                        self._changed.notify()
                    return work
                self._changed.wait(wait)
            return None
