"""What all tables share: column types, the engine of each database, and sessions."""

import secrets
from datetime import UTC, datetime, time
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Engine,
    Enum,
    Integer,
    MetaData,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from babymind.errors import ConfigurationError

Sessions = sessionmaker[Session]
SQLITE_BUSY_SECONDS = 30
CALLER_SECONDS = 10  # whoever calls a webhook waits for fifteen, and calls again after an error
PATIENCE = "patience_seconds"  # an option of a connection
TOKEN_BYTES = 16  # 128 bits for whatever leaves the system


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Refuses naive ones; SQLite keeps UTC without the zone, PostgreSQL ``timestamptz``."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Hand the database UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive instant cannot be stored: {value!r}")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Hand the caller aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class TimeOfDay(TypeDecorator[time]):
    """A wall-clock time to the minute, kept as minutes since midnight so that both databases can group by it."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: time | None, dialect: Dialect) -> int | None:
        """Hand the database minutes."""
        return None if value is None else value.hour * 60 + value.minute

    def process_result_value(self, value: int | None, dialect: Dialect) -> time | None:
        """Hand the caller a time."""
        return None if value is None else time(*divmod(value, 60))


# SQLite counts rows only in a column of exactly INTEGER, which is 64 bits there.
Key = BigInteger().with_variant(Integer, "sqlite")

# A table that is its own index, for those that are only ever looked up by their key.
CLUSTERED = {"sqlite_with_rowid": False}

NAMES = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def _values(enum: type[StrEnum]) -> list[str]:
    return [member.value for member in enum]


class Base(DeclarativeBase):
    """The parent of every table."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads this name
        int: Key,
        datetime: UtcDateTime(),
        time: TimeOfDay(),
        # By value and without a CHECK: a new value needs no table to be rewritten, and the code refuses odd ones.
        StrEnum: Enum(StrEnum, native_enum=False, create_constraint=False, length=32, values_callable=_values),
    }


def new_token() -> str:
    """Return an unguessable name for something that leaves the system."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def make_engine(url: str, *, pool_size: int = 20, durable: bool = True) -> Engine:
    """Return an engine for SQLite or PostgreSQL, set up so that a write takes its lock at the start.

    Without ``durable`` an SQLite file may not survive a power cut: for what is thrown away anyway.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        kind = parsed.get_backend_name()
        if kind == "sqlite":
            engine = create_engine(
                parsed,
                hide_parameters=True,
                connect_args={"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False},
            )
            _set_up_sqlite(engine, durable=durable)
            return engine
        if kind == "postgresql":
            return create_engine(
                parsed, hide_parameters=True, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True
            )  # no value of a statement is ever shown in an error
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigurationError(
            "BABYMIND_DATABASE_URL cannot be used; set it to sqlite:///var/babymind.db or "
            f"postgresql://user:password@host/name (the latter needs the extra 'postgres'). {type(error).__name__}"
        ) from None
    raise ConfigurationError(f"BABYMIND_DATABASE_URL names {kind}; only sqlite and postgresql are known.")


def _set_up_sqlite(engine: Engine, *, durable: bool) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver's own BEGIN is deferred; ours below is not
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL"
            if durable
            else "synchronous=OFF",  # a consent or a claim that was committed survives a power cut
            "foreign_keys=ON",
            f"busy_timeout={SQLITE_BUSY_SECONDS * 1000}",
            "wal_autocheckpoint=8000",  # 32 MB: a big plan is not held up by moving its own log
            "cache_size=-65536",
            "temp_store=MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begun(connection: Any) -> None:
        # A deferred BEGIN that turns into a write fails at once with "database is locked", whatever the busy
        # time-out; taking the lock first makes writers queue. Readers say so with execution_options.
        options = connection.get_execution_options()
        if options.get("read_only", False):
            connection.exec_driver_sql("BEGIN")
            return
        busy = connection.connection.cursor()
        busy.execute(f"PRAGMA busy_timeout={options.get(PATIENCE, SQLITE_BUSY_SECONDS) * 1000}")
        busy.close()
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def make_sessions(engine: Engine) -> Sessions:
    """Return the factory of sessions: ``with sessions.begin() as session`` commits, or rolls back on an error."""
    return sessionmaker(engine, expire_on_commit=False)


def make_readers(engine: Engine) -> Sessions:
    """Return the factory of sessions that only read, and so wait for no writer."""
    return sessionmaker(engine.execution_options(read_only=True), expire_on_commit=False)


def wait_at_most(session: Session, seconds: int) -> None:
    """Begin a session's transaction, and wait for another writer no longer than this (SQLite, which has one)."""
    session.connection(execution_options={PATIENCE: seconds})


def database_now(session: Session) -> datetime:
    """Return the database's own time, so that leases of several machines go by one clock (PostgreSQL)."""
    now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return now.astimezone(UTC)


def insert_new(session: Session, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """Return an ``INSERT … ON CONFLICT DO NOTHING`` in the dialect of this session's database."""
    return insert_in(session.get_bind().dialect.name, table)


def insert_in(dialect: str, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """Return the same for a dialect by its name."""
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
