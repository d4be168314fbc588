"""Run the benchmarks that are named (all, if none), print a table, and write ``var/bench.json``."""

import json
import sys
import time
from pathlib import Path

from bench import content, delivering, dispatching, million, planning, receipts, simulating, webhooks
from bench.figures import Figure

PARTS = {
    "planning": planning.measure,
    "webhooks": webhooks.measure,
    "delivering": delivering.measure,
    "dispatching": dispatching.measure,
    "receipts": receipts.measure,
    "content": content.measure,
    "million": million.measure,
    "simulating": simulating.measure,
}
RESULTS = Path("var/bench.json")


def main(names: list[str]) -> int:
    """Measure and report; 1 when a goal is missed."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"There is no benchmark {', '.join(unknown)}; choose of {', '.join(PARTS)}.")
        return 2
    figures: list[Figure] = []
    for name in names or PARTS:
        began = time.monotonic()
        print(f"{name}…", flush=True)
        figures += PARTS[name]()
        print(f"{name} took {time.monotonic() - began:.0f} s", flush=True)
    print(f"\n{'figure':58} {'value':>10} {'limit':>10} {'unit':12} {'ratio':>7} {'goal':>7}")
    for one in figures:
        print(f"{one.name:58} {one.value:>10,.1f} {one.limit:>10,.1f} {one.unit:12} {one.ratio:>7.2f} "
              f"{one.goal:>7} {'ok' if one.ok else 'MISSED'}")  # fmt: skip
    _write(figures)
    return 0 if all(one.ok for one in figures) else 1


def _write(figures: list[Figure]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    fresh = {one.name for one in figures}
    rows = [row for row in known if row["name"] not in fresh] + [one.row() for one in figures]
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
