"""Families: what the team sees of them. Names are opened here, numbers stay masked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from babymind.clock import utc_now
from babymind.domain.age import Stage, describe, stage_on, weeks
from babymind.domain.contact import masked
from babymind.domain.delivery import DeliveryStatus, Kind, Messaging, Reason
from babymind.domain.schedule import local_day
from babymind.domain.wording import babies_called
from babymind.errors import NotFoundError
from babymind.services.context import Context
from babymind.services.texts import message_text
from babymind.store import deliveries, studies
from babymind.store.deliveries import Delivery
from babymind.store.families import Caregiver, Pregnancy, Role, family_by_code, recent_families, study_of
from babymind.store.staff import audit

LAST_DELIVERIES = 60
ROLES: Sequence[str] = tuple(role.value for role in Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaregiverView:
    """A caregiver, without the number."""

    name: str = field(repr=False)
    role: str
    phone: str  # its last two digits
    zone: str
    fact_time: time
    prompt_time: time
    messaging: Messaging


@dataclass(frozen=True, slots=True, kw_only=True)
class PregnancyView:
    """A pregnancy as it stands today where the family is."""

    babies: str = field(repr=False)
    age: str
    stage: Stage
    due_on: date
    born_on: date | None
    gestation: str | None  # at birth, 39+4


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
class FamilyEntry:
    """A family as the list shows it."""

    study_code: str
    study: str
    joined_at: datetime
    caregivers: Sequence[CaregiverView]
    pregnancies: Sequence[PregnancyView]


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyView(FamilyEntry):
    """A family with what it was sent, and what not."""

    deliveries: Sequence[DeliveryView]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyView:
    """A study that a family may join, and what its caregivers agree to."""

    slug: str
    name: str
    consent_messaging: str
    consent_research: str


def list_studies(ctx: Context) -> list[StudyView]:
    """Return the studies, by slug."""
    with ctx.readers.begin() as session:
        return [
            StudyView(
                slug=study.slug,
                name=study.name,
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
                joined_at=row.family.created_at,
                caregivers=[_caregiver(ctx, one) for one in row.family.caregivers],
                pregnancies=_pregnancies(ctx, row.family.pregnancies, row.family.caregivers),
            )
            for row in recent_families(session)
        ]


def family(ctx: Context, study_code: str, *, viewer_id: int) -> FamilyView:
    """Return a family with its last deliveries, and record who looked at it.

    Raises:
        NotFoundError: There is no family with this code.
    """
    with ctx.readers.begin() as session:
        found = family_by_code(session, study_code)
        if found is None:
            raise NotFoundError("There is no family with this code.")
        study = study_of(session, found.id)
        by_id = {one.id: one for one in found.caregivers}
        rows = deliveries.of_caregivers(session, by_id, LAST_DELIVERIES)
        view = FamilyView(
            study_code=found.study_code,
            study=study.name if study else "no study",
            joined_at=found.created_at,
            caregivers=[_caregiver(ctx, one) for one in found.caregivers],
            pregnancies=_pregnancies(ctx, found.pregnancies, found.caregivers),
            deliveries=[_delivery(ctx, row, by_id[row.caregiver_id]) for row in rows],
        )
        family_id = found.id
    with ctx.sessions.begin() as session:  # of its own: the write lock is not held while names are opened
        audit(
            session, at=utc_now(), actor=f"staff:{viewer_id}", action="view", subject="family", subject_id=family_id
        )
    return view


def _caregiver(ctx: Context, one: Caregiver) -> CaregiverView:
    numbers = [address.value_sealed for address in one.addresses if address.closed_at is None]
    return CaregiverView(
        name=ctx.vault.open(one.name_sealed),
        role=one.role.value.replace("_", " "),
        phone=masked(ctx.vault.open(numbers[0])) if numbers else "no number",
        zone=one.zone,
        fact_time=one.fact_time,
        prompt_time=one.prompt_time,
        messaging=one.messaging,
    )


def _pregnancies(ctx: Context, rows: Sequence[Pregnancy], caregivers: Sequence[Caregiver]) -> list[PregnancyView]:
    today = local_day(utc_now(), ZoneInfo(caregivers[0].zone if caregivers else "UTC"))
    return [
        PregnancyView(
            babies=babies_called([ctx.vault.open_optional(infant.name_sealed) for infant in row.infants]),
            age=describe(row.dates, today),
            stage=stage_on(row.dates, today)[0],
            due_on=row.due_on,
            born_on=row.born_on,
            gestation=None if row.gestation_days is None else weeks(row.gestation_days),
        )
        for row in rows
    ]


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
