"""Every slot that was due has one row with one outcome; where one has not, the service itself says so."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet
from sqlalchemy import delete
from structlog.testing import capture_logs

from babymind.cli import cli
from babymind.clock import utc_now
from babymind.domain.delivery import DeliveryStatus, Kind
from babymind.services import caregivers, deliver, enrolments, ledger, life, plan
from babymind.services.context import Context
from babymind.store.deliveries import Attempt, Delivery
from babymind.store.studies import DataChoice
from babymind.store.tasks import Task, TaskKind
from tests.factories import JO, SAM, change, enrol_family, rows, utc
from tests.services.living import Living, Phones, parents, slots

STAFF = "staff:1"
DAY = date(2026, 3, 3)
ZONES = ("Pacific/Kiritimati", "Asia/Kathmandu", "Europe/London", "America/St_Johns", "Pacific/Pago_Pago")


def lose(ctx: Context, row: Delivery) -> None:
    """Delete a row by hand, as nobody should."""
    with ctx.sessions.begin() as session:
        session.execute(delete(Delivery).where(Delivery.id == row.id))


def test_what_was_due_and_what_is_written_agree_on_every_day_in_every_zone(living: Living, ctx: Context) -> None:
    for number, zone in enumerate(ZONES):
        enrol_family(ctx, phone=f"+44770090030{number}", zone=zone, born_on=date(2026, 2, 1) - number * timedelta(40))
    living.days(2, looks=tuple(range(0, 24, 4)))

    assert ledger.check(ctx)
    for day in (DAY - timedelta(days=1), DAY, DAY + timedelta(days=1)):
        found = ledger.of_day(ctx, day)
        assert found.ok
        assert all(line.expected == line.actual == sum(line.outcomes.values()) for line in found.lines)
    assert {line.zone for line in ledger.of_day(ctx, DAY).lines} == set(ZONES)
    assert [line.zone for line in ledger.of_day(ctx, DAY, zone=ZONES[1]).lines] == [ZONES[1]]
    assert ledger.of_day(ctx, DAY + timedelta(days=9)).lines == []  # it has begun nowhere


def test_it_agrees_after_joins_moves_stops_births_losses_and_journeys(living: Living, ctx: Context) -> None:
    family = parents(ctx, born_on=None, due_on=date(2026, 3, 6))
    leaves = enrol_family(ctx, phone="+447700900301")
    living.at("2026-03-03T10:00")
    joins = enrol_family(ctx, phone="+447700900302")
    caregivers.stop_by_staff(ctx, 1, actor=STAFF)
    caregivers.set_preferences(ctx, 2, zone="Pacific/Auckland", actor=STAFF)
    life.tell_birth(ctx, family.study_code, born_on=DAY, actor=STAFF)
    life.add_pregnancy(ctx, joins.study_code, due_on=date(2026, 4, 1), actor=STAFF)
    living.at("2026-03-03T18:00")
    enrolments.withdraw(ctx, leaves.study_code, data=DataChoice.KEEP, actor=STAFF)
    living.days(1)
    caregivers.start_by_staff(ctx, 1, because="by telephone", actor=STAFF)
    caregivers.set_preferences(ctx, 2, zone="Pacific/Honolulu", actor=STAFF)
    life.tell_loss(ctx, joins.study_code, pregnancy_id=3, actor=STAFF)
    living.days(2)

    with capture_logs() as logs:
        assert ledger.check(ctx)
    for offset in range(-1, 4):
        found = ledger.of_day(ctx, DAY + timedelta(days=offset))
        assert all(line.expected == line.actual and line.ok for line in found.lines), (offset, found)
    assert logs == []
    assert rows(ctx, Task, kind=TaskKind.LEDGER) == []


@pytest.mark.fault(64)
def test_a_journey_leaves_nothing_open_after_its_window(living: Living, ctx: Context) -> None:
    journeys = (
        ("Pacific/Auckland", "Pacific/Honolulu", "2026-03-02T12:00"),
        ("Europe/London", "Pacific/Kiritimati", "2026-03-03T00:30"),
        ("Europe/London", "Pacific/Auckland", "2026-03-03T06:00"),
    )
    for number, (first, _, _) in enumerate(journeys):
        enrol_family(ctx, phone=f"+44770090030{number}", zone=first)

    for half_hour in range(60):
        living.frozen.tick(timedelta(minutes=30))
        for number, (_, second, at) in enumerate(journeys, 1):
            if utc_now() == utc(at):
                caregivers.set_preferences(ctx, number, zone=second, actor=STAFF)
        plan.plan_due(ctx)
        deliver.sweep(ctx)
        assert ledger.check(ctx), half_hour


@pytest.mark.fault(118)
def test_a_row_that_vanished_is_missed_and_a_person_is_told_once(living: Living, ctx: Context) -> None:
    enrol_family(ctx)
    living.at("2026-03-03T09:00")
    lose(ctx, slots(ctx, local_day=DAY, kind=Kind.PROMPT)[0])

    found = ledger.of_day(ctx, DAY)
    with capture_logs() as logs:
        assert [ledger.check(ctx), ledger.check(ctx)] == [False, False]

    [line] = found.lines
    assert (found.ok, line.expected, line.actual, line.missing, line.stuck) == (False, 2, 1, 1, 0)
    assert [(log["event"], log["log_level"], log["missing"]) for log in logs] == [
        ("the ledger does not add up", "error", 1)
    ] * 2
    [task] = rows(ctx, Task)
    assert (task.kind, task.family_id, task.details["zone"]) == (TaskKind.LEDGER, None, "Europe/London")

    plan.plan_due(ctx, everything=True)  # which the clock does every hour
    assert ledger.of_day(ctx, DAY).ok


def test_a_day_that_has_only_just_begun_is_not_missed_yet(living: Living, ctx: Context) -> None:
    enrol_family(ctx)
    living.frozen.move_to("2026-03-03T00:10Z")
    assert ledger.of_day(ctx, DAY).ok

    living.frozen.move_to("2026-03-03T00:16Z")
    assert not ledger.of_day(ctx, DAY).ok


def test_a_row_that_is_still_open_past_its_window_is_stuck(living: Living, ctx: Context) -> None:
    enrol_family(ctx)
    living.at("2026-03-03T17:00")
    row = slots(ctx, local_day=DAY, kind=Kind.FACT)[0]
    change(ctx, Delivery, row.id, status=DeliveryStatus.PLANNED)
    living.frozen.move_to("2026-03-03T20:59Z")
    assert ledger.of_day(ctx, DAY).ok

    living.frozen.move_to("2026-03-03T21:01Z")
    [line] = ledger.of_day(ctx, DAY).lines
    assert (line.ok, line.missing, line.stuck) == (False, 0, 1)
    deliver.sweep(ctx)
    assert ledger.of_day(ctx, DAY).ok
    assert ledger.of_day(ctx, DAY).lines[0].outcomes == {"accepted": 1, "expired: too_late": 1}


def test_after_days_without_a_worker_every_slot_still_has_its_row(
    living: Living, ctx: Context, channel: Phones
) -> None:
    parents(ctx, born_on=date(2026, 2, 1))
    living.days(1)
    channel.clear()

    living.at("2026-03-07T18:00")  # four days later; one in the afternoon in New York
    living.at("2026-03-07T22:00")

    for offset in range(5):
        found = ledger.of_day(ctx, DAY + timedelta(days=offset))
        assert all(line.expected == line.actual == 2 and line.ok for line in found.lines)
        assert len(found.lines) == 2
    assert {(one.to, one.at.hour) for one in channel.came} == {(SAM, 18), (JO, 18), (JO, 22)}
    assert len(channel.came) == 3  # the newest of each, then the question of the day


def test_the_command_says_what_does_not_add_up_and_ends_with_1(
    living: Living, ctx: Context, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    values = {
        "DATABASE_URL": database_url, "SECRET_KEY": "s" * 40, "DATA_KEYS": Fernet.generate_key().decode(),
        "PUBLIC_URL": "http://127.0.0.1:8000", "CHANNEL": "simulator", "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "t", "TWILIO_FROM": "+447700900999", "TWILIO_API_BASE_URL": "http://127.0.0.1:8001",
        "MEDIA_URL": (tmp_path / "media").as_uri(), "LOG_FORMAT": "console",
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(f"BABYMIND_{name}", value)
    enrol_family(ctx)
    living.at("2026-03-03T17:00")

    good = CliRunner().invoke(cli, ["ledger", "--day", "2026-03-03"], catch_exceptions=False)
    with ctx.sessions.begin() as session:
        session.execute(delete(Attempt))
        session.execute(delete(Delivery).where(Delivery.local_day == DAY))
    bad = CliRunner().invoke(cli, ["ledger", "--day", "2026-03-03"], catch_exceptions=False)
    odd = CliRunner().invoke(cli, ["ledger", "--day", "3 March"])

    assert (good.exit_code, bad.exit_code, odd.exit_code) == (0, 1, 2)
    assert "everything adds up" in good.output
    assert "Europe/London: expected 2, written 0, missing 2" in bad.output
