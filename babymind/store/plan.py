"""Planning as one statement: every slot that a local day makes due in a zone, with its outcome or its reason."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import (
    DATE,
    ColumnElement,
    Integer,
    String,
    Subquery,
    and_,
    case,
    delete,
    exists,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
)  # fmt: skip
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from babymind.domain.age import Stage
from babymind.domain.delivery import PRIORITY, DeliveryStatus, Kind, Messaging, Reason
from babymind.store.base import CLUSTERED, Base, insert_new
from babymind.store.content import ContentCalendar
from babymind.store.deliveries import Delivery
from babymind.store.families import Address, Caregiver, Pregnancy, PregnancyStage, PregnancyStatus
from babymind.store.studies import Arm, Enrolment, Study

MOMENTS_KEPT_DAYS = 7


class PlannedDay(Base):
    """A zone's local day that has been planned once; planning it again is harmless and finds what came since."""

    __tablename__ = "planned_day"

    zone: Mapped[str] = mapped_column(String(64), primary_key=True)
    local_day: Mapped[date] = mapped_column(primary_key=True)
    planned_at: Mapped[datetime]


class Moment(Base):
    """The instant of a wall-clock time in a zone on a day, so that planning looks it up by index."""

    __tablename__ = "moment"
    __table_args__ = CLUSTERED

    at: Mapped[time] = mapped_column(
        primary_key=True, autoincrement=False
    )  # first: what differs most is compared first
    local_day: Mapped[date] = mapped_column(primary_key=True)
    zone: Mapped[str] = mapped_column(String(64), primary_key=True)
    instant: Mapped[datetime]


def zones(session: Session) -> Sequence[str]:
    """Return the zones that caregivers live in."""
    return session.scalars(select(Caregiver.zone).distinct().order_by(Caregiver.zone)).all()


def write_moments(session: Session, zone: str, day: date, instant_of: Callable[[time], datetime]) -> None:
    """Write down the instant of every time of day that planning this zone's day needs; those of past days go."""
    chosen = select(Caregiver.fact_time).where(Caregiver.zone == zone).union(
        select(Caregiver.prompt_time).where(Caregiver.zone == zone), select(Study.quiet_from)
    )  # fmt: skip
    rows = [{"zone": zone, "local_day": day, "at": at, "instant": instant_of(at)} for at in session.scalars(chosen)]
    past = day - timedelta(days=MOMENTS_KEPT_DAYS)
    session.execute(delete(Moment).where(Moment.zone == zone, Moment.local_day < past))
    if rows:
        session.execute(insert_new(session, Moment), rows)


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
    after: int
    upto: int
    family_id: int | None = None


def plan_chunk(session: Session, kind: Kind, chunk: Chunk) -> Counter[Reason | None]:
    """Write the deliveries of a chunk that are missing, and count them by reason (None: to be sent).

    Proof against doubles: the unique index of the slot, met by ``ON CONFLICT DO NOTHING``. Rows that exist already
    are passed over first, which makes planning again cheap.
    """
    # RETURNING would cost a third of the whole; the rows written are counted, and those skipped through their index.
    before = _skipped(session, kind, chunk)
    fresh = not session.scalar(select(exists().where(*_slots_of(kind, chunk), Delivery.occasion.is_(None))))
    due = due_rows(kind, chunk, fresh=fresh)
    rows = insert_new(session, Delivery).from_select(COLUMNS, due, include_defaults=False)
    written = session.connection().execute(rows, execution_options={"preserve_rowcount": True}).rowcount
    skipped = _skipped(session, kind, chunk) - before
    return Counter({None: written - skipped.total()}) + skipped


def _skipped(session: Session, kind: Kind, chunk: Chunk) -> Counter[Reason | None]:
    skipped: ColumnElement[str] = literal_column(
        f"'{DeliveryStatus.SKIPPED.value}'"
    )  # spelt out, so that its partial index serves
    query = (
        select(Delivery.reason, func.count())
        .where(*_slots_of(kind, chunk), Delivery.status == skipped)
        .group_by(Delivery.reason)
    )
    return Counter(dict(session.execute(query).all()))


def _slots_of(kind: Kind, chunk: Chunk) -> tuple[ColumnElement[bool], ...]:
    """Return what is true of the deliveries of a chunk."""
    whose = (
        Delivery.caregiver_id.in_(select(Caregiver.id).where(Caregiver.family_id == chunk.family_id))
        if chunk.family_id is not None
        else Delivery.caregiver_id.between(chunk.after + 1, chunk.upto)
    )
    return Delivery.local_day == chunk.local_day, Delivery.kind == kind, whose


COLUMNS = ("caregiver_id", "pregnancy_id", "kind", "priority", "local_day", "stage", "age_day", "item_id", "due_at",
           "window_ends_at", "reason", "status", "attempts", "failures")  # fmt: skip


def due_rows(kind: Kind, chunk: Chunk, *, fresh: bool):  # type: ignore[no-untyped-def]  # fourteen columns
    """Return the query whose rows are the missing deliveries of a chunk; of a fresh one, all are missing."""
    # OFFSET 0 keeps both databases from working out the reason twice, once for each column that it decides.
    slots = _slots(kind, chunk, fresh=fresh).offset(0).subquery("slots")
    columns = Delivery.__table__.c
    return select(
        slots.c.caregiver_id, slots.c.pregnancy_id, literal(kind, columns.kind.type), literal(PRIORITY[kind]),
        literal(chunk.local_day, DATE), slots.c.stage, slots.c.age_day, slots.c.item_id, slots.c.due_at,
        slots.c.window_ends_at, slots.c.reason,
        case((slots.c.reason.is_(None), literal(DeliveryStatus.PLANNED, columns.status.type)),
             else_=literal(DeliveryStatus.SKIPPED, columns.status.type)),
        literal(0), literal(0),
    ).where(true())  # SQLite reads ON CONFLICT after a bare SELECT as part of a join  # fmt: skip


def _slots(kind: Kind, chunk: Chunk, *, fresh: bool):  # type: ignore[no-untyped-def]  # eight columns
    """Return the slots of a chunk that have no delivery yet, each with its item and its reason for not sending."""
    missing, offer = _missing(kind, chunk, fresh=fresh), _offers(kind, chunk)
    due = aliased(Moment, name="due")
    day = literal(chunk.local_day, DATE)
    age_day = literal(chunk.local_day.toordinal(), Integer) - PregnancyStage.zero_ordinal
    return (
        select(
            missing.c.caregiver_id, missing.c.pregnancy_id, PregnancyStage.stage, age_day.label("age_day"),
            ContentCalendar.item_id, due.instant.label("due_at"), offer.c.window_ends_at,
            _reason(missing, offer).label("reason"),
        )
        .select_from(missing)
        .join(Enrolment, (Enrolment.family_id == missing.c.family_id) & (Enrolment.from_day <= day)
              & or_(Enrolment.to_day.is_(None), Enrolment.to_day >= day))
        .join(offer, offer.c.arm_id == Enrolment.arm_id)
        .join(PregnancyStage, (PregnancyStage.pregnancy_id == missing.c.pregnancy_id)
              & (PregnancyStage.first_day <= day) & (PregnancyStage.last_day >= day))
        .join(due, (due.zone == chunk.zone) & (due.local_day == day) & (due.at == missing.c.at))
        .outerjoin(ContentCalendar, (ContentCalendar.programme == offer.c.programme)
                   & (ContentCalendar.locale == missing.c.locale) & (ContentCalendar.kind == kind.value)
                   & (ContentCalendar.stage == PregnancyStage.stage) & (ContentCalendar.age_day == age_day))
        .where(PregnancyStage.stage != Stage.COMPLETED, missing.c.starts_at <= due.instant)
    )  # fmt: skip


def _missing(kind: Kind, chunk: Chunk, *, fresh: bool) -> Subquery:
    """Return the caregivers of a chunk with the pregnancies about which this slot has no row yet."""
    day = literal(chunk.local_day, DATE)
    there = exists().where(
        Delivery.local_day == day, Delivery.kind == kind, Delivery.caregiver_id == Caregiver.id,
        Delivery.pregnancy_id == Pregnancy.id, Delivery.occasion.is_(None),
    )  # fmt: skip
    whose = (
        Caregiver.family_id == chunk.family_id
        if chunk.family_id is not None
        else and_(Caregiver.id > chunk.after, Caregiver.id <= chunk.upto)
    )
    caregivers = (
        select(
            Caregiver.id.label("caregiver_id"), Caregiver.family_id, Caregiver.messaging, Caregiver.locale,
            Caregiver.starts_at, (Caregiver.fact_time if kind is Kind.FACT else Caregiver.prompt_time).label("at"),
            Pregnancy.id.label("pregnancy_id"), Pregnancy.status.label("pregnancy"),
        )
        .join(Pregnancy, Pregnancy.family_id == Caregiver.family_id)
        .where(Caregiver.zone == chunk.zone, whose)
    )  # fmt: skip
    # OFFSET 0 has what is there already passed over before anything else is looked up for it.
    return (caregivers if fresh else caregivers.where(~there).offset(0)).subquery("missing")


def _offers(kind: Kind, chunk: Chunk) -> Subquery:
    """Return what each arm gets and until when on this day; a handful of rows."""
    late = aliased(Moment, name="late")
    return (
        select(Arm.id.label("arm_id"), (Arm.gets_facts if kind is Kind.FACT else Arm.gets_prompts).label("wanted"),
               Study.programme, late.instant.label("window_ends_at"))
        .join(Study, Study.id == Arm.study_id)
        .join(late, (late.zone == chunk.zone) & (late.local_day == literal(chunk.local_day, DATE))
              & (late.at == Study.quiet_from))
        .offset(0)
        .subquery("offer")
    )  # fmt: skip


def _reason(missing: Subquery, offer: Subquery):  # type: ignore[no-untyped-def]  # a CASE of Reason
    """Return the reason for not sending, the gravest first, or null."""
    reachable = exists().where(Address.caregiver_id == missing.c.caregiver_id, Address.closed_at.is_(None))
    reasons = (
        (missing.c.pregnancy == PregnancyStatus.LOST, Reason.LOSS),
        (missing.c.messaging == Messaging.STOPPED, Reason.STOPPED),
        (missing.c.messaging == Messaging.NO_CONSENT, Reason.NO_CONSENT),
        (missing.c.messaging == Messaging.PAUSED, Reason.PAUSED),
        (~offer.c.wanted, Reason.CONTROL_ARM),
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
