"""Senders: those of the settings, the same for a family always, each at its own rate in all processes together."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import Engine, event, insert, select

from babymind.domain.contact import ChannelName
from babymind.services.context import Context
from babymind.store import senders
from babymind.store.families import Address
from babymind.store.senders import Configured, Sender
from tests.factories import JO, SAM, change, enrol_family, rows

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
ONE, OTHER, THIRD = "+447700900991", "+447700900992", "+447700900993"
SERVICE = "MG" + "b" * 32


def named(*addresses: str, channel: ChannelName = ChannelName.SMS, rate: int | None = None) -> list[Configured]:
    return [Configured(channel=channel, address=one, segments_per_second=rate) for one in addresses]


def settle(ctx: Context, *configured: Configured, now: datetime = NOW) -> None:
    with ctx.sessions.begin() as session:
        senders.settle(session, configured, now)


def choose(ctx: Context, *address_ids: int) -> dict[int, str]:
    with ctx.sessions.begin() as session:
        return {address_id: one.address for address_id, one in senders.choose(session, address_ids).items()}


def reserve(
    ctx: Context, segments: list[int], *, sender_id: int = 1, now: datetime = NOW, horizon: float = 1
) -> list[datetime]:
    with ctx.sessions.begin() as session:
        return senders.reserve(session, sender_id, segments, now, horizon)


@contextmanager
def statements(database: Engine) -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    asked: list[str] = []

    def keep(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(database, "before_cursor_execute", keep)
    try:
        yield asked
    finally:
        event.remove(database, "before_cursor_execute", keep)


# Those of the settings


def test_a_start_writes_the_senders_of_the_settings_and_the_next_one_nothing(ctx: Context) -> None:
    wanted = [*named(ONE, OTHER, rate=10), *named(ONE, channel=ChannelName.WHATSAPP, rate=10)]

    settle(ctx, *wanted)

    with ctx.readers.begin() as session:
        assert senders.settled(session, wanted)
        assert [(one.channel, one.address, one.segments_per_second) for one in senders.live(session)] == [
            (ChannelName.SMS, ONE, 10), (ChannelName.SMS, OTHER, 10), (ChannelName.WHATSAPP, ONE, 10),
        ]  # fmt: skip
        assert not senders.settled(session, named(ONE, OTHER, rate=10))
        assert not senders.settled(session, [*named(ONE, OTHER, rate=20), wanted[-1]])


def test_what_is_gone_is_retired_and_what_comes_back_is_the_same_as_before(ctx: Context) -> None:
    settle(ctx, *named(ONE, OTHER, rate=10))
    with ctx.sessions.begin() as session:
        senders.stop(session, 2, NOW + timedelta(days=1), 21606)

    settle(ctx, *named(ONE, rate=10))
    gone = rows(ctx, Sender)[1]
    settle(ctx, *named(ONE, OTHER, rate=30), now=NOW + timedelta(hours=1))

    assert gone.retired_at == NOW
    first, second = rows(ctx, Sender)
    assert (second.id, second.retired_at, second.stopped_until, second.segments_per_second) == (2, None, None, 30)
    assert first.segments_per_second == 30


def test_many_processes_that_start_at_once_make_each_sender_once(ctx: Context) -> None:
    start = threading.Barrier(6)

    def begin() -> None:
        start.wait()
        settle(ctx, *named(ONE, OTHER, SERVICE))

    with ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(begin) for _ in range(6)]:
            future.result()

    assert sorted(one.address for one in rows(ctx, Sender)) == sorted([ONE, OTHER, SERVICE])


# Always the same one


def addresses(ctx: Context, count: int, channel: ChannelName = ChannelName.SMS) -> list[int]:
    """So many addresses of one caregiver more; only their ids matter here."""
    caregiver_id = enrol_family(ctx).caregivers[0][0]
    with ctx.sessions.begin() as session:
        session.execute(
            insert(Address),
            [{"caregiver_id": caregiver_id, "channel": channel, "value_sealed": "x", "look_up": f"{channel} {n}",
              "opened_at": NOW, "shared": False} for n in range(count)],
        )  # fmt: skip
        return list(session.scalars(select(Address.id).where(Address.value_sealed == "x").order_by(Address.id)))


def test_a_family_is_always_written_to_from_the_same_number(ctx: Context) -> None:
    settle(ctx, *named(ONE, OTHER))
    ids = addresses(ctx, 40)

    first = choose(ctx, *ids)
    settle(ctx, *named(ONE, OTHER, THIRD))

    assert choose(ctx, *ids) == choose(ctx, *ids[::-1]) == first
    assert set(first.values()) == {ONE, OTHER}


def test_when_a_number_is_given_up_only_its_families_get_another_one_and_keep_that(ctx: Context) -> None:
    settle(ctx, *named(ONE, OTHER, THIRD))
    ids = addresses(ctx, 60)
    before = choose(ctx, *ids)

    settle(ctx, *named(ONE, THIRD))
    meanwhile = choose(ctx, *ids)
    settle(ctx, *named(ONE, OTHER, THIRD))

    assert {one: number for one, number in meanwhile.items() if before[one] != OTHER} == {
        one: number for one, number in before.items() if number != OTHER
    }
    assert {meanwhile[one] for one, number in before.items() if number == OTHER} == {ONE, THIRD}
    assert choose(ctx, *ids) == meanwhile


def test_the_numbers_of_a_pool_get_about_as_many_families_each(ctx: Context) -> None:
    pool = [f"+44770090099{n}" for n in range(4)]
    settle(ctx, *named(*pool))

    every_other = addresses(ctx, 2000)[::2]  # as when each caregiver has two addresses
    counts = Counter(choose(ctx, *every_other).values())

    assert set(counts) == set(pool)
    assert max(counts.values()) < 1.25 * min(counts.values())


def test_each_channel_has_its_own_senders_and_one_without_any_is_left_out(ctx: Context) -> None:
    settle(ctx, *named(SERVICE), *named(ONE, channel=ChannelName.WHATSAPP))
    (by_text,) = addresses(ctx, 1)
    with ctx.sessions.begin() as session:
        session.add(Address(caregiver_id=1, channel=ChannelName.WHATSAPP, value_sealed="y", look_up="y",
                            opened_at=NOW))  # fmt: skip
        session.add(Address(caregiver_id=1, channel=ChannelName.APP, value_sealed="z", look_up="z", opened_at=NOW))
    by_whatsapp, by_app = (one.id for one in rows(ctx, Address)[-2:])

    assert choose(ctx, by_text, by_whatsapp, by_app) == {by_text: SERVICE, by_whatsapp: ONE}
    settle(ctx, *named(SERVICE))
    assert choose(ctx, by_text, by_whatsapp) == {by_text: SERVICE}
    assert choose(ctx) == {}


def test_choosing_asks_as_much_of_the_database_for_hundreds_as_for_one(ctx: Context, database: Engine) -> None:
    settle(ctx, *named(ONE, OTHER))
    ids = addresses(ctx, 301)

    with statements(database) as for_one:
        choose(ctx, ids[0])
    with statements(database) as for_many:
        choose(ctx, *ids[1:])
    with statements(database) as again:
        choose(ctx, *ids)

    assert len(for_many) <= len(for_one)
    assert not any("UPDATE" in statement for statement in again)


def test_whoever_changes_an_address_holds_up_no_claim(ctx: Context) -> None:
    settle(ctx, *named(ONE))
    first, second = addresses(ctx, 2)
    if ctx.database.dialect.name == "sqlite":
        pytest.skip("on SQLite a claim waits for every writer, and there is only one at a time")

    with ThreadPoolExecutor(1) as pool, ctx.sessions.begin() as session:
        session.get_one(Address, first).closed_at = NOW
        session.flush()
        assert pool.submit(choose, ctx, first, second).result(5) == {first: ONE, second: ONE}

    assert {row.id: row.sender_id for row in rows(ctx, Address, value_sealed="x")} == {first: None, second: 1}


# As fast as it may


@freeze_time(NOW)
def test_messages_get_their_instants_and_the_next_claim_goes_on_where_this_one_ended(ctx: Context) -> None:
    settle(ctx, *named(ONE, rate=10))

    first = reserve(ctx, [1] * 30)
    second = reserve(ctx, [1] * 30)
    third = reserve(ctx, [2] * 3, now=NOW + timedelta(seconds=1))

    assert len(first) == 10
    assert first[0] == NOW
    assert second == []
    assert first[-1] + timedelta(seconds=0.1) <= third[0] <= NOW + timedelta(seconds=1.1)
    assert third[1] - third[0] >= timedelta(seconds=0.2)


@freeze_time(NOW)
def test_without_a_rate_all_may_go_at_once_and_nothing_is_written_or_locked(ctx: Context, database: Engine) -> None:
    settle(ctx, *named(ONE))

    with statements(database) as asked:
        assert reserve(ctx, [1, 2, 3]) == [NOW] * 3

    assert not any("UPDATE" in statement for statement in asked)
    assert rows(ctx, Sender)[0].next_at is None


@freeze_time(NOW)
def test_several_senders_each_have_their_own_time_and_are_asked_for_together(ctx: Context, database: Engine) -> None:
    settle(ctx, *named(ONE, OTHER, rate=10), *named(SERVICE))

    with statements(database) as asked, ctx.sessions.begin() as session:
        given = senders.reserve_each(session, {3: [1], 2: [1] * 20, 1: [5], 99: [1]}, NOW, 1)

    assert {sender_id: len(instants) for sender_id, instants in given.items()} == {1: 1, 2: 10, 3: 1, 99: 0}
    assert len([statement for statement in asked if "sender" in statement]) <= 3


@freeze_time(NOW)
def test_a_stopped_sender_gives_nothing_until_it_may_try_again_or_is_resumed(ctx: Context) -> None:
    settle(ctx, *named(ONE, rate=10), *named(OTHER))
    later = NOW + timedelta(minutes=5)

    with ctx.sessions.begin() as session:
        for sender_id in (1, 2):
            senders.stop(session, sender_id, later, 20003)

    assert reserve(ctx, [1], sender_id=1) == reserve(ctx, [1], sender_id=2) == []
    assert reserve(ctx, [1], sender_id=2, now=later) == [later]
    with ctx.sessions.begin() as session:
        assert senders.busy_until(session, NOW, 1) == {1: later, 2: later}
        assert senders.resume(session, [1, 2]) == [1, 2]
        assert senders.resume(session, [1, 2]) == []
    assert reserve(ctx, [1], sender_id=1) == reserve(ctx, [1], sender_id=2) == [NOW]


@pytest.mark.parametrize("code", [20003, None])
def test_what_is_wrong_with_a_sender_is_told_once_however_many_find_out(ctx: Context, code: int | None) -> None:
    settle(ctx, *named(ONE))

    def stopped(code: int | None, minutes: int) -> bool:
        with ctx.sessions.begin() as session:
            return senders.stop(session, 1, NOW + timedelta(minutes=minutes), code)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(lambda _: stopped(code, 5), range(8))) == [False] * 7 + [True]
    assert not stopped(code, 10)  # tried again, and it is still so
    assert rows(ctx, Sender)[0].stopped_until == NOW + timedelta(minutes=10)
    assert stopped(30002, 10)  # something else
    with ctx.sessions.begin() as session:
        senders.resume(session, [1])
    assert stopped(code, 15)


def test_a_retired_sender_gives_nothing(ctx: Context) -> None:
    settle(ctx, *named(ONE, rate=10))
    settle(ctx)

    assert reserve(ctx, [1]) == []


@freeze_time(NOW)
def test_whoever_has_time_to_give_is_told_from_whoever_has_not(ctx: Context) -> None:
    settle(ctx, *named(ONE, OTHER, rate=10), *named(SERVICE))
    reserve(ctx, [1] * 30)

    with ctx.sessions.begin() as session:
        busy = senders.busy_until(session, NOW, 1)

    assert set(busy) == {1}
    assert NOW <= busy[1] <= NOW + timedelta(seconds=0.2)


def test_a_row_that_names_a_sender_does_not_wait_for_a_claim(ctx: Context) -> None:
    settle(ctx, *named(ONE, rate=10))
    (address_id,) = addresses(ctx, 1)
    if ctx.database.dialect.name == "sqlite":
        pytest.skip("on SQLite there is one writer at a time")

    with ThreadPoolExecutor(1) as pool, ctx.sessions.begin() as session:
        assert senders.reserve(session, 1, [1], NOW, 1)
        pool.submit(change, ctx, Address, address_id, sender_id=1).result(5)


@pytest.mark.fault(103)
@pytest.mark.parametrize("sizes", [(1,), (1, 2)])
def test_four_at_once_keep_to_the_rate_together_and_use_nearly_all_of_it(
    ctx: Context, sizes: tuple[int, ...]
) -> None:
    rate, seconds, horizon = 200, 3.0, 2.0  # a machine that stands still for a moment loses no time of the sender
    settle(ctx, *named(ONE, rate=rate))
    start, given = threading.Barrier(4), list[tuple[datetime, int]]()

    def work(number: int) -> list[tuple[datetime, int]]:
        mine: list[tuple[datetime, int]] = []
        start.wait()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            batch = [sizes[(number + n) % len(sizes)] for n in range(25)]
            mine += zip(reserve(ctx, batch, now=datetime.now(UTC), horizon=horizon), batch, strict=False)
        return mine

    with ThreadPoolExecutor(4) as pool:
        for part in pool.map(work, range(4)):
            given += part
    given.sort()

    for first, _ in given:
        second = sum(n for at, n in given if first <= at < first + timedelta(seconds=1))
        assert second < rate + max(sizes)
    whole = sum(n for at, n in given if at < given[0][0] + timedelta(seconds=seconds))
    assert 0.97 * rate * seconds <= whole <= rate * seconds + max(sizes)


def test_whoever_waited_for_a_sender_gets_no_instant_that_lies_behind(ctx: Context) -> None:
    settle(ctx, *named(ONE, rate=10))
    if ctx.database.dialect.name == "sqlite":
        pytest.skip("on SQLite the wait is over before the transaction begins")
    locked, waited = threading.Event(), 0.5

    def hold() -> None:
        with ctx.sessions.begin() as session:
            session.get_one(Sender, 1, with_for_update=True)
            locked.set()
            time.sleep(waited)

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        assert locked.wait(5)
        now = datetime.now(UTC)
        instants = reserve(ctx, [1, 1], now=now)
        held.result()

    assert instants[0] >= now + timedelta(seconds=waited - 0.1)


def test_two_claims_that_ask_for_the_same_senders_in_another_order_both_end(ctx: Context) -> None:
    settle(ctx, *named(ONE, OTHER, rate=5000))
    start = threading.Barrier(2)

    def work(order: list[int]) -> int:
        start.wait()
        for _ in range(30):
            with ctx.sessions.begin() as session:
                senders.reserve_each(session, {sender_id: [1] for sender_id in order}, datetime.now(UTC), 1)
        return 30

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(work, [[1, 2], [2, 1]])) == 60


def test_each_caregiver_of_a_family_may_have_another_sender_but_keeps_it(ctx: Context) -> None:
    settle(ctx, *named(ONE, OTHER))
    enrol_family(ctx, phone=SAM)
    enrol_family(ctx, phone=JO, name="Jo")
    ids = [row.id for row in rows(ctx, Address)]

    first = choose(ctx, *ids)

    assert set(first) == set(ids)
    assert [choose(ctx, one) for one in ids] == [{one: first[one]} for one in ids]
