"""The time. Nothing else reads it: rules are handed the instant they judge by."""

import contextlib
import contextvars
from collections.abc import Iterator
from datetime import UTC, datetime

_set: contextvars.ContextVar[datetime | None] = contextvars.ContextVar("clock", default=None)


def utc_now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return _set.get() or datetime.now(UTC)


@contextlib.contextmanager
def clock_at(instant: datetime) -> Iterator[None]:
    """Stand still at an instant, in this thread, for one run of a command (``--at``)."""
    token = _set.set(instant)
    try:
        yield
    finally:
        _set.reset(token)
