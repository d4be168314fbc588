"""Every slot that a day makes due has exactly one row, whoever plans and however often."""

from collections import Counter
from datetime import date, timedelta

import pytest
from freezegun import freeze_time

from babymind.domain.delivery import DeliveryStatus, Messaging, Reason
from babymind.services import deliver, plan
from babymind.services.context import Context
from babymind.store.families import Address, Caregiver, Pregnancy, PregnancyStatus
from babymind.store.plan import PlannedDay
from babymind.store.studies import Arm, Enrolment
from tests.factories import JO, at_once, change, daily, enrol_family, rows, utc


def plan_on(ctx: Context, instant: str, **options: bool) -> Counter[Reason | None]:
    with freeze_time(instant):
        return plan.plan_due(ctx, **options)


@pytest.mark.fault(1)
def test_planning_twice_plans_nothing_the_second_time(ctx: Context) -> None:
    with freeze_time("2026-03-01T07:00Z"):
        enrol_family(ctx)

    first = plan_on(ctx, "2026-03-08T00:05Z", everything=True)
    again = plan_on(ctx, "2026-03-08T00:06Z", everything=True)

    assert first == {None: 2}
    assert again == {}
    assert len([row for row in daily(ctx) if row.local_day == date(2026, 3, 8)]) == 2


def test_a_day_that_was_planned_is_left_alone_by_the_tick(ctx: Context) -> None:
    with freeze_time("2026-03-01T07:00Z"):
        enrol_family(ctx)

    assert plan_on(ctx, "2026-03-08T00:05Z")[None] == 2
    assert plan_on(ctx, "2026-03-08T00:06Z") == {}
    assert [row.local_day for row in rows(ctx, PlannedDay)] == [date(2026, 3, 8)]


def test_a_dry_run_counts_and_writes_nothing(ctx: Context) -> None:
    with freeze_time("2026-03-01T07:00Z"):
        enrol_family(ctx)
    before = len(daily(ctx))

    assert plan_on(ctx, "2026-03-08T00:05Z", everything=True, dry_run=True) == {None: 2}
    assert len(daily(ctx)) == before
    assert rows(ctx, PlannedDay) == []


@pytest.mark.fault(8)
def test_planning_in_four_threads_at_once_doubles_nothing(ctx: Context) -> None:
    with freeze_time("2026-03-01T07:00Z"):
        for number in range(20):
            enrol_family(ctx, phone=f"+4477009003{number:02d}")

    with freeze_time("2026-03-08T00:05Z"):
        planned = at_once(lambda: plan.plan_due(ctx, everything=True), 4)

    assert sum(one.total() for one in planned) == 40
    slots = Counter((r.caregiver_id, r.pregnancy_id, r.local_day, r.kind) for r in daily(ctx))
    assert set(slots.values()) == {1}


def test_a_caregiver_is_planned_by_the_clock_on_their_own_wall(ctx: Context) -> None:
    with freeze_time("2026-03-01T07:00Z"):
        enrol_family(ctx, zone="Pacific/Auckland")
        enrol_family(ctx, phone=JO, zone="America/Los_Angeles")

    plan_on(ctx, "2026-03-08T12:00Z")

    due = {row.due_at for row in daily(ctx) if row.due_at >= utc("2026-03-08T12:00")}
    assert due == {utc("2026-03-08T20:00"), utc("2026-03-09T04:00"), utc("2026-03-08T16:00"), utc("2026-03-09T00:00")}


@pytest.mark.fault(68)
def test_the_item_is_the_one_of_the_age_day(ctx: Context) -> None:
    with freeze_time("2026-03-01T07:00Z"):
        enrol_family(ctx, born_on=date(2026, 1, 1), gestation_days=217)  # due on 5 March

    stages = []
    for day in (4, 5):
        plan_on(ctx, f"2026-03-{day:02d}T00:05Z")
        stages += [(r.stage, r.age_day) for r in daily(ctx) if r.local_day.day == day and r.kind.value == "fact"]

    assert [(stage and stage.value, age_day) for stage, age_day in stages] == [("early", 62), ("infant", 0)]


@pytest.mark.fault(111)
@pytest.mark.parametrize(
    ("table", "values", "reason"),
    [
        (Caregiver, {"messaging": Messaging.STOPPED}, Reason.STOPPED),
        (Caregiver, {"messaging": Messaging.PAUSED}, Reason.PAUSED),
        (Caregiver, {"messaging": Messaging.NO_CONSENT}, Reason.NO_CONSENT),
        (Caregiver, {"locale": "xx-XX"}, Reason.CONTENT_MISSING),
        (Pregnancy, {"status": PregnancyStatus.LOST}, Reason.LOSS),
        (Address, {"closed_at": utc("2026-03-02T00:00")}, Reason.CHANNEL_CLOSED),
        (Arm, {"gets_facts": False, "gets_prompts": False}, Reason.CONTROL_ARM),
    ],
)
def test_what_is_not_sent_is_written_with_its_reason(
    ctx: Context, table: type, values: dict[str, object], reason: Reason
) -> None:
    with freeze_time("2026-03-01T07:00Z"):
        enrol_family(ctx)
    change(ctx, table, 1, **values)

    planned = plan_on(ctx, "2026-03-08T00:05Z")

    assert planned == {reason: 2}
    today = [row for row in daily(ctx) if row.local_day == date(2026, 3, 8)]
    assert {(row.status, row.reason) for row in today} == {(DeliveryStatus.SKIPPED, reason)}


@pytest.mark.fault(109)
@pytest.mark.parametrize(
    ("due_in", "reason"), [(85, Reason.WAITING), (84, None), (-21, None), (-22, Reason.HELD)]
)  # fmt: skip
def test_before_birth_the_stage_decides(ctx: Context, due_in: int, reason: Reason | None) -> None:
    with freeze_time("2026-03-08T07:00Z"):
        enrol_family(ctx, born_on=None, due_on=date(2026, 3, 8) + timedelta(days=due_in))

    assert {row.reason for row in daily(ctx)} == {reason}


def test_a_family_that_left_and_a_programme_that_is_over_get_no_rows(ctx: Context) -> None:
    with freeze_time("2026-03-01T07:00Z"):
        enrol_family(ctx)
        enrol_family(ctx, phone=JO, born_on=date(2025, 3, 1))
    before = len(daily(ctx))
    change(ctx, Enrolment, 1, to_day=date(2026, 3, 7))

    assert plan_on(ctx, "2026-03-08T00:05Z") == {}
    assert len(daily(ctx)) == before


@pytest.mark.fault(76)
def test_after_an_outage_of_days_each_missed_slot_has_its_row_and_its_reason(ctx: Context) -> None:
    with freeze_time("2026-03-01T07:00Z"):
        enrol_family(ctx)
    plan_on(ctx, "2026-03-04T00:05Z")

    plan_on(ctx, "2026-03-08T10:00Z")
    with freeze_time("2026-03-08T10:00Z"):
        deliver.deliver_due(ctx)

    ended = {
        day: {(row.status.value, row.reason) for row in daily(ctx) if row.local_day == date(2026, 3, day)}
        for day in range(4, 9)
    }
    late = {("expired", Reason.TOO_LATE)}
    assert ended == {4: late, 5: late, 6: late, 7: late, 8: {("accepted", None), ("planned", None)}}
