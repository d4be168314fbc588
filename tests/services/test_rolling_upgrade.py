"""A new version's tables while an old worker still runs: it goes on with its work, and another one does not begin."""

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from babymind.channels.memory import MemoryChannel
from babymind.services import deliver, health, plan, receive, triage
from babymind.services.context import Context
from babymind.store import schema
from babymind.store.families import Caregiver
from babymind.store.replies import Reply
from tests.factories import SAM, enrol_family, rows

ADDED = (
    "ALTER TABLE caregiver ADD COLUMN mood VARCHAR(8) DEFAULT 'calm' NOT NULL",
    "ALTER TABLE delivery ADD COLUMN colour VARCHAR(8)",
    "CREATE TABLE weather (id INTEGER PRIMARY KEY)",
    "UPDATE alembic_version SET version_num = '9999'",
)


@pytest.mark.fault(81)
def test_an_old_worker_goes_on_over_tables_to_which_something_was_added(ctx: Context, channel: MemoryChannel) -> None:
    with freeze_time("2026-03-08T07:00Z"):
        enrol_family(ctx)
        plan.plan_due(ctx)
    for statement in ADDED:
        with ctx.sessions.begin() as session:
            session.execute(text(statement))

    with freeze_time("2026-03-08T09:00Z"):
        form = {"MessageSid": "SM1", "From": SAM, "Body": "He smiled", "NumMedia": "0"}
        receive.keep(ctx, "SM1", {name: [value] for name, value in form.items()})
        receive.process_new(ctx)
        triage.triage_new(ctx)
        deliver.deliver_due(ctx)
        enrol_family(ctx, phone="+447700900103")
        told = health.state(ctx)

    assert len(channel.sent) == 2  # the welcome and the fact
    assert len(rows(ctx, Reply)) == 1
    assert len(rows(ctx, Caregiver)) == 2
    assert told.reasons == [
        "The database is at revision 9999, which is newer than this version: install the version that made it"
    ]


@pytest.mark.fault(81)
def test_what_to_do_about_the_tables_depends_on_which_is_older() -> None:
    assert schema.to_do_about(None).endswith("run: babymind db upgrade")
    assert schema.to_do_about("0001").endswith("run: babymind db upgrade")
    assert "install the version" in schema.to_do_about("9999")
