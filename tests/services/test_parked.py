"""What only a person can decide about deliveries: ask again, send again, give up; and what a day came to."""

from datetime import date, timedelta

import pytest
from freezegun import freeze_time

from babymind.channels.memory import MemoryChannel
from babymind.domain.codes import code
from babymind.domain.delivery import DeliveryStatus, Kind, Messaging, Reason
from babymind.errors import ConflictError, NotFoundError
from babymind.services import deliver, parked, plan
from babymind.services.context import Context
from babymind.store import deliveries
from babymind.store.content import ContentVersion
from babymind.store.deliveries import Delivery, Told
from babymind.store.families import Caregiver
from babymind.store.senders import Sender
from babymind.store.staff import AuditEvent
from tests.factories import change, enrol_family, rows
from tests.services.watched import NOT_SAID, NOW, delivery, park, stop_sender

ADA = "staff:7"
DAY = date(2026, 3, 8)


@pytest.fixture
def sam(ctx: Context, channel: MemoryChannel) -> int:
    """A caregiver of an enrolled family to whom everything due has gone; its id."""
    with freeze_time(NOW - timedelta(hours=12)):
        caregiver_id = enrol_family(ctx).caregivers[0][0]
    with freeze_time(NOW):
        plan.plan_due(ctx)
        deliver.deliver_due(ctx)
    channel.sent.clear()
    return caregiver_id


def load(ctx: Context, delivery_id: int) -> Delivery:
    return rows(ctx, Delivery, id=delivery_id)[0]


def done(ctx: Context) -> list[tuple[str, str, str, int | None]]:
    """What the record of the team says was done about deliveries and senders."""
    events = [one for one in rows(ctx, AuditEvent) if one.subject in ("delivery", "sender")]
    return [(one.actor, one.action, one.subject, one.subject_id) for one in events]


# Parked


@freeze_time(NOW)
def test_what_nobody_can_tell_waits_with_its_history_and_without_a_name_or_a_text(ctx: Context, sam: int) -> None:
    one = park(ctx, sam, attempts=2, error_code=30003)
    park(ctx, sam, look_at=NOW)  # the provider is still being asked

    view = parked.overview(ctx, DAY)

    (row,) = view.parked.rows
    assert (row.id, row.kind, row.open, row.looks, view.parked_in_all) == (one, Kind.NOTICE, True, 8, 1)
    assert row.since == NOW - timedelta(minutes=48)
    assert row.why == code(30003).staff
    assert [(each.number, each.outcome, each.said) for each in row.tries] == [
        (1, DeliveryStatus.UNKNOWN, NOT_SAID),
        (2, DeliveryStatus.UNKNOWN, NOT_SAID),
    ]
    assert not any(word in repr(view) for word in ("Sam", "Robin", "7700", "Guess"))


@freeze_time(NOW)
def test_many_come_page_by_page_and_each_once(ctx: Context, sam: int) -> None:
    ids = [park(ctx, sam) for _ in range(parked.PAGE * 2 + 1)]

    found: list[int] = []
    after: int | None = 0
    while after is not None:
        page = parked.overview(ctx, DAY, parked_after=after).parked
        assert len(page.rows) <= parked.PAGE
        found += [row.id for row in page.rows]
        after = page.next_after

    assert found == ids


@freeze_time(NOW)
def test_the_provider_is_asked_again_as_if_for_the_first_time(ctx: Context, sam: int) -> None:
    one = park(ctx, sam)

    parked.ask_again(ctx, one, ADA)

    row = load(ctx, one)
    assert (row.status, row.look_at, row.looks) == (DeliveryStatus.UNKNOWN, NOW, 0)
    assert parked.overview(ctx, DAY).parked.rows == []
    assert done(ctx) == [(ADA, "delivery_asked_again", "delivery", one)]


@freeze_time(NOW)
def test_what_did_not_arrive_is_sent_again_once(ctx: Context, sam: int, channel: MemoryChannel) -> None:
    one = park(ctx, sam, failures=4)

    parked.send_again(ctx, one, ADA)
    with pytest.raises(ConflictError, match="meanwhile"):
        parked.send_again(ctx, one, ADA)
    deliver.deliver_due(ctx)

    assert [(message.delivery_id, message.text) for message in channel.sent] == [(one, "Guess who?")]
    row = load(ctx, one)
    assert (row.status, row.attempts, row.failures) == (DeliveryStatus.ACCEPTED, 2, 0)
    assert done(ctx) == [(ADA, "delivery_sent_again", "delivery", one)]


@freeze_time(NOW)
def test_whoever_said_stop_meanwhile_gets_nothing(ctx: Context, sam: int, channel: MemoryChannel) -> None:
    one = park(ctx, sam)
    change(ctx, Caregiver, sam, messaging=Messaging.STOPPED)

    parked.send_again(ctx, one, ADA)
    deliver.deliver_due(ctx)

    assert channel.sent == []
    assert load(ctx, one).reason is Reason.STOPPED


@freeze_time(NOW)
def test_what_is_too_late_is_not_sent_again_and_a_sentence_says_so(ctx: Context, sam: int) -> None:
    late = park(ctx, sam, window_ends_at=NOW)

    with pytest.raises(ConflictError, match="time of this message is over"):
        parked.send_again(ctx, late, ADA)

    assert not parked.overview(ctx, DAY).parked.rows[0].open
    assert load(ctx, late).status is DeliveryStatus.UNKNOWN
    assert done(ctx) == []


def test_an_older_fact_is_not_sent_again_after_a_newer_one_was_due(ctx: Context, sam: int) -> None:
    with freeze_time(NOW):
        fact, prompt = sorted(
            (row for row in rows(ctx, Delivery) if row.occasion is None), key=lambda one: one.due_at
        )
        change(ctx, Delivery, fact.id, status=DeliveryStatus.UNKNOWN, look_at=None)
    with freeze_time(prompt.due_at + timedelta(minutes=1)), pytest.raises(ConflictError, match="only the newest"):
        parked.send_again(ctx, fact.id, ADA)
    with freeze_time(prompt.due_at - timedelta(minutes=1)):
        parked.send_again(ctx, fact.id, ADA)

    assert load(ctx, fact.id).status is DeliveryStatus.PLANNED


@freeze_time(NOW)
def test_what_is_given_up_counts_as_not_sent_and_is_shown_no_more(ctx: Context, sam: int) -> None:
    one = park(ctx, sam)

    parked.give_up(ctx, one, ADA)

    assert (load(ctx, one).status, load(ctx, one).reason) == (DeliveryStatus.FAILED, Reason.GAVE_UP)
    view = parked.overview(ctx, DAY)
    assert (view.parked.rows, view.stuck.rows, view.parked_in_all) == ([], [], 0)
    assert done(ctx) == [(ADA, "delivery_given_up", "delivery", one)]


@freeze_time(NOW)
@pytest.mark.parametrize("decide", [parked.ask_again, parked.send_again, parked.give_up])
def test_a_receipt_that_came_meanwhile_counts_for_more_than_a_decision(
    ctx: Context, sam: int, decide: object
) -> None:
    one = park(ctx, sam, provider_ref="SM1")
    with ctx.sessions.begin() as session:
        deliveries.apply_receipt(
            session,
            Told(delivery_id=one, provider_ref="SM1", told="delivered", status=DeliveryStatus.DELIVERED,
                 error_code=None, received_at=NOW),
        )  # fmt: skip

    assert callable(decide)
    with pytest.raises(ConflictError, match="Something has become of this message meanwhile"):
        decide(ctx, one, ADA)

    assert load(ctx, one).status is DeliveryStatus.DELIVERED
    assert done(ctx) == []


@freeze_time(NOW)
def test_what_is_not_there_is_said_not_to_be(ctx: Context) -> None:
    for decide in (parked.ask_again, parked.send_again, parked.give_up):
        with pytest.raises(NotFoundError, match="no such delivery"):
            decide(ctx, 999, ADA)
    with pytest.raises(NotFoundError, match="no such sender"):
        parked.try_sender(ctx, 999, ADA)


# Stuck


@pytest.mark.fault(80)
@freeze_time(NOW)
def test_what_was_not_the_familys_fault_is_stuck_and_what_was_is_not(ctx: Context, sam: int) -> None:
    failed, cancelled = DeliveryStatus.FAILED, DeliveryStatus.CANCELLED
    mine = [
        delivery(ctx, sam, status=failed, reason=Reason.GAVE_UP),
        delivery(ctx, sam, status=cancelled, reason=Reason.UNREADABLE, attempts=0),
        delivery(ctx, sam, status=cancelled, reason=Reason.CONTENT_MISSING, attempts=0),
        delivery(ctx, sam, status=failed, reason=Reason.REFUSED, error_code=21617),  # our text was too long
    ]
    delivery(ctx, sam, status=failed, reason=Reason.REFUSED, error_code=21211)  # no such number
    delivery(ctx, sam, status=failed, reason=Reason.OPTED_OUT, error_code=21610)
    delivery(ctx, sam, status=cancelled, reason=Reason.STOPPED, attempts=0)
    delivery(ctx, sam, status=DeliveryStatus.UNDELIVERED, reason=Reason.GAVE_UP, error_code=30003)  # the phone is off
    delivery(ctx, sam, status=failed, reason=Reason.GAVE_UP, local_day=DAY - timedelta(days=1))

    view = parked.overview(ctx, DAY)

    assert [row.id for row in view.stuck.rows] == mine
    assert [row.since for row in view.stuck.rows][1] == NOW - timedelta(hours=1)  # never tried: since it was due
    assert len(parked.overview(ctx, DAY - timedelta(days=1)).stuck.rows) == 1
    assert [row.id for row in parked.overview(ctx, DAY, stuck_after=mine[2]).stuck.rows] == mine[3:]


@pytest.mark.fault(80)
@freeze_time(NOW)
def test_a_text_that_could_not_go_is_made_anew_once_it_is_mended(
    ctx: Context, sam: int, channel: MemoryChannel
) -> None:
    fact = next(row for row in rows(ctx, Delivery) if row.kind is Kind.FACT)
    change(ctx, Delivery, fact.id, status=DeliveryStatus.FAILED, reason=Reason.REFUSED, error_code=21617)
    (version,) = [one for one in rows(ctx, ContentVersion, item_id=fact.item_id) if one.current]
    change(ctx, ContentVersion, version.id, text="Shorter.")

    parked.send_again(ctx, fact.id, ADA)
    deliver.deliver_due(ctx)

    assert [message.text for message in channel.sent] == ["Shorter."]


@freeze_time(NOW)
@pytest.mark.parametrize("status", sorted(set(DeliveryStatus) - {DeliveryStatus.UNKNOWN, DeliveryStatus.FAILED,
                                                                 DeliveryStatus.CANCELLED}))  # fmt: skip
def test_what_went_or_was_not_to_go_is_never_sent_again(ctx: Context, sam: int, status: DeliveryStatus) -> None:
    one = delivery(ctx, sam, status=status, reason=Reason.GAVE_UP)

    with pytest.raises(ConflictError):
        parked.send_again(ctx, one, ADA)

    assert load(ctx, one).status is status


@freeze_time(NOW)
@pytest.mark.parametrize(
    ("status", "reason", "number"),
    [
        (DeliveryStatus.CANCELLED, Reason.STOPPED, None),
        (DeliveryStatus.CANCELLED, Reason.LOSS, None),
        (DeliveryStatus.FAILED, Reason.OPTED_OUT, 21610),
        (DeliveryStatus.FAILED, Reason.REFUSED, 21211),
    ],
)
def test_what_the_family_or_its_number_ended_is_never_sent_again(
    ctx: Context, sam: int, status: DeliveryStatus, reason: Reason, number: int | None
) -> None:
    one = delivery(ctx, sam, status=status, reason=reason, error_code=number)

    with pytest.raises(ConflictError):
        parked.send_again(ctx, one, ADA)

    assert load(ctx, one).status is status


# The day


@freeze_time(NOW)
def test_the_day_is_counted_by_kind_and_state(ctx: Context, sam: int) -> None:
    park(ctx, sam)
    delivery(ctx, sam, status=DeliveryStatus.DELIVERED)
    delivery(ctx, sam, status=DeliveryStatus.DELIVERED, local_day=DAY - timedelta(days=1))

    counts = parked.overview(ctx, DAY).counts

    assert dict(counts) == {
        (Kind.FACT, DeliveryStatus.ACCEPTED): 1,
        (Kind.PROMPT, DeliveryStatus.PLANNED): 1,
        (Kind.NOTICE, DeliveryStatus.UNKNOWN): 1,
        (Kind.NOTICE, DeliveryStatus.DELIVERED): 1,
    }


@freeze_time(NOW)
def test_failures_are_counted_by_cause_in_words_for_staff(ctx: Context, sam: int) -> None:
    for number in (30003, 30003, 21610, None):
        delivery(ctx, sam, status=DeliveryStatus.UNDELIVERED, error_code=number)
    delivery(ctx, sam, status=DeliveryStatus.FAILED, reason=Reason.GAVE_UP)
    delivery(ctx, sam, status=DeliveryStatus.CANCELLED, reason=Reason.STOPPED)

    failures = parked.overview(ctx, DAY).failures

    assert next((one.code, one.count) for one in failures) == (30003, 2)
    assert {(one.code, one.why, one.reason, one.count) for one in failures} == {
        (30003, code(30003).staff, None, 2),
        (21610, code(21610).staff, None, 1),
        (None, None, None, 1),
        (None, None, Reason.GAVE_UP, 1),
    }


# Senders


@freeze_time(NOW)
def test_a_sender_that_is_stopped_says_why_and_can_be_tried_at_once(ctx: Context) -> None:
    one = stop_sender(ctx)
    stop_sender(ctx, until=NOW, address="+447700900991")  # its time is over

    (sender,) = parked.overview(ctx, DAY).senders
    assert (sender.id, sender.code, sender.why) == (one, 21606, code(21606).staff)
    parked.try_sender(ctx, one, ADA)

    assert parked.overview(ctx, DAY).senders == []
    row = rows(ctx, Sender, id=one)[0]
    assert (row.stopped_until, row.stopped_code) == (NOW, 21606)  # if it is told so again, nobody is alarmed twice
    assert done(ctx) == [(ADA, "sender_tried_again", "sender", one)]
    with pytest.raises(ConflictError, match="not stopped any more"):
        parked.try_sender(ctx, one, ADA)
