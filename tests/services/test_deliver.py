"""A delivery goes once, when it may, and the ledger says what became of it."""

from collections.abc import Callable, Sequence
from datetime import date

import pytest
from freezegun import freeze_time
from sqlalchemy.orm import Session

from babymind.channels.base import OutgoingMessage
from babymind.channels.memory import MemoryChannel
from babymind.domain.delivery import DeliveryStatus, Messaging, Reason
from babymind.domain.wording import render
from babymind.errors import (
    ChannelConfigurationError,
    ChannelError,
    ChannelOptedOutError,
    ChannelRefusedError,
    ChannelThrottledError,
    ChannelUnknownError,
)
from babymind.services import deliver, plan, receipts
from babymind.services.context import Context
from babymind.store import deliveries
from babymind.store.content import ContentVersion
from babymind.store.deliveries import Attempt, Delivery, Receipt, Result
from babymind.store.families import Caregiver, Pregnancy, PregnancyStatus
from tests.factories import SAM, at_once, change, daily, enrol_family, rows, utc


@pytest.fixture(autouse=True)
def family(ctx: Context) -> None:
    """One family, whose welcome has gone."""
    with freeze_time("2026-03-07T18:00Z"):
        enrol_family(ctx)
        deliver.deliver_due(ctx)
    with freeze_time("2026-03-08T00:05Z"):
        plan.plan_due(ctx)


def deliver_at(ctx: Context, instant: str) -> dict[DeliveryStatus, int]:
    with freeze_time(instant):
        return dict(deliver.deliver_due(ctx))


def fact(ctx: Context) -> Delivery:
    return next(row for row in daily(ctx) if row.kind.value == "fact")


def test_the_fact_of_the_day_arrives_once_with_the_babys_name(ctx: Context, channel: MemoryChannel) -> None:
    channel.sent.clear()

    assert deliver_at(ctx, "2026-03-08T08:59:59Z") == {}
    assert deliver_at(ctx, "2026-03-08T09:00Z") == {DeliveryStatus.ACCEPTED: 1}
    assert deliver_at(ctx, "2026-03-08T09:01Z") == {}

    assert [message.to for message in channel.sent] == [SAM]
    row = fact(ctx)
    assert row.status is DeliveryStatus.ACCEPTED
    assert ctx.vault.open(row.text_sealed or "") == channel.sent[0].text
    version = next(version for version in rows(ctx, ContentVersion) if version.id == row.version_id)
    assert channel.sent[0].text == render(version.text, ["Robin"])
    assert [(attempt.number, attempt.outcome) for attempt in rows(ctx, Attempt, delivery_id=row.id)] == [
        (1, "accepted")
    ]


@pytest.mark.fault(8)
def test_two_workers_at_once_send_each_message_once(ctx: Context, channel: MemoryChannel) -> None:
    with freeze_time("2026-03-07T18:00Z"):
        for number in range(30):
            enrol_family(ctx, phone=f"+4477009003{number:02d}")
    channel.sent.clear()

    with freeze_time("2026-03-07T18:01Z"):
        at_once(lambda: deliver.deliver_due(ctx), 4)

    assert len(channel.sent) == len({message.delivery_id for message in channel.sent}) == 30


def test_outcomes_are_written_many_at_a_time(ctx: Context, channel: MemoryChannel) -> None:
    with freeze_time("2026-03-07T18:00Z"):
        for number in range(30):
            enrol_family(ctx, phone=f"+4477009003{number:02d}")
    written: list[int] = []
    record = deliveries.record

    with pytest.MonkeyPatch.context() as patch, freeze_time("2026-03-07T18:01Z"):

        def counted(session: Session, results: Sequence[Result], *, lease: str) -> None:
            written.append(len(results))
            record(session, results, lease=lease)

        patch.setattr(deliveries, "record", counted)
        deliver.deliver_due(ctx)

    assert sum(written) == 30
    assert len(written) < 10


@pytest.mark.fault(76)
def test_after_an_outage_only_the_newest_slot_of_the_day_goes(ctx: Context, channel: MemoryChannel) -> None:
    channel.sent.clear()

    deliver_at(ctx, "2026-03-08T18:00Z")

    kinds = {row.id: row.kind.value for row in daily(ctx)}
    assert [kinds[message.delivery_id] for message in channel.sent] == ["prompt"]
    assert (fact(ctx).status, fact(ctx).reason) == (DeliveryStatus.EXPIRED, Reason.SUPERSEDED)


@pytest.mark.fault(36)
@pytest.mark.parametrize(
    ("change_it", "reason"),
    [
        (lambda ctx: change(ctx, Caregiver, 1, messaging=Messaging.STOPPED), Reason.STOPPED),
        (lambda ctx: change(ctx, Caregiver, 1, messaging=Messaging.PAUSED), Reason.PAUSED),
        (lambda ctx: change(ctx, Pregnancy, 1, status=PregnancyStatus.LOST), Reason.LOSS),
    ],
)
def test_what_changed_after_planning_is_read_inside_the_claim(
    ctx: Context, channel: MemoryChannel, change_it: Callable[[Context], None], reason: Reason
) -> None:
    channel.sent.clear()
    change_it(ctx)

    assert deliver_at(ctx, "2026-03-08T09:00Z") == {DeliveryStatus.CANCELLED: 1}
    assert channel.sent == []
    assert fact(ctx).reason is reason


@pytest.mark.fault(76)
def test_late_inside_the_window_is_sent_and_past_it_is_expired(ctx: Context) -> None:
    assert deliver_at(ctx, "2026-03-08T20:59:59Z") == {DeliveryStatus.ACCEPTED: 1, DeliveryStatus.EXPIRED: 1}

    with freeze_time("2026-03-09T00:05Z"):
        plan.plan_due(ctx)
    assert deliver_at(ctx, "2026-03-09T21:00Z") == {DeliveryStatus.EXPIRED: 2}


@pytest.mark.fault(3)
def test_the_sweep_ends_what_is_late_and_what_a_vanished_worker_held(ctx: Context) -> None:
    change(
        ctx,
        Delivery,
        fact(ctx).id,
        status=DeliveryStatus.SENDING,
        lease="gone",
        lease_ends_at=utc("2026-03-08T09:02"),
    )

    with freeze_time("2026-03-08T22:00Z"):
        deliver.sweep(ctx)

    assert [row.status for row in daily(ctx)] == [DeliveryStatus.UNKNOWN, DeliveryStatus.EXPIRED]


@pytest.mark.fault(10)
@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ChannelRefusedError("no such number", provider_code=21211), DeliveryStatus.FAILED, Reason.REFUSED),
        (ChannelUnknownError("time-out"), DeliveryStatus.UNKNOWN, None),
        (ChannelThrottledError("too many", provider_code=20429), DeliveryStatus.PLANNED, None),
        (ChannelError("not now"), DeliveryStatus.PLANNED, None),
        (ChannelConfigurationError("bad account", provider_code=20003), DeliveryStatus.PLANNED, None),
    ],
)
def test_each_kind_of_error_has_its_end(
    ctx: Context, channel: MemoryChannel, error: ChannelError, status: DeliveryStatus, reason: Reason | None
) -> None:
    channel.fail_with = error

    deliver_at(ctx, "2026-03-08T09:00Z")

    row = fact(ctx)
    assert (row.status, row.reason, row.error_code) == (status, reason, error.provider_code)
    # Neither being held back nor not knowing is a failure.
    counts = not isinstance(error, ChannelThrottledError | ChannelConfigurationError | ChannelUnknownError)
    assert row.failures == int(counts)


def test_an_unknown_outcome_is_never_sent_again_by_itself(ctx: Context, channel: MemoryChannel) -> None:
    channel.fail_with = ChannelUnknownError("time-out")
    deliver_at(ctx, "2026-03-08T09:00Z")
    channel.fail_with = None
    channel.sent.clear()

    assert deliver_at(ctx, "2026-03-08T09:30Z") == {}
    assert channel.sent == []


@pytest.mark.fault(80)
def test_trying_again_ends_after_five_failures(ctx: Context, channel: MemoryChannel) -> None:
    channel.fail_with = ChannelError("not now")

    for minute in ("00", "01", "05", "15", "55"):
        deliver_at(ctx, f"2026-03-08T09:{minute}Z")

    assert (fact(ctx).status, fact(ctx).reason, fact(ctx).attempts) == (DeliveryStatus.FAILED, Reason.GAVE_UP, 5)


@pytest.mark.fault(105)
def test_a_stop_that_the_provider_knows_of_becomes_ours(ctx: Context, channel: MemoryChannel) -> None:
    channel.fail_with = ChannelOptedOutError("said STOP", provider_code=21610)

    deliver_at(ctx, "2026-03-08T09:00Z")

    assert rows(ctx, Caregiver)[0].messaging is Messaging.STOPPED
    assert [(row.status, row.reason) for row in daily(ctx)] == [
        (DeliveryStatus.FAILED, Reason.OPTED_OUT),
        (DeliveryStatus.CANCELLED, Reason.STOPPED),
    ]


@pytest.mark.fault(80)
def test_a_text_that_cannot_be_made_stops_nobody_else(ctx: Context, channel: MemoryChannel) -> None:
    with freeze_time("2026-03-08T00:06Z"):
        enrol_family(ctx, phone="+447700900150", born_on=date(2026, 2, 2))
    version = next(v for v in rows(ctx, ContentVersion) if v.item_id == fact(ctx).item_id)
    change(ctx, ContentVersion, version.id, text="{nonsense}")

    outcomes = deliver_at(ctx, "2026-03-08T09:00Z")

    assert outcomes[DeliveryStatus.CANCELLED] == 1
    assert outcomes[DeliveryStatus.ACCEPTED] >= 1
    assert fact(ctx).reason is Reason.UNREADABLE


@pytest.mark.fault(102)
def test_a_worker_whose_lease_was_taken_over_cannot_write(ctx: Context, channel: MemoryChannel) -> None:
    taken = fact(ctx).id

    class Slow(MemoryChannel):
        def send(self, message: OutgoingMessage) -> str:
            if message.delivery_id == taken:
                change(ctx, Delivery, taken, lease="another")
            return super().send(message)

    slow = Slow()
    object.__setattr__(ctx, "channel", slow)
    deliver_at(ctx, "2026-03-08T09:00Z")

    assert (fact(ctx).status, fact(ctx).lease) == (DeliveryStatus.SENDING, "another")


@pytest.mark.fault(20)
@pytest.mark.parametrize("order", [("sent", "delivered"), ("delivered", "sent"), ("delivered", "queued", "sent")])
def test_a_late_receipt_never_lowers_the_state(ctx: Context, order: tuple[str, ...]) -> None:
    deliver_at(ctx, "2026-03-08T09:00Z")
    row = fact(ctx)
    object.__setattr__(ctx, "channel", _twilio())

    with freeze_time("2026-03-08T09:00:05Z"):
        for told in order:
            receipts.told(ctx, row.id, {"MessageSid": row.provider_ref or "", "MessageStatus": told})

    assert fact(ctx).status is DeliveryStatus.DELIVERED
    assert fact(ctx).delivered_at == utc("2026-03-08T09:00:05")
    assert [receipt.told for receipt in rows(ctx, Receipt)] == list(order)


@pytest.mark.fault(21)
def test_a_receipt_before_our_own_commit_is_kept_and_names_the_message(ctx: Context) -> None:
    row = fact(ctx)
    change(ctx, Delivery, row.id, status=DeliveryStatus.UNKNOWN)
    object.__setattr__(ctx, "channel", _twilio())

    receipts.told(ctx, row.id, {"MessageSid": "SM1", "MessageStatus": "sent"})
    receipts.told(ctx, 999_999, {"MessageSid": "SM2", "MessageStatus": "sent"})
    receipts.told(ctx, row.id, {"MessageSid": "SM1", "MessageStatus": "a new word"})

    assert (fact(ctx).status, fact(ctx).provider_ref) == (DeliveryStatus.SENT, "SM1")
    assert [(receipt.delivery_id, receipt.applied) for receipt in rows(ctx, Receipt)] == [
        (row.id, True), (None, False), (row.id, False),
    ]  # fmt: skip


def _twilio() -> object:
    from babymind.channels.twilio import TwilioAccount, TwilioChannel

    return TwilioChannel(TwilioAccount(account_sid="AC" + "0" * 32, auth_token="t", public_url="http://127.0.0.1"))
