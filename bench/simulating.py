"""A virtual year of a thousand families in one process: its time, its memory, and what ten times as many cost."""

import json
import resource
import subprocess
import sys
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from babymind.library.bank import Library
from babymind.library.commands import default_root
from babymind.simulation.invariants import check_all
from babymind.simulation.run import simulate
from bench.figures import Figure

YEAR = (1_000, 365)
FEW, MANY, SOME_DAYS = 1_000, 10_000, 12
YEAR_SECONDS, YEAR_MEGABYTES, GROWTH = 600.0, 500.0, 1.5


def measure() -> list[Figure]:
    """Measure each run in a process of its own, so that its memory is its own."""
    year = _run(*YEAR)
    few, many = _run(FEW, SOME_DAYS), _run(MANY, SOME_DAYS)
    growth = (many["seconds"] / many["deliveries"]) / (few["seconds"] / few["deliveries"])
    return [
        Figure(name=f"simulate {YEAR[0]:,} families x {YEAR[1]} days, sqlite", value=year["seconds"], unit="s",
               limit=YEAR_SECONDS, ratio=YEAR_SECONDS / year["seconds"], at_least=1.0),
        Figure(name="its memory at the most", value=year["megabytes"], unit="MB", limit=YEAR_MEGABYTES,
               ratio=YEAR_MEGABYTES / year["megabytes"], at_least=1.0),
        Figure(name=f"cost of a delivery, {MANY:,} families beside {FEW:,}", value=growth, unit="times",
               limit=GROWTH, ratio=GROWTH / growth, at_least=1.0),
    ]  # fmt: skip


def _run(families: int, days: int) -> dict[str, float]:
    done = subprocess.run(  # noqa: S603 - ourselves, with two numbers
        [sys.executable, "-m", "bench.simulating", str(families), str(days)], stdout=subprocess.PIPE, text=True,
        check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])  # before it come lines of the log
    return found


def main(families: int, days: int) -> None:
    """Simulate, and print what it took; a broken promise is a failure."""
    library = Library.load(default_root(), date(2026, 11, 25))
    with TemporaryDirectory(prefix="babymind-bench-") as folder:
        world = simulate(library, families=families, days=days, seed=7, folder=Path(folder))
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        broken = [(one.name, one.violations, one.examples) for one in check_all(world) if one.violations]
        assert not broken, broken
        world.ctx.database.dispose()
    print(json.dumps({"seconds": world.seconds, "deliveries": len(world.phones.received), "megabytes": megabytes}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
