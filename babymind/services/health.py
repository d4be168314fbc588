"""Health: whether this installation works, for the machine that watches it. Never a name, a number or a text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from babymind.clock import utc_now
from babymind.domain.delivery import Kind
from babymind.domain.schedule import decent_instant
from babymind.services import ledger, room
from babymind.services.context import Context
from babymind.store import deliveries, replies, schema, tasks, watching
from babymind.store.tasks import TaskKind
from babymind.store.ticks import Tick, every, mark
from babymind.store.watching import Waiting

CLOCK = "clock:"  # before the names of what `babymind.worker` does by the clock


@dataclass(frozen=True, slots=True)
class Duty:
    """Something that is done by the clock, and how long it may be missing."""

    does: str
    longest: timedelta
    from_the_start: bool = False  # else it comes later: that it has never been says nothing


# A look is due every 15 seconds and a plan every minute, but one of them may take a while on a large day. The
# provider's list of what came in is read every few minutes, the ledger is compared once an hour.
DUTIES = {
    f"{CLOCK}look": Duty("looked at what is due", timedelta(minutes=5), from_the_start=True),
    f"{CLOCK}plan": Duty("planned", timedelta(minutes=15), from_the_start=True),
    "listened": Duty("listed what came in", timedelta(hours=2)),
    ledger.TICK: Duty("compared the ledger", timedelta(hours=3)),
}
READ_ONLY = "25006"  # the SQLSTATE
LONGEST_OVERDUE = timedelta(minutes=15)  # where it is not quiet


def ticked(ctx: Context, name: str) -> None:
    """Note that the clock has done something to its end, whichever process it was."""
    with ctx.sessions.begin() as session:
        mark(session, f"{CLOCK}{name}", utc_now())


def ready(ctx: Context) -> None:
    """Return if the database answers; whatever it raises says that it does not."""
    schema.ping(ctx.database)


def is_unavailable(error: BaseException) -> bool:
    """Tell whether an error means that the database is away, or too busy, and may be back in a moment."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    # A PostgreSQL that only reads, as a replica does until it is made the first, calls it an internal error.
    if isinstance(error, InternalError) and getattr(error.orig, "sqlstate", None) == READ_ONLY:
        return True
    return isinstance(error, OperationalError | InterfaceError | PoolTimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How this installation is: the reasons why it is not well, each with what to do, and what was looked at."""

    reasons: Sequence[str]
    facts: Mapping[str, object]

    @property
    def ok(self) -> bool:
        """Whether it is well."""
        return not self.reasons


def state(ctx: Context) -> Health:
    """Look whether this installation works: the tables, the clock, what is overdue, the disks, this process's engine.

    A few rows are read, each through an index; what was expected on a day against what became of it is what the clock
    found last.
    """
    engine = dict(ctx.engine.health())
    try:
        at, needed = schema.current(ctx.database), needed_revision()
        tables = {"at": at, "needed": needed}
        if at != needed:
            why = f"The database is at {schema.to_do_about(at)}"
            return Health(reasons=[why], facts={"schema": tables, "engine": engine})
        with ctx.readers.begin() as session:
            seen = _look(session, utc_now())
    except Exception as error:
        if not is_unavailable(error):
            raise
        why = "The database does not answer: start it, or look at its log."
        return Health(reasons=[why], facts={"engine": engine})
    rooms = list(room.left(ctx))
    reasons = [*seen.reasons, *(str(one) for one in rooms if one.short), *_dead(engine)]
    free = {one.holds: one.free_bytes for one in rooms}
    return Health(reasons=reasons, facts={"schema": tables, **seen.facts, "free_bytes": free, "engine": engine})


@cache
def needed_revision() -> str:
    """Return the revision of the tables that this code needs."""
    return schema.head()


def _look(session: Session, now: datetime) -> Health:
    ticks = every(session)
    overdue = oldest_overdue(watching.oldest_due(session, now), now)
    reasons = list(silences(ticks, now))
    if overdue is not None and now - overdue.due_at > LONGEST_OVERDUE:
        reasons.append(
            f"The oldest delivery has been due for {_long(now - overdue.due_at)}, where it is not quiet: is a worker "
            "running, and does the provider take what we send? See the page Deliveries."
        )
    return Health(
        reasons=reasons,
        facts={
            "clock": {name.removeprefix(CLOCK): _utc(ticks[name].at) for name in DUTIES if name in ticks},
            "oldest_due": {
                "at": _utc(overdue.due_at) if overdue else None,
                "seconds": round((now - overdue.due_at).total_seconds()) if overdue else 0,
            },
            "ledger": last_ledger(ticks, now),
            "parked": watching.count_parked(session),
            "senders_stopped": len(watching.stopped_senders(session, now)),
        },
    )


def silences(ticks: Mapping[str, Tick], now: datetime) -> Iterator[str]:
    """Yield what has not been done by the clock for too long, in words."""
    for name, duty in DUTIES.items():
        tick = ticks.get(name)
        if tick is None and duty.from_the_start:
            yield f"The clock has never {duty.does}: start babymind serve, or babymind worker."
        elif tick is not None and now - tick.at > duty.longest:
            yield (
                f"The clock has not {duty.does} for {_long(now - tick.at)}: is a worker running? If one is, its log "
                "says what fails."
            )


def oldest_overdue(due: Sequence[Waiting], now: datetime) -> Waiting | None:
    """Return what has been due longest where it is not quiet; at night nothing but a direct answer is expected."""
    return next((one for one in due if one.kind is Kind.ANSWER or _is_decent(one, now)), None)


def _is_decent(one: Waiting, now: datetime) -> bool:
    return decent_instant(now, ZoneInfo(one.zone), one.quiet) <= now


def last_ledger(ticks: Mapping[str, Tick], now: datetime) -> Mapping[str, object]:
    """Return what the clock found when it last compared what was due yesterday and today with what became of it."""
    tick = ticks.get(ledger.TICK)
    found = (tick.details or {}) if tick else {}
    today = now.date()
    return {
        "checked_at": _utc(tick.at) if tick else None,
        "yesterday": found.get((today - timedelta(days=1)).isoformat()),
        "today": found.get(today.isoformat()),
    }


def _dead(engine: Mapping[str, object]) -> Iterator[str]:
    alive = engine.get("alive")
    for name in sorted(name for name, lives in alive.items() if not lives) if isinstance(alive, dict) else ():
        yield f"The thread {name} of this process has died: restart it, and look into its log."


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _long(time: timedelta) -> str:
    minutes = int(time.total_seconds() // 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that is worth watching, as it is now."""

    name: str
    means: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def figures(ctx: Context) -> list[Figure]:
    """Return what ``/metrics`` shows of the tables, so every process tells the same."""
    now = utc_now()
    with ctx.readers.begin() as session:
        due, oldest = deliveries.overdue(session, now)
        unknown = deliveries.count_unknown(session)
        parked = watching.count_parked(session)
        stopped = watching.stopped_senders(session, now)
        waiting = replies.count_waiting(session)
        open_tasks = tasks.count_by_kind(session)
        ticks = every(session)
    lag = (now - oldest).total_seconds() if oldest else 0.0
    return [
        Figure("babymind_deliveries_due", "Deliveries that are due and have not left", due),
        Figure("babymind_oldest_due_seconds", "How long the oldest of them has been due", lag),
        Figure("babymind_deliveries_unknown", "Deliveries of which nobody can say yet whether they went", unknown),
        Figure("babymind_deliveries_parked", "Those of them that wait for a person", parked),
        Figure("babymind_senders_stopped", "Senders that are set up wrongly, so that nothing leaves from them",
               len(stopped)),
        Figure("babymind_replies_waiting", "Replies that wait for a person", waiting),
        Figure("babymind_ledger_mismatches", "Days, studies and zones whose ledger does not add up",
               open_tasks.get(TaskKind.LEDGER, 0)),
        *_ledger_figures(last_ledger(ticks, now)),
        *(
            Figure("babymind_tick_age_seconds", "How long ago the clock last did something to its end",
                   (now - ticks[name].at).total_seconds(), {"tick": name.removeprefix(CLOCK)})
            for name in DUTIES if name in ticks
        ),
        *(
            Figure("babymind_disk_free_bytes", "What is free on the disk", one.free_bytes, {"holds": one.holds})
            for one in room.left(ctx)
        ),
        *(
            Figure("babymind_tasks_open", "Tasks for a person", open_tasks.get(kind, 0), {"kind": kind.value})
            for kind in TaskKind
        ),
    ]  # fmt: skip


def _ledger_figures(found: Mapping[str, object]) -> Iterator[Figure]:
    for name, means in (("expected", "Facts and prompts that were due"), ("actual", "Those that have an outcome")):
        for day in ("yesterday", "today"):
            counts = found[day]
            if isinstance(counts, dict):
                yield Figure(f"babymind_ledger_{name}", means, float(counts[name]), {"day": day})
