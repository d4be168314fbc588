"""A process with an engine: it says which handler was called, until its standard input ends."""

import sys
from functools import partial

from babymind.engine.base import Work
from babymind.engine.dbos import DbosEngine


def main() -> None:
    """Run."""
    engine = DbosEngine(sys.argv[1], poll_seconds=0.05)
    engine.start({work: partial(print, work.value, flush=True) for work in Work})
    print("ready", flush=True)  # noqa: T201 - the test waits for it
    sys.stdin.read()
    engine.stop()


if __name__ == "__main__":
    main()
