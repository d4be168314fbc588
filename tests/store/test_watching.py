"""What the watch asks is answered by an index too: read off the database's own plan."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from babymind.domain.delivery import Reason
from babymind.services.context import Context
from babymind.store import watching
from babymind.store.base import make_engine
from tests.factories import utc
from tests.store.test_indexes import plan_of

NOW, DAY = utc("2026-03-08T09:00"), date(2026, 3, 8)
REASONS = {Reason.GAVE_UP, Reason.UNREADABLE}

ASKED: dict[str, tuple[Callable[[Session], Any], tuple[str, ...]]] = {
    "oldest due": (lambda s: watching.oldest_due(s, NOW), ("ix_delivery_due",)),
    "parked": (lambda s: watching.parked(s, after=7, limit=26), ("ix_delivery_unknown",)),
    "parked in all": (lambda s: watching.count_parked(s), ("ix_delivery_unknown",)),
    "stuck": (lambda s: watching.stuck(s, DAY, reasons=REASONS, codes={21617}, after=7, limit=26),
              ("ix_delivery_amiss", "ix_audit_event_subject")),
    "failures of a day": (lambda s: watching.failures_on(s, DAY), ("ix_delivery_amiss",)),
    "counts of a day": (lambda s: watching.counts_on(s, DAY), ("uq_delivery_slot", "ix_delivery_day_apart")),
}  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
def test_it_is_answered_by_its_indexes(ctx: Context, name: str) -> None:
    ask, indexes = ASKED[name]
    with ctx.readers.begin() as session:
        if ctx.database.dialect.name == "postgresql":  # an empty table is scanned; we ask what a full one would be
            session.execute(text("SET enable_seqscan = off"))

        told = plan_of(ctx.database, session, ask)
        session.rollback()

    assert not [index for index in indexes if index not in told], told
    if ctx.database.dialect.name == "sqlite":
        large = [line for line in told.splitlines() if re.match("SCAN (delivery|audit_event|attempt)", line)]
        assert [line for line in large if "ix_delivery_unknown" not in line] == []  # which holds nothing else


def test_a_database_that_may_lose_what_was_committed_says_by_which_setting(database: Engine) -> None:
    assert watching.not_durable(database) == {}


@pytest.mark.fault(7)
def test_an_sqlite_file_that_does_not_wait_for_the_disk_is_found() -> None:
    lax = make_engine("sqlite://", durable=False)

    assert set(watching.not_durable(lax)) == {"journal_mode", "synchronous"}
    lax.dispose()
