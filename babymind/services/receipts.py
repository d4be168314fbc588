"""Receipts: what the provider tells of a message after it took it, and what follows from it for the number."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from babymind.channels.base import Receipt
from babymind.clock import utc_now
from babymind.domain.codes import CodeClass, code
from babymind.domain.delivery import DeliveryStatus, Messaging, Reason, again_after
from babymind.domain.ways import ANOTHER_WAY
from babymind.services import alerts, caregivers, measures
from babymind.services.context import Context
from babymind.services.life import Change, record
from babymind.services.plan import replan_family
from babymind.store import deliveries, families, tasks
from babymind.store.base import CALLER_SECONDS, wait_at_most
from babymind.store.deliveries import Delivery
from babymind.store.families import Address, Caregiver, ClosedWhy
from babymind.store.tasks import TaskKind

log = structlog.get_logger()

THROTTLED_SECONDS = 300
BY_PROVIDER = "provider"
FAILED = (DeliveryStatus.FAILED, DeliveryStatus.UNDELIVERED)
CLOSED_WHY = {CodeClass.BLOCKED: ClosedWhy.BLOCKED, CodeClass.UNREACHABLE: ClosedWhy.UNREACHABLE}


def told(ctx: Context, delivery_id: int | None, form: Mapping[str, str]) -> None:
    """Keep a status receipt, raise the status of its delivery, and do what follows from a failure."""
    hear(ctx, delivery_id, ctx.channel.read_receipt(form))


def hear(ctx: Context, delivery_id: int | None, receipt: Receipt) -> None:
    """Do the same for a receipt that has been read, or was asked for."""
    now = utc_now()
    with ctx.sessions.begin() as session:
        wait_at_most(session, CALLER_SECONDS)
        applied = deliveries.apply_receipt(
            session,
            deliveries.Told(
                delivery_id=delivery_id, provider_ref=receipt.provider_ref, told=receipt.told, status=receipt.status,
                error_code=receipt.error_code, received_at=now,
            ),
        )  # fmt: skip
        if applied.raised and receipt.status in FAILED:
            failed(session, Failure(applied.delivery_id or 0, receipt.error_code, taken=True), now)
    if applied.delivery_id is None:
        log.warning("receipt for a message that is not ours")
        measures.heard("stray")
    if receipt.status is None:
        log.warning("receipt with an unknown word", told=receipt.told)


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that did not arrive."""

    delivery_id: int
    error_code: int | None
    taken: bool  # the provider took it first; if not, it said so at once


def failed(session: Session, failure: Failure, now: datetime) -> None:
    """Do what follows from a message that did not arrive: close the number, stop, or send it again.

    What follows is data: see `domain.codes`. The status and the code of the delivery are written already.
    """
    meant = code(failure.error_code)
    delivery = session.get(Delivery, failure.delivery_id, populate_existing=True)
    if delivery is None:
        return
    deliveries.note_code(session, delivery.id, delivery.attempts, failure.error_code)
    if meant.meaning is CodeClass.OPTED_OUT:
        delivery.reason = Reason.OPTED_OUT
        caregiver = caregivers.locked(session, delivery.caregiver_id)
        if caregiver.messaging not in (Messaging.STOPPED, Messaging.LEFT):
            caregivers.stop(session, caregiver, Change(actor=BY_PROVIDER, now=now))
        return
    if meant.alert:
        alerts.ask(session, TaskKind.PROVIDER, f"provider:{meant.number}:{now.date()}", code=meant.number)
    if meant.closes_address is not None and _so_many_failed(session, delivery, meant.closes_address):
        delivery.reason = Reason.REFUSED
        other = _close(session, delivery, CLOSED_WHY.get(meant.meaning, ClosedWhy.REFUSED), now)
        if other:
            _again(delivery, CodeClass.THROTTLED, now, after=timedelta(0))
        return
    if failure.error_code in ANOTHER_WAY:
        _again(delivery, meant.meaning, now, after=timedelta(0))
    elif failure.taken and meant.retry:
        _again(delivery, meant.meaning, now)
    elif failure.taken:
        delivery.reason = Reason.REFUSED


def _again(delivery: Delivery, meaning: CodeClass, now: datetime, *, after: timedelta | None = None) -> None:
    """Plan a message again that did not arrive, while its window lasts; ``after`` so long, if the way is another."""
    throttled = meaning is CodeClass.THROTTLED  # not this message's failure
    failures = delivery.failures + (0 if throttled else 1)
    pause = timedelta(seconds=THROTTLED_SECONDS) if throttled else again_after(failures, str(delivery.id), taken=True)
    after = pause if after is None or pause is None else after
    if after is None:
        delivery.reason = Reason.GAVE_UP
        return
    if now + after >= delivery.window_ends_at:
        delivery.reason = Reason.TOO_LATE
        return
    delivery.status, delivery.due_at, delivery.failures = DeliveryStatus.PLANNED, now + after, failures
    delivery.provider_ref = delivery.look_at = delivery.reason = None  # the attempt keeps the provider's id


def _so_many_failed(session: Session, delivery: Delivery, so_many: int) -> bool:
    """Tell whether the last messages to this number, this one included, all failed in a way that closes it."""
    if delivery.address_id is None:
        return False
    last = deliveries.last_tried(session, delivery.caregiver_id, delivery.address_id, so_many)
    return len(last) >= so_many and all(
        status in (*FAILED, DeliveryStatus.PLANNED) and code(number).closes_address is not None
        for status, number in last
    )


def _close(session: Session, delivery: Delivery, why: ClosedWhy, now: datetime) -> bool:
    """Give a number up; where it was the last one, ask a person to find out another. True if there is another one."""
    address = session.get(Address, delivery.address_id)
    caregiver = caregivers.locked(session, delivery.caregiver_id)
    if address is None or address.closed_at is not None:
        return False
    _close_everywhere(session, address, why, now)
    if any(one.closed_at is None for one in caregiver.addresses):
        return True
    deliveries.cancel_planned(session, [caregiver.id], Reason.CHANNEL_CLOSED)
    replan_family(session, caregiver.family, now)
    occasion = f"number-failed:{caregiver.id}:{address.id}"
    tasks.ask(session, TaskKind.NUMBER_FAILED, occasion, now=now, family_id=caregiver.family_id,
              caregiver_id=caregiver.id, why=why.value)  # fmt: skip
    record(session, caregiver.family, Change(actor=BY_PROVIDER, now=now), "number_failed",
           caregiver_id=caregiver.id, why=why.value)  # fmt: skip
    return False


def _close_everywhere(session: Session, address: Address, why: ClosedWhy, now: datetime) -> None:
    """Close an address, and the same number where other caregivers of the family share it."""
    sharing: list[Caregiver] = list(families.sharing_with(session, address.caregiver_id))
    for one in sharing:
        for other in one.addresses:
            if other.closed_at is None and (other.channel, other.look_up) == (address.channel, address.look_up):
                other.closed_at, other.closed_why = now, why
    session.flush()
