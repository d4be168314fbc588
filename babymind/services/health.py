"""Health: whether this installation can work, for the machine that watches it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from babymind.clock import utc_now
from babymind.services.context import Context
from babymind.store import deliveries, replies, schema, tasks
from babymind.store.tasks import TaskKind


def ready(ctx: Context) -> None:
    """Return if the database answers; whatever it raises says that it does not."""
    schema.ping(ctx.database)


def is_unavailable(error: BaseException) -> bool:
    """Tell whether an error means that the database is away, or too busy, and may be back in a moment."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OperationalError | InterfaceError | PoolTimeoutError)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that is worth watching, as it is now."""

    name: str
    means: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def figures(ctx: Context) -> list[Figure]:
    """Return what ``/metrics`` shows. All of it is read from the tables, so every process tells the same."""
    now = utc_now()
    with ctx.readers.begin() as session:
        due, oldest = deliveries.overdue(session, now)
        unknown = deliveries.count_unknown(session)
        waiting = replies.count_waiting(session)
        open_tasks = tasks.count_by_kind(session)
    lag = (now - oldest).total_seconds() if oldest else 0.0
    return [
        Figure("babymind_deliveries_due", "Deliveries that are due and have not left", due),
        Figure("babymind_oldest_due_seconds", "How long the oldest of them has been due", lag),
        Figure("babymind_deliveries_unknown", "Deliveries of which nobody can say yet whether they went", unknown),
        Figure("babymind_replies_waiting", "Replies that wait for a person", waiting),
        Figure("babymind_ledger_mismatches", "Days, studies and zones whose ledger does not add up",
               open_tasks.get(TaskKind.LEDGER, 0)),
        *(
            Figure("babymind_tasks_open", "Tasks for a person", open_tasks.get(kind, 0), {"kind": kind.value})
            for kind in TaskKind
        ),
    ]  # fmt: skip


def state(ctx: Context) -> Mapping[str, object]:
    """Return what ``/healthz`` shows: no name, number or text."""
    return {
        "schema": {"at": schema.current(ctx.database), "needed": schema.head()},
        "engine": dict(ctx.engine.health()),
    }
