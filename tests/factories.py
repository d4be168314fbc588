"""Families and days for tests, as short as a test can say them."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from sqlalchemy import select

from babymind.services import enrol
from babymind.services.context import Context
from babymind.services.enrol import Enrolled, NewCaregiver, NewFamily
from babymind.store.base import Base
from babymind.store.deliveries import Delivery

Row = TypeVar("Row", bound=Base)
SAM = "+447700900101"
JO = "+447700900102"


def utc(text: str) -> datetime:
    """An instant from ``2026-03-08T09:00``."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def enrol_family(
    ctx: Context,
    *,
    phone: str = SAM,
    name: str = "Sam",
    babies: tuple[str, ...] = ("Robin",),
    born_on: date | None = date(2026, 2, 1),
    zone: str = "Europe/London",
    **more: Any,
) -> Enrolled:
    """A family of one caregiver, at 09:00 and 17:00 unless said otherwise."""
    caregiver_fields = {
        key: more.pop(key) for key in ("fact_time", "prompt_time", "role", "research_consent") if key in more
    }
    caregiver = NewCaregiver(name=name, phone=phone, zone=zone, **caregiver_fields)
    return enrol.enrol(ctx, NewFamily(study="demo", caregivers=[caregiver], babies=babies, born_on=born_on, **more))


def rows(ctx: Context, table: type[Row], **where: Any) -> list[Row]:
    """All rows of a table, in order of their ids."""
    with ctx.readers.begin() as session:
        return list(session.scalars(select(table).filter_by(**where).order_by(*table.__mapper__.primary_key)))


def daily(ctx: Context) -> list[Delivery]:
    """The facts and prompts of the ledger."""
    return [row for row in rows(ctx, Delivery) if row.occasion is None]


def change(ctx: Context, table: type[Base], row_id: int, **values: Any) -> None:
    """Set columns of one row."""
    with ctx.sessions.begin() as session:
        row = session.get_one(table, row_id)
        for name, value in values.items():
            setattr(row, name, value)


def at_once(work: Callable[[], Any], times: int) -> list[Any]:
    """Do the same in several threads at the same moment, and return what each got."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    start = Barrier(times)

    def one() -> Any:
        start.wait()
        return work()

    with ThreadPoolExecutor(times) as pool:
        return [future.result() for future in [pool.submit(one) for _ in range(times)]]
