"""What Prometheus reads: counts as they are in the tables, and never of whom."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from freezegun import freeze_time

from babymind.services import content, enrol, health
from babymind.services.context import Context
from tests.factories import SAM, enrol_family
from tests.web.conftest import browser, message, signed
from tests.web.test_protection import close_database


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
    assert float(lines["babymind_database_up"]) == 1
    assert float(lines["babymind_deliveries_parked"]) == 0
    assert "babymind_claimed_total" in lines  # what this process has done itself
    assert "Robin" not in told.text
    assert SAM not in told.text


def test_what_the_provider_tells_and_what_it_did_not_sign_is_counted(app: Flask, ctx: Context) -> None:
    def counted(name: str) -> float:
        lines = browser(app).get("/metrics").text.splitlines()
        return float(next((line.rsplit(" ", 1)[1] for line in lines if line.startswith(name)), "0"))

    names = ('babymind_inbound_total{kind="message"}', "babymind_webhooks_refused_total")
    before = [counted(name) for name in names]

    browser(app).open(**signed("/webhooks/twilio/messages", message()))
    browser(app).open(**signed("/webhooks/twilio/messages", message(), token="another"))

    assert [counted(name) for name in names] == [before[0] + 1, before[1] + 1]


@pytest.mark.fault(59)
def test_while_the_database_is_away_health_says_so_and_the_process_still_counts(
    client: FlaskClient, ctx: Context
) -> None:
    close_database(ctx)

    well, counts = client.get("/healthz"), client.get("/metrics")

    assert (well.status_code, well.get_json()["reasons"]) == (
        503,
        ["The database does not answer: start it, or look at its log."],
    )
    assert counts.status_code == 200
    assert "babymind_database_up 0.0" in counts.text
    assert "babymind_claimed_total" in counts.text
    assert "babymind_deliveries_due" not in counts.text


def test_health_is_200_while_the_clock_ticks_and_503_with_the_reason_when_it_does_not(
    client: FlaskClient, ctx: Context
) -> None:
    still = client.get("/healthz")
    for name in ("look", "plan"):
        health.ticked(ctx, name)
    ticks = client.get("/healthz")

    assert (still.status_code, still.get_json()["ok"]) == (503, False)
    assert "The clock has never looked at what is due" in still.get_json()["reasons"][0]
    assert (ticks.status_code, ticks.get_json()["ok"], ticks.get_json()["reasons"]) == (200, True, [])
