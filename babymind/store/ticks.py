"""When the installation last did what it does by the clock, whichever process did it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import JSON, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from babymind.store.base import Base, insert_new

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Tick(Base):
    """Something done by the clock, and when it was last done to its end."""

    __tablename__ = "tick"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime]
    details: Mapped[dict[str, object] | None] = mapped_column(JSON(none_as_null=True))  # days and counts


def take_turn(session: Session, name: str, now: datetime, *, every: timedelta) -> datetime | None:
    """Take the turn of something that all processes together do once in a while.

    Returns:
        When it was last done (long ago, the first time); None when it is nobody's turn yet.
    """
    session.execute(insert_new(session, Tick).values(name=name, at=LONG_AGO))
    row = session.scalars(select(Tick).where(Tick.name == name).with_for_update()).one()
    before = row.at
    if before <= now < before + every:  # a clock that was set back is no reason to wait
        return None
    row.at = now
    return before


def last(session: Session, name: str) -> datetime | None:
    """Return when something was last done to its end."""
    return session.scalar(select(Tick.at).where(Tick.name == name))


def mark(session: Session, name: str, now: datetime, found: Mapping[str, object] | None = None) -> None:
    """Write down that something was done to its end, and what it found, if it finds anything."""
    session.execute(insert_new(session, Tick).values(name=name, at=now))
    details = {} if found is None else {"details": dict(found)}
    session.execute(update(Tick).where(Tick.name == name).values(at=now, **details))


def every(session: Session) -> dict[str, Tick]:
    """Return what was done, by its name."""
    return {tick.name: tick for tick in session.scalars(select(Tick).order_by(Tick.name))}
