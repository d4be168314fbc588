"""A process with an engine: it says which handler was called, until its standard input ends."""

import os
import sys
from functools import partial

from babymind.engine.base import Work
from babymind.engine.dbos import DbosEngine


def say(what: str) -> None:
    """Write a line at one go, whatever other threads say."""
    os.write(sys.stdout.fileno(), f"{what}\n".encode())


def main() -> None:
    """Run."""
    engine = DbosEngine(sys.argv[1], poll_seconds=0.05)
    engine.start({work: partial(say, work.value) for work in Work})
    say("ready")
    sys.stdin.read()
    engine.stop()


if __name__ == "__main__":
    main()
