"""Planning a day for 100,000 families, beside one bare ``INSERT … SELECT`` of the same rows into the same table."""

import statistics
import time
from datetime import UTC, datetime

from sqlalchemy import text

from babymind.clock import clock_at
from babymind.services import plan
from babymind.services.context import Context
from bench.figures import ROUNDS, Figure
from bench.parts import DATABASES, add_families, analyse, databases, installation

FAMILIES = 100_000
NOW = datetime(2026, 3, 8, 0, 5, tzinfo=UTC)


def measure() -> list[Figure]:
    """Measure on both databases."""
    return [figure for kind in DATABASES for figure in _measure(kind)]


def _measure(kind: str) -> list[Figure]:
    with databases(kind) as (url, folder), installation(url, folder) as ctx, clock_at(NOW):
        add_families(ctx, FAMILIES, NOW)
        analyse(ctx.database)
        rounds = [_round(ctx) for _ in range(ROUNDS)]
    first, again, bare = (statistics.median(times) for times in zip(*rounds, strict=True))
    rows = FAMILIES * 2
    return [
        Figure(name=f"planning {FAMILIES:,} families' day, {kind}", value=rows / first, unit="rows/s",
               limit=rows / bare, ratio=bare / first, at_least=0.5),
        Figure(name=f"planning it again, {kind}: times faster than the first", value=again, unit="s",
               limit=first, ratio=first / again, at_least=5),
    ]  # fmt: skip


def _round(ctx: Context) -> tuple[float, float, float]:
    _empty(ctx)
    began = time.perf_counter()
    planned = plan.plan_due(ctx, everything=True)
    first = time.perf_counter() - began
    assert planned[None] == FAMILIES * 2, planned
    began = time.perf_counter()
    planned = plan.plan_due(ctx, everything=True)
    again = time.perf_counter() - began
    assert not planned, planned
    with ctx.sessions.begin() as session:
        session.execute(text("DROP TABLE IF EXISTS prepared"))
        session.execute(text("CREATE TABLE prepared AS SELECT * FROM delivery ORDER BY id"))
    _empty(ctx)
    began = time.perf_counter()
    with ctx.sessions.begin() as session:
        session.execute(text("INSERT INTO delivery SELECT * FROM prepared"))
    return first, again, time.perf_counter() - began


def _empty(ctx: Context) -> None:
    with ctx.sessions.begin() as session:
        session.execute(text("DELETE FROM delivery"))
        session.execute(text("DELETE FROM planned_day"))
    if ctx.database.dialect.name == "postgresql":
        with ctx.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE delivery")
            connection.exec_driver_sql("CHECKPOINT")
    else:
        with ctx.database.connect().execution_options(read_only=True) as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
