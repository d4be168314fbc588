"""Deliveries: one message due, and what became of it; the tries at sending it, and what the provider told of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

from sqlalchemy import (
    DATE,
    BigInteger,
    BindParameter,
    ForeignKey,
    Index,
    Integer,
    String,
    bindparam,
    case,
    exists,
    false,
    func,
    insert,
    null,
    or_,
    select,
    text,
    update,
)  # fmt: skip
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from babymind.domain.age import Stage
from babymind.domain.delivery import PRIORITY, RANK, SLOTS, DeliveryStatus, Hold, Kind, Reason
from babymind.store import months
from babymind.store.base import Base, UtcDateTime, insert_new
from babymind.store.content import ContentItem, ContentVersion
from babymind.store.families import Address, Caregiver, ChannelName, Infant, Pregnancy, PregnancyStatus
from babymind.store.studies import Arm, Enrolment, EnrolmentStatus, Study

# What has been handed over, or may have been.
WENT = (DeliveryStatus.SENDING, DeliveryStatus.ACCEPTED, DeliveryStatus.SENT, DeliveryStatus.DELIVERED,
        DeliveryStatus.READ, DeliveryStatus.UNDELIVERED, DeliveryStatus.UNKNOWN)  # fmt: skip
ONE_TABLE = {"one_table": True}  # an index that PostgreSQL, with a table for each month, does not have on all of them
UNSENT = (DeliveryStatus.SKIPPED, DeliveryStatus.CANCELLED, DeliveryStatus.EXPIRED)


class Delivery(Base):
    """One message due to one caregiver: the ledger row.

    A fact or a prompt is unique on (local day, kind, caregiver, pregnancy); every other kind on its ``occasion``,
    such as ``comment:17``. Either way planning, enrolling or commenting twice makes one row.

    On PostgreSQL it is partitioned by month of the local day, which a unique index has to contain. What is unique in
    another way is kept so by triggers and by an index of each month (docs/decisions), and so are the rows of other
    tables that refer to a delivery. Day and occasion of a delivery never change.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        # The day first: a day's rows are written and looked up together, at the end of the index.
        Index("uq_delivery_slot", "local_day", "kind", "caregiver_id", "pregnancy_id", unique=True,
              sqlite_where=text("occasion IS NULL"), postgresql_where=text("occasion IS NULL")),
        Index("uq_delivery_occasion", "occasion", unique=True, info=ONE_TABLE,
              sqlite_where=text("occasion IS NOT NULL"), postgresql_where=text("occasion IS NOT NULL")),
        Index("ix_delivery_due", "priority", "due_at",
              sqlite_where=text("status = 'planned'"), postgresql_where=text("status = 'planned'")),
        Index("ix_delivery_lease", "lease_ends_at",
              sqlite_where=text("status = 'sending'"), postgresql_where=text("status = 'sending'")),
        Index("uq_delivery_provider_ref", "provider_ref", unique=True, info=ONE_TABLE,
              sqlite_where=text("provider_ref IS NOT NULL"), postgresql_where=text("provider_ref IS NOT NULL")),
        Index("ix_delivery_skipped", "local_day", "kind", "caregiver_id", "reason",
              sqlite_where=text("status = 'skipped'"), postgresql_where=text("status = 'skipped'")),
        Index("ix_delivery_unknown", "id",
              sqlite_where=text("status = 'unknown'"), postgresql_where=text("status = 'unknown'")),
        Index("ix_delivery_look", "look_at",
              sqlite_where=text("look_at IS NOT NULL"), postgresql_where=text("look_at IS NOT NULL")),
        Index("ix_delivery_caregiver", "caregiver_id", "due_at"),
        # A day's deliveries outside the slots, and those that ended amiss: for whoever watches; see `store.watching`.
        Index("ix_delivery_day_apart", "local_day", "kind",
              sqlite_where=text("occasion IS NOT NULL"), postgresql_where=text("occasion IS NOT NULL")),
        Index("ix_delivery_amiss", "local_day", "id",
              sqlite_where=text("status IN ('failed', 'undelivered', 'cancelled')"),
              postgresql_where=text("status IN ('failed', 'undelivered', 'cancelled')")),
        Index("ix_delivery_notice", "pregnancy_id", sqlite_where=text("kind = 'notice'"),
              postgresql_where=text("kind = 'notice'")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    caregiver_id: Mapped[int] = mapped_column(ForeignKey("caregiver.id"))
    pregnancy_id: Mapped[int | None] = mapped_column(ForeignKey("pregnancy.id"))
    kind: Mapped[Kind]
    occasion: Mapped[str | None] = mapped_column(String(64))
    priority: Mapped[int]
    local_day: Mapped[date]
    stage: Mapped[Stage | None]
    age_day: Mapped[int | None]
    item_id: Mapped[int | None] = mapped_column(ForeignKey("content_item.id"))
    due_at: Mapped[datetime]
    window_ends_at: Mapped[datetime]
    status: Mapped[DeliveryStatus]
    reason: Mapped[Reason | None]
    attempts: Mapped[int]  # every try
    failures: Mapped[int]  # the tries that count against it: being throttled does not
    lease: Mapped[str | None] = mapped_column(String(40))  # who is sending it now; nobody else may write its outcome
    lease_ends_at: Mapped[datetime | None]
    version_id: Mapped[int | None] = mapped_column(ForeignKey("content_version.id"))  # what was sent
    text_sealed: Mapped[str | None]  # the exact words sent
    provider_ref: Mapped[str | None] = mapped_column(String(64))  # the provider's message id, of the newest attempt
    address_id: Mapped[int | None] = mapped_column(ForeignKey("address.id"))  # where it was sent to
    sender_id: Mapped[int | None] = mapped_column(ForeignKey("sender.id"))  # and what from
    # When the provider is asked next what became of it; empty on an ``unknown`` one: parked, a person decides.
    look_at: Mapped[datetime | None]
    looks: Mapped[int] = mapped_column(server_default=text("0"))  # how often it was asked since the last attempt
    error_code: Mapped[int | None]
    accepted_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]


class Attempt(Base):
    """One try at handing a delivery to the provider."""

    __tablename__ = "attempt"
    __table_args__ = (Index("uq_attempt_number", "delivery_id", "number", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("delivery.id"))
    number: Mapped[int]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(32))
    provider_ref: Mapped[str | None] = mapped_column(String(64))  # the provider's message id
    error_code: Mapped[int | None]
    note: Mapped[str | None] = mapped_column(String(400))  # for staff; never a name, a number or a text


class Receipt(Base):
    """What the provider told of a delivery; every one is kept, whether it changed anything or not."""

    __tablename__ = "receipt"
    __table_args__ = (Index("ix_receipt_delivery", "delivery_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("delivery.id"))
    provider_ref: Mapped[str] = mapped_column(String(64))
    told: Mapped[str] = mapped_column(String(32))  # the provider's own word
    error_code: Mapped[int | None]
    received_at: Mapped[datetime]
    applied: Mapped[bool]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A due delivery with all that decides whether it may go, and what it says."""

    delivery: Delivery
    caregiver: Caregiver
    study: Study | None
    enrolled: bool
    lost: bool
    hold: Hold | None
    superseded: bool
    addresses: Mapping[ChannelName, Address]  # where the caregiver may be written to, by channel
    template: str | None
    version_id: int | None


def due_for_claim(session: Session, now: datetime, limit: int, *,
                  unheard: Sequence[int] = (), waiting: Sequence[int] = ()) -> list[Candidate]:  # fmt: skip
    """Lock up to ``limit`` due deliveries, most urgent first, and read what is true of them at this moment.

    Rows that another worker is claiming are passed over (``SKIP LOCKED``; on SQLite the transaction already holds the
    only write lock). Families in ``unheard`` get only direct answers; who is written to from a sender in ``waiting``
    gets nothing yet.
    """
    days: dict[int, date] = {}
    for priority in sorted(set(PRIORITY.values())):
        query = _due(priority, bool(unheard) and priority != PRIORITY[Kind.ANSWER], bool(waiting))
        values = {"now": now, "most": limit - len(days), "unheard": list(unheard), "waiting": list(waiting)}
        days |= dict(session.execute(query, values).all())
        if len(days) >= limit:
            break
    if not days:
        return []
    since, until = min(days.values()), max(now.date(), *days.values())
    among = {"ids": list(days), "now": now, "since": since - ODD_DAYS, "until": until + ODD_DAYS}
    addresses: dict[int, dict[ChannelName, Address]] = defaultdict(dict)
    for address in session.scalars(_addresses(), among):
        addresses[address.caregiver_id].setdefault(address.channel, address)
    return [
        Candidate(delivery, caregiver, study, enrolment is EnrolmentStatus.ACTIVE, lost is PregnancyStatus.LOST,
                  hold, older, addresses[caregiver.id], template, version_id)
        for delivery, caregiver, study, enrolment, lost, hold, older, template, version_id
        in session.execute(_candidates(), among)
    ]  # fmt: skip


# These are run every few seconds; each is made once.
NOW = bindparam("now", type_=UtcDateTime())
IDS: BindParameter[int] = bindparam("ids", expanding=True)
# The days that can matter, so that PostgreSQL need not look into every month.
SINCE, UNTIL = bindparam("since", type_=DATE), bindparam("until", type_=DATE)
ODD_DAYS = timedelta(days=2)  # at most, between an instant's day and a local day of that instant


@cache
def _due(priority: int, some_unheard: bool, some_waiting: bool):  # type: ignore[no-untyped-def]  # two columns
    query = (
        select(Delivery.id, Delivery.local_day)
        .where(Delivery.status == DeliveryStatus.PLANNED, Delivery.priority == priority, Delivery.due_at <= NOW)
        .order_by(Delivery.due_at)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
    )
    if some_waiting:
        from_there = select(Address.caregiver_id).where(
            Address.sender_id.in_(bindparam("waiting", expanding=True)), Address.closed_at.is_(None)
        )
        query = query.where(Delivery.caregiver_id.not_in(from_there))
    if not some_unheard:
        return query
    whose = select(Caregiver.id).where(Caregiver.family_id.in_(bindparam("unheard", expanding=True)))
    return query.where(Delivery.caregiver_id.not_in(whose))


@cache
def _addresses():  # type: ignore[no-untyped-def]  # one entity
    return (
        select(Address)
        .where(Address.closed_at.is_(None), ~Address.shared)
        .where(
            Address.caregiver_id.in_(
                select(Delivery.caregiver_id).where(Delivery.id.in_(IDS), Delivery.local_day.between(SINCE, UNTIL))
            )
        )
        .order_by(Address.id)
    )


@cache
def _candidates():  # type: ignore[no-untyped-def]  # nine columns
    newer = aliased(Delivery, name="newer")
    superseded = Delivery.kind.in_(SLOTS) & exists().where(
        newer.caregiver_id == Delivery.caregiver_id, newer.pregnancy_id == Delivery.pregnancy_id,
        newer.due_at > Delivery.due_at, newer.due_at <= NOW, newer.kind.in_(SLOTS), newer.status.not_in(UNSENT),
        newer.local_day.between(SINCE, UNTIL),
    )  # fmt: skip
    return (
        select(Delivery, Caregiver, Study, Enrolment.status, Pregnancy.status, Pregnancy.hold, superseded,
               ContentVersion.text, ContentVersion.id)
        .join(Caregiver, Caregiver.id == Delivery.caregiver_id)
        .outerjoin(Enrolment, (Enrolment.family_id == Caregiver.family_id) & Enrolment.to_day.is_(None))
        .outerjoin(Arm, Arm.id == Enrolment.arm_id)
        .outerjoin(Study, Study.id == Arm.study_id)
        .outerjoin(Pregnancy, Pregnancy.id == Delivery.pregnancy_id)
        .outerjoin(ContentItem, (ContentItem.id == Delivery.item_id) & ContentItem.withdrawn_at.is_(None))
        .outerjoin(ContentVersion, (ContentVersion.item_id == ContentItem.id) & ContentVersion.current)
        .where(Delivery.id.in_(IDS), Delivery.local_day.between(SINCE, UNTIL))
        .order_by(Delivery.priority, Delivery.due_at, Delivery.id)
    )  # fmt: skip


def infant_names_sealed(session: Session, pregnancy_ids: Iterable[int]) -> dict[int, list[str | None]]:
    """Return the sealed names of the living infants of some pregnancies, in order."""
    query = (
        select(Infant.pregnancy_id, Infant.name_sealed)
        .where(Infant.pregnancy_id.in_(set(pregnancy_ids)), Infant.status != PregnancyStatus.LOST)
        .order_by(Infant.pregnancy_id, Infant.position)
    )
    names: dict[int, list[str | None]] = {}
    for pregnancy_id, name in session.execute(query):
        names.setdefault(pregnancy_id, []).append(name)
    return names


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A delivery that is ours to send until the lease ends."""

    id: int
    attempts: int  # this one included
    text_sealed: str
    version_id: int | None
    address_id: int
    sender_id: int | None


def mark_sending(session: Session, claims: Sequence[Claim], *, lease: str, now: datetime, ends_at: datetime) -> None:
    """Write the lease, the exact text and the attempt of each claimed delivery.

    Args:
        session: The claim's transaction.
        claims: What was taken.
        lease: Whose it is.
        now: When the attempt begins.
        ends_at: When the lease ends, by the clock that leases go by.
    """
    if not claims:
        return
    session.execute(
        update(Delivery),
        [
            {"id": claim.id, "status": DeliveryStatus.SENDING, "attempts": claim.attempts, "lease": lease,
             "lease_ends_at": ends_at, "text_sealed": claim.text_sealed, "version_id": claim.version_id,
             "address_id": claim.address_id, "sender_id": claim.sender_id, "provider_ref": None, "look_at": None,
             "looks": 0}
            for claim in claims
        ],
    )  # fmt: skip
    session.execute(insert(Attempt), [{"delivery_id": c.id, "number": c.attempts, "started_at": now} for c in claims])


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A planned delivery that will not go, or not yet."""

    id: int
    status: DeliveryStatus
    reason: Reason | None
    due_at: datetime


def end_unsent(session: Session, endings: Sequence[Ending]) -> None:
    """Cancel, expire or put off deliveries that the claim decided not to send."""
    if endings:
        session.execute(
            update(Delivery),
            [{"id": e.id, "status": e.status, "reason": e.reason, "due_at": e.due_at} for e in endings],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one attempt."""

    id: int
    number: int
    status: DeliveryStatus
    finished_at: datetime
    due_at: datetime | None = None  # when to try again, for one that is planned again
    reason: Reason | None = None
    provider_ref: str | None = None
    error_code: int | None = None
    note: str | None = None
    failed: bool = False  # counts against the delivery
    look_at: datetime | None = None  # when the provider is asked what became of it, if it does not tell before


def record(session: Session, results: Sequence[Result], *, lease: str) -> None:
    """Write what came of attempts, if the lease is still ours (fencing).

    A receipt may have come first: then the status that it raised stays.
    """
    if not results:
        return
    rows = Delivery.__table__
    taken = case((rows.c.status == DeliveryStatus.SENDING, bindparam("new_status", type_=rows.c.status.type)),
                 else_=rows.c.status)  # fmt: skip
    session.connection().execute(
        update(rows)  # type: ignore[arg-type]  # a mapped class's table is a Table
        .where(rows.c.id == bindparam("row_id"), rows.c.lease == lease)
        .values(
            status=taken,
            reason=bindparam("new_reason", type_=rows.c.reason.type),
            due_at=func.coalesce(bindparam("new_due_at", type_=rows.c.due_at.type), rows.c.due_at),
            provider_ref=func.coalesce(rows.c.provider_ref, bindparam("new_ref", type_=rows.c.provider_ref.type)),
            error_code=func.coalesce(bindparam("new_code", type_=rows.c.error_code.type), rows.c.error_code),
            accepted_at=func.coalesce(rows.c.accepted_at, bindparam("accepted", type_=rows.c.accepted_at.type)),
            failures=rows.c.failures + bindparam("failed", type_=rows.c.failures.type),
            look_at=case((or_(rows.c.status == DeliveryStatus.SENDING, rows.c.status == DeliveryStatus.ACCEPTED),
                          bindparam("new_look", type_=rows.c.look_at.type)), else_=null()),
            lease=null(),
            lease_ends_at=null(),
        ),
        [
            {"row_id": r.id, "new_status": r.status, "new_reason": r.reason, "new_due_at": r.due_at,
             "new_ref": r.provider_ref, "new_code": r.error_code, "failed": int(r.failed), "new_look": r.look_at,
             "accepted": r.finished_at if r.status is DeliveryStatus.ACCEPTED else None}
            for r in results
        ],
    )  # fmt: skip
    tries = Attempt.__table__
    session.connection().execute(
        update(tries)  # type: ignore[arg-type]
        .where(tries.c.delivery_id == bindparam("row_id"), tries.c.number == bindparam("row_number"))
        .values(finished_at=bindparam("at", type_=tries.c.finished_at.type), outcome=bindparam("said"),
                error_code=bindparam("code"), note=bindparam("why"),
                provider_ref=func.coalesce(bindparam("ref", type_=tries.c.provider_ref.type), tries.c.provider_ref)),
        [
            {"row_id": r.id, "row_number": r.number, "at": r.finished_at, "said": r.status.value, "why": r.note,
             "code": r.error_code, "ref": r.provider_ref}
            for r in results
        ],
    )  # fmt: skip


def expire_leases(session: Session, lease_now: datetime, look_at: datetime) -> int:
    """Turn deliveries whose sender vanished into ``unknown``: they may have gone, so the provider is asked first."""
    query = (
        update(Delivery)
        .where(Delivery.status == DeliveryStatus.SENDING, Delivery.lease_ends_at < lease_now)
        .values(status=DeliveryStatus.UNKNOWN, lease=None, lease_ends_at=None, look_at=look_at)
        .returning(Delivery.id)
    )
    return len(session.scalars(query).all())


def expire_late(session: Session, now: datetime) -> int:
    """End what is planned and past its window: late at night is worse than not at all."""
    query = (
        update(Delivery)
        .where(Delivery.status == DeliveryStatus.PLANNED, Delivery.due_at <= now, Delivery.window_ends_at <= now)
        .values(status=DeliveryStatus.EXPIRED, reason=Reason.TOO_LATE)
        .returning(Delivery.id)
    )
    return len(session.scalars(query).all())


def cancel_planned(session: Session, caregiver_ids: Iterable[int], reason: Reason, *,
                   pregnancy_id: int | None = None, kinds: Sequence[Kind] = ()) -> int:  # fmt: skip
    """Cancel what has not left yet for some caregivers: of some kinds, or everything but direct answers.

    With a pregnancy, only what is about it.
    """
    about = [] if pregnancy_id is None else [Delivery.pregnancy_id == pregnancy_id]
    about.append(Delivery.kind.in_(kinds) if kinds else Delivery.kind != Kind.ANSWER)
    query = (
        update(Delivery)
        .where(
            Delivery.caregiver_id.in_(list(caregiver_ids)),
            Delivery.status == DeliveryStatus.PLANNED,
            *about,
        )
        .values(status=DeliveryStatus.CANCELLED, reason=reason)
        .returning(Delivery.id)
    )
    return len(session.scalars(query).all())


def cancel_notices(session: Session, pregnancy_id: int, *, of_the_day_only: bool = False) -> None:
    """Take back our own notices about a pregnancy that have not left yet.

    With ``of_the_day_only`` just those that a day of the age made due, and not the congratulations.
    """
    of_a_day = [Delivery.item_id.is_not(None)] if of_the_day_only else []
    session.execute(
        update(Delivery)
        .where(
            Delivery.pregnancy_id == pregnancy_id,
            Delivery.kind == Kind.NOTICE,
            Delivery.status == DeliveryStatus.PLANNED,
            *of_a_day,
        )
        .values(status=DeliveryStatus.CANCELLED, reason=Reason.REPLANNED)
    )


def open_slots(session: Session, caregiver_id: int, now: datetime) -> Sequence[Delivery]:
    """Return, for changing them, the slots of a caregiver that are still to come."""
    query = (
        select(Delivery)
        .where(
            Delivery.caregiver_id == caregiver_id,
            Delivery.occasion.is_(None),
            Delivery.attempts == 0,
            Delivery.status.in_([DeliveryStatus.PLANNED, DeliveryStatus.SKIPPED]),
            Delivery.due_at > now,
        )
        .with_for_update()
    )
    return session.scalars(query).all()


def revive(session: Session, caregiver_id: int, now: datetime, *, reasons: Iterable[Reason]) -> int:
    """Plan again what a person wrote and was cancelled for reasons that no longer hold, if it may still go."""
    query = (
        update(Delivery)
        .where(
            Delivery.caregiver_id == caregiver_id,
            Delivery.kind == Kind.COMMENT,
            Delivery.status == DeliveryStatus.CANCELLED,
            Delivery.reason.in_(list(reasons)),
            Delivery.window_ends_at > now,
        )
        .values(status=DeliveryStatus.PLANNED, reason=None)
        .returning(Delivery.id)
    )
    return len(session.scalars(query).all())


def add(session: Session, delivery: Delivery) -> int | None:
    """Add a delivery that has an occasion; the id, or None when that occasion has one already."""
    months.have(session, [delivery.local_day])
    added: int | None = session.scalar(insert_new(session, Delivery).values(**_row(delivery)).returning(Delivery.id))
    return added


def add_many(session: Session, new: Sequence[Delivery]) -> None:
    """Add deliveries that have occasions; those whose occasion has one already are passed over."""
    if new:
        months.have(session, {delivery.local_day for delivery in new})
        session.execute(insert_new(session, Delivery), [_row(delivery) for delivery in new])


def _row(delivery: Delivery) -> dict[str, object]:
    return {column.key: getattr(delivery, column.key) for column in Delivery.__table__.columns if column.key != "id"}


def new_delivery(caregiver_id: int, kind: Kind, occasion: str, *, local_day: date, due_at: datetime,
                 window_ends_at: datetime, pregnancy_id: int | None = None, item_id: int | None = None,
                 text_sealed: str | None = None) -> Delivery:  # fmt: skip
    """Return a delivery outside the day's slots, ready to add."""
    return Delivery(
        caregiver_id=caregiver_id, pregnancy_id=pregnancy_id, kind=kind, occasion=occasion, priority=PRIORITY[kind],
        local_day=local_day, item_id=item_id, due_at=due_at, window_ends_at=window_ends_at,
        status=DeliveryStatus.PLANNED, attempts=0, failures=0, looks=0, text_sealed=text_sealed,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A status receipt."""

    delivery_id: int | None
    provider_ref: str
    told: str
    status: DeliveryStatus | None  # None for a word that we do not know
    error_code: int | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Applied:
    """What a receipt changed."""

    delivery_id: int | None  # None: it is about nothing of ours
    raised: bool


def apply_receipt(session: Session, told: Told) -> Applied:
    """Keep a receipt, and raise the status of its delivery if it outranks it.

    A receipt of an earlier attempt, one that had failed, is kept and changes nothing, with one exception: if the
    message did arrive after all, it is not sent again.
    """
    connection = session.connection()
    values = {
        "whose": told.delivery_id, "ref": told.provider_ref, "word": told.told, "code": told.error_code,
        "at": told.received_at, "new_status": told.status,
    }  # fmt: skip
    found = connection.execute(_delivery_told_of(by_id=told.delivery_id is not None), values).one_or_none()
    raised = False
    if found is not None and told.status is not None:
        values |= {"whose": found.id, "day": found.local_day}
        changed = connection.execute(_raise(told.status, failed=told.error_code is not None), values).one_or_none()
        raised = changed is not None
        if changed is not None and found.provider_ref is None:  # this attempt's own answer never came
            connection.execute(_note_ref(), values | {"which": changed.attempts})
    kept = {"whose": found.id if found else None, "raised": raised}
    connection.execute(_keep_receipt(), {name: values[name] for name in ("ref", "word", "code", "at")} | kept)
    return Applied(found.id if found else None, raised)


# A receipt comes for each message, several times: making its statements would take longer than running them.
DELIVERIES, TRIES = Delivery.__table__, Attempt.__table__
WHOSE = bindparam("whose", type_=BigInteger)
REF = bindparam("ref", type_=String)
AT = bindparam("at", type_=UtcDateTime())
CODE = bindparam("code", type_=BigInteger)
DAY = bindparam("day", type_=DATE)


@cache
def _delivery_told_of(*, by_id: bool):  # type: ignore[no-untyped-def]  # three columns
    rows = DELIVERIES.c
    return select(rows.id, rows.local_day, rows.provider_ref).where(
        rows.id == WHOSE if by_id else rows.provider_ref == REF
    )


@cache
def _raise(status: DeliveryStatus, *, failed: bool):  # type: ignore[no-untyped-def]  # one column
    rows = DELIVERIES.c
    arrived = status in (DeliveryStatus.DELIVERED, DeliveryStatus.READ)
    other = DELIVERIES.alias("other").c
    earlier = exists().where(TRIES.c.delivery_id == WHOSE, TRIES.c.provider_ref == REF)
    elsewhere = exists().where(other.provider_ref == REF, other.id != WHOSE)
    newest = rows.provider_ref.is_(None) & ~earlier & ~elsewhere
    late = (rows.status == DeliveryStatus.PLANNED) & earlier if arrived else false()
    values: dict[str, object] = {
        "status": bindparam("new_status", type_=rows.status.type),
        "provider_ref": REF,
        "accepted_at": func.coalesce(rows.accepted_at, AT),
        "look_at": rows.look_at if status is DeliveryStatus.ACCEPTED else null(),
        "reason": null(),
    }
    if failed:
        values["error_code"] = CODE
    if arrived:
        values |= {"delivered_at": func.coalesce(rows.delivered_at, AT), "error_code": null()}
    return (
        update(DELIVERIES)  # type: ignore[arg-type]  # a mapped class's table is a Table
        .where(
            rows.id == WHOSE,
            rows.local_day == DAY,
            rows.status.in_([below for below, rank in RANK.items() if rank < RANK[status]]),
        )
        # A receipt for another message than the one we know of says nothing about ours.
        .where(or_(rows.provider_ref == REF, newest, late))
        .values(values)
        .returning(rows.attempts)
    )


@cache
def _note_ref():  # type: ignore[no-untyped-def]  # an update
    other = TRIES.alias("other").c
    known = exists().where(other.delivery_id == WHOSE, other.provider_ref == REF)
    return (
        update(TRIES)  # type: ignore[arg-type]
        .where(TRIES.c.delivery_id == WHOSE, TRIES.c.number == bindparam("which", type_=BigInteger), ~known)
        .values(provider_ref=REF)
    )


@cache
def _keep_receipt():  # type: ignore[no-untyped-def]  # an insert
    return insert(Receipt).values(
        delivery_id=WHOSE, provider_ref=REF, told=bindparam("word"), error_code=CODE, received_at=AT,
        applied=bindparam("raised"),
    )  # fmt: skip


def note_code(session: Session, delivery_id: int, number: int, error_code: int | None) -> None:
    """Write on an attempt what the provider told of it afterwards."""
    if error_code is not None:
        noted = update(Attempt).where(Attempt.delivery_id == delivery_id, Attempt.number == number)
        session.execute(noted.values(error_code=error_code))


def codes_told(session: Session, delivery_ids: Sequence[int]) -> dict[int, list[int]]:
    """Return the provider's error numbers of the earlier tries of some deliveries."""
    query = select(Attempt.delivery_id, Attempt.error_code).where(
        Attempt.delivery_id.in_(delivery_ids), Attempt.error_code.is_not(None)
    )
    told: dict[int, list[int]] = defaultdict(list)
    for delivery_id, number in session.execute(query):
        if number is not None:
            told[delivery_id].append(number)
    return told


def last_tried(session: Session, caregiver_id: int, address_id: int,
               limit: int) -> list[tuple[DeliveryStatus, int | None]]:  # fmt: skip
    """Return status and error of the newest messages that were handed over for an address, the newest first."""
    query = (
        select(Delivery.status, Delivery.error_code)
        .where(Delivery.caregiver_id == caregiver_id, Delivery.address_id == address_id, Delivery.attempts > 0)
        .order_by(Delivery.due_at.desc(), Delivery.id.desc())
        .limit(limit)
    )
    return [(status, number) for status, number in session.execute(query)]


def latest_prompt(session: Session, caregiver_id: int, before: datetime, since: datetime) -> Delivery | None:
    """Return the newest prompt that had left for a caregiver by an instant, and not before another; or None."""
    query = (
        select(Delivery)
        .where(
            Delivery.caregiver_id == caregiver_id,
            Delivery.kind == Kind.PROMPT,
            Delivery.status.in_(WENT),
            Delivery.due_at <= before,
            Delivery.due_at >= since,
            Delivery.local_day.between(since.date() - ODD_DAYS, before.date() + ODD_DAYS),  # these months alone
        )
        .order_by(Delivery.due_at.desc(), Delivery.id.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def counts_on(session: Session, local_day: date) -> dict[tuple[Kind, DeliveryStatus, Reason | None], int]:
    """Return how many deliveries of a local day stand where."""
    query = (
        select(Delivery.kind, Delivery.status, Delivery.reason, func.count())
        .where(Delivery.local_day == local_day)
        .group_by(Delivery.kind, Delivery.status, Delivery.reason)
    )
    return {(kind, status, reason): count for kind, status, reason, count in session.execute(query)}


def of_caregivers(session: Session, caregiver_ids: Iterable[int], limit: int) -> Sequence[Delivery]:
    """Return the newest deliveries of some caregivers, latest first."""
    query = (
        select(Delivery)
        .where(Delivery.caregiver_id.in_(list(caregiver_ids)))
        .order_by(Delivery.due_at.desc(), Delivery.id.desc())
        .limit(limit)
    )
    return session.scalars(query).all()


def slots_between(session: Session, caregiver_id: int, first: date, last: date) -> list[tuple[Delivery, str | None]]:
    """Return the slots of a caregiver on some local days, each with the key of its item."""
    query = (
        select(Delivery, ContentItem.key)
        .outerjoin(ContentItem, ContentItem.id == Delivery.item_id)
        .where(Delivery.caregiver_id == caregiver_id, Delivery.occasion.is_(None), Delivery.local_day >= first,
               Delivery.local_day <= last)
    )  # fmt: skip
    return [(row, key) for row, key in session.execute(query)]


def items_sent(session: Session, caregiver_id: int, pregnancy_id: int) -> dict[int, date]:
    """Return which items have gone to a caregiver about a pregnancy, and on which local day last."""
    query = (
        select(Delivery.item_id, func.max(Delivery.local_day))
        .where(Delivery.caregiver_id == caregiver_id, Delivery.pregnancy_id == pregnancy_id,
               Delivery.item_id.is_not(None), Delivery.status.in_(WENT))
        .group_by(Delivery.item_id)
    )  # fmt: skip
    return {item_id: day for item_id, day in session.execute(query) if item_id is not None}


def overdue(session: Session, now: datetime) -> tuple[int, datetime | None]:
    """Return how many deliveries are due and have not been looked at, and since when the oldest is."""
    priorities = sorted(set(PRIORITY.values()))  # all of them, so that the index on priority and time serves
    query = select(func.count(), func.min(Delivery.due_at)).where(
        Delivery.status == DeliveryStatus.PLANNED, Delivery.priority.in_(priorities), Delivery.due_at <= now
    )
    count, oldest = session.execute(query).one()
    return count, oldest


def count_unknown(session: Session) -> int:
    """Return of how many deliveries nobody can say yet whether they went."""
    query = select(func.count()).where(Delivery.status == DeliveryStatus.UNKNOWN)
    return session.scalar(query) or 0
