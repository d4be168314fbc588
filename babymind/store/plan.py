"""Planning as one statement: every slot that a local day makes due in a zone, with its outcome or its reason."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from sqlalchemy import (
    DATE,
    Integer,
    String,
    and_,
    case,
    column,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    type_coerce,
    values,
)  # fmt: skip
from sqlalchemy.orm import Mapped, Session, mapped_column

from babymind.domain.age import Stage
from babymind.domain.delivery import PRIORITY, DeliveryStatus, Kind, Messaging, Reason
from babymind.store.base import Base, TimeOfDay, UtcDateTime, insert_new
from babymind.store.content import ContentCalendar
from babymind.store.deliveries import Delivery
from babymind.store.families import Address, Caregiver, Pregnancy, PregnancyStage, PregnancyStatus
from babymind.store.studies import Arm, Enrolment, Study


class PlannedDay(Base):
    """A zone's local day that has been planned once; planning it again is harmless and finds what came since."""

    __tablename__ = "planned_day"

    zone: Mapped[str] = mapped_column(String(64), primary_key=True)
    local_day: Mapped[date] = mapped_column(primary_key=True)
    planned_at: Mapped[datetime]


def zones(session: Session) -> Sequence[str]:
    """Return the zones that caregivers live in."""
    return session.scalars(select(Caregiver.zone).distinct().order_by(Caregiver.zone)).all()


def times_in(session: Session, zone: str) -> set[time]:
    """Return every time of day that planning a zone has to turn into an instant."""
    chosen = select(Caregiver.fact_time).where(Caregiver.zone == zone).union(
        select(Caregiver.prompt_time).where(Caregiver.zone == zone), select(Study.quiet_from)
    )  # fmt: skip
    return set(session.scalars(chosen))


def chunk_end(session: Session, zone: str, after: int, size: int) -> int | None:
    """Return the id of the last caregiver of the next chunk of a zone; None when there is none."""
    chunk = (
        select(Caregiver.id)
        .where(Caregiver.zone == zone, Caregiver.id > after)
        .order_by(Caregiver.id)
        .limit(size)
        .subquery()
    )
    last: int | None = session.scalar(select(func.max(chunk.c.id)))
    return last


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Which caregivers of a zone to plan: ids above ``after``, up to and with ``upto``; or one family."""

    zone: str
    local_day: date
    instants: dict[time, datetime]  # every time of `times_in` on that day
    after: int
    upto: int
    family_id: int | None = None


def plan_chunk(session: Session, kind: Kind, chunk: Chunk) -> dict[Reason | None, int]:
    """Write the deliveries of a chunk that are missing, and count them by reason (None: to be sent).

    Statement-level proof against doubles: the unique index of the slot, met by ``ON CONFLICT DO NOTHING``. Rows that
    exist already are passed over first, which makes planning again cheap.
    """
    statement = insert_new(session, Delivery).from_select(COLUMNS, due_rows(kind, chunk), include_defaults=False)
    # Counted as plain strings: a hundred thousand enum values would cost more than the insert.
    told = Counter(session.execute(statement.returning(type_coerce(Delivery.reason, String))).scalars())
    return {Reason(reason) if reason else None: count for reason, count in told.items()}


COLUMNS = ("caregiver_id", "pregnancy_id", "kind", "priority", "local_day", "stage", "age_day", "item_id", "due_at",
           "window_ends_at", "reason", "status", "attempts", "failures")  # fmt: skip


def due_rows(kind: Kind, chunk: Chunk):  # type: ignore[no-untyped-def]  # a Select of fourteen columns
    """Return the query whose rows are the missing deliveries of a chunk."""
    moments = values(
        column("at", TimeOfDay()), column("instant", UtcDateTime()), name="moment"
    ).data([(at, instant) for at, instant in sorted(chunk.instants.items())]).cte("moments")  # fmt: skip
    due, window = moments.alias("due"), moments.alias("window")
    chosen = Caregiver.fact_time if kind is Kind.FACT else Caregiver.prompt_time
    day = literal(chunk.local_day, DATE)
    age_day = literal(chunk.local_day.toordinal(), Integer) - PregnancyStage.zero_ordinal
    reason = _reason(kind)
    there = exists().where(
        Delivery.local_day == day, Delivery.kind == kind, Delivery.caregiver_id == Caregiver.id,
        Delivery.pregnancy_id == Pregnancy.id, Delivery.occasion.is_(None),
    )  # fmt: skip
    status_type = Delivery.__table__.c.status.type
    whose = (
        Caregiver.family_id == chunk.family_id
        if chunk.family_id is not None
        else and_(Caregiver.id > chunk.after, Caregiver.id <= chunk.upto)
    )
    return (
        select(
            Caregiver.id, Pregnancy.id, literal(kind, Delivery.__table__.c.kind.type), literal(PRIORITY[kind]), day,
            PregnancyStage.stage, age_day, ContentCalendar.item_id, due.c.instant, window.c.instant, reason,
            case((reason.is_(None), literal(DeliveryStatus.PLANNED, status_type)),
                 else_=literal(DeliveryStatus.SKIPPED, status_type)),
            literal(0),
            literal(0),
        )
        .select_from(Caregiver)
        .join(Enrolment, (Enrolment.family_id == Caregiver.family_id) & (Enrolment.from_day <= day)
              & or_(Enrolment.to_day.is_(None), Enrolment.to_day >= day))
        .join(Arm, Arm.id == Enrolment.arm_id)
        .join(Study, Study.id == Arm.study_id)
        .join(Pregnancy, Pregnancy.family_id == Caregiver.family_id)
        .join(PregnancyStage, (PregnancyStage.pregnancy_id == Pregnancy.id) & (PregnancyStage.first_day <= day)
              & (PregnancyStage.last_day >= day))
        .join(due, due.c.at == chosen)
        .join(window, window.c.at == Study.quiet_from)
        .outerjoin(ContentCalendar, (ContentCalendar.programme == Study.programme)
                   & (ContentCalendar.locale == Caregiver.locale) & (ContentCalendar.kind == kind.value)
                   & (ContentCalendar.stage == PregnancyStage.stage) & (ContentCalendar.age_day == age_day))
        .where(Caregiver.zone == chunk.zone, whose, PregnancyStage.stage != Stage.COMPLETED,
               Caregiver.starts_at <= due.c.instant, ~there)
        .order_by(Caregiver.id, Pregnancy.id)
    )  # fmt: skip


def _reason(kind: Kind):  # type: ignore[no-untyped-def]  # a CASE of Reason
    """Return the reason for not sending, the gravest first, or null."""
    wanted = Arm.gets_facts if kind is Kind.FACT else Arm.gets_prompts
    reachable = exists().where(Address.caregiver_id == Caregiver.id, Address.closed_at.is_(None))
    reasons = (
        (Pregnancy.status == PregnancyStatus.LOST, Reason.LOSS),
        (Caregiver.messaging == Messaging.STOPPED, Reason.STOPPED),
        (Caregiver.messaging == Messaging.NO_CONSENT, Reason.NO_CONSENT),
        (Caregiver.messaging == Messaging.PAUSED, Reason.PAUSED),
        (~wanted, Reason.CONTROL_ARM),
        (PregnancyStage.stage == Stage.WAITING, Reason.WAITING),
        (PregnancyStage.stage == Stage.HELD, Reason.HELD),
        (~reachable, Reason.CHANNEL_CLOSED),
        (ContentCalendar.item_id.is_(None), Reason.CONTENT_MISSING),
    )
    reason_type = Delivery.__table__.c.reason.type
    return case(*[(test, literal(reason, reason_type)) for test, reason in reasons], else_=null())


def is_planned(session: Session, zone: str, local_day: date) -> bool:
    """Tell whether a zone's day has been planned."""
    return session.get(PlannedDay, (zone, local_day)) is not None


def mark_planned(session: Session, zone: str, local_day: date, now: datetime) -> None:
    """Remember that a zone's day has been planned."""
    session.execute(insert_new(session, PlannedDay).values(zone=zone, local_day=local_day, planned_at=now))
