"""What is asked often is answered by an index, also when the table is large: read off the database's own plan."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

from babymind.domain.delivery import Kind
from babymind.services.context import Context
from babymind.store import deliveries, families, months, plan, replies
from babymind.store.families import ChannelName
from tests.factories import utc

NOW = utc("2026-03-08T09:00")
CHUNK = plan.Chunk(zone="Europe/London", local_day=date(2026, 3, 8), after=0, upto=1000)

ASKED: dict[str, tuple[Callable[[Session], Any], str]] = {
    "claim": (lambda s: deliveries.due_for_claim(s, NOW, 10), "ix_delivery_due"),
    "lease sweep": (lambda s: deliveries.expire_leases(s, NOW, NOW), "ix_delivery_lease"),
    "plan": (lambda s: plan.plan_chunk(s, Kind.FACT, CHUNK), "caregiver"),
    "inbound": (lambda s: replies.next_new(s, 10), "ix_inbound_new"),
    "triage": (lambda s: replies.next_untriaged(s), "ix_reply_new"),
    "queue": (lambda s: replies.queue(s, waiting_only=True, after=None, size=10), "ix_reply_waiting"),
    "media": (lambda s: replies.media_to_fetch(s, NOW, 10, hold_until=NOW), "ix_media_waiting"),
    "address": (lambda s: families.caregiver_at(s, ChannelName.SMS, "x"), "look_up"),
    "prompt": (lambda s: deliveries.latest_prompt(s, 1, NOW, NOW), "ix_delivery_caregiver"),
    "study code": (lambda s: families.family_by_code(s, "x"), "family"),
}


def plan_of(database: Engine, session: Session, ask: Callable[[Session], Any]) -> str:
    """Return the database's own words on how it would answer, all statements of a question together."""
    asked: list[tuple[str, Any]] = []
    connection = session.connection()
    event.listen(connection, "before_cursor_execute", lambda _c, _cu, sql, values, *_: asked.append((sql, values)))
    ask(session)
    prefix = "EXPLAIN QUERY PLAN " if database.dialect.name == "sqlite" else "EXPLAIN "
    told = []
    for sql, values in list(asked):
        if sql.lstrip().upper().startswith(("SELECT", "INSERT", "UPDATE", "WITH")):
            told += [str(row[-1]) for row in connection.exec_driver_sql(prefix + sql, values).fetchall()]
    answer = "\n".join(told)
    if database.dialect.name == "postgresql":  # a month's index is called by the name that it has over all months
        names = text("SELECT indexrelid::regclass::text, inhparent::regclass::text "
                     "FROM pg_inherits JOIN pg_index ON indexrelid = inhrelid")  # fmt: skip
        for of_month, of_all in connection.execute(names):
            answer = answer.replace(of_month, of_all)
    return answer


@pytest.mark.parametrize("name", ASKED)
def test_it_is_answered_by_its_index(ctx: Context, name: str) -> None:
    ask, index = ASKED[name]
    with ctx.sessions.begin() as session:
        if ctx.database.dialect.name == "postgresql":  # an empty table is scanned; we ask what a full one would be
            session.execute(text("SET enable_seqscan = off"))
        months.have(session, months.coming(NOW.date()))

        told = plan_of(ctx.database, session, ask)
        session.rollback()

    assert index in told
    if ctx.database.dialect.name == "sqlite":
        small = ("arm", "study", "slots", "missing", "CONSTANT", "address", "anon")  # a handful of rows, or derived
        scans = [line for line in told.splitlines() if line.startswith("SCAN ")]
        assert not [line for line in scans if not any(word in line for word in small) and "USING" not in line]
