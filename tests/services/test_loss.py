"""After a loss nothing cheerful goes to anybody of the family, and a person decides what comes next."""

import threading
from datetime import date

import pytest

from babymind.clock import utc_now
from babymind.domain.delivery import DeliveryStatus, Hold, Kind, Reason
from babymind.domain.reply import ReplyStatus
from babymind.errors import ConflictError, InvalidInputError
from babymind.services import calendar, caregivers, comment, enrol, ledger, life, receive, triage
from babymind.services.context import Context
from babymind.store import families
from babymind.store.deliveries import Delivery
from babymind.store.families import Infant, LossReason, Pregnancy, PregnancyStatus
from babymind.store.replies import Reply
from babymind.store.staff import AuditEvent
from babymind.store.studies import Study
from babymind.store.tasks import Task, TaskKind
from tests.factories import JO, SAM, change, enrol_family, rows, utc
from tests.services.living import Living, Phones, occasions, parents, said, slots

STAFF = "staff:1"
DUE = date(2026, 3, 20)
BORN = date(2026, 2, 1)


def open_tasks(ctx: Context, kind: TaskKind) -> list[Task]:
    return [task for task in rows(ctx, Task, kind=kind) if task.done_at is None]


def approve_condolence(ctx: Context) -> None:
    change(ctx, Study, 1, condolence=True)


# Told, and everything stops


@pytest.mark.fault(69)
def test_a_loss_told_by_one_parent_cancels_all_that_was_on_its_way_to_both(
    living: Living, ctx: Context, channel: Phones, reviewer: int
) -> None:
    parents(ctx, born_on=None, due_on=DUE)
    living.at("2026-03-02T20:00")
    living.text("She kicks when I sing", phone=JO)
    living.at("2026-03-03T06:00")
    life.hold(ctx, rows(ctx, families.Family)[0].study_code, why=Hold.ILL, actor=STAFF)
    life.release(ctx, rows(ctx, families.Family)[0].study_code, because="better", actor=STAFF)
    comment.write(ctx, reply_id=1, reviewer_id=reviewer, text="What a singer!", token="t1")
    channel.clear()

    living.text("We lost the baby", phone=SAM)
    for hour in ("08:00", "09:00", "13:00", "14:00", "17:00", "22:00"):
        living.at(f"2026-03-03T{hour}")
    living.days(2)

    assert [(one.to, one.text) for one in channel.came] == [(SAM, said(ctx, "loss"))]
    assert rows(ctx, Pregnancy)[0].status is PregnancyStatus.LOST
    assert rows(ctx, Delivery, kind=Kind.COMMENT)[0].reason is Reason.LOSS
    today = [row for row in slots(ctx) if row.local_day >= date(2026, 3, 3)]
    assert {(row.status, row.reason) for row in today} == {(DeliveryStatus.SKIPPED, Reason.LOSS)}
    assert len(today) == 12  # each day of each parent has its rows, and why nothing came
    assert ledger.of_day(ctx, date(2026, 3, 3)).ok
    assert len(open_tasks(ctx, TaskKind.CONFIRM_LOSS)) == 1
    assert rows(ctx, Reply)[1].status is ReplyStatus.WAITING


def test_the_answer_to_a_loss_is_plain_and_names_nobody(living: Living, ctx: Context, channel: Phones) -> None:
    enrol_family(ctx)
    living.at("2026-03-03T02:00")
    channel.clear()

    living.text("Our baby died.")

    [answer] = channel.came
    assert (answer.at, "so sorry" in answer.text) == (utc("2026-03-03T02:00"), True)
    for wrong in ("!", "Robin", "Sam", "BabyMind", "lost", "passed", "START", "STOP"):
        assert wrong not in answer.text


def test_the_reason_that_was_told_is_the_one_that_is_read_back(living: Living, ctx: Context, channel: Phones) -> None:
    told = [
        enrol_family(ctx, phone=f"+44770090030{number}").study_code
        for number, _ in enumerate(LossReason)
    ]  # fmt: skip
    living.at("2026-03-02T10:00")
    channel.clear()

    for code, reason in zip(told, LossReason, strict=True):
        life.tell_loss(ctx, code, reason=reason, actor=STAFF)
    living.at("2026-03-02T17:00")
    living.days(1)

    assert [one.loss_reason for one in rows(ctx, Infant)] == list(LossReason)
    assert [(event.actor, event.details) for event in rows(ctx, AuditEvent, action="loss")] == [
        (STAFF, {"pregnancy_id": number, "babies": [1], "reason": reason.value})
        for number, reason in enumerate(LossReason, 1)
    ]
    assert channel.came == []  # no condolence: this study has approved none


def test_congratulations_that_have_not_gone_are_taken_back(living: Living, ctx: Context, channel: Phones) -> None:
    family = parents(ctx, born_on=None, due_on=DUE)
    living.at("2026-03-18T23:00")
    channel.clear()
    life.tell_birth(ctx, family.study_code, born_on=date(2026, 3, 18), actor=STAFF)

    life.tell_loss(ctx, family.study_code, reason=LossReason.DEATH, actor=STAFF)
    living.days(1)

    assert channel.came == []
    assert {row.reason for row in occasions(ctx, begin="birth:")} == {Reason.LOSS}


def test_condolence_goes_where_the_study_has_approved_it_once_a_phone_and_in_decent_hours(
    living: Living, ctx: Context, channel: Phones
) -> None:
    approve_condolence(ctx)
    names = ((SAM, False), (SAM, True), (JO, False), ("+447700900103", False))
    enrol.enrol(
        ctx,
        enrol.NewFamily(
            study="demo", babies=("Robin",), born_on=BORN,
            caregivers=[enrol.NewCaregiver(name="A", phone=phone, shares_phone=shares) for phone, shares in names],
        ),
    )  # fmt: skip
    caregivers.stop_by_staff(ctx, 4, actor=STAFF)
    caregivers.pause_by_staff(ctx, 3, days=None, actor=STAFF)
    living.at("2026-03-02T22:00")
    channel.clear()

    life.tell_loss(ctx, rows(ctx, families.Family)[0].study_code, actor=STAFF)
    living.at("2026-03-02T22:01")
    assert channel.came == []
    living.days(2)

    assert [(one.to, one.text) for one in channel.came] == [
        (SAM, said(ctx, "condolence")),
        (JO, said(ctx, "condolence")),
    ]
    assert {one.at for one in channel.came} == {utc("2026-03-03T08:00")}


def test_whoever_told_us_by_text_gets_the_answer_and_no_condolence_besides(
    living: Living, ctx: Context, channel: Phones
) -> None:
    approve_condolence(ctx)
    parents(ctx, born_on=BORN)
    living.at("2026-03-02T14:00")
    channel.clear()

    living.text("LOSS", phone=JO)
    living.days(1)

    assert sorted((one.to, one.text) for one in channel.came) == sorted(
        [(JO, said(ctx, "loss")), (SAM, said(ctx, "condolence"))]
    )


def test_both_parents_who_tell_of_the_loss_in_the_same_minute_are_both_answered(
    living: Living, ctx: Context, channel: Phones
) -> None:
    approve_condolence(ctx)
    parents(ctx, born_on=BORN)
    living.at("2026-03-02T14:00")
    channel.clear()

    living.keep("LOSS", phone=JO)
    living.keep("LOSS", phone=SAM)
    receive.process_new(ctx)
    triage.triage_new(ctx)
    living.tick()

    answered = [one.to for one in channel.came if one.text == said(ctx, "loss")]
    assert sorted(answered) == sorted([JO, SAM])
    assert len(open_tasks(ctx, TaskKind.CONFIRM_LOSS)) == 1


# What a bereaved parent texts afterwards


def test_no_answer_after_a_loss_speaks_of_messages_to_come(living: Living, ctx: Context, channel: Phones) -> None:
    object.__setattr__(ctx, "provider_answers", False)
    words = ("RESUME", "START", "TIME 8am", "TIME", "BORN", "born today", "PAUSE", "PAUSE 7")
    phones = [f"+44770090030{number}" for number, _ in enumerate(words)]
    codes = [enrol_family(ctx, phone=phone, born_on=None, due_on=DUE).study_code for phone in phones]
    living.text("PAUSE", phone=phones[0])
    living.text("STOP", phone=phones[1])
    for code in codes:
        life.tell_loss(ctx, code, actor=STAFF)
    living.at("2026-03-02T15:00")
    channel.clear()

    for phone, said_by_it in zip(phones, words, strict=True):
        living.text(said_by_it, phone=phone)
    living.days(1)

    assert channel.came == []
    assert {reply.status for reply in rows(ctx, Reply)[2:]} == {ReplyStatus.WAITING}
    assert {one.status for one in rows(ctx, Pregnancy)} == {PregnancyStatus.LOST}


def test_a_bereaved_parent_can_still_stop_and_ask_for_help(living: Living, ctx: Context, channel: Phones) -> None:
    object.__setattr__(ctx, "provider_answers", False)
    family = enrol_family(ctx)
    life.tell_loss(ctx, family.study_code, actor=STAFF)
    living.at("2026-03-02T15:00")
    channel.clear()

    living.text("HELP")
    living.text("STOP")

    assert channel.of(SAM) == [
        said(ctx, "help"), said(ctx, "stop")
    ]  # fmt: skip


def test_a_comment_held_back_by_a_stop_does_not_come_with_a_start_after_a_loss(
    living: Living, ctx: Context, channel: Phones, reviewer: int
) -> None:
    family = parents(ctx, born_on=BORN)
    living.at("2026-03-02T22:00")
    living.text("He laughed")
    comment.write(ctx, reply_id=1, reviewer_id=reviewer, text="What a giggler!", token="t1")
    living.text("STOP")
    life.tell_loss(ctx, family.study_code, actor=STAFF)
    channel.clear()

    living.text("START")
    living.days(2)

    assert channel.came == []


@pytest.mark.fault(115)
def test_a_comment_written_at_the_moment_a_loss_is_told_never_goes(
    living: Living, ctx: Context, channel: Phones, reviewer: int
) -> None:
    enrol_family(ctx)
    living.at("2026-03-02T17:00")
    living.text("He laughed")
    channel.clear()
    outcome: list[object] = []

    def write() -> None:
        try:
            outcome.append(comment.write(ctx, reply_id=1, reviewer_id=reviewer, text="A giggler!", token="t1"))
        except ConflictError as error:
            outcome.append(str(error))

    writer = threading.Thread(target=write)
    with ctx.sessions.begin() as session:
        family = families.lock_family_of(session, 1)
        writer.start()  # reads the family, then waits for it
        writer.join(0.3)
        life.loss(ctx, session, family.pregnancies[0], life.change_by(STAFF), reason=LossReason.DEATH)
    writer.join(20)
    living.tick()

    assert "told us that a baby died" in str(outcome[0])
    assert channel.came == []
    assert rows(ctx, Delivery, kind=Kind.COMMENT) == []


def test_a_person_who_knows_may_write_and_it_goes(
    living: Living, ctx: Context, channel: Phones, reviewer: int
) -> None:
    enrol_family(ctx)
    living.at("2026-03-02T17:00")
    living.text("LOSS")
    channel.clear()

    comment.write(ctx, reply_id=1, reviewer_id=reviewer, text="We are so sorry.", token="t1", knows_of_loss=True)
    living.text("LOSS")  # told once more: what was written in the knowledge of it still goes
    living.tick()

    assert sorted(channel.of(SAM)) == sorted(["We are so sorry.", said(ctx, "loss")])


def test_whoever_joins_the_family_afterwards_is_not_welcomed(living: Living, ctx: Context, channel: Phones) -> None:
    family = enrol_family(ctx)
    life.tell_loss(ctx, family.study_code, actor=STAFF)
    channel.clear()

    caregivers.add_caregiver(ctx, family.study_code, enrol.NewCaregiver(name="Jo", phone=JO), actor=STAFF)
    living.at("2026-03-02T09:00")
    living.days(1)

    assert channel.came == []


# Never asked, nudged or told of an end


def test_a_bereaved_family_is_asked_nothing_by_us_or_by_a_person(
    living: Living, ctx: Context, channel: Phones
) -> None:
    for phone in (SAM, JO):
        enrol_family(ctx, phone=phone, born_on=None, due_on=date(2026, 3, 3))
    living.at("2026-03-02T12:00")
    living.text("LOSS", phone=SAM)
    living.text("Our baby died on Friday", phone=JO)  # which nobody carries out, and a person reads
    living.tick()
    channel.clear()

    living.days(28, looks=(9,))

    assert channel.came == []
    assert {task.kind for task in rows(ctx, Task)} == {TaskKind.CONFIRM_LOSS}


def test_what_a_person_was_to_ask_about_the_birth_is_off_the_list_after_a_loss(living: Living, ctx: Context) -> None:
    family = enrol_family(ctx, born_on=None, due_on=date(2026, 2, 9))
    living.days(3, looks=(0,))
    assert len(open_tasks(ctx, TaskKind.ASK_ABOUT_BIRTH)) == 1

    life.tell_loss(ctx, family.study_code, actor=STAFF)

    assert open_tasks(ctx, TaskKind.ASK_ABOUT_BIRTH) == []


def test_the_end_of_a_programme_is_not_told_after_a_loss(living: Living, ctx: Context, channel: Phones) -> None:
    family = enrol_family(ctx, born_on=date(2025, 3, 5))
    living.at("2026-03-02T09:00")
    life.tell_loss(ctx, family.study_code, actor=STAFF)
    channel.clear()

    living.days(6, looks=(0, 9))

    assert channel.came == []
    assert occasions(ctx, begin="programme-end") == []


# Twins and siblings


@pytest.mark.fault(69)
def test_when_one_twin_dies_the_other_is_held_till_a_person_has_spoken_with_the_family(
    living: Living, ctx: Context, channel: Phones
) -> None:
    approve_condolence(ctx)
    family = enrol_family(ctx, babies=("Ada", "Ben"))
    living.at("2026-03-02T09:00")
    channel.clear()

    life.tell_loss(ctx, family.study_code, babies=[2], reason=LossReason.DEATH, actor=STAFF)
    living.at("2026-03-02T17:00")
    living.days(3, looks=(0, 9, 17))
    assert channel.of(SAM) == [said(ctx, "condolence")]
    assert {row.reason for row in slots(ctx, local_day=date(2026, 3, 4))} == {Reason.AFTER_LOSS}
    assert [task.details for task in open_tasks(ctx, TaskKind.TALK_AFTER_LOSS)] == [{"pregnancy_id": 1}]

    channel.clear()
    life.release(ctx, family.study_code, because="they would like Ada's", actor=STAFF)
    living.days(8, looks=(0, 9, 17))
    texts = channel.of(SAM)
    assert {entry.babies for entry in calendar.of_family(ctx, family.study_code)} == {"Ada"}
    assert len(texts) == 16
    assert any("Ada" in text for text in texts)
    assert not any("Ben" in text for text in texts)

    channel.clear()
    life.tell_loss(ctx, family.study_code, reason=LossReason.DEATH, actor=STAFF)
    living.tick()
    living.days(1)
    assert channel.of(SAM) == [said(ctx, "condolence")]  # this death too
    assert rows(ctx, Pregnancy)[0].status is PregnancyStatus.LOST


def test_of_triplets_each_loss_asks_a_person_anew(living: Living, ctx: Context) -> None:
    family = enrol_family(ctx, babies=("Ada", "Ben", "Cem"))

    for position in (1, 3):
        life.tell_loss(ctx, family.study_code, babies=[position], actor=STAFF)

    assert len(open_tasks(ctx, TaskKind.TALK_AFTER_LOSS)) == 2
    with pytest.raises(InvalidInputError, match="no living baby number 3"):
        life.tell_loss(ctx, family.study_code, babies=[3], actor=STAFF)


def test_a_parent_of_twins_who_texts_of_a_loss_is_answered_and_nobody_guesses_of_whom(
    living: Living, ctx: Context, channel: Phones
) -> None:
    enrol_family(ctx, babies=("Ada", "Ben"))
    living.at("2026-03-02T09:00")
    channel.clear()

    living.text("our baby died")
    living.days(2)

    assert channel.of(SAM) == [said(ctx, "loss")]
    assert {one.status for one in rows(ctx, Infant)} == {PregnancyStatus.BORN}
    assert rows(ctx, Pregnancy)[0].hold is Hold.AFTER_LOSS
    assert len(open_tasks(ctx, TaskKind.CONFIRM_LOSS)) == 1


def test_a_parent_who_texts_of_a_twins_death_that_staff_know_of_does_not_tell_of_the_other_twins(
    living: Living, ctx: Context, channel: Phones
) -> None:
    approve_condolence(ctx)
    family = parents(ctx, babies=("Ada", "Ben"), born_on=BORN)
    living.at("2026-03-02T14:00")
    life.tell_loss(ctx, family.study_code, babies=[2], actor=STAFF)
    channel.clear()

    living.text("Our baby died", phone=SAM)
    living.days(1)

    assert [one.status for one in rows(ctx, Infant)] == [PregnancyStatus.BORN, PregnancyStatus.LOST]
    assert rows(ctx, Pregnancy)[0].hold is Hold.AFTER_LOSS
    assert sorted((one.to, one.text) for one in channel.came) == sorted(
        [(SAM, said(ctx, "condolence")), (SAM, said(ctx, "loss")), (JO, said(ctx, "condolence"))]
    )
    assert len(open_tasks(ctx, TaskKind.CONFIRM_LOSS)) == 1


def test_the_siblings_of_a_baby_who_died_are_held_too(living: Living, ctx: Context, channel: Phones) -> None:
    family = enrol_family(ctx)
    older = life.add_pregnancy(ctx, family.study_code, babies=("Kim",), born_on=date(2025, 8, 1), actor=STAFF)
    living.at("2026-03-02T09:00")
    channel.clear()

    life.tell_loss(ctx, family.study_code, pregnancy_id=1, actor=STAFF)
    living.at("2026-03-02T17:00")
    living.days(1)
    assert channel.came == []
    assert {(row.pregnancy_id, row.reason) for row in slots(ctx, local_day=date(2026, 3, 3))} == {
        (1, Reason.LOSS), (older, Reason.AFTER_LOSS),
    }  # fmt: skip

    life.release(ctx, family.study_code, because="they would like Kim's", actor=STAFF)
    living.days(2, looks=(0, 9, 17))
    assert len(channel.came) == 4  # every day: nobody takes turns with a baby who died
    assert not any("Robin" in text for text in channel.of(SAM))
    life.add_pregnancy(ctx, family.study_code, due_on=date(2026, 8, 1), actor=STAFF)
    with pytest.raises(ConflictError, match="several pregnancies; say which"):
        life.tell_loss(ctx, family.study_code, actor=STAFF)


# Undone, when it was told wrongly


@pytest.mark.fault(69)
def test_a_loss_is_undone_by_a_person_with_both_confirmations_only(
    living: Living, ctx: Context, channel: Phones
) -> None:
    approve_condolence(ctx)
    family = parents(ctx, born_on=BORN)
    living.at("2026-03-02T22:30")
    life.tell_loss(ctx, family.study_code, actor=STAFF)
    channel.clear()

    with pytest.raises(ConflictError, match="by a person of the team only"):
        life.undo_loss(ctx, family.study_code, because="a mistake", confirmations=2, actor="caregiver:2")
    with pytest.raises(ConflictError, match="confirm both"):
        life.undo_loss(ctx, family.study_code, because="a mistake", confirmations=1, actor=STAFF)
    with pytest.raises(InvalidInputError, match="Say in a few words"):
        life.undo_loss(ctx, family.study_code, because=" ", confirmations=2, actor=STAFF)
    life.undo_loss(ctx, family.study_code, because="a former partner told it", confirmations=2, actor=STAFF)
    with pytest.raises(ConflictError, match="has a loss to undo"):
        life.undo_loss(ctx, family.study_code, because="again", confirmations=2, actor=STAFF)
    living.days(1, looks=(0, 4, 8, 9, 13, 14, 17, 22))

    assert said(ctx, "condolence") not in channel.of(SAM) + channel.of(JO)
    assert (len(channel.of(SAM)), len(channel.of(JO))) == (2, 2)
    assert [(one.status, one.loss_reason) for one in rows(ctx, Infant)] == [(PregnancyStatus.BORN, None)]
    [event] = rows(ctx, AuditEvent, action="loss_undone")
    assert event.details["because"] == "a former partner told it"


def laughed(living: Living, ctx: Context, reviewer: int) -> None:
    """A parent has written at night, and the answer to it waits for the morning."""
    living.at("2026-03-02T22:00")
    living.text("He laughed")
    comment.write(ctx, reply_id=1, reviewer_id=reviewer, text="What a giggler!", token="t1")


def test_a_comment_that_a_loss_told_wrongly_had_cancelled_goes_once_it_is_undone(
    living: Living, ctx: Context, channel: Phones, reviewer: int
) -> None:
    family = parents(ctx, born_on=BORN)
    laughed(living, ctx, reviewer)
    life.tell_loss(ctx, family.study_code, actor=STAFF)
    living.at("2026-03-03T09:00")
    channel.clear()

    life.undo_loss(ctx, family.study_code, because="a mistake", confirmations=2, actor=STAFF)
    living.at("2026-03-03T09:01")
    living.days(1)

    assert channel.of(SAM).count("What a giggler!") == 1
    assert "What a giggler!" not in channel.of(JO)


def test_a_comment_whose_time_is_over_does_not_go_when_a_loss_is_undone(
    living: Living, ctx: Context, channel: Phones, reviewer: int
) -> None:
    family = enrol_family(ctx)
    laughed(living, ctx, reviewer)
    life.tell_loss(ctx, family.study_code, actor=STAFF)
    living.at("2026-03-10T09:00")  # seven days from eight in the morning

    life.undo_loss(ctx, family.study_code, because="a mistake", confirmations=2, actor=STAFF)
    living.days(2)

    assert "What a giggler!" not in channel.of(SAM)


def test_a_comment_stays_back_while_another_loss_is_on_record(
    living: Living, ctx: Context, channel: Phones, reviewer: int
) -> None:
    family = enrol_family(ctx, babies=("Ada", "Ben"))
    laughed(living, ctx, reviewer)
    life.tell_loss(ctx, family.study_code, babies=[2], actor=STAFF)
    life.tell_loss(ctx, family.study_code, babies=[1], actor=STAFF)

    life.undo_loss(ctx, family.study_code, because="told of the wrong twin", confirmations=2, actor=STAFF)
    living.days(2)

    assert channel.of(SAM) == []


def test_a_comment_goes_once_a_person_has_found_that_nobody_died(
    living: Living, ctx: Context, channel: Phones, reviewer: int
) -> None:
    family = enrol_family(ctx)
    laughed(living, ctx, reviewer)
    living.text("Our baby died on Friday")
    assert rows(ctx, Delivery, kind=Kind.COMMENT)[0].reason is Reason.LOSS

    life.release(ctx, family.study_code, because="a message to somebody else", actor=STAFF)
    living.days(1)

    assert channel.of(SAM).count("What a giggler!") == 1


# The reason, when it was written down wrongly


@pytest.mark.parametrize("reason", [one for one in LossReason if one is not LossReason.NOT_SAID])
def test_a_reason_that_was_written_down_wrongly_is_corrected_and_read_back_the_same(
    living: Living, ctx: Context, channel: Phones, reason: LossReason
) -> None:
    approve_condolence(ctx)
    family = enrol_family(ctx)
    life.tell_loss(ctx, family.study_code, actor=STAFF)
    living.at("2026-03-02T12:00")
    channel.clear()

    life.correct_loss_reason(ctx, family.study_code, reason=reason, actor=STAFF)
    living.days(1)

    assert [one.loss_reason for one in rows(ctx, Infant)] == [reason]
    [event] = rows(ctx, AuditEvent, action="loss_reason")
    assert (event.actor, event.details) == (STAFF, {"pregnancy_id": 1, "babies": [1], "reason": reason.value})
    assert channel.came == []
    assert rows(ctx, Pregnancy)[0].status is PregnancyStatus.LOST
    with pytest.raises(ConflictError, match="on record already"):
        life.correct_loss_reason(ctx, family.study_code, reason=reason, actor=STAFF)


def test_the_reason_is_corrected_for_the_baby_who_is_meant_and_only_where_there_is_a_loss(
    living: Living, ctx: Context
) -> None:
    family = enrol_family(ctx, babies=("Ada", "Ben", "Cem"))
    with pytest.raises(ConflictError, match="No baby of this family has a loss on record"):
        life.correct_loss_reason(ctx, family.study_code, reason=LossReason.DEATH, actor=STAFF)
    life.tell_loss(ctx, family.study_code, babies=[1, 2], reason=LossReason.STILLBIRTH, actor=STAFF)

    with pytest.raises(InvalidInputError, match="No loss of baby number 3"):
        life.correct_loss_reason(ctx, family.study_code, babies=[3], reason=LossReason.DEATH, actor=STAFF)
    life.correct_loss_reason(ctx, family.study_code, babies=[2], reason=LossReason.DEATH, actor=STAFF)

    assert [one.loss_reason for one in rows(ctx, Infant)] == [LossReason.STILLBIRTH, LossReason.DEATH, None]
    life.undo_loss(ctx, family.study_code, because="a mistake", confirmations=2, actor=STAFF)
    assert {one.status for one in rows(ctx, Infant)} == {PregnancyStatus.BORN}  # both were told of at once


def test_a_loss_that_is_told_again_after_it_was_undone_is_condoled_then(
    living: Living, ctx: Context, channel: Phones
) -> None:
    approve_condolence(ctx)
    family = enrol_family(ctx)
    life.tell_loss(ctx, family.study_code, actor=STAFF)
    life.undo_loss(ctx, family.study_code, because="a mistake", confirmations=2, actor=STAFF)
    living.at("2026-03-05T12:00")
    channel.clear()

    life.tell_loss(ctx, family.study_code, actor=STAFF)
    living.tick()

    assert channel.of(SAM) == [said(ctx, "condolence")]


def test_undoing_the_second_loss_of_twins_does_not_bring_back_the_first(
    living: Living, ctx: Context, channel: Phones
) -> None:
    family = enrol_family(ctx, babies=("Ada", "Ben"))
    life.tell_loss(ctx, family.study_code, babies=[2], actor=STAFF)
    life.release(ctx, family.study_code, because="they would like Ada's", actor=STAFF)
    life.tell_loss(ctx, family.study_code, actor="caregiver:1")
    channel.clear()

    life.undo_loss(ctx, family.study_code, because="told in bad faith", confirmations=2, actor=STAFF)
    living.at("2026-03-02T09:00")
    living.days(3, looks=(0, 9, 17))

    assert [one.status for one in rows(ctx, Infant)] == [PregnancyStatus.BORN, PregnancyStatus.LOST]
    assert len(channel.came) >= 7
    assert not any("Ben" in text for text in channel.of(SAM))


def test_whoever_joins_after_a_twin_died_is_welcomed_with_the_living_twins_name(
    living: Living, ctx: Context, channel: Phones
) -> None:
    family = enrol_family(ctx, babies=("Ada", "Ben"))
    life.tell_loss(ctx, family.study_code, babies=[2], actor=STAFF)
    life.release(ctx, family.study_code, because="they would like Ada's", actor=STAFF)

    caregivers.add_caregiver(ctx, family.study_code, enrol.NewCaregiver(name="Jo", phone=JO), actor=STAFF)
    living.at("2026-03-02T08:00")

    [welcome] = channel.of(JO)
    assert "Ada" in welcome
    assert "Ben" not in welcome


def test_a_loss_is_told_once_and_only_of_a_family_that_there_is(living: Living, ctx: Context) -> None:
    family = enrol_family(ctx)
    life.tell_loss(ctx, family.study_code, actor=STAFF)

    with pytest.raises(ConflictError, match="No baby of this family is without a loss on record"):
        life.tell_loss(ctx, family.study_code, actor=STAFF)
    assert utc_now() == utc("2026-03-02T07:00")
