"""Whether the installation is well, as it says itself: silence is an alarm."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time
from sqlalchemy import delete, text

from babymind.domain.delivery import Kind
from babymind.engine.inline import InlineEngine
from babymind.services import deliver, health, ledger, plan
from babymind.services.context import Context
from babymind.services.health import Health
from babymind.store.deliveries import Delivery
from babymind.store.ticks import Tick
from babymind.worker import Worker
from tests.factories import SAM, change, enrol_family, rows, utc
from tests.services.watched import NOW, delivery, park, stop_sender

WELL: list[str] = []


def state_at(ctx: Context, instant: datetime) -> Health:
    with freeze_time(instant):
        return health.state(ctx)


def tick_at(ctx: Context, instant: datetime, *names: str) -> None:
    """The clock has just done what it does."""
    with freeze_time(instant):
        for name in names or ("look", "plan"):
            health.ticked(ctx, name)


@pytest.fixture
def family(ctx: Context) -> int:
    """A family in London, enrolled yesterday and planned today; its caregiver's id."""
    with freeze_time(NOW - timedelta(days=1)):
        caregiver_id = enrol_family(ctx).caregivers[0][0]
        deliver.deliver_due(ctx)
    with freeze_time(NOW - timedelta(hours=8)):
        deliver.sweep(ctx)
        plan.plan_due(ctx)
    return caregiver_id


def test_a_clock_that_never_ticked_is_told_with_what_to_start(ctx: Context) -> None:
    found = state_at(ctx, NOW)

    assert not found.ok
    assert found.reasons == [
        "The clock has never looked at what is due: start babymind serve, or babymind worker.",
        "The clock has never planned: start babymind serve, or babymind worker.",
    ]


@pytest.mark.fault(118)
def test_a_clock_that_ticks_is_well_and_one_that_stopped_is_not(ctx: Context) -> None:
    tick_at(ctx, NOW)
    tick_at(ctx, NOW)  # a second clock, and a second time

    assert state_at(ctx, NOW + timedelta(minutes=5)).reasons == WELL
    (why,) = state_at(ctx, NOW + timedelta(minutes=5, seconds=1)).reasons
    assert why.startswith("The clock has not looked at what is due for 5 minutes: is a worker running?")
    assert len(state_at(ctx, NOW + timedelta(minutes=16)).reasons) == 2
    tick_at(ctx, NOW + timedelta(minutes=16))
    found = state_at(ctx, NOW + timedelta(minutes=16))
    assert found.ok
    assert found.facts["clock"] == {"look": "2026-03-08T09:46:00Z", "plan": "2026-03-08T09:46:00Z"}


def test_a_ledger_that_is_no_longer_compared_is_told(ctx: Context) -> None:
    with freeze_time(NOW):
        ledger.check(ctx)
    later = NOW + timedelta(hours=3, minutes=1)
    tick_at(ctx, later)

    assert ["compared the ledger for 3 hours" in one for one in state_at(ctx, later).reasons] == [True]


def test_the_clock_of_a_worker_ticks_when_its_work_ends_well(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the database is in a bad mood")

    monkeypatch.setattr(plan, "plan_due", fails)
    worker = Worker(replace(ctx, engine=InlineEngine()))

    worker._tick("look", worker._look)
    worker._tick("plan", worker._plan)

    assert [tick.name for tick in rows(ctx, Tick)] == ["clock:look"]


def test_what_has_been_due_too_long_is_told_where_it_is_not_quiet(ctx: Context, family: int) -> None:
    due_at = next(row.due_at for row in rows(ctx, Delivery, kind=Kind.FACT) if row.local_day == NOW.date())
    minute = timedelta(minutes=1)
    tick_at(ctx, due_at + 15 * minute)
    assert state_at(ctx, due_at + 15 * minute).reasons == WELL

    found = state_at(ctx, due_at + 16 * minute)

    assert [one.startswith("The oldest delivery has been due for 16 minutes") for one in found.reasons] == [True]
    assert found.facts["oldest_due"] == {"at": "2026-03-08T09:00:00Z", "seconds": 16 * 60}


def test_at_night_only_a_direct_answer_is_missed(ctx: Context, family: int) -> None:
    night = utc("2026-03-08T23:30")
    tick_at(ctx, night)
    for row in rows(ctx, Delivery):
        change(ctx, Delivery, row.id, window_ends_at=night + timedelta(days=7))
    assert state_at(ctx, night).reasons == WELL

    delivery(ctx, family, now=night, kind=Kind.ANSWER, attempts=0, priority=0)

    assert len(state_at(ctx, night).reasons) == 1


def test_a_night_elsewhere_hides_nothing_that_is_due_where_it_is_day(ctx: Context, family: int) -> None:
    """Whoever has waited longest may be asleep; the next one is not."""
    with freeze_time(NOW - timedelta(days=1)):
        other = enrol_family(ctx, phone="+447700900301", zone="Pacific/Auckland").caregivers[0][0]
    delivery(ctx, other, attempts=0, due_at=NOW - timedelta(hours=5))
    deliver_at = NOW + timedelta(minutes=1)
    tick_at(ctx, deliver_at)

    found = state_at(ctx, deliver_at)

    assert found.facts["oldest_due"] == {"at": "2026-03-08T09:00:00Z", "seconds": 31 * 60}
    assert len(found.reasons) == 1


@pytest.mark.fault(81)
def test_tables_of_another_version_are_told_with_the_command(ctx: Context) -> None:
    with ctx.sessions.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))

    found = state_at(ctx, NOW)

    needed = health.needed_revision()
    assert found.reasons == [
        f"The database is at revision 0001 and this version needs {needed}; run: babymind db upgrade"
    ]
    assert found.facts["schema"] == {"at": "0001", "needed": needed}


@pytest.mark.fault(118)
def test_a_thread_that_died_is_told(ctx: Context) -> None:
    class Half(InlineEngine):
        def health(self) -> Mapping[str, object]:
            return {"alive": {"engine-deliver": False, "engine-receive": True}, "failures": 0}

    tick_at(ctx, NOW)

    found = state_at(replace(ctx, engine=Half()), NOW)

    assert found.reasons == ["The thread engine-deliver of this process has died: restart it, and look into its log."]


def test_expected_against_actual_is_what_was_found_last_and_not_counted_anew(ctx: Context, family: int) -> None:
    with freeze_time(NOW):
        assert ledger.check(ctx)
    two = {"expected": 2, "actual": 2, "missing": 0, "stuck": 0}
    none = {"expected": 0, "actual": 0, "missing": 0, "stuck": 0}
    assert state_at(ctx, NOW).facts["ledger"] == {
        "checked_at": "2026-03-08T09:30:00Z", "yesterday": none | {"expected": 1, "actual": 1}, "today": two,
    }  # fmt: skip

    with ctx.sessions.begin() as session:
        session.execute(delete(Delivery).where(Delivery.local_day == NOW.date(), Delivery.kind == Kind.FACT))
    assert _ledger(state_at(ctx, NOW))["today"] == two
    with freeze_time(NOW):
        assert not ledger.check(ctx)

    assert _ledger(state_at(ctx, NOW))["today"] == two | {"actual": 1, "missing": 1}
    assert _ledger(state_at(ctx, NOW + timedelta(days=1)))["yesterday"] == two | {"actual": 1, "missing": 1}
    assert _ledger(state_at(ctx, NOW + timedelta(days=5)))["today"] is None


def _ledger(found: Health) -> Mapping[str, Any]:
    told = found.facts["ledger"]
    assert isinstance(told, dict)
    return told


def test_what_is_parked_and_stopped_is_counted_and_nobody_is_named(ctx: Context, family: int) -> None:
    park(ctx, family)
    stop_sender(ctx)
    tick_at(ctx, NOW)
    with freeze_time(NOW):
        ledger.check(ctx)

    found = state_at(ctx, NOW)

    assert (found.facts["parked"], found.facts["senders_stopped"]) == (1, 1)
    told = json.dumps([*found.reasons, found.facts])
    assert not any(word in told for word in ("Sam", "Robin", SAM, "7700", "Guess", "demo"))


def test_the_figures_tell_the_same(ctx: Context, family: int) -> None:
    park(ctx, family)
    stop_sender(ctx)
    tick_at(ctx, NOW - timedelta(seconds=40), "look")
    with freeze_time(NOW):
        ledger.check(ctx)
        figures = {(one.name, *one.labels.values()): one.value for one in health.figures(ctx)}

    assert figures["babymind_deliveries_parked",] == 1
    assert figures["babymind_deliveries_unknown",] == 1
    assert figures["babymind_senders_stopped",] == 1
    assert figures["babymind_tick_age_seconds", "look"] == 40
    assert figures["babymind_ledger_expected", "today"] == figures["babymind_ledger_actual", "today"] == 2
