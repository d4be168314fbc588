"""Somebody sets the clock of the machine, by an hour, a day or half a century: nothing comes twice or in a burst."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time

from babymind.channels.memory import MemoryChannel
from babymind.domain.delivery import DeliveryStatus
from babymind.services import deliver, health, plan, reconcile
from babymind.services.claim import claim
from babymind.services.context import Context
from babymind.worker import Clock
from tests.factories import JO, SAM, daily, enrol_family, utc
from tests.services.living import Living, Phones

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOUGHT = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.fault(62)
@pytest.mark.parametrize("jump", [HOUR, -HOUR, DAY, -DAY, NOUGHT], ids=str)
def test_a_clock_that_jumps_and_comes_back_doubles_nothing_and_makes_no_burst(
    living: Living, ctx: Context, channel: Phones, jump: timedelta | datetime
) -> None:
    enrol_family(ctx)
    enrol_family(ctx, phone=JO, zone="America/New_York", fact_time="10:00")
    for instant in ("2026-03-02T15:00", "2026-03-03T08:00"):
        living.at(instant)
    went = {row.id for row in daily(ctx) if row.provider_ref}
    channel.clear()
    most_at_once = 0

    def at(instant: datetime) -> None:
        nonlocal most_at_once
        before = Counter(one.to for one in channel.came)
        living.at(instant)
        deliver.sweep(ctx)
        reconcile.ask_about_unknown(ctx)
        most_at_once = max([most_at_once, *(Counter(one.to for one in channel.came) - before).values()])

    for right in (utc("2026-03-03T08:59") + timedelta(minutes=30 * step) for step in range(30)):
        at(right)
        if right.minute == 29:
            at(right + jump if isinstance(jump, timedelta) else jump)
            at(right + timedelta(minutes=1))

    assert most_at_once <= 1
    assert len(channel.came) == len({row.id for row in daily(ctx) if row.provider_ref} - went) >= 2
    per_phone = Counter((one.to, one.text) for one in channel.came)
    assert set(per_phone.values()) == {1}
    of_the_day = [row for row in daily(ctx) if row.local_day == utc("2026-03-03T00:00").date()]
    assert len(of_the_day) == 4  # each slot has its row, and one outcome
    assert not [row for row in of_the_day if row.status in (DeliveryStatus.SENDING, DeliveryStatus.UNKNOWN)]


@pytest.mark.fault(62)
def test_a_clock_set_forward_while_the_provider_has_a_message_sends_no_second_one(
    ctx: Context, channel: MemoryChannel
) -> None:
    """Where leases go by the clock of the machine, its worker is taken for gone, and the provider is asked first."""
    with freeze_time("2026-03-07T18:00Z"):
        enrol_family(ctx)
        deliver.deliver_due(ctx)
    with freeze_time("2026-03-08T00:05Z"):
        plan.plan_due(ctx)
    channel.sent.clear()
    with freeze_time("2026-03-08T09:00Z"):
        [one] = claim(ctx, lease="alive", size=10).ready

    with freeze_time("2026-03-08T10:00Z") as clock:
        deliver.sweep(ctx)
        reconcile.ask_about_unknown(ctx)  # and it is not there yet
        clock.tick(1)
        channel.send(one.message)  # now it is
        for _ in range(40):
            clock.tick(15)
            deliver.sweep(ctx)
            reconcile.ask_about_unknown(ctx)
            deliver.deliver_due(ctx)

    assert [message.to for message in channel.sent] == [SAM]
    fact = next(row for row in daily(ctx) if row.kind.value == "fact")
    assert fact.status is DeliveryStatus.ACCEPTED


@pytest.mark.fault(62)
def test_ticks_go_on_when_the_clock_is_set_back_or_starts_at_nought() -> None:
    ticks: list[datetime] = []
    clock = Clock(timezone="UTC", job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1})
    with freeze_time("1970-01-01T00:00:10Z", tick=True) as frozen:
        clock.add_job(lambda: ticks.append(datetime.now(UTC)), "interval", seconds=0.2)
        clock.start()
        try:
            for instant in ("1970-01-01T00:00:20Z", "2026-03-08T09:00Z", "2026-03-08T08:00Z", "2026-03-09T08:00Z"):
                frozen.move_to(instant)
                before = len(ticks)
                until_there_are(ticks, before + 3)
                assert len(ticks) < before + 12  # one for all that were missed
        finally:
            clock.shutdown()


@pytest.mark.fault(62)
def test_a_clock_that_was_set_back_is_not_taken_for_one_that_stands_still(ctx: Context) -> None:
    for instant in ("2026-03-08T09:00Z", "2026-03-08T08:00Z"):
        with freeze_time(instant):
            for name in ("look", "plan"):
                health.ticked(ctx, name)

    with freeze_time("2026-03-08T08:04Z"):
        assert health.state(ctx).reasons == []
    with freeze_time("2026-03-08T08:20Z"):
        assert len(health.state(ctx).reasons) == 2


def until_there_are(ticks: list[datetime], so_many: int) -> None:
    """Wait for ticks, by a clock that nobody sets."""
    for _ in range(500):
        if len(ticks) >= so_many:
            return
        time.sleep(0.02)
    raise AssertionError("the clock stands still")
