"""What the provider tells of a message after it took it, and what follows from it."""

from datetime import datetime, timedelta

import pytest
from freezegun import freeze_time

from babymind.channels.base import Receipt
from babymind.channels.memory import MemoryChannel
from babymind.domain.delivery import DeliveryStatus, Messaging, Reason
from babymind.services import deliver, plan, receipts
from babymind.services.context import Context
from babymind.store.deliveries import Attempt, Delivery
from babymind.store.deliveries import Receipt as KeptReceipt
from babymind.store.families import Address, Caregiver, ClosedWhy, Consent
from babymind.store.staff import AuditEvent
from babymind.store.tasks import Task, TaskKind
from tests.factories import change, daily, enrol_family, rows, utc

NINE = utc("2026-03-08T09:00")
UNREACHABLE, GONE, OPTED_OUT, BLOCKED, SUSPENDED, NEW = 30003, 30005, 21610, 30004, 30002, 39999


@pytest.fixture(autouse=True)
def sent(ctx: Context, channel: MemoryChannel) -> None:
    """One family, whose fact of the day has just been taken by the provider."""
    with freeze_time("2026-03-07T18:00Z"):
        enrol_family(ctx)
        deliver.deliver_due(ctx)
    with freeze_time("2026-03-08T00:05Z"):
        plan.plan_due(ctx)
    channel.sent.clear()
    at(ctx, NINE)


def at(ctx: Context, instant: datetime) -> None:
    with freeze_time(instant):
        deliver.sweep(ctx)
        deliver.deliver_due(ctx)


def fact(ctx: Context) -> Delivery:
    return next(row for row in daily(ctx) if row.kind.value == "fact")


def told(ctx: Context, status: DeliveryStatus, code: int | None = None, *, ref: str | None = None,
         after: float = 0.1) -> None:  # fmt: skip
    """Have the provider tell something of the fact, minutes after nine."""
    row = fact(ctx)
    with freeze_time(NINE + timedelta(minutes=after)):
        receipts.hear(ctx, row.id, Receipt(ref or row.provider_ref or "", status.value, status, code))


@pytest.mark.fault(14)
def test_a_phone_that_is_off_is_tried_again_while_the_day_lasts(ctx: Context, channel: MemoryChannel) -> None:
    told(ctx, DeliveryStatus.UNDELIVERED, UNREACHABLE)

    at(ctx, NINE + timedelta(minutes=2))
    assert len(channel.sent) == 1
    at(ctx, NINE + timedelta(minutes=10))

    assert len(channel.sent) == 2
    assert (fact(ctx).status, fact(ctx).attempts, fact(ctx).failures) == (DeliveryStatus.ACCEPTED, 2, 1)
    assert len({one.provider_ref for one in rows(ctx, Attempt, delivery_id=fact(ctx).id)}) == 2


@pytest.mark.fault(26)
def test_a_receipt_that_comes_twice_is_one_failure(ctx: Context, channel: MemoryChannel) -> None:
    ref = fact(ctx).provider_ref
    for _ in range(3):
        told(ctx, DeliveryStatus.UNDELIVERED, UNREACHABLE, ref=ref)
    at(ctx, NINE + timedelta(minutes=10))
    told(ctx, DeliveryStatus.UNDELIVERED, UNREACHABLE, ref=ref, after=11)  # and once more, long after

    assert (fact(ctx).status, fact(ctx).failures) == (DeliveryStatus.ACCEPTED, 1)
    assert len(channel.sent) == 2
    assert [one.applied for one in rows(ctx, KeptReceipt)] == [True, False, False, False]


@pytest.mark.fault(14)
def test_what_arrives_after_all_is_not_sent_again(ctx: Context, channel: MemoryChannel) -> None:
    ref = fact(ctx).provider_ref
    told(ctx, DeliveryStatus.UNDELIVERED, UNREACHABLE, ref=ref)
    told(ctx, DeliveryStatus.DELIVERED, ref=ref, after=1)

    at(ctx, NINE + timedelta(minutes=30))

    assert len(channel.sent) == 1
    assert (fact(ctx).status, fact(ctx).reason, fact(ctx).error_code) == (DeliveryStatus.DELIVERED, None, None)


def test_trying_again_ends_with_the_window(ctx: Context, channel: MemoryChannel) -> None:
    with freeze_time("2026-03-08T20:58Z"):
        row = fact(ctx)
        receipts.hear(ctx, row.id, Receipt(row.provider_ref or "", "undelivered", DeliveryStatus.UNDELIVERED,
                                           UNREACHABLE))  # fmt: skip

    assert (fact(ctx).status, fact(ctx).reason) == (DeliveryStatus.UNDELIVERED, Reason.TOO_LATE)


@pytest.mark.fault(14, 70, 71)
def test_a_number_that_is_gone_is_given_up_and_a_person_asks_for_another(
    ctx: Context, channel: MemoryChannel
) -> None:
    told(ctx, DeliveryStatus.UNDELIVERED, GONE)
    at(ctx, utc("2026-03-08T17:00"))

    assert len(channel.sent) == 1
    address = rows(ctx, Address)[0]
    assert (address.closed_why, address.closed_at) == (ClosedWhy.REFUSED, NINE + timedelta(minutes=0.1))
    assert [(row.status, row.reason) for row in daily(ctx)] == [
        (DeliveryStatus.UNDELIVERED, Reason.REFUSED),
        (DeliveryStatus.SKIPPED, Reason.CHANNEL_CLOSED),
    ]
    assert [(task.kind, task.family_id) for task in rows(ctx, Task)] == [(TaskKind.NUMBER_FAILED, 1)]


@pytest.mark.fault(14)
def test_being_blocked_is_told_from_a_number_that_is_gone(ctx: Context) -> None:
    told(ctx, DeliveryStatus.UNDELIVERED, BLOCKED)

    assert rows(ctx, Address)[0].closed_why is ClosedWhy.BLOCKED


def test_a_number_that_changed_meanwhile_is_not_closed_for_what_the_old_one_did(ctx: Context) -> None:
    old = rows(ctx, Address)[0]
    change(ctx, Address, old.id, closed_at=NINE, closed_why=ClosedWhy.CHANGED)
    with ctx.sessions.begin() as session:
        session.add(Address(caregiver_id=1, channel=old.channel, value_sealed=old.value_sealed, look_up="another",
                            opened_at=NINE))  # fmt: skip

    told(ctx, DeliveryStatus.UNDELIVERED, GONE)

    assert [one.closed_why for one in rows(ctx, Address)] == [ClosedWhy.CHANGED, None]


@pytest.mark.fault(14)
def test_a_phone_out_of_reach_for_a_week_is_given_up(ctx: Context) -> None:
    template = fact(ctx)
    with ctx.sessions.begin() as session:
        for before in (NINE - timedelta(days=days) for days in range(2, 14)):
            session.add(
                Delivery(caregiver_id=1, pregnancy_id=1, kind=template.kind, priority=2, due_at=before,
                         local_day=before.date(), window_ends_at=NINE, attempts=1, failures=1,
                         status=DeliveryStatus.UNDELIVERED, error_code=UNREACHABLE, address_id=template.address_id)
            )  # fmt: skip
    told(ctx, DeliveryStatus.UNDELIVERED, UNREACHABLE)
    assert rows(ctx, Address)[0].closed_at is None  # one of the last fourteen had arrived, the welcome

    at(ctx, NINE + timedelta(minutes=10))
    welcome = next(row for row in rows(ctx, Delivery) if row.kind.value == "welcome")
    change(ctx, Delivery, welcome.id, error_code=UNREACHABLE, status=DeliveryStatus.UNDELIVERED)
    told(ctx, DeliveryStatus.UNDELIVERED, UNREACHABLE, after=11)

    assert rows(ctx, Address)[0].closed_why is ClosedWhy.UNREACHABLE


@pytest.mark.fault(105)
def test_a_stop_that_only_the_provider_heard_becomes_ours(ctx: Context) -> None:
    told(ctx, DeliveryStatus.UNDELIVERED, OPTED_OUT)

    assert rows(ctx, Caregiver)[0].messaging is Messaging.STOPPED
    assert rows(ctx, Consent)[-1].given is False
    assert [event.actor for event in rows(ctx, AuditEvent, action="stop")] == ["provider"]
    assert [(row.status, row.reason) for row in daily(ctx)] == [
        (DeliveryStatus.UNDELIVERED, Reason.OPTED_OUT),
        (DeliveryStatus.CANCELLED, Reason.STOPPED),
    ]


@pytest.mark.fault(16, 23)
@pytest.mark.parametrize("code", [SUSPENDED, NEW])
def test_what_is_wrong_with_the_account_or_new_to_us_is_one_alert(ctx: Context, code: int) -> None:
    for _ in range(2):
        told(ctx, DeliveryStatus.UNDELIVERED, code)

    assert [(task.kind, task.details) for task in rows(ctx, Task)] == [(TaskKind.PROVIDER, {"code": code})]


@pytest.mark.fault(22)
def test_a_receipt_for_a_message_that_another_delivery_has_changes_nothing(ctx: Context) -> None:
    other = next(row for row in rows(ctx, Delivery) if row.kind.value == "welcome")
    prompt = next(row for row in daily(ctx) if row.kind.value == "prompt")

    with freeze_time(NINE):
        receipts.hear(ctx, prompt.id, Receipt(other.provider_ref or "", "delivered", DeliveryStatus.DELIVERED, None))

    assert next(row for row in daily(ctx) if row.id == prompt.id).status is DeliveryStatus.PLANNED
