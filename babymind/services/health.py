"""Health: whether this installation can work, for the machine that watches it."""

from collections.abc import Mapping

from babymind.services.context import Context
from babymind.store import schema


def ready(ctx: Context) -> None:
    """Return if the database answers; whatever it raises says that it does not."""
    schema.ping(ctx.database)


def state(ctx: Context) -> Mapping[str, object]:
    """Return what ``/healthz`` shows: no name, number or text."""
    return {
        "schema": {"at": schema.current(ctx.database), "needed": schema.head()},
        "engine": dict(ctx.engine.health()),
    }
