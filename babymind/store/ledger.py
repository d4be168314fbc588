"""What was due on a day against what became of it, counted by study and zone."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import DATE, ColumnElement, Select, case, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from babymind.domain.age import Stage
from babymind.domain.delivery import SLOTS, DeliveryStatus, Kind, Reason
from babymind.store.base import UtcDateTime
from babymind.store.deliveries import Delivery
from babymind.store.families import Caregiver, Pregnancy, PregnancyStage
from babymind.store.studies import Arm, Enrolment, Study

OPEN = (DeliveryStatus.PLANNED, DeliveryStatus.SENDING)  # past the window these say that nobody looked


@dataclass(slots=True)
class Count:
    """The slots of a study in a zone on one day."""

    study: str
    zone: str
    expected: int = 0
    missing: int = 0  # due, and no row says what became of it
    stuck: int = 0  # a row that is still open after its window
    outcomes: dict[tuple[DeliveryStatus, Reason | None], int] = field(default_factory=dict)

    @property
    def actual(self) -> int:
        """The rows there are."""
        return sum(self.outcomes.values())


def count(session: Session, day: date, now: datetime, begins: Mapping[str, datetime], *,
          pending: Collection[str]) -> list[Count]:  # fmt: skip
    """Count the slots of a local day.

    Args:
        session: To read with.
        day: The local day.
        now: By which a window is past.
        begins: The zones where that day has begun, and at which instant it did.
        pending: Those where it began so lately that it may not be planned yet: what is missing there is not counted.

    Expected is what the rules make due by what is known now, whether anything was written or not; see
    `babymind.store.plan`, which writes it.
    """
    if not begins:
        return []
    counts: dict[tuple[str, str], Count] = {}

    def of(study: str, zone: str) -> Count:
        return counts.setdefault((study, zone), Count(study, zone))

    for kind in SLOTS:
        for study, zone, expected, missing in session.execute(_expected(kind, day, begins)):
            line = of(study, zone)
            line.expected += expected
            line.missing += 0 if zone in pending else missing
    for study, zone, status, reason, number, stuck in session.execute(_written(day, now, begins)):
        line = of(study, zone)
        line.outcomes[status, reason] = number
        line.stuck += stuck
    return sorted(counts.values(), key=lambda line: (line.study, line.zone))


def _written(
    day: date, now: datetime, zones: Collection[str]
) -> Select[str, str, DeliveryStatus, Reason | None, int, Any]:
    stuck = Delivery.status.in_(OPEN) & (Delivery.window_ends_at < now)
    return (
        select(Study.slug, Caregiver.zone, Delivery.status, Delivery.reason, func.count(),
               func.sum(case((stuck, 1), else_=0)))
        .select_from(Delivery)
        .join(Caregiver, Caregiver.id == Delivery.caregiver_id)
        .join(Enrolment, (Enrolment.family_id == Caregiver.family_id) & _enrolled(day))
        .join(Arm, Arm.id == Enrolment.arm_id)
        .join(Study, Study.id == Arm.study_id)
        .where(Delivery.local_day == day, Delivery.kind.in_(SLOTS), Delivery.occasion.is_(None),
               Caregiver.zone.in_(zones))
        .group_by(Study.slug, Caregiver.zone, Delivery.status, Delivery.reason)
    )  # fmt: skip


def _expected(kind: Kind, day: date, begins: Mapping[str, datetime]) -> Select[str, str, int, Any]:
    local = literal(day, DATE)
    written = exists().where(
        Delivery.local_day == local, Delivery.kind == kind, Delivery.caregiver_id == Caregiver.id,
        Delivery.pregnancy_id == Pregnancy.id, Delivery.occasion.is_(None),
    )  # fmt: skip
    # Whoever, or whatever baby, joined on that very day is due from the next slot on: there the rows themselves tell.
    begin = case(*[(Caregiver.zone == zone, literal(at, UtcDateTime())) for zone, at in begins.items()])
    whole_day = (Caregiver.starts_at <= begin) & (Pregnancy.starts_at <= begin)
    return (
        select(Study.slug, Caregiver.zone, func.count(), func.sum(case((written, 0), else_=1)))
        .select_from(Caregiver)
        .join(Pregnancy, Pregnancy.family_id == Caregiver.family_id)
        .join(Enrolment, (Enrolment.family_id == Caregiver.family_id) & _enrolled(day))
        .join(Arm, Arm.id == Enrolment.arm_id)
        .join(Study, Study.id == Arm.study_id)
        .join(PregnancyStage, (PregnancyStage.pregnancy_id == Pregnancy.id) & (PregnancyStage.first_day <= local)
              & (PregnancyStage.last_day >= local))
        .where(PregnancyStage.stage != Stage.COMPLETED, Caregiver.zone.in_(begins), whole_day | written)
        .group_by(Study.slug, Caregiver.zone)
    )  # fmt: skip


def _enrolled(day: date) -> ColumnElement[bool]:
    local = literal(day, DATE)
    return (Enrolment.from_day <= local) & or_(Enrolment.to_day.is_(None), Enrolment.to_day >= local)
