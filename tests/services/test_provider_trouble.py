"""The provider is too busy, hangs, or has suspended us: nobody is failed for it, nobody waits for another family."""

import itertools
import threading
from collections import Counter
from datetime import datetime, timedelta

import pytest
from freezegun import freeze_time

from babymind.channels.base import OutgoingMessage
from babymind.channels.memory import MemoryChannel
from babymind.domain.contact import ChannelName
from babymind.domain.delivery import DeliveryStatus, Reason
from babymind.errors import ChannelConfigurationError, ChannelThrottledError
from babymind.services import deliver, plan
from babymind.services.context import Context
from babymind.store import senders
from babymind.store.deliveries import Delivery
from babymind.store.senders import Configured
from babymind.store.tasks import Task, TaskKind
from tests.factories import daily, enrol_family, rows, utc

NINE = utc("2026-03-08T09:00")
FAMILIES = 30


@pytest.fixture(autouse=True)
def families(ctx: Context, channel: MemoryChannel) -> None:
    """Families whose welcomes have gone, and whose facts are due at nine."""
    with freeze_time("2026-03-07T18:00Z"):
        for number in range(FAMILIES):
            enrol_family(ctx, phone=f"+4477009003{number:02d}")
        deliver.deliver_due(ctx)
    with freeze_time("2026-03-08T00:05Z"):
        plan.plan_due(ctx)
    channel.sent.clear()


def facts(ctx: Context) -> list[Delivery]:
    return [row for row in daily(ctx) if row.kind.value == "fact"]


def swap(ctx: Context, channel: MemoryChannel) -> None:
    """Have another provider, which goes on with the ids."""
    channel._numbers = itertools.count(1000)
    object.__setattr__(ctx, "channel", channel)


def at(ctx: Context, instant: datetime) -> None:
    with freeze_time(instant):
        deliver.sweep(ctx)
        deliver.deliver_due(ctx)


class Busy(MemoryChannel):
    """Says so often that it is too much."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.left, self.asked, self._counting = refusals, 0, threading.Lock()

    def send(self, message: OutgoingMessage) -> str:
        with self._counting:
            self.asked, self.left = self.asked + 1, self.left - 1
            refused = self.left >= 0
        if refused:
            raise ChannelThrottledError("too many", provider_code=20429)
        return super().send(message)


@pytest.mark.fault(10)
def test_after_a_burst_of_too_many_all_go_within_a_minute_and_none_has_failed(ctx: Context) -> None:
    busy = Busy(2 * FAMILIES)
    swap(ctx, busy)

    at(ctx, NINE)
    due = Counter(row.due_at for row in facts(ctx))
    for second in range(60):
        at(ctx, NINE + timedelta(seconds=second))

    assert len(due) > FAMILIES / 2  # they do not come back together
    assert len(busy.sent) == FAMILIES
    assert busy.asked == 3 * FAMILIES
    assert {(row.status, row.failures) for row in facts(ctx)} == {(DeliveryStatus.ACCEPTED, 0)}


@pytest.mark.fault(10)
def test_while_the_provider_is_too_busy_it_is_asked_less_and_less_often(ctx: Context) -> None:
    busy = Busy(10**6)
    swap(ctx, busy)

    asked = []
    for second in range(0, 240, 2):
        at(ctx, NINE + timedelta(seconds=second))
        asked.append(busy.asked)

    first, fourth = asked[29], asked[119] - asked[89]  # minute
    assert FAMILIES < fourth < first / 2
    assert {(row.status, row.failures) for row in facts(ctx)} == {(DeliveryStatus.PLANNED, 0)}


@pytest.mark.fault(11)
def test_while_one_message_hangs_at_the_provider_the_others_go(ctx: Context) -> None:
    hangs = facts(ctx)[0].id
    others_went = threading.Event()

    class Hanging(MemoryChannel):
        def send(self, message: OutgoingMessage) -> str:
            if message.delivery_id == hangs:
                assert others_went.wait(30)
            provider_ref = super().send(message)
            if len(self.sent) == FAMILIES - 1:
                others_went.set()
            return provider_ref

    hanging = Hanging()
    swap(ctx, hanging)

    at(ctx, NINE)

    assert hanging.sent[-1].delivery_id == hangs
    assert {row.status for row in facts(ctx)} == {DeliveryStatus.ACCEPTED}


@pytest.mark.fault(16)
def test_a_suspended_account_keeps_what_is_due_until_its_window_ends(ctx: Context, channel: MemoryChannel) -> None:
    with ctx.sessions.begin() as session:
        senders.settle(session, [Configured(channel=ChannelName.SMS, address="+447700900900")], NINE)
    channel.fail_with = ChannelConfigurationError("suspended", provider_code=20005)
    for minute in range(0, 60, 5):
        at(ctx, NINE + timedelta(minutes=minute, seconds=minute))
    assert {(row.status, row.failures) for row in facts(ctx)} == {(DeliveryStatus.PLANNED, 0)}
    at(ctx, utc("2026-03-08T21:00"))

    assert {(row.status, row.reason) for row in facts(ctx)} <= {
        (DeliveryStatus.EXPIRED, Reason.TOO_LATE), (DeliveryStatus.EXPIRED, Reason.SUPERSEDED),
    }  # fmt: skip
    assert [task.kind for task in rows(ctx, Task)] == [TaskKind.PROVIDER]
    channel.fail_with = None
    with freeze_time("2026-03-09T00:05Z"):
        plan.plan_due(ctx)
    at(ctx, utc("2026-03-09T09:01"))
    assert len(channel.sent) == FAMILIES  # of the new day only
