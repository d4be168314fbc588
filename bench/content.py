"""Loading the bank into an empty database, and checking it: seconds, against the seconds that are promised."""

import subprocess
import sys
import time

from babymind.services import content
from bench.figures import Figure
from bench.parts import databases, installation

LOAD_SECONDS, CHECK_SECONDS = 3.0, 5.0


def measure() -> list[Figure]:
    """Measure loading on SQLite, and the check, each as a whole command of its own."""
    check = _seconds([sys.executable, "-m", "babymind.library.commands", "check", "--json"])
    return [
        Figure(name="content check of the whole bank", value=check, unit="s", limit=CHECK_SECONDS,
               ratio=CHECK_SECONDS / check, at_least=1),
        _load(),
    ]  # fmt: skip


def _load() -> Figure:
    with databases("sqlite") as (url, folder), installation(url, folder, load=False) as ctx:
        began = time.perf_counter()
        content.load(ctx)
        seconds = time.perf_counter() - began
    return Figure(name="loading the bank into an empty database", value=seconds, unit="s", limit=LOAD_SECONDS,
                  ratio=LOAD_SECONDS / seconds, at_least=1)  # fmt: skip


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    return time.perf_counter() - began
