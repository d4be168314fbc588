"""Family life: a birth, corrected dates, a loss, what only a person may decide; each in one transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from babymind.clock import utc_now
from babymind.domain.age import Dates, dates, describe, stages, weeks
from babymind.domain.delivery import Hold, Kind, Messaging, Reason
from babymind.domain.schedule import QuietHours, decent_instant, local_day
from babymind.engine.base import Work
from babymind.errors import ConflictError, InvalidInputError, NotFoundError
from babymind.services.context import Context
from babymind.services.enrol import check_babies, new_pregnancy, require_open
from babymind.services.plan import replan_family
from babymind.services.texts import message_text
from babymind.store import deliveries, families, tasks
from babymind.store import plan as planning
from babymind.store.families import Caregiver, Family, LossReason, Pregnancy, PregnancyStatus
from babymind.store.staff import audit
from babymind.store.studies import EndedWhy, Enrolment
from babymind.store.tasks import TaskKind

NOTICE_DAYS = 2  # for how long congratulations, or a condolence, are still worth sending
ANSWERED_DAYS = 14  # for how long the answer to a loss that was told by text stands for the condolence
UNDO_CONFIRMATIONS = 2
CHOSEN_HOLDS = (Hold.IN_CARE, Hold.ADOPTED, Hold.ILL, Hold.STAFF_HOLD)  # the other one follows a loss by itself
LONGEST_WHY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Who changes what, and when."""

    actor: str  # staff:7, caregiver:12, command
    now: datetime

    @property
    def caregiver_id(self) -> int | None:
        """The caregiver who told it, if it was one."""
        kind, _, number = self.actor.partition(":")
        return int(number) if kind == "caregiver" else None


def change_by(actor: str) -> Change:
    """Return a change made now."""
    return Change(actor=actor, now=utc_now())


def locked(session: Session, study_code: str) -> Family:
    """Return a family for changing it.

    Raises:
        NotFoundError: There is no family with this code.
    """
    family = families.lock_family(session, study_code)
    if family is None:
        raise NotFoundError("There is no family with this code; check its letters.")
    return family


def today_of(family: Family, now: datetime) -> date:
    """Return the family's calendar day: the latest of its caregivers'."""
    return max((local_day(now, ZoneInfo(one.zone)) for one in family.caregivers), default=now.date())


def record(session: Session, family: Family, change: Change, action: str, **details: object) -> None:
    """Add an event to a family's history; only ids, days and closed words."""
    audit(
        session, at=change.now, actor=change.actor, action=action, subject="family", subject_id=family.id, **details
    )


# Birth and dates


def tell_birth(ctx: Context, study_code: str, *, born_on: date, gestation_days: int | None = None,
               pregnancy_id: int | None = None, actor: str) -> str:  # fmt: skip
    """Record a birth: the stage switches the same day, and the family is congratulated.

    Returns:
        The baby's age in a reviewer's words.

    Raises:
        InvalidInputError: The date or the gestation cannot be.
        ConflictError: That baby is born already, or there are several it could be.
    """
    change = change_by(actor)
    with ctx.sessions.begin() as session:
        family = locked(session, study_code)
        pregnancy = chosen(family, pregnancy_id, {PregnancyStatus.EXPECTED}, "is still to be born")
        birth(ctx, session, pregnancy, change, born_on=born_on, gestation_days=gestation_days)
        said = describe(pregnancy.dates, today_of(family, change.now))
    ctx.engine.hint(Work.DELIVER)
    return said


def birth(ctx: Context, session: Session, pregnancy: Pregnancy, change: Change, *, born_on: date,
          gestation_days: int | None) -> None:  # fmt: skip
    """Record a birth in a transaction of the caller's; see `tell_birth`."""
    family = pregnancy.family
    known = dates(due_on=pregnancy.due_on, born_on=born_on, gestation_days=gestation_days,
                  today=today_of(family, change.now))  # fmt: skip
    pregnancy.status = PregnancyStatus.BORN
    for infant in pregnancy.infants:
        if infant.status is PregnancyStatus.EXPECTED:
            infant.status = PregnancyStatus.BORN
    _set_dates(pregnancy, known)
    replan_family(session, family, change.now)
    deliveries.cancel_notices(session, pregnancy.id)  # "has your baby arrived?" needs no answer any more
    planning.drop_questions(session, pregnancy.id, change.now, because="The birth was told.")
    _congratulate(ctx, session, pregnancy, change, weeks_told=gestation_days is not None)
    if known.birth and known.birth.preterm and gestation_days is None:
        tasks.ask(session, TaskKind.CHECK_GESTATION, f"gestation:{pregnancy.id}", now=change.now,
                  family_id=family.id, pregnancy_id=pregnancy.id)  # fmt: skip
    record(session, family, change, "birth", pregnancy_id=pregnancy.id, born_on=born_on.isoformat(),
           gestation=None if known.birth is None else weeks(known.birth.gestation_days))  # fmt: skip


def gestation_told(session: Session, pregnancy: Pregnancy, change: Change, gestation_days: int) -> None:
    """Take the weeks of pregnancy at a birth that was told already; the day stays."""
    family = pregnancy.family
    _set_dates(pregnancy, dates(due_on=None, born_on=pregnancy.born_on, gestation_days=gestation_days,
                                today=today_of(family, change.now)))  # fmt: skip
    replan_family(session, family, change.now)
    planning.drop_questions(session, pregnancy.id, change.now, because="The weeks were told.")
    record(session, family, change, "dates", pregnancy_id=pregnancy.id, gestation=weeks(gestation_days))


def _set_dates(pregnancy: Pregnancy, known: Dates) -> None:
    # Days of the age that were lived already may come again: then what was sent on them is not sent again.
    pregnancy.dates_changed = True
    pregnancy.due_on = known.due_on
    pregnancy.born_on = known.birth.born_on if known.birth else None
    pregnancy.gestation_days = known.birth.gestation_days if known.birth else None


def _congratulate(ctx: Context, session: Session, pregnancy: Pregnancy, change: Change, *, weeks_told: bool) -> None:
    if pregnancy.hold or pregnancy.status is PregnancyStatus.LOST or not takes_part(pregnancy.family):
        return
    names = [ctx.vault.open_optional(one.name_sealed) for one in living(pregnancy)]
    key, values = _words_on_birth(pregnancy, weeks_told=weeks_told)
    for caregiver in pregnancy.family.caregivers:
        if caregiver.messaging is not Messaging.ACTIVE:
            continue
        text = message_text(
            ctx, key, caregiver.locale, today=local_day(change.now, ZoneInfo(caregiver.zone)), babies=names, **values
        )
        told_it = caregiver.id == change.caregiver_id
        send_notice(
            ctx, session, caregiver, change.now, kind=Kind.ANSWER if told_it else Kind.NOTICE,
            occasion=f"birth:{pregnancy.id}:{caregiver.id}", text=text, pregnancy_id=pregnancy.id,
        )  # fmt: skip


def _words_on_birth(pregnancy: Pregnancy, *, weeks_told: bool) -> tuple[str, dict[str, str]]:
    """Return which message tells of a birth, and its values; nobody is asked for weeks that have just been told."""
    birth = pregnancy.dates.birth
    if birth is None or not birth.preterm:
        return "birth-congratulations", {}
    if weeks_told:
        return "weeks", {"weeks": weeks(birth.gestation_days)}
    return "birth-early", {"day": f"{birth.born_on.day} {birth.born_on:%B}"}


def takes_part(family: Family) -> bool:
    """Tell whether a family is in a study now, in an arm that gets messages."""
    return any(one.to_day is None and (one.arm.gets_facts or one.arm.gets_prompts) for one in family.enrolments)


def goes_on(family: Family) -> bool:
    """Tell whether anything is sent to a family now, as far as its study and its babies go."""
    return takes_part(family) and any(
        one.status is not PregnancyStatus.LOST and one.hold is None for one in family.pregnancies
    )


def send_notice(ctx: Context, session: Session, caregiver: Caregiver, now: datetime, *, kind: Kind, occasion: str,
                text: str, pregnancy_id: int | None = None) -> None:  # fmt: skip
    """Add one of our own messages, at a decent hour unless it answers what was just sent."""
    zone = ZoneInfo(caregiver.zone)
    study = families.study_of(session, caregiver.family_id)
    quiet = study.quiet if study else QuietHours()
    due_at = now if kind is Kind.ANSWER else decent_instant(now, zone, quiet)
    deliveries.add(
        session,
        deliveries.new_delivery(
            caregiver.id, kind, occasion, local_day=local_day(now, zone), due_at=due_at,
            window_ends_at=due_at + timedelta(days=NOTICE_DAYS), text_sealed=ctx.vault.seal(text),
            pregnancy_id=pregnancy_id,
        ),
    )  # fmt: skip


def correct_dates(ctx: Context, study_code: str, *, due_on: date | None = None, born_on: date | None = None,
                  gestation_days: int | None = None, pregnancy_id: int | None = None, actor: str) -> str:  # fmt: skip
    """Correct the due date, the birth date or the gestation; what is not given stays.

    What was sent already is not sent again on a day of the age that comes twice.

    Returns:
        The baby's age in a reviewer's words.
    """
    if due_on is None and born_on is None and gestation_days is None:
        raise InvalidInputError("Give the date that is to be corrected: due date, birth date or gestation at birth.")
    change = change_by(actor)
    with ctx.sessions.begin() as session:
        family = locked(session, study_code)
        pregnancy = chosen(family, pregnancy_id, {PregnancyStatus.EXPECTED, PregnancyStatus.BORN}, "can be corrected")
        if pregnancy.status is PregnancyStatus.EXPECTED and (born_on or gestation_days):
            raise ConflictError("This baby is not born yet; record the birth instead of correcting its date.")
        _set_dates(pregnancy, _corrected(pregnancy, due_on, born_on, gestation_days, today_of(family, change.now)))
        # A question that has not left was about the day that was wrong.
        deliveries.cancel_notices(session, pregnancy.id, of_the_day_only=True)
        if gestation_days:
            planning.drop_questions(session, pregnancy.id, change.now, because="The weeks were told.")
        _go_on(session, family, change, today_of(family, change.now))
        replan_family(session, family, change.now)
        given = {"due_on": due_on, "born_on": born_on, "gestation": gestation_days and weeks(gestation_days)}
        record(session, family, change, "dates", pregnancy_id=pregnancy.id,
               **{name: str(value) for name, value in given.items() if value})  # fmt: skip
        said = describe(pregnancy.dates, today_of(family, change.now))
    ctx.engine.hint(Work.DELIVER)
    return said


def _corrected(pregnancy: Pregnancy, due_on: date | None, born_on: date | None, gestation_days: int | None,
               today: date) -> Dates:  # fmt: skip
    if pregnancy.born_on is None:
        return dates(due_on=due_on, born_on=None, gestation_days=None, today=today)
    if due_on is None and gestation_days is not None:  # the gestation now given says when the birth was due
        return dates(due_on=None, born_on=born_on or pregnancy.born_on, gestation_days=gestation_days, today=today)
    # A gestation is worked out anew from the two dates, unless it is given too.
    return dates(due_on=due_on or pregnancy.due_on, born_on=born_on or pregnancy.born_on,
                 gestation_days=gestation_days, today=today)  # fmt: skip


def add_pregnancy(ctx: Context, study_code: str, *, babies: Sequence[str] = ("",), due_on: date | None = None,
                  born_on: date | None = None, gestation_days: int | None = None, actor: str) -> int:  # fmt: skip
    """Add another pregnancy or child to a family, and return its id; siblings then take turns."""
    change = change_by(actor)
    with ctx.sessions.begin() as session:
        family = locked(session, study_code)
        today = today_of(family, change.now)
        known = dates(due_on=due_on, born_on=born_on, gestation_days=gestation_days, today=today)
        require_open(known, today)
        pregnancy = new_pregnancy(ctx, known, check_babies(babies), change.now)
        last = family.enrolments[-1] if family.enrolments else None
        if last and last.to_day is not None and last.ended_why is not EndedWhy.COMPLETED:
            raise ConflictError("This family has left the study and gets no messages; enrol it again first.")
        family.pregnancies.append(pregnancy)
        _go_on(session, family, change, today)
        replan_family(session, family, change.now)
        record(session, family, change, "pregnancy_added", pregnancy_id=pregnancy.id)
        added = pregnancy.id
    ctx.engine.hint(Work.DELIVER)
    return added


def _go_on(session: Session, family: Family, change: Change, today: date) -> None:
    """Begin anew in the same arm where the programme had come to its end and there is a baby to write of again."""
    last = family.enrolments[-1] if family.enrolments else None
    if last is None or last.to_day is None or last.ended_why is not EndedWhy.COMPLETED:
        return
    if all(stages(one.dates)[-1].first <= today for one in family.pregnancies):
        return  # all are past the programme still
    family.enrolments.append(
        Enrolment(arm_id=last.arm_id, from_day=max(today, last.to_day + timedelta(days=1)), to_day=None)
    )
    record(session, family, change, "enrolment_went_on")


# Loss


def tell_loss(ctx: Context, study_code: str, *, reason: LossReason = LossReason.NOT_SAID,
              pregnancy_id: int | None = None, babies: Collection[int] = (), actor: str) -> None:  # fmt: skip
    """Record a loss: everything stops at once, for every caregiver, in this transaction.

    Args:
        ctx: The installation.
        study_code: Which family.
        reason: What happened, as it was told.
        pregnancy_id: Which pregnancy; may be left out where the family has only one.
        babies: The positions of the babies who died, of several; all of them, if not said.
        actor: Who tells it.
    """
    change = change_by(actor)
    with ctx.sessions.begin() as session:
        family = locked(session, study_code)
        pregnancy = chosen(
            family, pregnancy_id, {PregnancyStatus.EXPECTED, PregnancyStatus.BORN}, "is without a loss on record"
        )
        loss(ctx, session, pregnancy, change, reason=reason, babies=babies)
    ctx.engine.hint(Work.DELIVER)


def loss(ctx: Context, session: Session, pregnancy: Pregnancy, change: Change, *, reason: LossReason,
         babies: Collection[int] = ()) -> None:  # fmt: skip
    """Record a loss in a transaction of the caller's; see `tell_loss`."""
    family = pregnancy.family
    there = {one.position for one in living(pregnancy)}
    unknown = set(babies) - there
    if unknown:
        raise InvalidInputError(f"There is no living baby number {min(unknown)} in this pregnancy.")
    gone = set(babies) or there
    for infant in pregnancy.infants:
        if infant.position in gone:
            infant.status, infant.loss_reason = PregnancyStatus.LOST, reason
    survivors = bool(there - gone)
    if not survivors:
        pregnancy.status = PregnancyStatus.LOST
    hold_everything(session, family, change.now)
    planning.drop_questions(session, pregnancy.id, change.now, because="A loss was told.")
    if survivors or any(one.hold is Hold.AFTER_LOSS for one in family.pregnancies):
        lost = len(pregnancy.infants) - len(living(pregnancy))
        tasks.ask(session, TaskKind.TALK_AFTER_LOSS, f"after-loss:{pregnancy.id}:{lost}:{change.now.date()}",
                  now=change.now, family_id=family.id, pregnancy_id=pregnancy.id)  # fmt: skip
    _condole(ctx, session, family, change, pregnancy)
    record(session, family, change, "loss", pregnancy_id=pregnancy.id, babies=sorted(gone), reason=reason.value)


def hold_everything(session: Session, family: Family, now: datetime) -> None:
    """Cancel all that is on its way to a family, and hold what is not lost until a person decides.

    Comments, notices and answers go too: they were written before anybody knew.
    """
    for pregnancy in family.pregnancies:
        if pregnancy.status is not PregnancyStatus.LOST:
            pregnancy.hold = Hold.AFTER_LOSS
    deliveries.cancel_planned(session, [one.id for one in family.caregivers], Reason.LOSS, kinds=tuple(Kind))
    replan_family(session, family, now)


def _condole(ctx: Context, session: Session, family: Family, change: Change, pregnancy: Pregnancy) -> None:
    """Send the one message that the study has approved; whoever told us by text is answered by triage instead."""
    study = families.study_of(session, family.id)
    if study is None or not study.condolence:
        return
    answered = families.answered_about_loss(session, family.id, change.now - timedelta(days=ANSWERED_DAYS))
    for caregiver in family.caregivers:
        if caregiver.id == change.caregiver_id or caregiver.id in answered:
            continue
        if caregiver.messaging in (Messaging.STOPPED, Messaging.LEFT):
            continue
        text = message_text(ctx, "condolence", caregiver.locale,
                            today=local_day(change.now, ZoneInfo(caregiver.zone)))  # fmt: skip
        send_notice(
            ctx, session, caregiver, change.now, kind=Kind.CONDOLENCE,
            occasion=f"condolence:{pregnancy.id}:{caregiver.id}:{int(change.now.timestamp())}", text=text,
            pregnancy_id=pregnancy.id,
        )  # fmt: skip


def undo_loss(ctx: Context, study_code: str, *, because: str, confirmations: int, pregnancy_id: int | None = None,
              actor: str) -> None:  # fmt: skip
    """Undo a loss that was told wrongly or in bad faith: by a person, with the parent's word.

    Raises:
        ConflictError: Not both confirmations were given, or it is not a person who undoes it.
    """
    if actor.startswith("caregiver"):
        raise ConflictError("A loss is undone by a person of the team only, after speaking with the parent.")
    if confirmations < UNDO_CONFIRMATIONS:
        raise ConflictError(
            "To undo a loss, confirm both: that you have spoken with the parent, and the family's study code."
        )
    why = _why(because, "the loss is undone")
    change = change_by(actor)
    with ctx.sessions.begin() as session:
        family = locked(session, study_code)
        pregnancy = chosen(family, pregnancy_id, set(PregnancyStatus), "has a loss to undo", lost=True)
        status = PregnancyStatus.BORN if pregnancy.born_on else PregnancyStatus.EXPECTED
        # Of twins who died at different times only the loss told last is undone.
        told = families.last_loss(session, pregnancy)
        for infant in pregnancy.infants:
            if infant.position in told:
                infant.status, infant.loss_reason = status, None
        pregnancy.status = status
        deliveries.cancel_planned(
            session, [one.id for one in family.caregivers], Reason.REPLANNED, kinds=[Kind.CONDOLENCE]
        )
        if all(len(living(one)) == len(one.infants) for one in family.pregnancies):
            for one in family.pregnancies:
                if one.hold is Hold.AFTER_LOSS:
                    one.hold = families.hold_chosen(session, one)  # a baby who was ill before is so still
        replan_family(session, family, change.now)
        _bring_back_comments(session, family, change.now)
        record(session, family, change, "loss_undone", pregnancy_id=pregnancy.id, babies=sorted(told), because=why)
    ctx.engine.hint(Work.DELIVER)


def _bring_back_comments(session: Session, family: Family, now: datetime) -> None:
    """Let the comments go that were cancelled for a loss which, as it turned out, was none."""
    if families.bereaved(family) or families.held(family):
        return
    for caregiver in family.caregivers:
        deliveries.revive(session, caregiver.id, now, reasons=[Reason.LOSS, Reason.AFTER_LOSS])


def correct_loss_reason(ctx: Context, study_code: str, *, reason: LossReason, pregnancy_id: int | None = None,
                        babies: Collection[int] = (), actor: str) -> None:  # fmt: skip
    """Correct what is recorded of how a loss came; nothing is sent, and everything stays as silent as it is.

    Args:
        ctx: The installation.
        study_code: Which family.
        reason: What happened, as the family told it.
        pregnancy_id: Which pregnancy; may be left out where only one has a loss on record.
        babies: The positions of the babies whom it is about; all who died, if not said.
        actor: Who corrects it.

    Raises:
        InvalidInputError: No loss of one of those babies is on record.
        ConflictError: It is recorded so already, or there is no loss, or several pregnancies have one.
    """
    change = change_by(actor)
    with ctx.sessions.begin() as session:
        family = locked(session, study_code)
        pregnancy = chosen(family, pregnancy_id, set(PregnancyStatus), "has a loss on record", lost=True)
        gone = {one.position: one for one in pregnancy.infants if one.status is PregnancyStatus.LOST}
        unknown = set(babies) - set(gone)
        if unknown:
            raise InvalidInputError(f"No loss of baby number {min(unknown)} of this pregnancy is on record.")
        meant = [gone[position] for position in sorted(babies or gone) if gone[position].loss_reason is not reason]
        if not meant:
            raise ConflictError("That is what is on record already.")
        for infant in meant:
            infant.loss_reason = reason
        record(session, family, change, "loss_reason", pregnancy_id=pregnancy.id,
               babies=[infant.position for infant in meant], reason=reason.value)  # fmt: skip


# What a person decides


def hold(ctx: Context, study_code: str, *, why: Hold, pregnancy_id: int | None = None, actor: str) -> int:
    """Hold everything about a pregnancy: the baby is in care, adopted or seriously ill, or the team decides so.

    Comments and a welcome that have not left are taken back too: they were written before anybody knew.

    Returns:
        How many comments were taken back.

    Raises:
        InvalidInputError: It is no hold that a person chooses.
        ConflictError: A loss holds it already, or it is not clear which pregnancy is meant.
    """
    if why not in CHOSEN_HOLDS:
        raise InvalidInputError("This hold follows a loss by itself; record the loss instead.")
    change = change_by(actor)
    with ctx.sessions.begin() as session:
        family = locked(session, study_code)
        pregnancy = chosen(family, pregnancy_id, {PregnancyStatus.EXPECTED, PregnancyStatus.BORN}, "can be held")
        if pregnancy.hold is Hold.AFTER_LOSS:
            raise ConflictError(
                "Messages about this baby wait already, after a loss, and another reason must not take its place. "
                "Speak with the family and end that hold first; then hold them anew."
            )
        pregnancy.hold = why
        ids, reason = [one.id for one in family.caregivers], Reason(why.value)
        taken_back = deliveries.cancel_planned(session, ids, reason, kinds=[Kind.COMMENT])
        deliveries.cancel_planned(session, ids, reason, kinds=[Kind.WELCOME])
        # Congratulations that answer a text too; but never a condolence.
        about = [kind for kind in Kind if kind is not Kind.CONDOLENCE]
        deliveries.cancel_planned(session, ids, reason, pregnancy_id=pregnancy.id, kinds=about)
        replan_family(session, family, change.now)
        record(session, family, change, "hold", pregnancy_id=pregnancy.id, why=why.value)
    return taken_back


def release(ctx: Context, study_code: str, *, pregnancy_id: int | None = None, because: str, actor: str) -> None:
    """Let messages about a pregnancy go on, from the next slot."""
    if actor.startswith("caregiver"):
        raise ConflictError("A hold is ended by a person of the team, after speaking with the family.")
    why = _why(because, "the messages go on")
    change = change_by(actor)
    with ctx.sessions.begin() as session:
        family = locked(session, study_code)
        held = [one for one in family.pregnancies if one.hold and pregnancy_id in (None, one.id)]
        if len(held) != 1:
            raise ConflictError(
                "Nothing about this family is held." if not held else "Several are held; say which pregnancy."
            )
        told_of_loss = held[0].hold is Hold.AFTER_LOSS
        held[0].hold = None
        replan_family(session, family, change.now)
        if told_of_loss:
            _bring_back_comments(session, family, change.now)
        record(session, family, change, "release", pregnancy_id=held[0].id, because=why)
    ctx.engine.hint(Work.DELIVER)


def _why(text: str, what: str) -> str:
    return few_words(text, missing=f"Say in a few words, without names, why {what}.")


def few_words(text: str, *, missing: str) -> str:
    """Return what somebody gave as a reason, in one line.

    Raises:
        InvalidInputError: There are no words (``missing`` says what is wanted), or none that can be kept.
    """
    said = " ".join(text.split())
    if not said:
        raise InvalidInputError(missing)
    if not said.isprintable():
        raise InvalidInputError("There are characters in the reason that cannot be kept; type it anew.")
    return said[:LONGEST_WHY]


def living(pregnancy: Pregnancy) -> list[families.Infant]:
    """Return the babies of a pregnancy who are expected or living, in order."""
    return [one for one in pregnancy.infants if one.status is not PregnancyStatus.LOST]


def chosen(family: Family, pregnancy_id: int | None, statuses: Collection[PregnancyStatus], what: str, *,
           lost: bool = False) -> Pregnancy:  # fmt: skip
    """Return the pregnancy that is meant: the one named, or the only one it can be.

    Raises:
        NotFoundError: It is not of this family.
        ConflictError: None or several fit.
    """
    if pregnancy_id is not None and pregnancy_id not in {one.id for one in family.pregnancies}:
        raise NotFoundError("This family has no such pregnancy.")
    fit = [
        one
        for one in family.pregnancies
        if one.status in statuses
        and pregnancy_id in (None, one.id)
        and (not lost or any(infant.status is PregnancyStatus.LOST for infant in one.infants))
    ]
    if not fit:
        raise ConflictError(f"No baby of this family {what}.")
    if len(fit) > 1:
        raise ConflictError("This family has several pregnancies; say which one is meant.")
    return fit[0]
