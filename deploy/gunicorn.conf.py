"""How pages and webhooks are served by several processes: ``gunicorn -c deploy/gunicorn.conf.py wsgi:app``."""

import os
from typing import Any

bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))  # processes; as many as the machine has cores, or fewer
worker_class = "gthread"
threads = 8  # of each process; docs/scaling.md counts their connections
preload_app = False  # connections and threads do not survive a fork; and a reload then loads the new code
timeout = 60  # a process whose main thread has stood still for so long is replaced
graceful_timeout = 10  # what is under way when it stops
keepalive = 130  # longer than a proxy keeps an idle connection, so that it never writes into one that is closing
loglevel = "warning"
accesslog = None  # the proxy has one; ours is structured and holds ids only
control_socket_disable = True  # nobody has to steer it from outside


def child_exit(_server: Any, worker: Any) -> None:
    """Let the counts of a process that has ended no longer be shown as a living one's."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)
