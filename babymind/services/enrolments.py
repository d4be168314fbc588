"""Taking part: a family withdraws, or moves to another study or arm."""

from datetime import date, timedelta

from sqlalchemy.orm import Session

from babymind.clock import utc_now
from babymind.domain.delivery import Reason
from babymind.domain.schedule import require_decent
from babymind.engine.base import Work
from babymind.errors import ConflictError, InvalidInputError, NotFoundError
from babymind.services.context import Context
from babymind.services.enrol import STUDY_SLUG
from babymind.services.life import change_by, locked, record, today_of
from babymind.services.plan import replan_family
from babymind.store import deliveries, studies, tasks
from babymind.store.families import Family
from babymind.store.staff import audit
from babymind.store.studies import FREQUENCIES, Arm, DataChoice, EndedWhy, Enrolment, EnrolmentStatus
from babymind.store.tasks import TaskKind


def withdraw(ctx: Context, study_code: str, *, data: DataChoice, actor: str) -> None:
    """End a family's part in its study; ``data`` says what they want done with what they gave."""
    change = change_by(actor)
    with ctx.sessions.begin() as session:
        family = locked(session, study_code)
        today = today_of(family, change.now)
        enrolment = _begun_enrolment(session, family, today)
        if enrolment.status is not EnrolmentStatus.COMPLETED:
            enrolment.status, enrolment.ended_why = EnrolmentStatus.WITHDRAWN, EndedWhy.WITHDREW
            enrolment.to_day = today
        enrolment.data_choice = data
        deliveries.cancel_planned(session, [one.id for one in family.caregivers], Reason.ENROLMENT_ENDED)
        if data is DataChoice.ERASE:
            tasks.ask(session, TaskKind.ERASE, f"erase:{family.id}:{enrolment.id}", now=change.now,
                      family_id=family.id)  # fmt: skip
        record(session, family, change, "withdraw", data=data.value, enrolment_id=enrolment.id)


def move(ctx: Context, study_code: str, *, study: str, arm: str | None = None, actor: str) -> None:
    """Move a family to another study, or another arm, from tomorrow on; what was sent stays with the old one."""
    change = change_by(actor)
    with ctx.sessions.begin() as session:
        family = locked(session, study_code)
        enrolment = _open_enrolment(family)
        target = studies.study_by_slug(session, study)
        if target is None:
            raise NotFoundError(f"There is no study '{study}'.")
        arms = [one for one in target.arms if arm in (None, one.slug)]
        if not arms:
            raise NotFoundError(f"The study '{study}' has no arm '{arm}'.")
        if arms[0].id == enrolment.arm_id:
            raise ConflictError("The family is in that arm of that study already.")
        for caregiver in family.caregivers:
            for at in (caregiver.fact_time, caregiver.prompt_time):
                require_decent(at, target.quiet)  # it would be too late, day by day
        today = today_of(family, change.now)
        if enrolment.from_day > today:  # moved today already, and that was not meant
            enrolment.arm = arms[0]
        else:
            enrolment.status, enrolment.ended_why, enrolment.to_day = EnrolmentStatus.WITHDRAWN, EndedWhy.MOVED, today
            session.flush()
            family.enrolments.append(Enrolment(arm=arms[0], from_day=today + timedelta(days=1)))
        replan_family(session, family, change.now)
        record(session, family, change, "move", study=study, arm=arms[0].slug)
    ctx.engine.hint(Work.DELIVER)


def _open_enrolment(family: Family) -> Enrolment:
    for enrolment in family.enrolments:
        if enrolment.to_day is None:
            return enrolment
    raise ConflictError("This family takes part in no study at present.")


def _begun_enrolment(session: Session, family: Family, today: date) -> Enrolment:
    """Return the part that a family takes or has taken by today; one that was to begin later never does."""
    enrolment = _open_enrolment(family)
    if enrolment.from_day <= today:
        return enrolment
    before = [one for one in family.enrolments if one.to_day == enrolment.from_day - timedelta(days=1)]
    if not before:
        enrolment.from_day = today
        return enrolment
    session.delete(enrolment)  # what was to begin tomorrow; the history tells of it
    session.flush()  # a family has one part at a time
    return before[-1]


def set_arm(ctx: Context, study: str, arm: str, *, frequency: str, facts: bool, prompts: bool,
            name: str | None = None, actor: str) -> None:  # fmt: skip
    """Add an arm to a study, or change what it gets; what is planned already for today stays.

    Raises:
        NotFoundError: There is no such study.
        InvalidInputError: The arm cannot be called so, or there is no such frequency.
    """
    if frequency not in FREQUENCIES:
        raise InvalidInputError(f"'{frequency}' is not a frequency; choose one of {', '.join(FREQUENCIES)}.")
    if not STUDY_SLUG.fullmatch(arm):
        raise InvalidInputError(f"'{arm}' cannot name an arm; use small letters, digits and hyphens.")
    now = utc_now()
    with ctx.sessions.begin() as session:
        found = studies.study_by_slug(session, study)
        if found is None:
            raise NotFoundError(f"There is no study '{study}'.")
        row = next((one for one in found.arms if one.slug == arm), None)
        if row is None:
            row = Arm(slug=arm, name=name or arm, gets_facts=facts, gets_prompts=prompts)
            found.arms.append(row)
        row.name = name or row.name
        row.gets_facts, row.gets_prompts, row.weekdays = facts, prompts, FREQUENCIES[frequency]
        audit(session, at=now, actor=actor, action="arm", subject="study", subject_id=found.id, arm=arm,
              frequency=frequency, facts=facts, prompts=prompts)  # fmt: skip
