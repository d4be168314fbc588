"""What Prometheus reads: counts as they are in the tables, and never of whom."""

from flask.testing import FlaskClient
from freezegun import freeze_time

from babymind.services import content, enrol
from babymind.services.context import Context
from tests.factories import SAM, enrol_family


def test_the_counts_are_those_of_the_tables(ctx: Context, client: FlaskClient) -> None:
    content.load(ctx)
    enrol.add_study(ctx, "demo")
    with freeze_time("2026-03-08T07:00Z"):
        enrol_family(ctx)
    with freeze_time("2026-03-08T18:00Z"):
        told = client.get("/metrics")

    assert told.status_code == 200
    assert told.content_type.startswith("text/plain")
    lines = dict(line.rsplit(" ", 1) for line in told.text.splitlines() if not line.startswith("#"))
    assert float(lines["babymind_deliveries_due"]) >= 2
    assert float(lines["babymind_oldest_due_seconds"]) >= 3600
    assert float(lines["babymind_ledger_mismatches"]) == 0
    assert float(lines['babymind_tasks_open{kind="wrong_number"}']) == 0
    assert "Robin" not in told.text
    assert SAM not in told.text
