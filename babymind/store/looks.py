"""Deliveries of which the provider is asked what became of them, and what its answers change."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Integer, bindparam, func, select, update
from sqlalchemy.orm import Session

from babymind.domain.contact import ChannelName
from babymind.domain.delivery import DeliveryStatus, Reason
from babymind.store.base import UtcDateTime
from babymind.store.deliveries import Attempt, Delivery
from babymind.store.families import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A delivery that the provider is asked about now."""

    id: int
    caregiver_id: int
    status: DeliveryStatus  # unknown, or accepted with no receipt
    looks: int  # this one included; what it brings is written only while nobody has looked since
    attempts: int
    failures: int
    window_ends_at: datetime
    began_at: datetime  # the newest attempt
    provider_ref: str | None
    channel: ChannelName
    address_sealed: str | None
    text_sealed: str | None


def take(session: Session, now: datetime, limit: int, *, look_at: datetime) -> list[Look]:
    """Take what is to be asked about, and put its next look off for as long as this one may take.

    Two processes never look at the same time; one that vanishes while it looks has cost a look and nothing else.
    """
    ids = session.scalars(_due(), {"now": now, "most": limit}).all()
    if not ids:
        return []
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_(ids))
        .values(look_at=look_at, looks=Delivery.looks + 1)
        .execution_options(synchronize_session=False)
    )
    rows = (
        select(Delivery, Attempt.started_at, Address.value_sealed, Address.channel)
        .join(Attempt, (Attempt.delivery_id == Delivery.id) & (Attempt.number == Delivery.attempts))
        .outerjoin(Address, Address.id == Delivery.address_id)
        .where(Delivery.id.in_(ids))
        .order_by(Delivery.id)
    )
    return [
        Look(id=row.id, caregiver_id=row.caregiver_id, status=row.status, looks=row.looks, attempts=row.attempts,
             failures=row.failures, window_ends_at=row.window_ends_at, began_at=began_at,
             provider_ref=row.provider_ref, channel=channel or ChannelName.SMS, address_sealed=sealed,
             text_sealed=row.text_sealed)
        for row, began_at, sealed, channel in session.execute(rows.execution_options(populate_existing=True))
    ]  # fmt: skip


@cache
def _due():  # type: ignore[no-untyped-def]  # one column
    return (
        select(Delivery.id)
        .where(Delivery.look_at.is_not(None), Delivery.look_at <= bindparam("now", type_=UtcDateTime()))
        .order_by(Delivery.look_at)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
    )


def refs_of(session: Session, caregiver_ids: Sequence[int], since: datetime) -> Mapping[int, set[str]]:
    """Return the provider's ids of all that is known to have gone to some caregivers since an instant."""
    rows = (
        select(Delivery.caregiver_id, Attempt.provider_ref)
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .where(
            Delivery.caregiver_id.in_(caregiver_ids),
            Delivery.due_at >= since,
        )
    )
    refs: dict[int, set[str]] = defaultdict(set)
    for caregiver_id, ref in session.execute(rows):
        if ref is not None:
            refs[caregiver_id].add(ref)
    return refs


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a look makes of a delivery."""

    status: DeliveryStatus
    reason: Reason | None = None
    due_at: datetime | None = None  # for one that is sent again
    look_at: datetime | None = None  # for one that is looked at again; without it an unknown one is parked
    provider_ref: str | None = None
    error_code: int | None = None
    at: datetime | None = None  # when the provider took it
    failed: bool = False
    note: str | None = None  # for staff, on the attempt
    counts: bool = True  # False: we were not let in, which says nothing about the message


def write(session: Session, look: Look, change: Change) -> bool:
    """Write what a look brought; False when something else was heard of the delivery meanwhile."""
    values: dict[str, object] = {
        "status": change.status, "look_at": change.look_at, "reason": change.reason,
        "looks": look.looks if change.counts else look.looks - 1,
    }  # fmt: skip
    if change.due_at is not None:
        values["due_at"] = change.due_at
    if change.provider_ref is not None:
        values["provider_ref"] = change.provider_ref
        values["accepted_at"] = func.coalesce(Delivery.accepted_at, change.at)
    if change.error_code is not None:
        values["error_code"] = change.error_code
    if change.failed:
        values["failures"] = Delivery.failures + 1
    written = (
        update(Delivery)
        .where(Delivery.id == look.id, Delivery.status == look.status, Delivery.looks == look.looks)
        .values(**values)
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(written) is None:
        return False
    if change.note is not None or change.provider_ref is not None:
        session.execute(
            update(Attempt)
            .where(Attempt.delivery_id == look.id, Attempt.number == look.attempts)
            .values(
                provider_ref=func.coalesce(Attempt.provider_ref, change.provider_ref),
                finished_at=func.coalesce(Attempt.finished_at, change.at),
                outcome=change.status.value,
                note=func.coalesce(change.note, Attempt.note),
            )
            .execution_options(synchronize_session=False)
        )
    return True
