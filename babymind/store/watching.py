"""What whoever watches the service asks of the tables: what waits, what is stuck and since when, what a day came to.

Each question goes through an index, and so costs the same however many deliveries there are; only the counts of a day
grow with that day.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine, Select, exists, func, literal_column, or_, select, text, update
from sqlalchemy.orm import Session, aliased

from babymind.domain.delivery import PRIORITY, SLOTS, DeliveryStatus, Kind, Reason
from babymind.domain.schedule import QuietHours
from babymind.store.deliveries import UNSENT, Attempt, Delivery
from babymind.store.families import Address, Caregiver, Family
from babymind.store.senders import Sender
from babymind.store.staff import AuditEvent
from babymind.store.studies import Arm, Enrolment, Study

GIVEN_UP = "delivery_given_up"  # the action of the record, by which a delivery is no longer shown as stuck
OLDEST = 20  # of each priority; those in their quiet hours are passed over

# Spelt out as the partial indexes have them: a database does not see through a value that is filled in later.
_UNKNOWN = Delivery.status == literal_column(f"'{DeliveryStatus.UNKNOWN.value}'")
_PARKED = _UNKNOWN & Delivery.look_at.is_(None)
_AMISS = text("delivery.status IN ('failed', 'undelivered', 'cancelled')")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that is due and has not left."""

    kind: Kind
    due_at: datetime
    zone: str
    quiet: QuietHours


def oldest_due(session: Session, now: datetime) -> list[Waiting]:
    """Return the few of each priority that have been due longest."""
    found: list[Waiting] = []
    for priority in sorted(set(PRIORITY.values())):
        query = (
            select(Delivery.kind, Delivery.due_at, Caregiver.zone, Study)
            .join(Caregiver, Caregiver.id == Delivery.caregiver_id)
            .outerjoin(Enrolment, (Enrolment.family_id == Caregiver.family_id) & Enrolment.to_day.is_(None))
            .outerjoin(Arm, Arm.id == Enrolment.arm_id)
            .outerjoin(Study, Study.id == Arm.study_id)
            .where(Delivery.status == literal_column("'planned'"), Delivery.priority == priority,
                   Delivery.due_at <= now)
            .order_by(Delivery.due_at)
            .limit(OLDEST)
        )  # fmt: skip
        for kind, due_at, zone, study in session.execute(query):
            enrolled_in: Study | None = study  # an outer join
            found.append(Waiting(kind, due_at, zone, enrolled_in.quiet if enrolled_in else QuietHours()))
    return sorted(found, key=lambda one: one.due_at)


def count_parked(session: Session) -> int:
    """Return of how many deliveries a person has to say whether they went."""
    return session.scalar(select(func.count()).select_from(Delivery).where(_PARKED)) or 0


def stopped_senders(session: Session, now: datetime) -> Sequence[Sender]:
    """Return what nothing leaves from just now, though it is in use."""
    query = select(Sender).where(Sender.stopped_until > now, Sender.retired_at.is_(None)).order_by(Sender.id)
    return session.scalars(query).all()


DayCounts = Counter[tuple[Kind, DeliveryStatus]]


def counts_on(session: Session, day: date) -> DayCounts:
    """Return how many deliveries of a local day stand where."""
    counts: DayCounts = Counter()
    of_the_day = select(Delivery.kind, Delivery.status, func.count()).where(Delivery.local_day == day)
    for which in (Delivery.occasion.is_(None) & Delivery.kind.in_(SLOTS), Delivery.occasion.is_not(None)):
        for kind, status, number in session.execute(of_the_day.where(which).group_by(Delivery.kind, Delivery.status)):
            counts[kind, status] += number
    return counts


@dataclass(frozen=True, slots=True)
class Cause:
    """Why some deliveries did not arrive."""

    code: int | None  # the provider's
    reason: Reason | None  # ours
    count: int


def failures_on(session: Session, day: date) -> list[Cause]:
    """Return why deliveries of a local day failed, the most frequent cause first."""
    number = func.count()
    query = (
        select(Delivery.error_code, Delivery.reason, number)
        .where(Delivery.local_day == day, _AMISS, Delivery.status != DeliveryStatus.CANCELLED)
        .group_by(Delivery.error_code, Delivery.reason)
        .order_by(number.desc())
    )
    return [Cause(code, reason, count) for code, reason, count in session.execute(query)]


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt at a delivery."""

    number: int
    started_at: datetime
    outcome: str | None  # None: it was broken off
    code: int | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A delivery that a person may have to decide about. No name, number or text."""

    id: int
    study_code: str
    kind: Kind
    zone: str
    due_at: datetime
    window_ends_at: datetime
    status: DeliveryStatus
    reason: Reason | None
    code: int | None
    looks: int
    tries: Sequence[Try]


def parked(session: Session, *, after: int, limit: int) -> list[Listed]:
    """Return deliveries of which nobody can tell whether they went, in order, from one on."""
    return _listed(session, _rows().where(_PARKED, Delivery.id > after).order_by(Delivery.id).limit(limit))


def stuck(session: Session, day: date, *, reasons: Collection[Reason], codes: Collection[int], after: int,
          limit: int) -> list[Listed]:  # fmt: skip
    """Return deliveries of a local day that ended for some reasons, or were refused with some codes.

    What a person has given up is left out.
    """
    given_up = exists().where(AuditEvent.subject == "delivery", AuditEvent.subject_id == Delivery.id,
                              AuditEvent.action == GIVEN_UP)  # fmt: skip
    ours = (Delivery.reason == Reason.REFUSED) & Delivery.error_code.in_(sorted(codes))
    query = (
        _rows()
        .where(Delivery.local_day == day, _AMISS, Delivery.status != DeliveryStatus.UNDELIVERED, Delivery.id > after)
        .where(or_(Delivery.reason.in_(sorted(reasons)), ours), ~given_up)
        .order_by(Delivery.id)
        .limit(limit)
    )
    return _listed(session, query)


def _rows() -> Select[Delivery, str, str]:
    return (
        select(Delivery, Caregiver.zone, Family.study_code)
        .join(Caregiver, Caregiver.id == Delivery.caregiver_id)
        .join(Family, Family.id == Caregiver.family_id)
    )


def _listed(session: Session, query: Select[Delivery, str, str]) -> list[Listed]:
    rows = session.execute(query).all()
    tries: defaultdict[int, list[Try]] = defaultdict(list)
    ids = [row.id for row, _, _ in rows]
    if ids:
        history = select(Attempt).where(Attempt.delivery_id.in_(ids)).order_by(Attempt.delivery_id, Attempt.number)
        for one in session.scalars(history):
            tries[one.delivery_id].append(Try(one.number, one.started_at, one.outcome, one.error_code, one.note))
    return [
        Listed(
            id=row.id, study_code=study_code, kind=row.kind, zone=zone, due_at=row.due_at,
            window_ends_at=row.window_ends_at, status=row.status, reason=row.reason, code=row.error_code,
            looks=row.looks, tries=tries[row.id],
        )
        for row, zone, study_code in rows
    ]  # fmt: skip


def is_superseded(session: Session, delivery: Delivery, now: datetime) -> bool:
    """Tell whether a newer fact or prompt about the same baby has been due since."""
    if delivery.kind not in SLOTS:
        return False
    newer = aliased(Delivery)
    query = exists().where(
        newer.caregiver_id == delivery.caregiver_id, newer.pregnancy_id == delivery.pregnancy_id,
        newer.due_at > delivery.due_at, newer.due_at <= now, newer.kind.in_(SLOTS), newer.status.not_in(UNSENT),
    )  # fmt: skip
    return bool(session.scalar(select(query)))


# What a person decides. Each is guarded by what they saw, so that a receipt that came meanwhile wins.


def ask_again(session: Session, delivery_id: int, now: datetime) -> bool:
    """Let the provider be asked about a parked delivery as if for the first time; False when it is parked no more."""
    return _changed(session, delivery_id, _PARKED, look_at=now, looks=0)


def plan_again(session: Session, delivery: Delivery, now: datetime) -> bool:
    """Plan a delivery that did not go once more; False when something else became of it meanwhile.

    A text of the bank is made anew unless it may have gone already: it may be what was wrong.
    """
    seen = (Delivery.status == delivery.status) & (Delivery.attempts == delivery.attempts)
    if delivery.status is DeliveryStatus.UNKNOWN:
        return _changed(session, delivery.id, seen & Delivery.look_at.is_(None), **_planned(now))
    anew = {"text_sealed": None, "version_id": None} if delivery.item_id is not None else {}
    return _changed(session, delivery.id, seen, **_planned(now), **anew)


def _planned(now: datetime) -> dict[str, object]:
    return {"status": DeliveryStatus.PLANNED, "reason": None, "due_at": now, "failures": 0, "looks": 0,
            "look_at": None}  # fmt: skip


def give_up(session: Session, delivery_id: int) -> bool:
    """Say that a parked delivery did not go and will not; False when it is parked no more."""
    return _changed(session, delivery_id, _PARKED, status=DeliveryStatus.FAILED, reason=Reason.GAVE_UP)


def _changed(session: Session, delivery_id: int, only_if: object, **values: object) -> bool:
    change = update(Delivery).where(Delivery.id == delivery_id, only_if).values(**values).returning(Delivery.id)  # type: ignore[arg-type]
    return session.scalar(change.execution_options(synchronize_session=False)) is not None


def free_sender(session: Session, sender_id: int, now: datetime) -> bool:
    """Let a sender that is stopped send again at once; False when it is not stopped.

    Why it was is kept until the provider takes something from it, so that nobody is alarmed a second time.
    """
    freed = (
        update(Sender)
        .where(Sender.id == sender_id, Sender.stopped_until > now)
        .values(stopped_until=now)
        .returning(Sender.id)
    )
    return session.scalar(freed) is not None


# What ``babymind doctor`` asks.

SQLITE_DURABLE = {"journal_mode": ("wal",), "synchronous": ("2", "3"), "foreign_keys": ("1",)}
POSTGRES_DURABLE = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_apply", "remote_write", "local"),
}


def not_durable(database: Engine) -> Mapping[str, str]:
    """Return the settings of the database by which something that was committed could be lost, as they are."""
    sqlite = database.dialect.name == "sqlite"
    with database.connect() as connection:
        found = {
            name: str(connection.exec_driver_sql(f"{'PRAGMA' if sqlite else 'SHOW'} {name}").scalar())
            for name in (SQLITE_DURABLE if sqlite else POSTGRES_DURABLE)
        }
    good = SQLITE_DURABLE if sqlite else POSTGRES_DURABLE
    return {name: value for name, value in found.items() if value not in good[name]}


def sealed_samples(session: Session) -> list[tuple[str, str]]:
    """Return the oldest and the newest number as they are sealed, each with the hash it is looked up by."""
    rows = select(Address.value_sealed, Address.look_up)
    found = [session.execute(rows.order_by(order).limit(1)).first() for order in (Address.id, Address.id.desc())]
    return [(sealed, look_up) for sealed, look_up in filter(None, found)]


def locales_in_use(session: Session) -> list[str]:
    """Return the languages in which families are written to."""
    return sorted(set(session.scalars(select(Caregiver.locale).distinct())) | set(session.scalars(
        select(Study.locale).distinct())))  # fmt: skip
