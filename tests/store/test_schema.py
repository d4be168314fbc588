"""The tables: made by the migrations alone, the same on both databases, up, down and up again over rows."""

from datetime import datetime
from pathlib import Path

import pytest
from freezegun import freeze_time
from sqlalchemy import Engine, insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from babymind.channels.memory import MemoryChannel
from babymind.domain.delivery import Messaging
from babymind.errors import ConfigurationError
from babymind.library.bank import Library
from babymind.services import content, deliver, enrol
from babymind.services.context import Context
from babymind.store import schema
from babymind.store.base import Base, make_engine
from babymind.store.families import Caregiver, Family
from babymind.store.staff import AuditEvent
from tests.conftest import context_of
from tests.factories import enrol_family, rows, utc


@pytest.mark.fault(81)
@freeze_time("2026-03-08T09:30Z")
def test_up_down_and_up_again_over_rows(empty_url: str, library: Library, tmp_path: Path) -> None:
    engine = make_engine(empty_url)
    schema.upgrade(engine)
    ctx = context_of(engine, MemoryChannel(), library, tmp_path)
    content.load(ctx)
    enrol.add_study(ctx, "demo")
    enrol_family(ctx)
    deliver.deliver_due(ctx)
    assert schema.current(engine) == schema.head()

    schema.downgrade(engine, "base")
    with engine.connect() as connection:
        assert not engine.dialect.has_table(connection, "family")
    schema.upgrade(engine)

    assert schema.current(engine) == schema.head()
    assert rows(ctx, Family) == []
    ctx.senders.shutdown()
    engine.dispose()


@pytest.mark.fault(81)
def test_the_migrations_make_the_tables_of_the_code(database: Engine) -> None:
    assert schema.differences(database) == []


def test_every_foreign_key_is_kept(ctx: Context) -> None:
    with pytest.raises(IntegrityError), ctx.sessions.begin() as session:
        session.execute(
            text("INSERT INTO pregnancy (family_id, due_on, status) VALUES (999, '2026-01-01', 'expected')")
        )


def test_a_naive_instant_is_refused_and_an_aware_one_comes_back_in_utc(ctx: Context) -> None:
    event = {"actor": "test", "action": "a", "subject": "s", "details": {}}
    with pytest.raises(StatementError, match="naive"), ctx.sessions.begin() as session:
        session.execute(insert(AuditEvent).values(at=datetime(2026, 3, 8, 9), **event))
    summer = datetime.fromisoformat("2026-07-08T09:00:00+01:00")

    with ctx.sessions.begin() as session:
        session.execute(insert(AuditEvent).values(at=summer, **event))

    assert rows(ctx, AuditEvent)[-1].at == utc("2026-07-08T08:00")
    assert rows(ctx, AuditEvent)[-1].at.tzname() == "UTC"


@freeze_time("2026-03-08T09:30Z")
def test_an_enum_is_stored_by_its_value(ctx: Context) -> None:
    enrol_family(ctx)

    with ctx.readers.begin() as session:
        assert session.scalar(text("SELECT messaging FROM caregiver")) == "active"
        assert session.scalars(select(Caregiver.messaging)).one() is Messaging.ACTIVE


@pytest.mark.fault(7)
def test_sqlite_is_durable_waits_for_its_turn_and_checks_keys(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'x.db'}")

    with engine.connect() as connection:
        told = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()

    assert told == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30000}


@pytest.mark.parametrize("url", ["nonsense", "mysql://x/y", "mongodb://x", "oracle+nothing://x"])
def test_an_odd_database_address_is_refused_with_the_settings_name(url: str) -> None:
    with pytest.raises(ConfigurationError, match="BABYMIND_DATABASE_URL"):
        make_engine(url)


def test_every_table_has_a_docstring_for_whoever_reads_the_schema() -> None:
    assert all(mapper.class_.__doc__ for mapper in Base.registry.mappers)
