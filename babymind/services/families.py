"""Families: what the team sees of them. Names are opened here, numbers stay masked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from babymind.clock import utc_now
from babymind.domain.age import Stage, describe, stage_on, weeks
from babymind.domain.contact import masked
from babymind.domain.delivery import DeliveryStatus, Hold, Kind, Messaging, Reason
from babymind.domain.schedule import local_day
from babymind.domain.wording import babies_called
from babymind.errors import NotFoundError
from babymind.services.context import Context
from babymind.services.texts import message_text
from babymind.store import deliveries, staff, studies
from babymind.store.deliveries import Delivery
from babymind.store.families import (
    Address,
    Caregiver,
    Family,
    LossReason,
    Pregnancy,
    PregnancyStatus,
    Role,
    bereaved,
    family_by_code,
    recent_families,
)  # fmt: skip
from babymind.store.staff import AuditEvent, audit
from babymind.store.studies import DataChoice, Enrolment, Study

LAST_DELIVERIES = 60
LAST_EVENTS = 100
ROLES: Sequence[str] = tuple(role.value for role in Role)
LOSS_REASONS: Mapping[str, LossReason] = {one.value: one for one in LossReason}
DATA_CHOICES: Mapping[str, DataChoice] = {one.value: one for one in DataChoice}
ACTORS = {"command": "from the command line", "system": "by itself", "demo": "by the demo",
          "provider": "by the provider"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberView:
    """A number that a caregiver has, or had."""

    phone: str  # its last two digits
    shared: bool  # another caregiver's phone
    opened_at: datetime
    closed_at: datetime | None
    closed_why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaregiverView:
    """A caregiver, without the number."""

    id: int
    name: str = field(repr=False)
    role: str
    phone: str  # its last two digits
    numbers: Sequence[NumberView]  # the latest first
    locale: str
    zone: str
    fact_time: time
    prompt_time: time
    wants_facts: bool
    wants_prompts: bool
    messaging: Messaging
    paused_until: date | None  # the first day with messages again; None: until they say so

    @property
    def number(self) -> NumberView | None:
        """The number that is in use."""
        return next((one for one in self.numbers if one.closed_at is None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class InfantView:
    """A baby of a pregnancy."""

    position: int
    name: str | None = field(repr=False)
    loss_reason: str | None  # set where a loss was told

    @property
    def lost(self) -> bool:
        """Whether a loss of this baby was told."""
        return self.loss_reason is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PregnancyView:
    """A pregnancy as it stands today where the family is."""

    id: int
    babies: str = field(repr=False)
    infants: Sequence[InfantView]
    age: str
    stage: Stage
    due_on: date
    born_on: date | None
    gestation: str | None  # at birth, 39+4
    lost: bool  # every baby of it
    hold: Hold | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """One line of the ledger."""

    caregiver: str = field(repr=False)
    kind: Kind
    local_day: date
    due_at: datetime
    zone: str
    status: DeliveryStatus
    reason: Reason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """Something that was done about a family."""

    at: datetime
    who: str = field(repr=False)
    action: str
    about: str | None = field(repr=False)  # the caregiver, or the babies, that it was about
    details: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentView:
    """The study that a family takes part in, or took part in last."""

    study: str
    study_slug: str
    arm: str
    arm_slug: str
    from_day: date
    to_day: date | None
    erase: bool  # they withdrew and want what they gave erased


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyEntry:
    """A family as the list shows it."""

    study_code: str
    study: str
    study_slug: str
    joined_at: datetime
    caregivers: Sequence[CaregiverView]
    pregnancies: Sequence[PregnancyView]
    bereaved: bool  # it has told us of a loss


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyView(FamilyEntry):
    """A family as it stands."""

    enrolment: EnrolmentView | None
    zone: str  # where its first caregiver is

    @property
    def enrolled(self) -> bool:
        """Whether it takes part in a study, today or from tomorrow on."""
        return self.enrolment is not None and self.enrolment.to_day is None

    @property
    def today(self) -> date:
        """The earliest of its caregivers' calendar days."""
        zones = [one.zone for one in self.caregivers] or [self.zone]
        return min(local_day(utc_now(), ZoneInfo(zone)) for zone in zones)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmView:
    """An arm of a study."""

    slug: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyView:
    """A study that a family may join, and what its caregivers agree to."""

    slug: str
    name: str
    arms: Sequence[ArmView]
    consent_messaging: str
    consent_research: str


def list_studies(ctx: Context) -> list[StudyView]:
    """Return the studies, by slug."""
    with ctx.readers.begin() as session:
        return [
            StudyView(
                slug=study.slug,
                name=study.name,
                arms=[ArmView(slug=arm.slug, name=arm.name) for arm in study.arms],
                consent_messaging=_consent(ctx, "consent-messaging", study.locale, study.name),
                consent_research=_consent(ctx, "consent-research", study.locale, study.name),
            )
            for study in studies.all_studies(session)
        ]


def list_families(ctx: Context) -> list[FamilyEntry]:
    """Return the newest families, newest first."""
    with ctx.readers.begin() as session:
        return [
            FamilyEntry(
                study_code=row.family.study_code,
                study=row.study.name,
                study_slug=row.study.slug,
                joined_at=row.family.created_at,
                caregivers=[_caregiver(ctx, one) for one in row.family.caregivers],
                pregnancies=_pregnancies(ctx, row.family.pregnancies, row.family.caregivers),
                bereaved=bereaved(row.family),
            )
            for row in recent_families(session)
        ]


def require_member(ctx: Context, study_code: str, caregiver_id: int) -> None:
    """Refuse a caregiver of another family: a wrong figure must not reach somebody else.

    Raises:
        NotFoundError: There is no such family, or no such caregiver in it.
    """
    with ctx.readers.begin() as session:
        if caregiver_id not in {one.id for one in _found(session, study_code).caregivers}:
            raise NotFoundError("This family has no such caregiver; 'babymind calendar CODE' shows their ids.")


def family(ctx: Context, study_code: str, *, viewer_id: int) -> FamilyView:
    """Return a family as it stands, and record who looked at it.

    Raises:
        NotFoundError: There is no family with this code.
    """
    with ctx.readers.begin() as session:
        found = _found(session, study_code)
        enrolment = _enrolment(found.enrolments[-1]) if found.enrolments else None
        view = FamilyView(
            study_code=found.study_code,
            study=enrolment.study if enrolment else "no study",
            study_slug=enrolment.study_slug if enrolment else "",
            joined_at=found.created_at,
            caregivers=[_caregiver(ctx, one) for one in found.caregivers],
            pregnancies=_pregnancies(ctx, found.pregnancies, found.caregivers),
            bereaved=bereaved(found),
            enrolment=enrolment,
            zone=found.caregivers[0].zone if found.caregivers else "UTC",
        )
        family_id = found.id
    with ctx.sessions.begin() as session:  # of its own: the write lock is not held while names are opened
        audit(
            session, at=utc_now(), actor=f"staff:{viewer_id}", action="view", subject="family", subject_id=family_id
        )
    return view


def last_deliveries(ctx: Context, study_code: str) -> list[DeliveryView]:
    """Return what a family was sent last, and what not, of every kind."""
    with ctx.readers.begin() as session:
        by_id = {one.id: one for one in _found(session, study_code).caregivers}
        rows = deliveries.of_caregivers(session, by_id, LAST_DELIVERIES)
        return [_delivery(ctx, row, by_id[row.caregiver_id]) for row in rows]


def history(ctx: Context, study_code: str) -> list[EventView]:
    """Return what was done about a family, newest first; who only looked at it is left out."""
    with ctx.readers.begin() as session:
        found = _found(session, study_code)
        caregivers = {one.id: ctx.vault.open(one.name_sealed) for one in found.caregivers}
        events = staff.family_events(session, found.id, caregivers, LAST_EVENTS)
        team = staff.names_of(session, {_number(event.actor, "staff") for event in events})
        return [
            EventView(
                at=event.at, who=_who(event.actor, team, caregivers), action=event.action,
                about=_about(ctx, event, found, caregivers), details=event.details,
            )
            for event in events
        ]  # fmt: skip


def _found(session: Session, study_code: str) -> Family:
    found = family_by_code(session, study_code)
    if found is None:
        raise NotFoundError("There is no family with this code.")
    return found


def _number(actor: str, kind: str) -> int:
    said, _, number = actor.partition(":")
    return int(number) if said == kind else 0


def _who(actor: str, team: Mapping[int, str], caregivers: Mapping[int, str]) -> str:
    known = team.get(_number(actor, "staff")) or caregivers.get(_number(actor, "caregiver"))
    return known or ACTORS.get(actor, "somebody")


def _about(ctx: Context, event: AuditEvent, found: Family, caregivers: Mapping[int, str]) -> str | None:
    """Return the name of the caregiver, or the babies, that an event is about."""
    caregiver_id = event.subject_id if event.subject == "caregiver" else event.details.get("caregiver_id")
    if caregiver_id is not None:
        return caregivers.get(int(str(caregiver_id)))
    told = event.details.get("babies")
    positions = set(told) if isinstance(told, list) else None  # of several, those who are meant
    for pregnancy in found.pregnancies:
        if pregnancy.id == event.details.get("pregnancy_id"):
            meant = [one for one in pregnancy.infants if positions is None or one.position in positions]
            return babies_called([ctx.vault.open_optional(one.name_sealed) for one in meant])
    return None


def _caregiver(ctx: Context, one: Caregiver) -> CaregiverView:
    numbers = [_phone(ctx, address) for address in reversed(one.addresses)]
    return CaregiverView(
        id=one.id,
        name=ctx.vault.open(one.name_sealed),
        role=one.role.value.replace("_", " "),
        phone=next((number.phone for number in numbers if number.closed_at is None), "no number"),
        numbers=numbers,
        locale=one.locale,
        zone=one.zone,
        fact_time=one.fact_time,
        prompt_time=one.prompt_time,
        wants_facts=one.wants_facts,
        wants_prompts=one.wants_prompts,
        messaging=one.messaging,
        paused_until=one.paused_until,
    )


def _phone(ctx: Context, address: Address) -> NumberView:
    return NumberView(
        phone=masked(ctx.vault.open(address.value_sealed)),
        shared=address.shared,
        opened_at=address.opened_at,
        closed_at=address.closed_at,
        closed_why=address.closed_why.value if address.closed_why else None,
    )


def _pregnancies(ctx: Context, rows: Sequence[Pregnancy], caregivers: Sequence[Caregiver]) -> list[PregnancyView]:
    today = local_day(utc_now(), ZoneInfo(caregivers[0].zone if caregivers else "UTC"))
    views = []
    for row in rows:
        infants = [
            InfantView(
                position=infant.position,
                name=ctx.vault.open_optional(infant.name_sealed),
                loss_reason=(infant.loss_reason or LossReason.NOT_SAID).value
                if infant.status is PregnancyStatus.LOST
                else None,
            )
            for infant in row.infants
        ]
        views.append(
            PregnancyView(
                id=row.id,
                babies=babies_called([infant.name for infant in infants]),
                infants=infants,
                age=describe(row.dates, today),
                stage=stage_on(row.dates, today)[0],
                due_on=row.due_on,
                born_on=row.born_on,
                gestation=None if row.gestation_days is None else weeks(row.gestation_days),
                lost=row.status is PregnancyStatus.LOST,
                hold=row.hold,
            )
        )
    return views


def _enrolment(row: Enrolment) -> EnrolmentView:
    study: Study = row.arm.study
    return EnrolmentView(
        study=study.name,
        study_slug=study.slug,
        arm=row.arm.name,
        arm_slug=row.arm.slug,
        from_day=row.from_day,
        to_day=row.to_day,
        erase=row.data_choice is DataChoice.ERASE,
    )


def _delivery(ctx: Context, row: Delivery, caregiver: Caregiver) -> DeliveryView:
    return DeliveryView(
        caregiver=ctx.vault.open(caregiver.name_sealed),
        kind=row.kind,
        local_day=row.local_day,
        due_at=row.due_at,
        zone=caregiver.zone,
        status=row.status,
        reason=row.reason,
    )


def _consent(ctx: Context, key: str, locale: str, study: str) -> str:
    return message_text(ctx, key, locale, today=utc_now().date(), study=study)
