"""The months of the ledger: on PostgreSQL each has its own table, a part of ``delivery``; SQLite has one for all."""

from collections.abc import Iterable
from datetime import date, timedelta

from sqlalchemy import DATE, bindparam, func, select
from sqlalchemy.orm import Session

AHEAD = 3  # months made beside the present one: what must lock a little is done long before it is needed

MAKE = select(func.delivery_month(bindparam("month", type_=DATE)))


def have(session: Session, days: Iterable[date]) -> int:
    """Make sure that deliveries of some local days can be written; return how many months were new.

    Costs next to nothing where the months are there. Two processes may do it at once. A month that has been detached
    is refused with a sentence: rows written beside it could double what is in it.
    """
    if session.get_bind().dialect.name != "postgresql":
        return 0
    months = sorted({day.replace(day=1) for day in days})
    return sum(bool(session.connection().scalar(MAKE, {"month": month})) for month in months)


def coming(today: date) -> list[date]:
    """Return the first days of this month and the next ones."""
    months = [today.replace(day=1)]
    for _ in range(AHEAD):
        months.append((months[-1] + timedelta(days=31)).replace(day=1))
    return months
