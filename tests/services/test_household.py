"""Several caregivers, several babies, one phone or two; and families that move, withdraw or get less often."""

import threading
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from babymind.clock import utc_now
from babymind.domain.delivery import DeliveryStatus, Kind, Reason
from babymind.errors import ConflictError, InvalidInputError, NotFoundError
from babymind.services import caregivers, enrol, enrolments, ledger, life
from babymind.services.context import Context
from babymind.store.content import ContentItem
from babymind.store.deliveries import WENT, Delivery
from babymind.store.families import Caregiver
from babymind.store.replies import Reply
from babymind.store.studies import FREQUENCIES, Arm, DataChoice, EndedWhy, Enrolment, EnrolmentStatus, Study
from babymind.store.tasks import Task, TaskKind
from tests.factories import JO, SAM, change, enrol_family, rows, utc
from tests.services.living import Living, Phones, parents, slots

STAFF = "staff:1"


def open_tasks(ctx: Context, kind: TaskKind) -> list[Task]:
    return [task for task in rows(ctx, Task, kind=kind) if task.done_at is None]


def days_from(first: date, number: int) -> list[date]:
    return [first + timedelta(days=offset) for offset in range(number)]


# Several caregivers, several babies


def test_each_parent_is_written_to_by_their_own_clock(living: Living, ctx: Context, channel: Phones) -> None:
    parents(ctx, born_on=date(2026, 2, 1))
    channel.clear()

    living.days(9, looks=(0, 9, 13, 14, 17, 21, 22))  # New York's clock goes forward on 8 March

    for phone, zone in ((SAM, "Europe/London"), (JO, "America/New_York")):
        hours = [one.local(zone).strftime("%H:%M") for one in channel.came if one.to == phone and one.at.day > 2]
        assert hours[-14:] == ["09:00", "17:00"] * 7


def test_two_babies_of_one_caregiver_come_on_alternate_days_under_the_cap(
    living: Living, ctx: Context, channel: Phones
) -> None:
    family = parents(ctx, born_on=date(2026, 2, 20))
    second = life.add_pregnancy(ctx, family.study_code, babies=("Kim",), due_on=date(2026, 5, 1), actor=STAFF)

    living.days(8, looks=(0, 9, 14, 17, 22))

    for caregiver_id, _ in family.caregivers:
        for day in days_from(date(2026, 3, 3), 7):
            today = slots(ctx, caregiver_id=caregiver_id, local_day=day)
            assert len(today) == 4
            sent = {row.pregnancy_id for row in today if row.reason is None}
            assert len(sent) == 1
            assert {row.reason for row in today if row.pregnancy_id not in sent} == {Reason.DAILY_CAP}
        order = [row.pregnancy_id for row in slots(ctx, caregiver_id=caregiver_id, kind=Kind.FACT, reason=None)]
        assert set(order) == {1, second}
        assert all(before != after for before, after in zip(order, order[1:], strict=False))

    change(ctx, Study, 1, daily_cap=2)
    living.days(1)
    assert {row.reason for row in slots(ctx, local_day=date(2026, 3, 11))} == {None}


@pytest.mark.fault(72)
def test_a_shared_phone_gets_each_message_once_and_only_the_owners(
    living: Living, ctx: Context, channel: Phones
) -> None:
    enrol.enrol(
        ctx,
        enrol.NewFamily(
            study="demo", babies=("Robin",), born_on=date(2026, 2, 1),
            caregivers=[
                enrol.NewCaregiver(name="Sam", phone=SAM),
                enrol.NewCaregiver(name="Jo", phone=SAM, shares_phone=True, fact_time="10:00"),
            ],
        ),
    )  # fmt: skip
    living.days(2)

    texts = channel.of(SAM)
    assert len(texts) == len(set(texts)) == 1 + 2 * 2
    assert {row.reason for row in slots(ctx, caregiver_id=2)} == {Reason.SHARED_PHONE}
    assert ledger.of_day(ctx, date(2026, 3, 3)).ok


def test_a_new_number_gets_what_is_still_to_come_and_the_old_one_nothing_more(
    living: Living, ctx: Context, channel: Phones
) -> None:
    family = enrol_family(ctx)
    living.at("2026-03-02T09:00")
    channel.clear()

    caregivers.change_number(ctx, family.caregivers[0][0], JO, actor=STAFF)
    living.at("2026-03-02T17:00")
    living.days(1)
    living.text("Is this where I write?", phone=SAM)

    assert {one.to for one in channel.came} == {JO}
    assert len(channel.came) == 3
    with ctx.readers.begin() as session:
        numbers = session.get_one(Caregiver, 1).addresses
        told = [(ctx.vault.open(one.value_sealed), one.closed_why) for one in numbers]
    assert told == [(SAM, "changed"), (JO, None)]
    assert rows(ctx, Reply)[0].caregiver_id is None
    with pytest.raises(ConflictError, match="has this number already"):
        caregivers.change_number(ctx, 1, JO, actor=STAFF)


@pytest.mark.parametrize("joins", [False, True])
def test_a_number_that_is_given_away_at_this_very_moment_is_refused_as_any_other(
    living: Living, ctx: Context, joins: bool
) -> None:
    families = [enrol_family(ctx, phone=phone) for phone in (SAM, JO)]
    wanted, refused = "+447700900103", list[str]()

    def take_it() -> None:
        if joins:
            new = enrol.NewCaregiver(name="Alex", phone=wanted)
            caregivers.add_caregiver(ctx, families[1].study_code, new, actor=STAFF)
        else:
            caregivers.change_number(ctx, 2, wanted, actor=STAFF)

    def want_it() -> None:
        with pytest.raises(ConflictError) as error:
            take_it()
        refused.append(str(error.value))

    other = threading.Thread(target=want_it)
    with ctx.sessions.begin() as session:
        sam = session.get_one(Caregiver, 1)
        sam.addresses.append(enrol.new_address(ctx, wanted, utc_now()))
        session.flush()
        other.start()  # finds the number free, or waits to look
        other.join(0.3)
    other.join(20)

    assert refused == [
        "The number ending in 03 is enrolled already; change that family instead."
        if joins
        else "The number ending in 03 is another caregiver's; change that one first."
    ]
    assert len(rows(ctx, Caregiver)) == 2


def test_with_the_number_of_a_shared_phone_everybody_on_it_moves(
    living: Living, ctx: Context, channel: Phones
) -> None:
    couple = [
        enrol.NewCaregiver(name="Sam", phone=SAM),
        enrol.NewCaregiver(name="Jo", phone=SAM, shares_phone=True),
    ]
    enrol.enrol(ctx, enrol.NewFamily(study="demo", babies=("Robin",), born_on=date(2026, 2, 1), caregivers=couple))

    caregivers.change_number(ctx, 1, JO, actor=STAFF)
    stranger = enrol_family(ctx, phone=SAM, name="Alex", babies=("Kim",))  # who has the old number now
    living.at("2026-03-02T10:00")
    channel.clear()
    living.text("STOP", phone=JO)
    living.text("wrong number", phone=SAM)
    living.days(1)

    assert channel.of(JO) == []
    assert [row.messaging.value for row in rows(ctx, Caregiver)] == ["stopped", "stopped", "active"]
    assert {row.reason for row in slots(ctx, local_day=date(2026, 3, 3), caregiver_id=3)} == {Reason.CHANNEL_CLOSED}
    assert stranger.caregivers[0][0] == 3


@pytest.mark.fault(70)
def test_somebody_elses_number_is_left_alone_at_once_and_a_person_asks_for_the_right_one(
    living: Living, ctx: Context, channel: Phones
) -> None:
    family = parents(ctx, born_on=date(2026, 2, 1))
    living.at("2026-03-02T08:00")
    channel.clear()

    living.text("Sorry, you've got the wrong number", phone=SAM)
    living.at("2026-03-02T09:00")
    living.days(1)

    assert channel.of(SAM) == []
    assert len(channel.of(JO)) >= 3
    [task] = open_tasks(ctx, TaskKind.WRONG_NUMBER)
    assert (task.family_id, task.details) == (family.family_id, {"caregiver_id": family.caregivers[0][0]})
    assert {row.reason for row in slots(ctx, caregiver_id=1)} == {Reason.CHANNEL_CLOSED}

    caregivers.change_number(ctx, 1, "+447700900103", actor=STAFF)
    living.days(1)
    assert len(channel.of("+447700900103")) == 2


def test_a_caregiver_who_leaves_gets_nothing_more_and_the_others_go_on(
    living: Living, ctx: Context, channel: Phones
) -> None:
    parents(ctx, born_on=date(2026, 2, 1))
    living.at("2026-03-02T12:00")
    channel.clear()

    caregivers.leave(ctx, 2, actor=STAFF)
    living.days(2)
    caregivers.stop_by_staff(ctx, 2, actor=STAFF)

    assert channel.of(JO) == []
    assert len(channel.of(SAM)) == 4  # two days of two; the prompt of the first came before midnight
    assert rows(ctx, Caregiver)[1].messaging.value == "left"
    with pytest.raises(ConflictError, match="left the family"):
        caregivers.start_by_staff(ctx, 2, because="asked", actor=STAFF)


def test_the_phone_of_a_caregiver_who_leaves_is_then_the_other_ones(
    living: Living, ctx: Context, channel: Phones
) -> None:
    couple = [
        enrol.NewCaregiver(name="Sam", phone=SAM),
        enrol.NewCaregiver(name="Jo", phone=SAM, shares_phone=True),
    ]
    enrol.enrol(ctx, enrol.NewFamily(study="demo", babies=("Robin",), born_on=date(2026, 2, 1), caregivers=couple))
    living.at("2026-03-02T10:00")
    channel.clear()

    caregivers.leave(ctx, 1, actor=STAFF)
    living.at("2026-03-02T17:00")
    living.days(1)
    living.text("PAUSE", phone=SAM)

    went = {row.caregiver_id for row in rows(ctx, Delivery) if row.id in {one.delivery_id for one in channel.came}}
    assert went == {2}
    assert len(channel.came) == 4
    assert [row.messaging.value for row in rows(ctx, Caregiver)] == ["left", "paused"]


# Taking part


@pytest.mark.parametrize("choice", list(DataChoice))
def test_a_family_that_withdraws_gets_nothing_more_and_its_choice_is_kept(
    living: Living, ctx: Context, channel: Phones, choice: DataChoice
) -> None:
    family = parents(ctx, born_on=date(2026, 2, 1))
    living.at("2026-03-02T08:00")
    channel.clear()

    enrolments.withdraw(ctx, family.study_code, data=choice, actor=STAFF)
    living.at("2026-03-02T09:00")
    living.days(2)

    assert channel.came == []
    enrolment = rows(ctx, Enrolment)[0]
    assert (enrolment.status, enrolment.ended_why, enrolment.data_choice, enrolment.to_day) == (
        EnrolmentStatus.WITHDRAWN, EndedWhy.WITHDREW, choice, date(2026, 3, 2),
    )  # fmt: skip
    assert len(open_tasks(ctx, TaskKind.ERASE)) == (choice is DataChoice.ERASE)
    assert {row.reason for row in slots(ctx)} == {Reason.ENROLMENT_ENDED}
    assert ledger.of_day(ctx, date(2026, 3, 2)).ok
    with pytest.raises(ConflictError, match="takes part in no study"):
        enrolments.withdraw(ctx, family.study_code, data=choice, actor=STAFF)


def test_a_family_moves_to_another_study_from_tomorrow_without_a_gap_or_a_double(
    living: Living, ctx: Context, channel: Phones
) -> None:
    family = parents(ctx, born_on=date(2026, 2, 1))
    enrol.add_study(ctx, "other")
    change(ctx, Arm, 2, gets_prompts=False)
    living.at("2026-03-03T12:00")

    enrolments.move(ctx, family.study_code, study="other", actor=STAFF)
    living.at("2026-03-03T17:00")
    living.days(2, looks=(0, 9, 14, 17, 22))

    for caregiver_id, _ in family.caregivers:
        days = {
            day: [(row.kind, row.reason) for row in slots(ctx, caregiver_id=caregiver_id, local_day=day)]
            for day in days_from(date(2026, 3, 3), 3)
        }
        assert days[date(2026, 3, 3)] == [(Kind.FACT, None), (Kind.PROMPT, None)]
        for day in (date(2026, 3, 4), date(2026, 3, 5)):
            assert days[day] == [(Kind.FACT, None), (Kind.PROMPT, Reason.NOT_IN_ARM)]
    assert {row.status for row in slots(ctx, local_day=date(2026, 3, 3))} == {DeliveryStatus.ACCEPTED}
    assert [(one.from_day, one.to_day, one.arm_id) for one in rows(ctx, Enrolment)] == [
        (date(2026, 3, 2), date(2026, 3, 3), 1), (date(2026, 3, 4), None, 2),
    ]  # fmt: skip
    for day in days_from(date(2026, 3, 3), 2):
        assert ledger.of_day(ctx, day).ok


def test_a_family_that_moves_and_withdraws_on_the_same_day_leaves_the_study_that_it_was_in(
    living: Living, ctx: Context, channel: Phones
) -> None:
    family = parents(ctx, born_on=date(2026, 2, 1))
    enrol.add_study(ctx, "other")
    living.at("2026-03-03T12:00")
    channel.clear()

    enrolments.move(ctx, family.study_code, study="other", actor=STAFF)
    enrolments.withdraw(ctx, family.study_code, data=DataChoice.ERASE, actor=STAFF)
    living.days(2)

    [enrolment] = rows(ctx, Enrolment)
    assert (enrolment.arm_id, enrolment.from_day, enrolment.to_day) == (1, date(2026, 3, 2), date(2026, 3, 3))
    assert (enrolment.status, enrolment.ended_why, enrolment.data_choice) == (
        EnrolmentStatus.WITHDRAWN, EndedWhy.WITHDREW, DataChoice.ERASE,
    )  # fmt: skip
    assert channel.came == []
    assert len(open_tasks(ctx, TaskKind.ERASE)) == 1
    with pytest.raises(ConflictError, match="takes part in no study"):
        enrolments.withdraw(ctx, family.study_code, data=DataChoice.KEEP, actor=STAFF)


def test_a_family_that_withdraws_before_it_goes_on_has_completed(living: Living, ctx: Context) -> None:
    family = enrol_family(ctx, born_on=date(2025, 3, 5))
    living.days(11, looks=(0, 9))  # to 13 March, when its enrolment is complete
    life.add_pregnancy(ctx, family.study_code, due_on=date(2026, 9, 1), actor=STAFF)
    assert [one.from_day for one in rows(ctx, Enrolment)] == [date(2026, 3, 2), date(2026, 3, 14)]

    enrolments.withdraw(ctx, family.study_code, data=DataChoice.ERASE, actor=STAFF)

    [enrolment] = rows(ctx, Enrolment)
    assert (enrolment.status, enrolment.to_day, enrolment.data_choice) == (
        EnrolmentStatus.COMPLETED, date(2026, 3, 13), DataChoice.ERASE,
    )  # fmt: skip


def test_a_family_that_withdraws_before_its_part_has_begun_has_no_day_in_it(living: Living, ctx: Context) -> None:
    family = enrol_family(ctx, starts_at=utc("2026-03-09T08:00"))

    enrolments.withdraw(ctx, family.study_code, data=DataChoice.KEEP, actor=STAFF)
    living.days(9, looks=(0, 9))

    [enrolment] = rows(ctx, Enrolment)
    assert (enrolment.from_day, enrolment.to_day) == (date(2026, 3, 2), date(2026, 3, 2))
    assert slots(ctx) == []


def test_a_move_that_was_not_meant_costs_no_day_in_the_wrong_arm(living: Living, ctx: Context) -> None:
    family = enrol_family(ctx)
    enrol.add_study(ctx, "other")
    enrol.add_study(ctx, "third")

    enrolments.move(ctx, family.study_code, study="other", actor=STAFF)
    enrolments.move(ctx, family.study_code, study="third", actor=STAFF)

    assert [(one.from_day, one.to_day, one.arm_id) for one in rows(ctx, Enrolment)] == [
        (date(2026, 3, 2), date(2026, 3, 2), 1), (date(2026, 3, 3), None, 3),
    ]  # fmt: skip
    with pytest.raises(ConflictError, match="in that arm of that study already"):
        enrolments.move(ctx, family.study_code, study="third", actor=STAFF)
    with pytest.raises(NotFoundError, match="no arm 'control'"):
        enrolments.move(ctx, family.study_code, study="third", arm="control", actor=STAFF)


def test_a_move_into_quiet_hours_that_swallow_a_chosen_time_is_refused_with_the_reason(
    living: Living, ctx: Context
) -> None:
    family = enrol_family(ctx, prompt_time="20:30")
    enrol.add_study(ctx, "early-to-bed")
    change(ctx, Study, 2, quiet_from=datetime(2026, 1, 1, 20).time())

    with pytest.raises(InvalidInputError, match="20:30 lies in the quiet hours"):
        enrolments.move(ctx, family.study_code, study="early-to-bed", actor=STAFF)
    assert len(rows(ctx, Enrolment)) == 1


def test_how_often_a_family_is_written_to_is_as_its_arm_says(living: Living, ctx: Context) -> None:
    kinds: list[tuple[dict[str, Any], int, int]] = [
        ({}, 7, 7),
        ({"weekdays": FREQUENCIES["three-a-week"]}, 3, 3),
        ({"weekdays": FREQUENCIES["weekly"]}, 1, 1),
        ({"gets_prompts": False}, 7, 0),
        ({"gets_facts": False, "weekdays": FREQUENCIES["weekly"]}, 0, 1),
        ({"gets_facts": False, "gets_prompts": False}, 0, 0),
    ]
    for number, (settings_of_arm, _, _) in enumerate(kinds):
        enrol.add_study(ctx, f"study-{number}")
        change(ctx, Arm, number + 2, **settings_of_arm)
        caregiver = enrol.NewCaregiver(name="Sam", phone=f"+44770090030{number}")
        enrol.enrol(ctx, enrol.NewFamily(study=f"study-{number}", caregivers=[caregiver], born_on=date(2026, 2, 1)))

    living.days(7, looks=(0, 9, 17))

    item_kinds = {item.id: item.kind for item in rows(ctx, ContentItem)}
    for number, (_, facts, prompts) in enumerate(kinds):
        mine = slots(ctx, caregiver_id=number + 1)
        week = [row for row in mine if date(2026, 3, 3) <= row.local_day <= date(2026, 3, 9)]
        went = [row.kind for row in week if row.status in WENT]
        assert (went.count(Kind.FACT), went.count(Kind.PROMPT)) == (facts, prompts)
        assert len(week) == 14
        assert all(item_kinds[row.item_id or 0] == row.kind for row in week if row.status in WENT)
