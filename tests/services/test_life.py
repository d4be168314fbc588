"""What happens in a family's life changes what it gets, at once and for everybody."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from babymind.clock import utc_now
from babymind.domain.age import Stage
from babymind.domain.delivery import DeliveryStatus, Hold, Kind, Reason
from babymind.domain.reply import ReplyStatus
from babymind.errors import BabyMindError, ConflictError, InvalidInputError, NotFoundError
from babymind.services import caregivers, enrol, enrolments, life
from babymind.services.context import Context
from babymind.store.deliveries import WENT
from babymind.store.families import Pregnancy
from babymind.store.replies import Reply
from babymind.store.studies import Arm, DataChoice, EndedWhy, Enrolment, EnrolmentStatus
from babymind.store.tasks import Task, TaskKind
from tests.factories import JO, SAM, at_once, change, enrol_family, rows, utc
from tests.services.living import Living, Phones, occasions, parents, said, slots

STAFF = "staff:1"
DUE = date(2026, 3, 20)


def open_tasks(ctx: Context, kind: TaskKind) -> list[Task]:
    return [task for task in rows(ctx, Task, kind=kind) if task.done_at is None]


def days_from(first: date, number: int) -> list[date]:
    return [first + timedelta(days=offset) for offset in range(number)]


# Birth


def test_a_birth_told_by_staff_changes_the_stage_the_same_day_and_each_parent_is_congratulated_once(
    living: Living, ctx: Context, channel: Phones
) -> None:
    family = parents(ctx, born_on=None, due_on=DUE)
    living.at("2026-03-18T00:05")
    living.at("2026-03-18T09:30")
    channel.clear()

    told = life.tell_birth(ctx, family.study_code, born_on=date(2026, 3, 17), actor=STAFF)
    for hour in ("09:31", "11:59", "12:00", "17:00"):
        living.at(f"2026-03-18T{hour}")
    living.days(2)

    assert told == "1 day old"
    glad = said(ctx, "birth-congratulations", ("Robin",))
    assert [(one.to, one.at) for one in channel.came if one.text == glad] == [
        (SAM, utc("2026-03-18T09:31")),
        (JO, utc("2026-03-18T12:00")),  # eight in the morning in New York
    ]
    mothers = slots(ctx, local_day=date(2026, 3, 18), caregiver_id=family.caregivers[0][0])
    assert [(row.stage, row.age_day) for row in mothers] == [(Stage.ANTENATAL, -2), (Stage.INFANT, 1)]


@pytest.mark.fault(108)
def test_a_parent_who_texts_born_today_at_night_is_answered_at_once_and_the_other_in_the_morning(
    living: Living, ctx: Context, channel: Phones
) -> None:
    enrol.enrol(
        ctx,
        enrol.NewFamily(
            study="demo", babies=("Ada", "Ben"), due_on=DUE,
            caregivers=[enrol.NewCaregiver(name=name, phone=phone) for name, phone in (("Sam", SAM), ("Jo", JO))],
        ),
    )  # fmt: skip
    living.at("2026-03-18T23:30")
    channel.clear()

    living.text("Born today!", phone=JO)
    living.days(1)

    glad = said(ctx, "birth-congratulations", ("Ada", "Ben"))
    assert [(one.to, one.at) for one in channel.came if one.text == glad] == [
        (JO, utc("2026-03-18T23:30")),
        (SAM, utc("2026-03-19T08:00")),
    ]
    assert rows(ctx, Pregnancy)[0].born_on == date(2026, 3, 18)
    assert rows(ctx, Reply)[0].status is ReplyStatus.WAITING  # a person is glad with them


def test_an_early_birth_with_its_weeks_is_told_in_one_text(living: Living, ctx: Context, channel: Phones) -> None:
    enrol_family(ctx, born_on=None, due_on=date(2026, 5, 12))
    living.at("2026-03-14T10:00")

    living.text("BORN 12 March 31+2")
    living.at("2026-03-14T17:00")

    pregnancy = rows(ctx, Pregnancy)[0]
    assert (pregnancy.born_on, pregnancy.gestation_days) == (date(2026, 3, 12), 219)
    assert said(ctx, "weeks", weeks="31+2") in channel.of(SAM)  # and they are not asked for once more
    assert [(row.stage, row.age_day) for row in slots(ctx, kind=Kind.PROMPT)][-1] == (Stage.EARLY, 2)
    assert open_tasks(ctx, TaskKind.CHECK_GESTATION) == []


def test_of_an_early_birth_without_its_weeks_we_ask_and_so_does_a_person(
    living: Living, ctx: Context, channel: Phones
) -> None:
    enrol_family(ctx, born_on=None, due_on=date(2026, 5, 12))
    living.at("2026-03-14T10:00")

    living.text("born yesterday")
    assert channel.of(SAM)[-1] == said(ctx, "birth-early", ("Robin",), day="13 March")
    assert rows(ctx, Pregnancy)[0].gestation_days == 280 - 60
    assert len(open_tasks(ctx, TaskKind.CHECK_GESTATION)) == 1

    living.text("BORN 13 March 31+2")
    assert channel.of(SAM)[-1] == said(ctx, "weeks", weeks="31+2")
    assert rows(ctx, Pregnancy)[0].gestation_days == 219
    assert open_tasks(ctx, TaskKind.CHECK_GESTATION) == []


@pytest.mark.fault(67)
def test_a_birth_that_cannot_be_is_refused_with_the_reason_and_nothing_is_changed(
    living: Living, ctx: Context
) -> None:
    family = enrol_family(ctx, born_on=None, due_on=DUE)
    living.at("2026-03-18T10:00")
    before = [(row.id, row.stage, row.status) for row in slots(ctx)]

    for born_on, gestation_days, says in (
        (date(2026, 3, 19), None, "in the future"),
        (date(2025, 10, 1), None, "a birth is between 22\\+0 and 44\\+0"),
        (date(2026, 3, 17), 240, "make 39\\+4 weeks at birth, not 34\\+2"),
        (date(2026, 3, 17), 140, "at 20\\+0 weeks"),
    ):
        with pytest.raises(InvalidInputError, match=says):
            life.tell_birth(ctx, family.study_code, born_on=born_on, gestation_days=gestation_days, actor=STAFF)

    assert rows(ctx, Pregnancy)[0].born_on is None
    assert [(row.id, row.stage, row.status) for row in slots(ctx)] == before
    assert occasions(ctx, begin="birth") == []


def test_who_tells_of_a_birth_that_is_known_already_is_read_by_a_person_and_nothing_changes(
    living: Living, ctx: Context, channel: Phones
) -> None:
    enrol_family(ctx, born_on=date(2026, 3, 1))
    living.at("2026-03-14T10:00")
    channel.clear()

    for words in ("BORN", "born today", "BORN 12 March", "Our baby is here"):
        living.text(words)

    assert [reply.status for reply in rows(ctx, Reply)] == [ReplyStatus.WAITING] * 4
    assert rows(ctx, Pregnancy)[0].born_on == date(2026, 3, 1)
    assert channel.came == []


def test_a_birth_told_by_both_parents_at_the_same_moment_is_one_birth(
    living: Living, ctx: Context, channel: Phones
) -> None:
    family = parents(ctx, born_on=None, due_on=DUE)
    living.at("2026-03-18T15:00")
    channel.clear()

    def tell() -> str:
        try:
            return life.tell_birth(ctx, family.study_code, born_on=date(2026, 3, 18), actor=STAFF)
        except ConflictError as error:
            return str(error)

    told = at_once(tell, 4)
    living.at("2026-03-18T16:00")

    assert sorted(told) == ["No baby of this family is still to be born."] * 3 + ["born today"]
    glad = said(ctx, "birth-congratulations", ("Robin",))
    assert sorted(one.to for one in channel.came if one.text == glad) == sorted([SAM, JO])


def test_whether_the_baby_has_arrived_is_not_asked_once_it_has(living: Living, ctx: Context, channel: Phones) -> None:
    family = enrol_family(ctx, born_on=None, due_on=DUE)
    living.at("2026-03-23T00:05")  # the third day past it
    living.at("2026-03-23T08:30")
    channel.clear()

    life.tell_birth(ctx, family.study_code, born_on=date(2026, 3, 22), actor=STAFF)
    living.at("2026-03-23T09:00")
    living.days(12)  # the tenth day past the due date among them

    assert said(ctx, "arrived", ("Robin",)) not in channel.of(SAM)
    assert [(row.status, row.reason) for row in occasions(ctx, begin="arrived")] == [
        (DeliveryStatus.CANCELLED, Reason.REPLANNED)
    ]


def test_a_family_whose_arm_gets_no_messages_is_not_told_that_they_follow_the_baby(
    living: Living, ctx: Context, channel: Phones
) -> None:
    change(ctx, Arm, 1, gets_facts=False, gets_prompts=False)
    family = enrol_family(ctx, born_on=None, due_on=DUE)
    living.at("2026-03-18T10:00")
    channel.clear()

    life.tell_birth(ctx, family.study_code, born_on=date(2026, 3, 18), actor=STAFF)
    living.days(1)

    assert channel.came == []
    assert {row.reason for row in slots(ctx)} == {Reason.CONTROL_ARM}


# Corrected dates


@pytest.mark.fault(67)
def test_days_that_come_again_after_a_correction_are_not_sent_again_and_then_it_goes_on(
    living: Living, ctx: Context, channel: Phones
) -> None:
    family = enrol_family(ctx, born_on=date(2026, 2, 20))
    living.at("2026-03-02T09:00")
    living.days(6, looks=(0, 9, 17))  # to 8 March: days 10 to 16
    living.at("2026-03-08T20:00")

    life.correct_dates(ctx, family.study_code, born_on=date(2026, 2, 23), due_on=date(2026, 2, 23), actor=STAFF)
    living.days(6, looks=(0, 9, 17))

    facts = [(row.age_day, row.reason) for row in slots(ctx, kind=Kind.FACT)]
    assert facts == [
        *((day, None) for day in range(10, 17)),
        *((day, Reason.ALREADY_SENT) for day in (14, 15, 16)),
        *((day, None) for day in (17, 18, 19)),
    ]
    assert len(channel.of(SAM)) == len(set(channel.of(SAM)))


@pytest.mark.fault(67)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    corrections=st.lists(st.tuples(st.integers(0, 2), st.integers(-9, 9), st.booleans()), min_size=5, max_size=5),
)
def test_no_correction_ever_sends_an_item_again(
    living: Living, ctx: Context, channel: Phones, data: st.DataObject, corrections: list[tuple[int, int, bool]]
) -> None:
    phone = f"+447700900{200 + len(rows(ctx, Pregnancy))}"
    today = utc_now().date()
    born_on = today - timedelta(days=data.draw(st.integers(0, 60)))
    gestation = data.draw(st.sampled_from([200, 230, 258, 259, 280, 290]))
    family = enrol_family(ctx, phone=phone, born_on=born_on, gestation_days=gestation, prompt_time="09:00")

    for wait, shift, move_birth in corrections:
        living.days(1 + wait, looks=(9,))
        pregnancy = rows(ctx, Pregnancy)[-1]
        moved = timedelta(days=shift)
        try:
            life.correct_dates(
                ctx, family.study_code, actor=STAFF,
                **({"born_on": (pregnancy.born_on or today) + moved, "due_on": pregnancy.due_on + moved}
                   if move_birth else {"gestation_days": (pregnancy.gestation_days or 280) + shift}),
            )  # fmt: skip
        except InvalidInputError:  # in the future, or no possible gestation: refused
            continue
    enrolments.withdraw(ctx, family.study_code, data=DataChoice.KEEP, actor=STAFF)

    mine = [row for row in slots(ctx, caregiver_id=family.caregivers[0][0]) if row.status in WENT]
    facts = [row.item_id for row in mine if row.kind is Kind.FACT]
    assert len(facts) == len(set(facts))
    prompts = [row.item_id for row in mine if row.kind is Kind.PROMPT]
    assert len(prompts) == len(set(prompts))  # none again within 90 days, and these are at most 15
    texts = channel.of(phone)
    assert len(texts) == len(set(texts))


def test_a_question_about_a_day_that_was_wrong_is_not_asked(living: Living, ctx: Context, channel: Phones) -> None:
    family = enrol_family(ctx, born_on=None, due_on=DUE)
    living.at("2026-03-23T00:05")
    living.at("2026-03-23T08:30")
    channel.clear()

    life.correct_dates(ctx, family.study_code, due_on=date(2026, 4, 3), actor=STAFF)
    living.at("2026-03-23T09:00")
    assert said(ctx, "arrived", ("Robin",)) not in channel.of(SAM)

    living.days(24, looks=(0, 9))  # to 16 April: days 3 and 10 past the right one
    asked = [one.at for one in channel.came if one.text == said(ctx, "arrived", ("Robin",))]
    assert asked == [utc("2026-04-13T09:00")]  # not on 6 April: the third day's question was had


@pytest.mark.fault(67)
def test_a_correction_that_cannot_be_is_refused(living: Living, ctx: Context) -> None:
    family = enrol_family(ctx, born_on=None, due_on=DUE)
    cannot_be: list[tuple[dict[str, Any], type[BabyMindError], str]] = [
        ({}, InvalidInputError, "Give the date that is to be corrected"),
        ({"born_on": date(2026, 3, 1)}, ConflictError, "record the birth instead"),
        ({"gestation_days": 270}, ConflictError, "record the birth instead"),
        ({"due_on": date(2027, 3, 1)}, InvalidInputError, "more than 40 weeks away"),
        ({"due_on": DUE, "pregnancy_id": 99}, NotFoundError, "no such pregnancy"),
    ]

    for corrected, error, says in cannot_be:
        with pytest.raises(error, match=says):
            life.correct_dates(ctx, family.study_code, actor=STAFF, **corrected)
    with pytest.raises(NotFoundError, match="no family with this code"):
        life.correct_dates(ctx, "AAAAA-BBBBB", due_on=DUE, actor=STAFF)


# What a person holds


@pytest.mark.fault(69)
@pytest.mark.parametrize("why", [Hold.IN_CARE, Hold.ADOPTED])
def test_a_hold_stops_everything_about_the_baby_at_once_till_a_person_ends_it(
    living: Living, ctx: Context, channel: Phones, why: Hold
) -> None:
    family = parents(ctx, born_on=date(2026, 2, 1))
    living.at("2026-03-03T00:05")
    living.at("2026-03-03T08:59")
    channel.clear()

    life.hold(ctx, family.study_code, why=why, actor=STAFF)
    living.at("2026-03-03T09:00")
    living.days(2)
    assert channel.came == []
    assert {row.reason for row in slots(ctx) if row.local_day >= date(2026, 3, 3)} == {Reason(why.value)}

    living.at("2026-03-06T10:00")
    with pytest.raises(ConflictError, match="by a person of the team"):
        life.release(ctx, family.study_code, because="she said so", actor="caregiver:1")
    with pytest.raises(InvalidInputError, match="Say in a few words"):
        life.release(ctx, family.study_code, because="  ", actor=STAFF)
    life.release(ctx, family.study_code, because="home again", actor=STAFF)
    living.at("2026-03-06T10:01")
    assert channel.came == []  # nothing of the morning is caught up with
    living.at("2026-03-06T14:00")
    living.at("2026-03-06T17:00")
    assert [one.to for one in channel.came] == [JO, SAM]  # nine in New York, five in London
    with pytest.raises(ConflictError, match="Nothing about this family is held"):
        life.release(ctx, family.study_code, because="again", actor=STAFF)


def test_while_one_child_is_held_the_sibling_has_every_day(living: Living, ctx: Context) -> None:
    family = enrol_family(ctx, born_on=date(2026, 2, 20))
    older = life.add_pregnancy(ctx, family.study_code, babies=("Kim",), born_on=date(2025, 7, 1), actor=STAFF)
    living.days(4, looks=(0, 9, 17))
    by_turns = [row.pregnancy_id for row in slots(ctx, kind=Kind.FACT) if row.status in WENT]

    life.hold(ctx, family.study_code, why=Hold.ILL, pregnancy_id=1, actor=STAFF)
    living.days(3, looks=(0, 9, 17))

    went = [row for row in slots(ctx, kind=Kind.FACT) if row.status in WENT]
    assert by_turns in ([1, older, 1, older], [older, 1, older, 1])
    assert [row.pregnancy_id for row in went[4:]] == [older] * 3


# Overdue, and the end


@pytest.mark.fault(109)
def test_past_the_due_date_we_ask_three_times_and_after_three_weeks_a_person_does(
    living: Living, ctx: Context, channel: Phones
) -> None:
    enrol_family(ctx, born_on=None, due_on=date(2026, 3, 10))
    living.days(33, looks=(0, 9))

    asked = [one.at.date() for one in channel.came if one.text == said(ctx, "arrived", ("Robin",))]
    assert asked == [date(2026, 3, 13), date(2026, 3, 20), date(2026, 3, 27)]
    held = slots(ctx, reason=Reason.HELD)
    assert {row.local_day for row in held} == set(days_from(date(2026, 4, 1), 4))
    assert max(one.at for one in channel.came).date() == date(2026, 3, 31)
    assert len(rows(ctx, Task)) == 1
    [task] = open_tasks(ctx, TaskKind.ASK_ABOUT_BIRTH)
    assert task.created_at.date() == date(2026, 4, 1)


def test_a_later_due_date_that_passes_too_is_asked_about_again_by_a_person(living: Living, ctx: Context) -> None:
    family = enrol_family(ctx, born_on=None, due_on=date(2026, 2, 9))
    living.days(3, looks=(0,))
    assert len(open_tasks(ctx, TaskKind.ASK_ABOUT_BIRTH)) == 1

    life.correct_dates(ctx, family.study_code, due_on=date(2026, 2, 20), actor=STAFF)
    living.days(12, looks=(0,))
    assert len(open_tasks(ctx, TaskKind.ASK_ABOUT_BIRTH)) == 2

    life.tell_birth(ctx, family.study_code, born_on=date(2026, 3, 10), actor=STAFF)
    assert open_tasks(ctx, TaskKind.ASK_ABOUT_BIRTH) == []


def test_no_person_asks_a_family_that_has_left_the_study_about_a_birth(living: Living, ctx: Context) -> None:
    family = enrol_family(ctx, born_on=None, due_on=date(2026, 2, 12))
    enrolments.withdraw(ctx, family.study_code, data=DataChoice.KEEP, actor=STAFF)

    living.days(9, looks=(0,))

    assert rows(ctx, Task) == []


def test_the_end_of_the_programme_is_told_once_and_a_week_later_the_enrolment_is_complete(
    living: Living, ctx: Context, channel: Phones
) -> None:
    parents(ctx, born_on=date(2025, 3, 5))
    living.days(12, looks=(0, 9, 14))

    ends = [(one.to, one.at) for one in channel.came if one.text == said(ctx, "programme-end", ("Robin",))]
    assert ends == [(SAM, utc("2026-03-06T09:00")), (JO, utc("2026-03-06T14:00"))]  # day 366
    for phone in (SAM, JO):
        assert channel.of(phone)[-1] == said(ctx, "programme-end", ("Robin",))
    enrolment = rows(ctx, Enrolment)[0]
    assert (enrolment.status, enrolment.ended_why, enrolment.to_day) == (
        EnrolmentStatus.COMPLETED, EndedWhy.COMPLETED, date(2026, 3, 13),
    )  # fmt: skip
    assert max(row.local_day for row in slots(ctx)) == date(2026, 3, 5)


def test_the_last_message_is_not_announced_while_a_sibling_still_has_some(
    living: Living, ctx: Context, channel: Phones
) -> None:
    family = enrol_family(ctx, born_on=date(2025, 3, 5))
    life.add_pregnancy(ctx, family.study_code, babies=("Kim",), born_on=date(2025, 3, 20), actor=STAFF)

    living.days(20, looks=(0, 9))

    ends = [one.at.date() for one in channel.came if "last of our daily" in one.text]
    assert ends == [date(2026, 3, 21)]
    assert said(ctx, "programme-end", ("Kim",)) in channel.of(SAM)
    assert rows(ctx, Enrolment)[0].to_day is None  # a week is not over yet


def test_an_enrolment_is_complete_though_a_pregnancy_beside_it_was_lost(living: Living, ctx: Context) -> None:
    family = enrol_family(ctx, born_on=date(2025, 3, 5))
    lost = life.add_pregnancy(ctx, family.study_code, due_on=date(2026, 7, 1), actor=STAFF)
    life.tell_loss(ctx, family.study_code, pregnancy_id=lost, actor=STAFF)
    life.release(ctx, family.study_code, because="they would like them", actor=STAFF)

    living.days(12, looks=(0, 9))

    assert rows(ctx, Enrolment)[0].status is EnrolmentStatus.COMPLETED


def test_a_second_pregnancy_after_the_programmes_end_begins_it_anew(
    living: Living, ctx: Context, channel: Phones
) -> None:
    family = enrol_family(ctx, born_on=date(2025, 3, 5))
    living.days(20, looks=(0, 9, 17))
    first = rows(ctx, Enrolment)[0]
    assert first.status is EnrolmentStatus.COMPLETED
    channel.came.clear()

    life.add_pregnancy(ctx, family.study_code, babies=("Kim",), due_on=date(2026, 5, 1), actor=STAFF)
    living.days(3, looks=(0, 9, 17))

    again = rows(ctx, Enrolment)[1]
    assert (again.arm_id, again.status, again.to_day) == (first.arm_id, EnrolmentStatus.ACTIVE, None)
    assert len(channel.came) >= 5  # a fact and a prompt each day


def test_a_family_that_withdrew_is_not_written_to_because_of_a_new_pregnancy(living: Living, ctx: Context) -> None:
    family = enrol_family(ctx, born_on=date(2026, 2, 20))
    enrolments.withdraw(ctx, family.study_code, data=DataChoice.KEEP, actor=STAFF)

    with pytest.raises(ConflictError, match="has left the study"):
        life.add_pregnancy(ctx, family.study_code, due_on=date(2026, 6, 1), actor=STAFF)


def test_the_question_is_asked_on_its_days_only_whatever_a_siblings_stage_does(
    living: Living, ctx: Context, channel: Phones
) -> None:
    family = enrol_family(ctx, born_on=None, due_on=date(2026, 3, 10))
    life.add_pregnancy(ctx, family.study_code, babies=("Kim",), born_on=date(2025, 3, 16), actor=STAFF)
    living.at("2026-03-12T18:00")
    caregivers.pause_by_staff(ctx, 1, days=2, actor=STAFF)  # over the third day

    living.days(12, looks=(0, 9))  # Kim's last day cuts the overdue weeks in two

    asked = [one.at.date() for one in channel.came if one.text == said(ctx, "arrived", ("Robin",))]
    assert asked == [date(2026, 3, 20)]
