"""The engine of several processes: DBOS carries a hint from one that has no handlers to one that has."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import structlog
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer
from dbos import error as dbos_errors

from babymind.clock import utc_now
from babymind.engine.base import Handlers, Work
from babymind.engine.inline import InlineEngine
from babymind.errors import ConfigurationError

NAME, BELL, QUEUE = "babymind", "hint", "hints"
VERSION = "hints-1"  # fixed: whatever release runs may hear a hint of any other
BUCKET_SECONDS = 0.25  # all processes together write one hint of a kind in each
POLL_SECONDS = 0.25
AT_ONCE = 100  # hints that one process takes in a poll
KEPT, TIDY_ROWS = timedelta(hours=1), 1000  # how long a hint is kept, and how many are removed at once

log = structlog.get_logger()
dbos_log = logging.getLogger("dbos")
dbos_log.addHandler(logging.NullHandler())  # else DBOS adds one that writes in a format of its own


class DbosEngine:
    """Wakes the threads of its own process; where it was not started, tells a process whose engine was.

    DBOS is a doorbell: a workflow wakes a thread and is over, so nothing depends on recovery, schedules or results.
    Where its database is away, each process with handlers has its ticks. A process starts one such engine at a time.
    """

    def __init__(self, url: str, *, poll_seconds: float = POLL_SECONDS) -> None:
        """Take note of where the tables of DBOS are; nothing is connected before the first hint or the start."""
        self._url, self._poll_seconds = url, poll_seconds
        self._carrier = DBOSClient(
            system_database_url=url, serializer=DBOSPortableJSONSerializer(), application_name=NAME,
            system_database_pool_size=len(Work), lazy=True, retry_connection_errors=False,
        )  # fmt: skip
        self._local, self._started, self._tidy_at = InlineEngine(), False, utc_now()
        self._lock, self._to_tell, self._not_carried = threading.Lock(), set[Work](), 0
        # An ending process waits for these threads, so a command that hints and ends is heard, too.
        self._aside = ThreadPoolExecutor(len(Work), thread_name_prefix="hint")

    def hint(self, work: Work) -> None:
        """Say that there may be something to do; returns at once, whatever is the matter with DBOS."""
        task: Callable[[], None] = self._tidy
        if self._started:
            self._local.hint(work)
            if utc_now() < self._tidy_at:
                return
            self._tidy_at = utc_now() + KEPT
        else:
            task = partial(self._tell, work)
            with self._lock:
                if work in self._to_tell:
                    return
                self._to_tell.add(work)
        with contextlib.suppress(RuntimeError):  # the process is ending, and others have their ticks
            self._aside.submit(task)

    def start(self, handlers: Handlers) -> None:
        """Begin to call handlers, and to hear other processes; ConfigurationError where DBOS cannot begin."""
        config: DBOSConfig = {
            "name": NAME, "application_version": VERSION, "executor_id": socket.gethostname(),
            "system_database_url": self._url, "sys_db_pool_size": 5, "max_executor_threads": 4,
            "serializer": DBOSPortableJSONSerializer(), "use_listen_notify": False, "enable_otlp": False,
            "log_level": "ERROR",  # it warns ten times a second of a database that is away, of which ticks tell, too
            "scheduler_polling_interval_sec": 3600.0, "notification_listener_polling_interval_sec": POLL_SECONDS,
        }  # fmt: skip

        def bell(kind: str) -> None:
            with contextlib.suppress(ValueError):  # a later release may speak of a kind that this one does not know
                self._local.hint(Work(kind))

        try:
            DBOS(config=config)
            DBOS.workflow(name=BELL)(bell)
            DBOS.launch()
            DBOS.register_queue(QUEUE, worker_concurrency=AT_ONCE, polling_interval_sec=self._poll_seconds)
        except Exception as error:
            DBOS.destroy(destroy_registry=True)
            raise ConfigurationError(
                f"BABYMIND_ENGINE dbos cannot use its tables ({type(error).__name__}): let the role of the database "
                "create the schema dbos, or set BABYMIND_ENGINE to inline."
            ) from error
        self._local.start(handlers)
        self._started = True

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """Hear nothing more, and finish what is under way."""
        until = time.monotonic() + timeout_seconds
        dbos_log.setLevel(logging.CRITICAL)  # a hint that is left to others is an error to it
        leaving = threading.Thread(target=self._leave, daemon=True)  # takes long where the database is away
        leaving.start()
        self._local.stop(timeout_seconds)
        leaving.join(max(0.0, until - time.monotonic()))

    def health(self) -> Mapping[str, object]:
        """Return which threads live, how many looks failed, and how many hints were not carried."""
        return {**self._local.health(), "not_carried": self._not_carried}

    def _leave(self) -> None:
        if self._started:
            self._started = False  # from here on hints are for others
            DBOS.destroy(destroy_registry=True)
        self._aside.shutdown(wait=True)
        self._carrier.destroy()

    def _tell(self, work: Work) -> None:
        self._to_tell.discard(work)  # what is hinted from here on is told once more
        try:
            now = utc_now().timestamp()
            bucket = int(now / BUCKET_SECONDS)
            if not self._is_new(work, bucket):  # somebody told it before, and it may have been heard before, too
                time.sleep((bucket + 1) * BUCKET_SECONDS - now)
                self._is_new(work, bucket + 1)
        except Exception as error:
            self._not_carried += 1
            log.warning("hint not carried", work=work, error=type(error).__name__)

    def _is_new(self, work: Work, bucket: int) -> bool:
        """Enqueue a hint, unless one of this kind and bucket is there, whatever has become of it."""
        try:
            self._carrier.enqueue(
                {"workflow_name": BELL, "queue_name": QUEUE, "app_version": VERSION,
                 "workflow_id": f"{work}:{bucket}", "workflow_id_reuse_policy": "reject"}, work.value,
            )  # fmt: skip
        except dbos_errors.DBOSWorkflowIDInUseError:
            return False
        return True

    def _tidy(self) -> None:
        old = (utc_now() - KEPT).isoformat()
        try:  # finished or not: an old hint is worth nothing
            while rows := self._carrier.list_workflows(name=BELL, end_time=old, limit=TIDY_ROWS, load_input=False):
                self._carrier.delete_workflows([row.workflow_id for row in rows])
        except Exception as error:
            log.warning("hints not tidied", error=type(error).__name__)
