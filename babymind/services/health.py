"""Health: whether this installation can work, for the machine that watches it."""

from collections.abc import Mapping

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from babymind.services.context import Context
from babymind.store import schema


def ready(ctx: Context) -> None:
    """Return if the database answers; whatever it raises says that it does not."""
    schema.ping(ctx.database)


def is_unavailable(error: BaseException) -> bool:
    """Tell whether an error means that the database is away, or too busy, and may be back in a moment."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OperationalError | InterfaceError | PoolTimeoutError)


def state(ctx: Context) -> Mapping[str, object]:
    """Return what ``/healthz`` shows: no name, number or text."""
    return {
        "schema": {"at": schema.current(ctx.database), "needed": schema.head()},
        "engine": dict(ctx.engine.health()),
    }
