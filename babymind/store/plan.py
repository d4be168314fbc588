"""Planning as one statement: every slot that a local day makes due in a zone, with its outcome or its reason."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    DATE,
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Connection,
    Delete,
    Insert,
    Integer,
    Select,
    String,
    Subquery,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
    union,
    update,
)  # fmt: skip
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, aliased, mapped_column

from babymind.domain.age import OVERDUE_LAST_DAY, PROGRAMME_LAST_DAY, Stage
from babymind.domain.delivery import PRIORITY, DeliveryStatus, Hold, Kind, Messaging, Reason
from babymind.domain.schedule import instant_of
from babymind.store import months, tasks
from babymind.store.base import CLUSTERED, Base, TimeOfDay, UtcDateTime, insert_in, insert_new
from babymind.store.content import ContentCalendar, ContentItem
from babymind.store.deliveries import WENT, Delivery
from babymind.store.families import Address, Caregiver, Pregnancy, PregnancyStage, PregnancyStatus
from babymind.store.studies import Arm, EndedWhy, Enrolment, EnrolmentStatus, Study

MOMENTS_KEPT_DAYS = 7
PLANNED_KEPT_DAYS = 90
LOOK_BACK_DAYS = (
    7  # how long an end of the programme rests before the enrolment ends, and a held birth is asked about
)
PROMPT_REST_DAYS = 90
END_TOLD_DAYS = 28  # for how long the end of the programme is still worth telling, where an outage kept it back
TURNING_POINTS = (  # stage, days into it, which message, for how many days more it makes sense
    (Stage.OVERDUE, 3, "arrived", 6),  # until it is asked again
    (Stage.OVERDUE, 10, "arrived", 6),
    (Stage.OVERDUE, 17, "arrived", OVERDUE_LAST_DAY - 17),  # then a person asks
    (Stage.COMPLETED, 0, "programme-end", END_TOLD_DAYS),
)
DAYS_BEFORE = {Stage.OVERDUE: 0, Stage.COMPLETED: PROGRAMME_LAST_DAY + 1}  # day number on the stage's first day


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
    return session.scalars(_zones()).all()


@cache
def _zones() -> Select[tuple[Any]]:
    return _each(Caregiver.zone)


def _each(column: InstrumentedAttribute[Any], *where: ColumnElement[bool]) -> Select[tuple[Any]]:
    """Return the query of a column's different values, each found by a step along its index, however many rows."""
    first = select(func.min(column).label("value")).where(*where).cte(f"each_{column.key}", recursive=True)
    following = select(select(func.min(column)).where(*where, column > first.c.value).scalar_subquery())
    every = first.union_all(following.where(first.c.value.is_not(None)))
    return select(every.c.value).where(every.c.value.is_not(None))


def write_moments(session: Session, zone: str, day: date, instant_of: Callable[[time], datetime]) -> None:
    """Write down the instant of every time of day that planning this zone's day needs; those of past days go.

    The month of the ledger that the day belongs to is made if it is missing.
    """
    months.have(session, [day])
    connection, dialect = session.connection(), session.get_bind().dialect.name
    values = {"zone": zone, "day": day - timedelta(days=MOMENTS_KEPT_DAYS)}
    chosen = connection.scalars(_chosen_times(), values).all()
    connection.execute(_past_moments(), values)
    rows = [{"zone": zone, "local_day": day, "at": at, "instant": instant_of(at)} for at in chosen]
    if rows:
        connection.execute(_new_moments(dialect), rows)


@cache
def _chosen_times() -> CompoundSelect[time]:
    there = Caregiver.zone == ZONE
    return union(_each(Caregiver.fact_time, there), _each(Caregiver.prompt_time, there), select(Study.quiet_from))


@cache
def _past_moments() -> Delete:
    return delete(Moment).where(Moment.zone == ZONE, Moment.local_day < DAY)


@cache
def _new_moments(dialect: str) -> Insert:
    return insert_in(dialect, Moment)


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

    @property
    def values(self) -> dict[str, object]:
        """What the statements below are run with."""
        return {
            "zone": self.zone, "day": self.local_day, "ordinal": self.local_day.toordinal(),
            "weekday": 1 << self.local_day.weekday(), "after": self.after, "upto": self.upto,
            "family_id": self.family_id, "rested": self.local_day - timedelta(days=PROMPT_REST_DAYS),
        }  # fmt: skip


# The statements are made once and run with these values: making one takes longer than running it over a family.
DAY = bindparam("day", type_=DATE)
ORDINAL = bindparam("ordinal", type_=Integer)
WEEKDAY = bindparam("weekday", type_=Integer)
RESTED = bindparam("rested", type_=DATE)
ZONE = bindparam("zone", type_=String)
AFTER, UPTO, FAMILY = (bindparam(name, type_=BigInteger) for name in ("after", "upto", "family_id"))


def plan_chunk(session: Session, kind: Kind, chunk: Chunk) -> Counter[Reason | None]:
    """Write the deliveries of a chunk that are missing, and count them by reason (None: to be sent).

    Proof against doubles: the unique index of the slot, met by ``ON CONFLICT DO NOTHING``. Rows that exist already
    are passed over first, which makes planning again cheap.
    """
    # RETURNING would cost a third of the whole; the rows written are counted, and those skipped through their index.
    by_family = chunk.family_id is not None
    values, connection = chunk.values, session.connection()
    before = _count_skipped(connection, kind, by_family, values)
    fresh = not connection.scalar(_any_slot(kind, by_family), values)
    rows = _insert(session.get_bind().dialect.name, kind, by_family, fresh)
    written = connection.execute(rows, values, execution_options={"preserve_rowcount": True}).rowcount
    skipped = _count_skipped(connection, kind, by_family, values) - before
    return Counter({None: written - skipped.total()}) + skipped


def _count_skipped(connection: Connection, kind: Kind, by_family: bool,
                   values: dict[str, object]) -> Counter[Reason | None]:  # fmt: skip
    return Counter(dict(connection.execute(_skipped(kind, by_family), values).all()))


@cache
def _skipped(kind: Kind, by_family: bool):  # type: ignore[no-untyped-def]  # two columns
    skipped: ColumnElement[str] = literal_column(
        f"'{DeliveryStatus.SKIPPED.value}'"
    )  # spelt out, so that its partial index serves
    return (
        select(Delivery.reason, func.count())
        .where(*_slots_of(kind, by_family), Delivery.status == skipped)
        .group_by(Delivery.reason)
    )


@cache
def _any_slot(kind: Kind, by_family: bool):  # type: ignore[no-untyped-def]  # one column
    return select(exists().where(*_slots_of(kind, by_family), Delivery.occasion.is_(None)))


@cache
def _insert(dialect: str, kind: Kind, by_family: bool, fresh: bool) -> Insert:
    due = due_rows(kind, by_family=by_family, fresh=fresh)
    return insert_in(dialect, Delivery).from_select(COLUMNS, due, include_defaults=False)


def _slots_of(kind: Kind, by_family: bool) -> tuple[ColumnElement[bool], ...]:
    """Return what is true of the deliveries of a chunk."""
    whose = (
        Delivery.caregiver_id.in_(select(Caregiver.id).where(Caregiver.family_id == FAMILY))
        if by_family
        else and_(Delivery.caregiver_id > AFTER, Delivery.caregiver_id <= UPTO)
    )
    return Delivery.local_day == DAY, Delivery.kind == kind, whose


NOTICE_COLUMNS = ("caregiver_id", "pregnancy_id", "kind", "occasion", "priority", "local_day", "stage", "item_id",
                  "due_at", "window_ends_at", "status", "attempts", "failures")  # fmt: skip
COLUMNS = ("caregiver_id", "pregnancy_id", "kind", "priority", "local_day", "stage", "age_day", "item_id", "due_at",
           "window_ends_at", "reason", "status", "attempts", "failures")  # fmt: skip


def due_rows(kind: Kind, *, by_family: bool, fresh: bool):  # type: ignore[no-untyped-def]  # fourteen columns
    """Return the query whose rows are the missing deliveries of a chunk; of a fresh one, all are missing."""
    # OFFSET 0 keeps both databases from working out the reason twice, once for each column that it decides.
    slots = _slots(kind, by_family, fresh=fresh).offset(0).subquery("slots")
    columns = Delivery.__table__.c
    return select(
        slots.c.caregiver_id, slots.c.pregnancy_id, literal(kind, columns.kind.type), literal(PRIORITY[kind]),
        DAY, slots.c.stage, slots.c.age_day, slots.c.item_id, slots.c.due_at,
        slots.c.window_ends_at, slots.c.reason,
        case((slots.c.reason.is_(None), literal(DeliveryStatus.PLANNED, columns.status.type)),
             else_=literal(DeliveryStatus.SKIPPED, columns.status.type)),
        literal(0), literal(0),
    ).where(true())  # SQLite reads ON CONFLICT after a bare SELECT as part of a join  # fmt: skip


def _slots(kind: Kind, by_family: bool, *, fresh: bool):  # type: ignore[no-untyped-def]  # eight columns
    """Return the slots of a chunk that have no delivery yet, each with its item and its reason for not sending."""
    missing, offer = _missing(kind, by_family, fresh=fresh), _offers(kind)
    due = aliased(Moment, name="due")
    age_day = ORDINAL - PregnancyStage.zero_ordinal
    return (
        select(
            missing.c.caregiver_id, missing.c.pregnancy_id, PregnancyStage.stage, age_day.label("age_day"),
            ContentCalendar.item_id, due.instant.label("due_at"), offer.c.window_ends_at,
            _reason(kind, missing, offer).label("reason"),
        )
        .select_from(missing)
        .join(Enrolment, (Enrolment.family_id == missing.c.family_id) & (Enrolment.from_day <= DAY)
              & or_(Enrolment.to_day.is_(None), Enrolment.to_day >= DAY))
        .join(offer, offer.c.arm_id == Enrolment.arm_id)
        .join(PregnancyStage, (PregnancyStage.pregnancy_id == missing.c.pregnancy_id)
              & (PregnancyStage.first_day <= DAY) & (PregnancyStage.last_day >= DAY))
        .join(due, (due.zone == ZONE) & (due.local_day == DAY) & (due.at == missing.c.at))
        .outerjoin(ContentCalendar, (ContentCalendar.programme == offer.c.programme)
                   & (ContentCalendar.locale == missing.c.locale) & (ContentCalendar.kind == kind.value)
                   & (ContentCalendar.stage == PregnancyStage.stage) & (ContentCalendar.age_day == age_day))
        .where(PregnancyStage.stage != Stage.COMPLETED, missing.c.starts_at <= due.instant,
               missing.c.pregnancy_starts_at <= due.instant)
    )  # fmt: skip


def _missing(kind: Kind, by_family: bool, *, fresh: bool) -> Subquery:
    """Return the caregivers of a chunk with the pregnancies about which this slot has no row yet."""
    there = exists().where(
        Delivery.local_day == DAY, Delivery.kind == kind, Delivery.caregiver_id == Caregiver.id,
        Delivery.pregnancy_id == Pregnancy.id, Delivery.occasion.is_(None),
    )  # fmt: skip
    whose = Caregiver.family_id == FAMILY if by_family else and_(Caregiver.id > AFTER, Caregiver.id <= UPTO)
    caregivers = (
        select(
            Caregiver.id.label("caregiver_id"), Caregiver.family_id, Caregiver.messaging, Caregiver.locale,
            Caregiver.starts_at, (Caregiver.fact_time if kind is Kind.FACT else Caregiver.prompt_time).label("at"),
            (Caregiver.wants_facts if kind is Kind.FACT else Caregiver.wants_prompts).label("wants"),
            Pregnancy.id.label("pregnancy_id"), Pregnancy.status.label("pregnancy"), Pregnancy.hold,
            Pregnancy.dates_changed, Pregnancy.starts_at.label("pregnancy_starts_at"),
        )
        .join(Pregnancy, Pregnancy.family_id == Caregiver.family_id)
        .where(Caregiver.zone == ZONE, whose)
    )  # fmt: skip
    # OFFSET 0 has what is there already passed over before anything else is looked up for it.
    return (caregivers if fresh else caregivers.where(~there).offset(0)).subquery("missing")


def _offers(kind: Kind) -> Subquery:
    """Return what each arm gets and until when on this day; a handful of rows."""
    late = aliased(Moment, name="late")
    return (
        select(Arm.id.label("arm_id"), (Arm.gets_facts if kind is Kind.FACT else Arm.gets_prompts).label("wanted"),
               (Arm.gets_facts | Arm.gets_prompts).label("any_wanted"),
               (Arm.weekdays.op("&")(WEEKDAY) != 0).label("on_day"),
               Study.programme, Study.daily_cap, late.instant.label("window_ends_at"))
        .join(Study, Study.id == Arm.study_id)
        .join(late, (late.zone == ZONE) & (late.local_day == DAY)
              & (late.at == Study.quiet_from))
        .offset(0)
        .subquery("offer")
    )  # fmt: skip


def _reason(kind: Kind, missing: Subquery, offer: Subquery):  # type: ignore[no-untyped-def]  # a CASE
    """Return the reason for not sending, the gravest first, or null.

    `domain.slot.reason_for` is the same rule for one slot, in Python; a test holds the two together.
    """
    addresses = exists().where(Address.caregiver_id == missing.c.caregiver_id, Address.closed_at.is_(None))
    turn = (ORDINAL - PregnancyStage.turn) % PregnancyStage.turns
    # What seldom differs is asked about once, and in full only of the few for whom it does.
    return _first(
        (missing.c.pregnancy == PregnancyStatus.LOST, Reason.LOSS),
        (missing.c.hold.is_not(None), _first(*((missing.c.hold == hold, Reason(hold.value)) for hold in Hold))),
        (missing.c.messaging != Messaging.ACTIVE, _first(
            (missing.c.messaging == Messaging.STOPPED, Reason.STOPPED),
            (missing.c.messaging == Messaging.LEFT, Reason.LEFT),
            (missing.c.messaging == Messaging.NO_CONSENT, Reason.NO_CONSENT),
            (missing.c.messaging == Messaging.PAUSED, Reason.PAUSED),
        )),
        (~offer.c.any_wanted, Reason.CONTROL_ARM),
        (~offer.c.wanted, Reason.NOT_IN_ARM),
        (~offer.c.on_day, Reason.FREQUENCY),
        (~missing.c.wants, Reason.SLOT_OFF),
        (PregnancyStage.stage == Stage.WAITING, Reason.WAITING),
        (PregnancyStage.stage == Stage.HELD, Reason.HELD),
        (~addresses.where(~Address.shared),
         _first((addresses, Reason.SHARED_PHONE), otherwise=Reason.CHANNEL_CLOSED)),
        ((PregnancyStage.turns > 1) & (turn >= offer.c.daily_cap), Reason.DAILY_CAP),
        (ContentCalendar.item_id.is_(None), Reason.CONTENT_MISSING),
        (case((missing.c.dates_changed, _sent_before(kind, missing)), else_=false()), Reason.ALREADY_SENT),
    )  # fmt: skip


def _first(*reasons: tuple[ColumnElement[bool], Reason | ColumnElement[Reason]],
           otherwise: Reason | None = None) -> ColumnElement[Reason]:  # fmt: skip
    """Return the reason beside the first test that holds."""
    reason_type = Delivery.__table__.c.reason.type
    return case(
        *[(test, literal(one, reason_type) if isinstance(one, Reason) else one) for test, one in reasons],
        else_=null() if otherwise is None else literal(otherwise, reason_type),
    )


def _sent_before(kind: Kind, missing: Subquery):  # type: ignore[no-untyped-def]
    """Return whether the item of this day has gone already: a fact ever, a prompt in the last 90 days."""
    earlier = aliased(Delivery, name="earlier")
    sent = exists().where(
        earlier.caregiver_id == missing.c.caregiver_id,
        earlier.pregnancy_id == missing.c.pregnancy_id,
        earlier.item_id == ContentCalendar.item_id,
        earlier.local_day < DAY,
        earlier.status.in_(WENT),
    )
    if kind is Kind.PROMPT:
        sent = sent.where(earlier.local_day > RESTED)
    return sent


def turning_points(session: Session, zone: str, day: date, now: datetime) -> int:
    """Write what a zone's day makes due besides the two slots, and return how many messages that is.

    On some days past the due date we ask whether the baby has arrived; after the last of them a person is asked to;
    on the day after the programme's last, its end is told. Each once, on its occasion. What an outage kept back goes
    late, as long as it makes sense: of several questions the newest only.
    """
    written = 0
    connection, dialect = session.connection(), session.get_bind().dialect.name
    evenings = session.scalars(select(Study.quiet_from).distinct()).all()
    for stage, days_in, item, sense_days in TURNING_POINTS:
        began = day - timedelta(days=days_in)
        values = {"zone": zone, "day": day, "began": began, "zero": began.toordinal() - DAYS_BEFORE[stage]}
        rows = _notices(dialect, stage, days_in, item)
        for evening in evenings:
            ends_at = instant_of(day + timedelta(days=sense_days), evening, ZoneInfo(zone))
            values |= {"evening": evening, "ends_at": ends_at}
            written += connection.execute(rows, values, execution_options={"preserve_rowcount": True}).rowcount
    since = {"zone": zone, "day": day, "began": day - timedelta(days=LOOK_BACK_DAYS)}
    for pregnancy_id, family_id, due_on in connection.execute(_just_held(), since).all():
        tasks.ask(session, tasks.TaskKind.ASK_ABOUT_BIRTH, f"{_about_birth(pregnancy_id)}{due_on}", now=now,
                  family_id=family_id, pregnancy_id=pregnancy_id)  # fmt: skip
    return written


def drop_questions(session: Session, pregnancy_id: int, now: datetime, *, because: str) -> None:
    """Close what a person was to ask about a birth: it was told meanwhile, or must not be asked any more."""
    task = tasks.Task
    session.execute(
        update(task)
        .where(
            or_(task.occasion.startswith(_about_birth(pregnancy_id)), task.occasion == f"gestation:{pregnancy_id}"),
            task.kind.in_([tasks.TaskKind.ASK_ABOUT_BIRTH, tasks.TaskKind.CHECK_GESTATION]),
            task.done_at.is_(None),
        )
        .values(done_at=now, done_by="system", outcome=because)
    )


def _about_birth(pregnancy_id: int) -> str:
    return f"birth:{pregnancy_id}:"


BEGAN = bindparam("began", type_=DATE)
ZERO = bindparam("zero", type_=Integer)
EVENING = bindparam("evening", type_=TimeOfDay())
ENDS_AT = bindparam("ends_at", type_=UtcDateTime())


@cache
def _just_held():  # type: ignore[no-untyped-def]  # three columns
    began = (
        select(PregnancyStage.pregnancy_id)
        .where(PregnancyStage.first_day <= DAY, PregnancyStage.first_day > BEGAN, PregnancyStage.stage == Stage.HELD)
        .offset(0)  # found first, by their index
        .subquery("began")
    )
    return (
        select(Pregnancy.id, Pregnancy.family_id, Pregnancy.due_on)
        .select_from(began)
        .join(Pregnancy, Pregnancy.id == began.c.pregnancy_id)
        .join(Caregiver, Caregiver.family_id == Pregnancy.family_id)
        .join(Enrolment, (Enrolment.family_id == Pregnancy.family_id) & Enrolment.to_day.is_(None))
        .where(
            Caregiver.zone == ZONE,
            Pregnancy.status == PregnancyStatus.EXPECTED,
            Pregnancy.hold.is_(None),  # nobody asks a family that may have told of a loss
        )
        .distinct()
    )


@cache
def _notices(dialect: str, stage: Stage, days_in: int, item: str) -> Insert:
    due, columns = aliased(Moment, name="due"), Delivery.__table__.c
    sibling, goes_on = aliased(Pregnancy, name="sibling"), aliased(PregnancyStage, name="goes_on")
    still_so = (
        ~exists().where(  # the end is told when nothing more comes about any child
            sibling.family_id == Pregnancy.family_id, sibling.id != Pregnancy.id,
            sibling.status != PregnancyStatus.LOST, goes_on.pregnancy_id == sibling.id, goes_on.first_day <= DAY,
            goes_on.last_day >= DAY, goes_on.stage != Stage.COMPLETED,
        )
        if stage is Stage.COMPLETED
        else Pregnancy.status == PregnancyStatus.EXPECTED  # who is born late was overdue once too
    )  # fmt: skip
    # OFFSET 0 has the few stages that began on that day found first, by their index, and not every caregiver.
    began = (
        select(PregnancyStage.pregnancy_id, PregnancyStage.stage)
        .where(
            PregnancyStage.first_day == BEGAN, PregnancyStage.stage == stage,
            PregnancyStage.zero_ordinal == ZERO,  # not a later piece, cut where a sibling's stage changes
        )
        .offset(0)
        .subquery("began")
    )  # fmt: skip
    rows = (
        select(
            Caregiver.id, Pregnancy.id, literal(Kind.NOTICE, columns.kind.type),
            literal(f"{item}:{days_in}:") + cast(Pregnancy.id, String) + ":" + cast(Caregiver.id, String),
            literal(PRIORITY[Kind.NOTICE]), DAY, began.c.stage, ContentItem.id, due.instant, ENDS_AT,
            literal(DeliveryStatus.PLANNED, columns.status.type), literal(0), literal(0),
        )
        .select_from(began)
        .join(Pregnancy, Pregnancy.id == began.c.pregnancy_id)
        .join(Caregiver, Caregiver.family_id == Pregnancy.family_id)
        .join(Enrolment, (Enrolment.family_id == Pregnancy.family_id) & Enrolment.to_day.is_(None))
        .join(Arm, Arm.id == Enrolment.arm_id)
        .join(Study, Study.id == Arm.study_id)
        .join(due, (due.zone == ZONE) & (due.local_day == DAY) & (due.at == Caregiver.fact_time))
        .join(ContentItem, (ContentItem.key == item) & (ContentItem.locale == Caregiver.locale))
        .where(
            Caregiver.zone == ZONE,
            Study.quiet_from == EVENING,
            still_so,
            Caregiver.messaging == Messaging.ACTIVE, Caregiver.starts_at <= due.instant,
            Pregnancy.status != PregnancyStatus.LOST, Pregnancy.hold.is_(None), Arm.gets_facts | Arm.gets_prompts,
            exists().where(Address.caregiver_id == Caregiver.id, Address.closed_at.is_(None), ~Address.shared),
        )
    )  # fmt: skip
    return insert_in(dialect, Delivery).from_select(NOTICE_COLUMNS, rows, include_defaults=False)


def complete_enrolments(session: Session, day: date) -> int:
    """End the enrolment of families whose every programme ended a week ago or more, and who were told so by then."""
    told = aliased(Pregnancy, name="told")
    noon = datetime.combine(day - timedelta(days=LOOK_BACK_DAYS - 1), time(12), UTC)  # a week ago is over everywhere
    notice: ColumnElement[str] = literal_column(f"'{Kind.NOTICE.value}'")  # spelt out: a partial index
    just_told = exists().where(
        told.family_id == Enrolment.family_id, Delivery.pregnancy_id == told.id, Delivery.kind == notice,
        or_(Delivery.status.in_([DeliveryStatus.PLANNED, DeliveryStatus.SENDING]), Delivery.accepted_at > noon),
    )  # fmt: skip
    under_way = exists().where(
        Pregnancy.family_id == Enrolment.family_id, PregnancyStage.pregnancy_id == Pregnancy.id,
        Pregnancy.status != PregnancyStatus.LOST,
        PregnancyStage.stage != Stage.COMPLETED, PregnancyStage.last_day > day - timedelta(days=LOOK_BACK_DAYS),
    )  # fmt: skip
    over = (
        select(Pregnancy.family_id)
        .join(PregnancyStage, PregnancyStage.pregnancy_id == Pregnancy.id)
        .where(
            PregnancyStage.stage == Stage.COMPLETED,
            PregnancyStage.first_day <= day - timedelta(days=LOOK_BACK_DAYS),
            PregnancyStage.first_day > day - timedelta(days=2 * LOOK_BACK_DAYS + END_TOLD_DAYS),
        )
    )
    ended = (
        update(Enrolment)
        .where(
            Enrolment.to_day.is_(None),
            Enrolment.from_day <= day,
            Enrolment.family_id.in_(over),
            ~under_way,
            ~just_told,
        )
        .values(status=EnrolmentStatus.COMPLETED, ended_why=EndedWhy.COMPLETED, to_day=day)
        .returning(Enrolment.id)
    )
    return len(session.scalars(ended).all())


def unplan(session: Session, caregiver_ids: Sequence[int], now: datetime) -> None:
    """Take back the slots of some caregivers that have not left and are still open, so that they are planned anew.

    What was tried once stays: its attempts are history, and the claim judges it by what is true then.
    """
    unsent = (DeliveryStatus.SKIPPED, DeliveryStatus.CANCELLED)
    session.execute(
        delete(Delivery).where(
            Delivery.caregiver_id.in_(caregiver_ids),
            Delivery.occasion.is_(None),
            Delivery.attempts == 0,
            Delivery.window_ends_at > now,
            or_(
                Delivery.status == DeliveryStatus.PLANNED,
                Delivery.status.in_(unsent) & (Delivery.due_at > now),
            ),
        )
    )


def repoint(session: Session, programme: str) -> int:
    """Give what is planned and has not left the item that the calendar has for its day now; return how many changed.

    So a withdrawn text is not sent, and the one that stands in for it is.
    """
    there = (
        select(ContentCalendar.item_id)
        .join(Caregiver, Caregiver.locale == ContentCalendar.locale)
        .where(
            Caregiver.id == Delivery.caregiver_id, ContentCalendar.programme == programme,
            ContentCalendar.stage == Delivery.stage, ContentCalendar.age_day == Delivery.age_day,
            ContentCalendar.kind == cast(Delivery.kind, String),
        )
        .correlate(Delivery)
        .scalar_subquery()
    )  # fmt: skip
    follows = (
        select(Caregiver.id)
        .join(Enrolment, (Enrolment.family_id == Caregiver.family_id) & Enrolment.to_day.is_(None))
        .join(Arm, Arm.id == Enrolment.arm_id)
        .join(Study, Study.id == Arm.study_id)
        .where(Study.programme == programme)
    )
    changed = (
        update(Delivery)
        .where(
            Delivery.status == DeliveryStatus.PLANNED, Delivery.occasion.is_(None), Delivery.attempts == 0,
            Delivery.caregiver_id.in_(follows), Delivery.item_id.is_distinct_from(there),
        )
        .values(item_id=there)
    )  # fmt: skip
    connection = session.connection()
    return connection.execute(changed, execution_options={"preserve_rowcount": True}).rowcount


def latest_planned(session: Session) -> dict[str, date]:
    """Return the latest local day that is planned in each zone."""
    return dict(session.execute(_latest_planned()).all())


@cache
def _latest_planned() -> Select[str, date]:
    return select(PlannedDay.zone, func.max(PlannedDay.local_day)).group_by(PlannedDay.zone)


def is_planned(session: Session, zone: str, local_day: date) -> bool:
    """Tell whether a zone's day has been planned."""
    return session.get(PlannedDay, (zone, local_day)) is not None


def mark_planned(session: Session, zone: str, local_day: date, now: datetime) -> None:
    """Remember that a zone's day has been planned; what is long past is forgotten."""
    past = local_day - timedelta(days=PLANNED_KEPT_DAYS)
    session.execute(delete(PlannedDay).where(PlannedDay.zone == zone, PlannedDay.local_day < past))
    session.execute(insert_new(session, PlannedDay).values(zone=zone, local_day=local_day, planned_at=now))
