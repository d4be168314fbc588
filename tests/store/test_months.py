"""The ledger by month: a table for each on PostgreSQL, one for all on SQLite, and the same promises on both."""

import threading
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time
from sqlalchemy import delete, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from babymind.channels.memory import MemoryChannel
from babymind.clock import clock_at
from babymind.domain.delivery import Kind
from babymind.library.bank import Library
from babymind.services import content, deliver, enrol, plan
from babymind.services.context import Context
from babymind.store import deliveries, months, schema
from babymind.store.base import make_engine
from babymind.store.deliveries import Attempt, Delivery, Receipt
from babymind.store.families import Caregiver
from tests.conftest import context_of, drop_postgres, fresh_postgres
from tests.factories import at_once, change, daily, enrol_family, rows, utc

NOW = "2026-03-08T09:30Z"
MONTHS_AHEAD = date(2026, 11, 15)
MARCH, APRIL = date(2026, 3, 20), date(2026, 4, 20)


@pytest.fixture
def by_month(postgres: str, channel: MemoryChannel, library: Library, tmp_path: Path) -> Iterator[Context]:
    """An installation on PostgreSQL: what has no counterpart on SQLite."""
    address = fresh_postgres(postgres)
    engine = make_engine(address)
    ctx = context_of(engine, channel, library, tmp_path)
    yield ctx
    ctx.senders.shutdown()
    engine.dispose()
    drop_postgres(postgres, address)


def tables(ctx: Context) -> list[str]:
    """The months that the ledger has."""
    with ctx.readers.begin() as session:
        parts = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'delivery'::regclass ORDER BY 1"
        return list(session.scalars(text(parts)))


def welcome(caregiver_id: int, day: date, occasion: str = "welcome:again") -> Delivery:
    """A message of a day with an occasion."""
    noon = utc(f"{day}T12:00")
    return deliveries.new_delivery(caregiver_id, Kind.WELCOME, occasion, local_day=day, due_at=noon,
                                   window_ends_at=noon + timedelta(hours=8), text_sealed="x")  # fmt: skip


def a_delivery(ctx: Context) -> Delivery:
    """The welcome of a family."""
    enrol_family(ctx)
    return rows(ctx, Delivery, kind=Kind.WELCOME)[0]


def run_alone(ctx: Context, statement: str) -> None:
    """Run what must not be part of a transaction."""
    with ctx.database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(statement)


@pytest.mark.fault(119)
@freeze_time(NOW)
def test_a_day_months_ahead_is_planned_and_written_to_like_any_other(ctx: Context) -> None:
    enrol_family(ctx)
    caregiver_id = rows(ctx, Caregiver)[0].id

    planned = plan.plan_zone(ctx, "Europe/London", MONTHS_AHEAD)
    with ctx.sessions.begin() as session:
        added = deliveries.add(session, welcome(caregiver_id, MONTHS_AHEAD + timedelta(days=60)))

    assert planned.total() == 2
    assert [row.kind for row in daily(ctx) if row.local_day == MONTHS_AHEAD] == [Kind.FACT, Kind.PROMPT]
    assert rows(ctx, Delivery, id=added)[0].local_day == MONTHS_AHEAD + timedelta(days=60)


@freeze_time(NOW)
def test_what_is_undone_leaves_no_month_behind_that_is_thought_to_be_there(ctx: Context) -> None:
    enrol_family(ctx)
    caregiver_id = rows(ctx, Caregiver)[0].id
    with ctx.sessions.begin() as session:
        deliveries.add(session, welcome(caregiver_id, MONTHS_AHEAD))
        session.rollback()

    with ctx.sessions.begin() as session:
        assert deliveries.add(session, welcome(caregiver_id, MONTHS_AHEAD))


@pytest.mark.fault(119)
@freeze_time("2026-12-31T23:30Z")
def test_the_tick_makes_this_month_and_the_next_three_once(by_month: Context) -> None:
    before = tables(by_month)

    made = [plan.make_months(by_month.sessions) for _ in range(2)]

    assert made == [4, 0]
    assert sorted({*tables(by_month)} - {*before}) == [
        "delivery_2026_12", "delivery_2027_01", "delivery_2027_02", "delivery_2027_03",
    ]  # fmt: skip


@freeze_time("2026-12-31T23:30Z")
def test_with_one_table_the_tick_has_nothing_to_make(ctx: Context) -> None:
    made = plan.make_months(ctx.sessions)

    assert made == (0 if ctx.database.dialect.name == "sqlite" else 4)
    assert schema.differences(ctx.database) == []


@freeze_time("2027-06-15T12:00Z")
def test_two_ticks_at_the_same_moment_make_each_month_once(by_month: Context) -> None:
    made = at_once(lambda: plan.make_months(by_month.sessions), 4)

    assert sum(made) == 4
    assert [name for name in tables(by_month) if "2027" in name] == [
        "delivery_2027_06", "delivery_2027_07", "delivery_2027_08", "delivery_2027_09",
    ]  # fmt: skip


def test_a_month_is_made_while_a_day_is_being_planned_and_the_ledger_read(by_month: Context) -> None:
    with clock_at(utc("2026-03-08T09:30")):  # and not freezegun, which stops the watch as well
        caregiver_id = a_delivery(by_month).caregiver_id
    began = time.monotonic()
    with by_month.sessions.begin() as planning, by_month.readers.begin() as reading:
        deliveries.add(planning, welcome(caregiver_id, MARCH))
        reading.scalars(select(Delivery).with_for_update(skip_locked=True)).all()

        with clock_at(utc("2027-06-15T12:00")):
            made = plan.make_months(by_month.sessions)

    assert made == 4
    assert time.monotonic() - began < 2


def test_a_month_that_cannot_be_made_at_once_is_left_for_the_next_tick(by_month: Context) -> None:
    with by_month.sessions.begin() as changing:
        changing.execute(update(Caregiver).values(wants_facts=False))  # and goes on for a while
        began = time.monotonic()
        with pytest.raises(OperationalError, match="lock timeout"), by_month.sessions.begin() as session:
            months.have(session, [MONTHS_AHEAD])
        waited = time.monotonic() - began
    before = tables(by_month)

    with by_month.sessions.begin() as session:
        made = months.have(session, [MONTHS_AHEAD])

    assert waited < 4
    assert "delivery_2026_11" not in before
    assert made == 1


@freeze_time(NOW)
def test_an_occasion_comes_once_whatever_the_month(ctx: Context) -> None:
    caregiver_id = a_delivery(ctx).caregiver_id

    with ctx.sessions.begin() as session:
        first = deliveries.add(session, welcome(caregiver_id, MARCH))
    with ctx.sessions.begin() as session:
        again = deliveries.add(session, welcome(caregiver_id, APRIL))
        deliveries.add_many(session, [welcome(caregiver_id, day) for day in (MARCH, APRIL, MONTHS_AHEAD)])

    assert first is not None
    assert again is None
    assert [row.id for row in rows(ctx, Delivery, occasion="welcome:again")] == [first]


@freeze_time(NOW)
def test_an_occasion_comes_once_when_written_for_four_months_at_the_same_moment(ctx: Context) -> None:
    caregiver_id = a_delivery(ctx).caregiver_id
    days = [MARCH, APRIL, date(2026, 5, 20), date(2026, 6, 20)]
    with ctx.sessions.begin() as session:
        months.have(session, days)
    todo = iter(days)

    def one() -> int | None:
        with ctx.sessions.begin() as session:
            return deliveries.add(session, welcome(caregiver_id, next(todo)))

    added = at_once(one, 4)

    assert sorted(number is None for number in added) == [False, True, True, True]
    assert len(rows(ctx, Delivery, occasion="welcome:again")) == 1


@freeze_time(NOW)
def test_an_occasion_whose_transaction_was_undone_is_still_to_come(ctx: Context) -> None:
    caregiver_id = a_delivery(ctx).caregiver_id
    with ctx.sessions.begin() as session:
        deliveries.add(session, welcome(caregiver_id, MARCH))
        session.rollback()

    with ctx.sessions.begin() as session:
        added = deliveries.add(session, welcome(caregiver_id, APRIL))

    assert added is not None


@freeze_time(NOW)
def test_a_delivery_that_is_taken_away_gives_its_occasion_free(ctx: Context) -> None:
    caregiver_id = a_delivery(ctx).caregiver_id
    with ctx.sessions.begin() as session:
        deliveries.add(session, welcome(caregiver_id, MARCH))
    with ctx.sessions.begin() as session:
        session.execute(delete(Delivery).where(Delivery.occasion == "welcome:again"))

    with ctx.sessions.begin() as session:
        assert deliveries.add(session, welcome(caregiver_id, APRIL)) is not None


@freeze_time(NOW)
def test_a_message_of_the_provider_belongs_to_one_delivery(ctx: Context) -> None:
    first = a_delivery(ctx)
    other = daily(ctx)[0]
    change(ctx, Delivery, first.id, provider_ref="SM1")

    with pytest.raises(IntegrityError):
        change(ctx, Delivery, other.id, provider_ref="SM1")


REFERRING: dict[str, tuple[Any, dict[str, Any]]] = {
    "attempt": (Attempt, {"number": 1, "started_at": utc("2026-03-08T09:30")}),
    "receipt": (Receipt, {"provider_ref": "SM1", "told": "sent", "received_at": utc("2026-03-08T09:30"),
                          "applied": True}),
}  # fmt: skip


@freeze_time(NOW)
@pytest.mark.parametrize("name", REFERRING)
def test_nothing_refers_to_a_delivery_that_is_not_there(ctx: Context, name: str) -> None:
    table, values = REFERRING[name]
    there = a_delivery(ctx).id
    with ctx.sessions.begin() as session:
        session.execute(insert(table).values(delivery_id=there, **values))

    with pytest.raises(IntegrityError), ctx.sessions.begin() as session:
        session.execute(insert(table).values(delivery_id=there + 999, **(values | {"number": 2} if "number" in values
                                                                         else values)))  # fmt: skip
    with pytest.raises(IntegrityError), ctx.sessions.begin() as session:
        session.execute(update(table).values(delivery_id=there + 999))
    with pytest.raises(IntegrityError), ctx.sessions.begin() as session:
        session.execute(delete(Delivery).where(Delivery.id == there))


def test_every_table_that_refers_to_deliveries_is_watched(by_month: Context) -> None:
    watched = {
        table.name
        for table in schema.METADATA.tables.values()
        if any(key.target_fullname == "delivery.id" for key in table.foreign_keys)
    }
    with by_month.readers.begin() as session:
        guarded = set(session.scalars(text(
            "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgfoid = 'delivery_exist'::regproc"
        )))  # fmt: skip
        refuses = session.scalar(text("SELECT prosrc FROM pg_proc WHERE proname = 'delivery_go'"))

    assert watched >= {"attempt", "receipt", "reply", "comment"}
    assert guarded == watched
    assert all(f"FROM {name} WHERE" in refuses for name in watched)


@freeze_time(NOW)
def test_a_delivery_cannot_go_while_an_attempt_at_it_is_being_written(by_month: Context) -> None:
    there = a_delivery(by_month).id
    table, values = REFERRING["attempt"]
    refused: list[bool] = []

    def take_away() -> None:
        try:
            with by_month.sessions.begin() as session:
                session.execute(delete(Delivery).where(Delivery.id == there))
            refused.append(False)
        except IntegrityError:
            refused.append(True)

    with by_month.sessions.begin() as session:
        session.execute(insert(table).values(delivery_id=there, **values))
        other = threading.Thread(target=take_away)
        other.start()
        time.sleep(0.3)
        assert not refused  # it waits
    other.join(10)

    assert refused == [True]
    assert rows(by_month, Delivery, id=there)


@freeze_time(NOW)
@pytest.mark.parametrize("values", [{"local_day": APRIL}, {"occasion": "other:1"}, {"id": 999}], ids=str)
def test_a_deliverys_day_and_occasion_never_change(by_month: Context, values: dict[str, Any]) -> None:
    there = a_delivery(by_month).id
    with by_month.sessions.begin() as session:
        months.have(session, [APRIL])

    with pytest.raises(DBAPIError, match="never change"), by_month.sessions.begin() as session:
        session.execute(update(Delivery).where(Delivery.id == there).values(**values))


@freeze_time(NOW)
def test_an_old_month_can_be_taken_off_and_put_back(by_month: Context) -> None:
    old = a_delivery(by_month)
    caregiver_id = old.caregiver_id
    deliver.deliver_due(by_month)
    with by_month.sessions.begin() as session:
        deliveries.add(session, welcome(caregiver_id, APRIL))

    run_alone(by_month, "ALTER TABLE delivery DETACH PARTITION delivery_2026_03 CONCURRENTLY")

    assert [row.local_day for row in rows(by_month, Delivery)] == [APRIL]
    with by_month.sessions.begin() as session:  # its occasions stay taken
        assert deliveries.add(session, welcome(caregiver_id, APRIL, occasion=str(old.occasion))) is None
    with pytest.raises(DBAPIError, match="has been detached"), by_month.sessions.begin() as session:
        deliveries.add(session, welcome(caregiver_id, MARCH, occasion="welcome:more"))

    run_alone(by_month, "ALTER TABLE delivery ATTACH PARTITION delivery_2026_03 "
                        "FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')")  # fmt: skip

    assert rows(by_month, Delivery, id=old.id)[0].text_sealed
    assert {row.delivery_id for row in rows(by_month, Attempt)} >= {old.id}


def test_rows_survive_the_way_to_months_and_back(empty_url: str, library: Library, tmp_path: Path) -> None:
    engine = make_engine(empty_url)
    schema.upgrade(engine)
    ctx = context_of(engine, MemoryChannel(), library, tmp_path)
    with freeze_time(NOW):
        content.load(ctx)
        enrol.add_study(ctx, "demo")
        enrol_family(ctx)
        deliver.deliver_due(ctx)
        plan.plan_zone(ctx, "Europe/London", MONTHS_AHEAD)
    before = everything(ctx)

    schema.downgrade(engine, "0004")
    there = everything(ctx)
    with pytest.raises(IntegrityError), ctx.sessions.begin() as session:
        _attempt_at_nothing(session)
    unique = {one["name"] for one in inspect(engine).get_indexes("delivery") if one["unique"]}
    schema.upgrade(engine)

    assert before == there == everything(ctx)
    assert {"uq_delivery_occasion", "uq_delivery_provider_ref"} <= unique
    assert schema.differences(engine) == []
    with pytest.raises(IntegrityError), ctx.sessions.begin() as session:
        _attempt_at_nothing(session)
    with ctx.sessions.begin() as session:  # ids go on where they were
        added = deliveries.add(session, welcome(rows(ctx, Caregiver)[0].id, APRIL))
        assert deliveries.add(session, welcome(rows(ctx, Caregiver)[0].id, APRIL, f"welcome:{1}")) is None
    assert added is not None
    assert added > max(row["id"] for row in before)
    ctx.senders.shutdown()
    engine.dispose()


def _attempt_at_nothing(session: Session) -> None:
    session.execute(insert(Attempt).values(delivery_id=999_999, number=1, started_at=utc("2026-03-08T09:30")))


def everything(ctx: Context) -> list[dict[str, Any]]:
    """Every delivery as it stands in the database."""
    with ctx.readers.begin() as session:
        return [dict(row._mapping) for row in session.execute(select(Delivery.__table__).order_by(Delivery.id))]
