"""A million families in one zone on PostgreSQL: planning their day, how long it holds a lock, and an idle tick."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, event, text

from babymind.clock import clock_at
from babymind.services import deliver, plan
from babymind.services.context import Context
from bench.figures import Figure
from bench.parts import add_families, analyse, databases, installation

FAMILIES = 1_000_000
NOW = datetime(2026, 3, 8, 0, 5, tzinfo=UTC)
LOCK_SECONDS, TICK_SECONDS = 2.0, 0.05
TICKS = 20


def measure() -> list[Figure]:
    """Measure."""
    with databases("postgresql") as (url, folder), installation(url, folder) as ctx, clock_at(NOW):
        add_families(ctx, FAMILIES, NOW)
        analyse(ctx.database)
        longest = _longest_transaction(ctx)
        began = time.perf_counter()
        planned = plan.plan_due(ctx)
        ours = time.perf_counter() - began
        held = longest()
        assert planned[None] == FAMILIES * 2, planned
        bare = _bare(ctx)
        analyse(ctx.database)
        tick = _tick(ctx)
    rows = FAMILIES * 2
    return [
        Figure(name=f"planning {FAMILIES:,} families' day in one zone, postgresql", value=rows / ours, unit="rows/s",
               limit=rows / bare, ratio=bare / ours, at_least=0.5),
        Figure(name="the longest that it held a lock", value=held, unit="s", limit=LOCK_SECONDS,
               ratio=LOCK_SECONDS / held, at_least=1.0),
        Figure(name=f"a tick that finds nothing due, {FAMILIES:,} families", value=tick * 1000, unit="ms",
               limit=TICK_SECONDS * 1000, ratio=TICK_SECONDS / tick, at_least=1.0),
    ]  # fmt: skip


def _longest_transaction(ctx: Context) -> Callable[[], float]:
    """Watch the transactions from now on, and return what tells how long the longest took."""
    begun: dict[int, float] = {}
    lengths: list[float] = []

    def started(connection: Connection) -> None:
        begun[id(connection)] = time.perf_counter()

    def ended(connection: Connection) -> None:
        now = time.perf_counter()
        lengths.append(now - begun.get(id(connection), now))

    event.listen(ctx.database, "begin", started)
    event.listen(ctx.database, "commit", ended)
    return lambda: max(lengths)


def _bare(ctx: Context) -> float:
    with ctx.sessions.begin() as session:
        session.execute(text("CREATE TABLE prepared AS SELECT * FROM delivery ORDER BY id"))
        session.execute(text("TRUNCATE delivery CASCADE"))
    began = time.perf_counter()
    with ctx.sessions.begin() as session:
        session.execute(text("INSERT INTO delivery SELECT * FROM prepared"))
    return time.perf_counter() - began


def _tick(ctx: Context) -> float:
    """Return the time of a look that finds everything planned and nothing due: the median of several."""

    def once() -> float:
        began = time.perf_counter()
        assert not plan.plan_due(ctx)
        deliver.sweep(ctx)
        assert not deliver.deliver_due(ctx)
        return time.perf_counter() - began

    with clock_at(NOW + timedelta(minutes=1)):
        return sorted(once() for _ in range(TICKS))[TICKS // 2]
