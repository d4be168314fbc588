"""What nobody knows is asked for: no message comes twice, none is lost, whatever happened to the answer."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from freezegun import freeze_time

from babymind.channels.memory import MemoryChannel
from babymind.domain.delivery import DeliveryStatus, Messaging, Reason
from babymind.domain.looking import WAITS, Answer, Step, step
from babymind.errors import ChannelError, ChannelThrottledError, ChannelUnknownError
from babymind.services import deliver, plan, receipts, reconcile
from babymind.services.claim import claim
from babymind.services.context import Context
from babymind.store.base import database_now
from babymind.store.deliveries import Attempt, Delivery
from babymind.store.families import Caregiver
from babymind.store.tasks import Task, TaskKind
from tests.factories import JO, at_once, change, daily, enrol_family, rows, utc

NINE = utc("2026-03-08T09:00")
LOST = ChannelUnknownError("the answer never came")


@pytest.fixture(autouse=True)
def family(ctx: Context, channel: MemoryChannel) -> None:
    """One family, whose welcome has gone."""
    with freeze_time("2026-03-07T18:00Z"):
        enrol_family(ctx)
        deliver.deliver_due(ctx)
    with freeze_time("2026-03-08T00:05Z"):
        plan.plan_due(ctx)
    channel.sent.clear()


def fact(ctx: Context) -> Delivery:
    return next(row for row in daily(ctx) if row.kind.value == "fact")


def at(ctx: Context, instant: datetime) -> None:
    """What the clock does at an instant: sweep, ask, deliver."""
    with freeze_time(instant):
        deliver.sweep(ctx)
        reconcile.ask_about_unknown(ctx)
        deliver.deliver_due(ctx)


def minutes(first: float, last: float, every: float = 0.25) -> Iterator[datetime]:
    """Instants after nine o'clock."""
    steps = int((last - first) / every)
    return (NINE + timedelta(minutes=first + every * number) for number in range(steps + 1))


@pytest.mark.fault(9, 12)
def test_a_message_whose_answer_was_lost_is_found_at_the_provider_and_not_sent_again(
    ctx: Context, channel: MemoryChannel
) -> None:
    channel.fail_after = LOST
    at(ctx, NINE)
    channel.fail_after = None
    assert fact(ctx).status is DeliveryStatus.UNKNOWN

    for instant in minutes(0, 30):
        at(ctx, instant)

    row = fact(ctx)
    assert len(channel.sent) == 1
    assert (row.status, row.provider_ref, row.look_at) == (
        DeliveryStatus.ACCEPTED,
        channel.kept[-1].provider_ref,
        None,
    )
    assert [(one.number, one.provider_ref) for one in rows(ctx, Attempt, delivery_id=row.id)] == [
        (1, row.provider_ref)
    ]


@pytest.mark.fault(9)
def test_a_message_that_was_never_taken_is_sent_again_once_when_that_is_certain(
    ctx: Context, channel: MemoryChannel
) -> None:
    channel.fail_with = LOST
    at(ctx, NINE)
    channel.fail_with = None

    for instant in minutes(0.25, 0.75):
        at(ctx, instant)
    assert channel.sent == []  # a list may lag behind: once is not enough
    for instant in minutes(1, 30):
        at(ctx, instant)

    assert len(channel.sent) == 1
    assert (fact(ctx).status, fact(ctx).attempts, fact(ctx).failures) == (DeliveryStatus.ACCEPTED, 2, 1)


@pytest.mark.fault(4)
def test_a_worker_that_died_after_the_provider_took_the_message_costs_no_second_one(
    ctx: Context, channel: MemoryChannel
) -> None:
    with freeze_time(NINE):
        ready = claim(ctx, lease="gone", size=10).ready
        for one in ready:
            channel.send(one.message)

    for instant in minutes(0.25, 30):
        at(ctx, instant)

    assert len(channel.sent) == len(ready) == 1
    assert fact(ctx).status is DeliveryStatus.ACCEPTED


@pytest.mark.fault(3)
def test_a_worker_that_died_before_it_called_the_provider_loses_nothing(ctx: Context, channel: MemoryChannel) -> None:
    with freeze_time(NINE):
        assert len(claim(ctx, lease="gone", size=10).ready) == 1

    for instant in minutes(0.25, 30):
        at(ctx, instant)

    assert len(channel.sent) == 1
    assert (fact(ctx).status, fact(ctx).attempts) == (DeliveryStatus.ACCEPTED, 2)


@pytest.mark.fault(13)
def test_what_cannot_be_told_waits_for_a_person_after_so_many_looks_and_holds_up_nobody(
    ctx: Context, channel: MemoryChannel
) -> None:
    channel.fail_with, channel.fail_look_up = LOST, ChannelUnknownError("no clear answer")
    at(ctx, NINE)
    channel.fail_with = None
    for minute in range(5, 720, 5):
        at(ctx, NINE + timedelta(minutes=minute))

    row = fact(ctx)
    assert (row.status, row.look_at, row.looks) == (DeliveryStatus.UNKNOWN, None, len(WAITS))
    assert [task.kind for task in rows(ctx, Task)] == [TaskKind.PARKED]
    assert len(channel.sent) == 1  # the prompt of the afternoon went


@pytest.mark.fault(10)
def test_being_told_to_slow_down_is_no_look(ctx: Context, channel: MemoryChannel) -> None:
    channel.fail_with, channel.fail_look_up = LOST, ChannelThrottledError("too many")
    at(ctx, NINE)
    for instant in minutes(1, 300, every=2):
        at(ctx, instant)

    assert fact(ctx).looks == 0
    assert fact(ctx).look_at is not None


def test_a_stop_while_we_do_not_know_keeps_it_from_being_sent_again(ctx: Context, channel: MemoryChannel) -> None:
    channel.fail_with = LOST
    at(ctx, NINE)
    channel.fail_with = None
    change(ctx, Caregiver, 1, messaging=Messaging.STOPPED)

    for instant in minutes(0, 30):
        at(ctx, instant)

    assert channel.sent == []
    assert (fact(ctx).status, fact(ctx).reason) == (DeliveryStatus.CANCELLED, Reason.STOPPED)


@pytest.mark.fault(12)
def test_what_was_never_taken_and_is_past_its_window_is_not_sent(ctx: Context, channel: MemoryChannel) -> None:
    channel.fail_with = LOST
    at(ctx, utc("2026-03-08T20:59:40"))
    channel.fail_with = None

    for minute in range(30):
        at(ctx, utc("2026-03-08T21:00") + timedelta(minutes=minute))

    prompt = next(row for row in daily(ctx) if row.kind.value == "prompt")
    assert (prompt.status, prompt.reason) == (DeliveryStatus.EXPIRED, Reason.TOO_LATE)
    assert channel.sent == []


def test_two_messages_that_say_the_same_find_each_its_own(ctx: Context, channel: MemoryChannel) -> None:
    channel.fail_after = LOST
    at(ctx, NINE)
    at(ctx, utc("2026-03-08T17:00"))
    channel.fail_after = None
    first, second = daily(ctx)
    change(ctx, Delivery, second.id, text_sealed=first.text_sealed)
    taken = [one.provider_ref for one in channel.kept[-2:]]
    channel.kept[-1] = type(channel.kept[-1])(taken[1], channel.kept[-2].message, channel.kept[-2].at)
    change(ctx, Delivery, first.id, status=DeliveryStatus.UNKNOWN, looks=0, look_at=NINE, provider_ref=None)
    change(ctx, Attempt, rows(ctx, Attempt, delivery_id=first.id)[0].id, provider_ref=None)
    change(ctx, Attempt, rows(ctx, Attempt, delivery_id=second.id)[0].id, started_at=NINE)

    for instant in minutes(481, 490):
        at(ctx, instant)

    assert sorted(row.provider_ref or "" for row in daily(ctx)) == sorted(taken)


@pytest.mark.fault(21)
def test_a_receipt_that_comes_while_we_ask_counts(ctx: Context, channel: MemoryChannel) -> None:
    channel.fail_with = LOST
    at(ctx, NINE)
    row = fact(ctx)

    class Meanwhile(MemoryChannel):
        def look_up(self, *_: object) -> None:
            object.__setattr__(ctx, "channel", channel)
            channel.read_receipt = _read  # type: ignore[method-assign]
            receipts.told(ctx, row.id, {"MessageSid": "SM7", "MessageStatus": "delivered"})

    object.__setattr__(ctx, "channel", Meanwhile())
    with freeze_time(NINE + timedelta(minutes=5)):
        reconcile.ask_about_unknown(ctx)

    assert (fact(ctx).status, fact(ctx).provider_ref) == (DeliveryStatus.DELIVERED, "SM7")


@pytest.mark.fault(8)
def test_workers_that_ask_at_once_ask_once(ctx: Context, channel: MemoryChannel) -> None:
    with freeze_time("2026-03-07T18:00Z"):
        enrol_family(ctx, phone=JO, name="Jo")
    channel.fail_after = LOST
    at(ctx, NINE)
    channel.fail_after = None
    asked: list[int] = []
    look_up = channel.look_up

    def counted(message, taken=()):  # type: ignore[no-untyped-def]
        asked.append(message.delivery_id)
        return look_up(message, taken)

    channel.look_up = counted  # type: ignore[method-assign]
    with freeze_time(NINE + timedelta(minutes=1)):
        at_once(lambda: reconcile.ask_about_unknown(ctx), 4)

    assert len(asked) == len(set(asked)) > 0


@pytest.mark.fault(104)
def test_an_accepted_message_of_which_no_receipt_came_is_asked_about(ctx: Context, channel: MemoryChannel) -> None:
    channel.tells = True
    at(ctx, NINE)
    channel.told[channel.kept[-1].provider_ref] = (DeliveryStatus.DELIVERED, None)

    at(ctx, NINE + timedelta(minutes=59))
    assert fact(ctx).status is DeliveryStatus.ACCEPTED
    at(ctx, NINE + timedelta(minutes=61))

    assert (fact(ctx).status, fact(ctx).look_at) == (DeliveryStatus.DELIVERED, None)


@pytest.mark.fault(11)
def test_a_call_that_would_outlive_its_lease_is_not_begun(ctx: Context, channel: MemoryChannel) -> None:

    with freeze_time(NINE) as clock:
        taken = claim

        def slow(*args, **named):  # type: ignore[no-untyped-def]
            claimed = taken(*args, **named)
            clock.tick(ctx.lease_seconds)
            return claimed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(deliver, "claim", slow)
            outcomes = deliver.deliver_due(ctx, limit=1)

    assert channel.sent == []
    assert outcomes == {DeliveryStatus.PLANNED: 1}
    assert fact(ctx).failures == 0


@pytest.mark.parametrize("answer", [Answer.ABSENT, Answer.UNCLEAR])
def test_looking_ends(answer: Answer) -> None:
    steps = [step(answer, looks, sum(WAITS[:looks])) for looks in range(1, len(WAITS) + 1)]

    assert steps[-1] is (Step.SEND_AGAIN if answer is Answer.ABSENT else Step.PARK)
    assert steps[:2] == [Step.LOOK_AGAIN] * 2


def test_an_error_of_our_own_while_asking_is_no_answer(ctx: Context, channel: MemoryChannel) -> None:
    channel.fail_with = LOST
    at(ctx, NINE)
    channel.look_up = lambda *_: 1 / 0  # type: ignore[method-assign,assignment]

    at(ctx, NINE + timedelta(minutes=1))

    assert (fact(ctx).status, fact(ctx).looks) == (DeliveryStatus.UNKNOWN, 1)


def _read(form):  # type: ignore[no-untyped-def]
    from babymind.channels.base import Receipt

    return Receipt(form["MessageSid"], form["MessageStatus"], DeliveryStatus(form["MessageStatus"]), None)


def test_an_answer_that_says_it_was_not_taken_needs_no_asking(ctx: Context, channel: MemoryChannel) -> None:
    channel.fail_with = ChannelError("not now")
    at(ctx, NINE)

    assert (fact(ctx).status, fact(ctx).look_at) == (DeliveryStatus.PLANNED, None)


@pytest.mark.fault(62)
def test_leases_go_by_the_clock_of_the_database_not_of_a_machine_that_is_ahead(
    ctx: Context, channel: MemoryChannel
) -> None:
    if ctx.database.dialect.name != "postgresql":
        pytest.skip("SQLite has no clock of its own: all its processes are on one machine")
    object.__setattr__(ctx, "lease_now", database_now)
    with freeze_time(NINE):
        claim(ctx, lease="alive", size=10)

    with freeze_time(NINE + timedelta(hours=1)):
        deliver.sweep(ctx)

    assert (fact(ctx).status, fact(ctx).lease) == (DeliveryStatus.SENDING, "alive")
