"""Families: caregivers, how they are reached, pregnancies, infants, and what was consented to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum

from sqlalchemy import (
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    case,
    delete,
    func,
    insert,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column, relationship, selectinload

from babymind.domain.age import Birth, Dates, Span, Stage
from babymind.domain.contact import ChannelName as ChannelName  # others know it by this name
from babymind.domain.delivery import Hold, Messaging
from babymind.store.base import CLUSTERED, Base
from babymind.store.staff import AuditEvent
from babymind.store.studies import Arm, Enrolment, Study

LOOK_UPS_AT_ONCE = 500


class Role(StrEnum):
    """Who a caregiver is to the infant."""

    MOTHER = "mother"
    FATHER = "father"
    PARTNER = "partner"
    GRANDPARENT = "grandparent"
    FOSTER_CARER = "foster_carer"
    ADOPTIVE_PARENT = "adoptive_parent"
    KINSHIP_CARER = "kinship_carer"
    OTHER = "other"


class PregnancyStatus(StrEnum):
    """Where a pregnancy, or one infant of it, stands."""

    EXPECTED = "expected"
    BORN = "born"
    LOST = "lost"


class LossReason(StrEnum):
    """What happened, as whoever told it said; kept as told and never asked for."""

    MISCARRIAGE = "miscarriage"
    STILLBIRTH = "stillbirth"
    TERMINATION = "termination"
    DEATH = "death"
    NOT_SAID = "not_said"


class ClosedWhy(StrEnum):
    """Why an address is no longer used."""

    CHANGED = "changed"
    WRONG_NUMBER = "wrong_number"
    LEFT = "left"
    REFUSED = "refused"  # the provider says that it cannot exist
    BLOCKED = "blocked"  # the person, or their network, takes nothing from us
    UNREACHABLE = "unreachable"  # out of reach for a week or more


class ConsentKind(StrEnum):
    """What was asked."""

    MESSAGING = "messaging"
    RESEARCH = "research"


class Family(Base):
    """The unit that joins a study."""

    __tablename__ = "family"

    id: Mapped[int] = mapped_column(primary_key=True)
    study_code: Mapped[str] = mapped_column(String(32), unique=True)  # pseudonymous; what leaves the system
    created_at: Mapped[datetime]
    caregivers: Mapped[list["Caregiver"]] = relationship(back_populates="family", order_by="Caregiver.id")
    pregnancies: Mapped[list["Pregnancy"]] = relationship(back_populates="family", order_by="Pregnancy.id")
    enrolments: Mapped[list[Enrolment]] = relationship(order_by=Enrolment.id)


class Caregiver(Base):
    """A person who gets messages."""

    __tablename__ = "caregiver"
    __table_args__ = (
        Index("ix_caregiver_zone", "zone", "id", "family_id"),
        Index("ix_caregiver_fact_time", "zone", "fact_time"),  # which times are chosen: see `plan.write_moments`
        Index("ix_caregiver_prompt_time", "zone", "prompt_time"),
        Index("ix_caregiver_paused", "zone", "paused_until",
              sqlite_where=text("messaging = 'paused'"), postgresql_where=text("messaging = 'paused'")),
        Index("ix_caregiver_family", "family_id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    family_id: Mapped[int] = mapped_column(ForeignKey("family.id"))
    name_sealed: Mapped[str]
    role: Mapped[Role]
    locale: Mapped[str] = mapped_column(String(16))
    zone: Mapped[str] = mapped_column(String(64))  # IANA name
    fact_time: Mapped[time]
    prompt_time: Mapped[time]
    messaging: Mapped[Messaging] = mapped_column(default=Messaging.ACTIVE)
    messaging_changed_at: Mapped[datetime]
    paused_until: Mapped[date | None]  # the first local day with messages again; empty: until they say so
    wants_facts: Mapped[bool] = mapped_column(default=True)
    wants_prompts: Mapped[bool] = mapped_column(default=True)
    starts_at: Mapped[datetime]  # no slot before this instant is due
    family: Mapped[Family] = relationship(back_populates="caregivers")
    addresses: Mapped[list["Address"]] = relationship(back_populates="caregiver", order_by="Address.id")


class Address(Base):
    """How a caregiver is reached on one channel. Closed, never deleted, when it changes."""

    __tablename__ = "address"
    __table_args__ = (
        # A number belongs to one caregiver; others of the family may share it, and get nothing of their own.
        Index("uq_address_owned", "channel", "look_up", unique=True,
              sqlite_where=text("closed_at IS NULL AND NOT shared"),
              postgresql_where=text("closed_at IS NULL AND NOT shared")),
        Index("ix_address_look_up", "look_up"),
        Index("ix_address_caregiver", "caregiver_id", "closed_at", "shared"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    caregiver_id: Mapped[int] = mapped_column(ForeignKey("caregiver.id"))
    channel: Mapped[ChannelName]
    value_sealed: Mapped[str]
    look_up: Mapped[str] = mapped_column(String(64))  # keyed hash
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_why: Mapped[ClosedWhy | None]
    shared: Mapped[bool] = mapped_column(default=False)  # another caregiver's phone
    sender_id: Mapped[int | None] = mapped_column(ForeignKey("sender.id"))  # what it is written to from, always
    heard_at: Mapped[datetime | None]  # when the last message from here came
    caregiver: Mapped[Caregiver] = relationship(back_populates="addresses")


class Pregnancy(Base):
    """One expected or past birth, with one infant or several."""

    __tablename__ = "pregnancy"
    __table_args__ = (Index("ix_pregnancy_family", "family_id", "status"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    family_id: Mapped[int] = mapped_column(ForeignKey("family.id"))
    due_on: Mapped[date]
    born_on: Mapped[date | None]
    gestation_days: Mapped[int | None]  # at birth
    status: Mapped[PregnancyStatus]
    hold: Mapped[Hold | None]  # a person decides when it ends
    dates_changed: Mapped[bool] = mapped_column(default=False)  # so a day may come again
    starts_at: Mapped[datetime]  # no slot about it before this instant is due
    family: Mapped[Family] = relationship(back_populates="pregnancies")
    infants: Mapped[list["Infant"]] = relationship(back_populates="pregnancy", order_by="Infant.position")

    @property
    def dates(self) -> Dates:
        """The dates as the age engine takes them."""
        if self.born_on is None or self.gestation_days is None:
            return Dates(due_on=self.due_on)
        return Dates(due_on=self.due_on, birth=Birth(born_on=self.born_on, gestation_days=self.gestation_days))


class PregnancyStage(Base):
    """The days on which a pregnancy is in one stage, worked out by the age engine, so that planning is a join."""

    __tablename__ = "pregnancy_stage"
    __table_args__ = (Index("ix_pregnancy_stage_first", "stage", "first_day"), CLUSTERED)

    pregnancy_id: Mapped[int] = mapped_column(ForeignKey("pregnancy.id"), primary_key=True)
    first_day: Mapped[date] = mapped_column(primary_key=True)
    last_day: Mapped[date]
    stage: Mapped[Stage]
    zero_ordinal: Mapped[int]  # date.toordinal() of day number 0: both databases subtract it alike
    turns: Mapped[int] = mapped_column(default=1)  # see `domain.age.Span`
    turn: Mapped[int] = mapped_column(default=0)


class Infant(Base):
    """A child of a pregnancy."""

    __tablename__ = "infant"
    __table_args__ = (UniqueConstraint("pregnancy_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    pregnancy_id: Mapped[int] = mapped_column(ForeignKey("pregnancy.id"))
    position: Mapped[int]
    name_sealed: Mapped[str | None]
    status: Mapped[PregnancyStatus]
    loss_reason: Mapped[LossReason | None]
    pregnancy: Mapped[Pregnancy] = relationship(back_populates="infants")


class Consent(Base):
    """One answer to one consent text; the newest of a kind counts."""

    __tablename__ = "consent"
    __table_args__ = (Index("ix_consent_caregiver", "caregiver_id", "kind", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    caregiver_id: Mapped[int] = mapped_column(ForeignKey("caregiver.id"))
    kind: Mapped[ConsentKind]
    given: Mapped[bool]
    at: Mapped[datetime]
    how: Mapped[str] = mapped_column(String(64))
    text_shown: Mapped[str]  # the exact words


def write_stages(session: Session, spans: Mapping[int, Iterable[Span]]) -> None:
    """Make the stages of some pregnancies, by their ids, the ones given."""
    session.execute(delete(PregnancyStage).where(PregnancyStage.pregnancy_id.in_(spans)))
    session.execute(
        insert(PregnancyStage),
        [
            {"pregnancy_id": pregnancy_id, "first_day": span.first, "last_day": span.last, "stage": span.stage,
             "zero_ordinal": span.zero.toordinal(), "turns": span.turns, "turn": span.turn}
            for pregnancy_id, of_one in spans.items()
            for span in of_one
        ],
    )  # fmt: skip


def family_by_code(session: Session, study_code: str) -> Family | None:
    """Return a family by its study code, or None."""
    return session.scalars(select(Family).filter_by(study_code=study_code)).one_or_none()


def lock_family(session: Session, study_code: str) -> Family | None:
    """Return a family for changing it, or None; whoever changes it too waits until this transaction ends."""
    return session.scalars(select(Family).filter_by(study_code=study_code).with_for_update()).one_or_none()


def lock_family_of(session: Session, caregiver_id: int) -> Family:
    """Return the family of a caregiver for changing it; see `lock_family`.

    Its pregnancies are read after the lock was had, even if this session had read them before: a loss that was
    told meanwhile is seen.
    """
    mine = select(Caregiver.family_id).where(Caregiver.id == caregiver_id).scalar_subquery()
    session.scalars(select(Family.id).where(Family.id == mine).with_for_update()).one()
    now = (
        select(Family)
        .where(Family.id == mine)
        .options(selectinload(Family.pregnancies).selectinload(Pregnancy.infants))
        .execution_options(populate_existing=True)
    )
    return session.scalars(now).one()


def bereaved(family: Family) -> bool:
    """Tell whether a family has told us of a loss."""
    return any(
        pregnancy.hold is Hold.AFTER_LOSS or any(one.status is PregnancyStatus.LOST for one in pregnancy.infants)
        for pregnancy in family.pregnancies
    )


def held(family: Family) -> Hold | None:
    """Return why messages about a baby of a family wait for a person, the gravest reason; None where none do."""
    there = {one.hold for one in family.pregnancies if one.status is not PregnancyStatus.LOST}
    return next((hold for hold in Hold if hold in there), None)


def hold_chosen(session: Session, pregnancy: Pregnancy) -> Hold | None:
    """Return the hold that a person chose last for a pregnancy and nobody has ended, whatever lay over it since."""
    done = (
        select(AuditEvent.action, AuditEvent.details)
        .where(AuditEvent.subject == "family", AuditEvent.subject_id == pregnancy.family_id,
               AuditEvent.action.in_(["hold", "release"]))
        .order_by(AuditEvent.id.desc())
    )  # fmt: skip
    for action, details in session.execute(done):
        if details.get("pregnancy_id") == pregnancy.id:
            return Hold(str(details["why"])) if action == "hold" else None
    return None


def last_loss(session: Session, pregnancy: Pregnancy) -> frozenset[int]:
    """Return the positions of the babies of whom the last loss of a pregnancy told; all the lost, if none says."""
    lost = frozenset(one.position for one in pregnancy.infants if one.status is PregnancyStatus.LOST)
    told = (
        select(AuditEvent.details)
        .where(AuditEvent.subject == "family", AuditEvent.subject_id == pregnancy.family_id,
               AuditEvent.action == "loss")
        .order_by(AuditEvent.id.desc())
    )  # fmt: skip
    for details in session.scalars(told):
        babies = details.get("babies")
        if details.get("pregnancy_id") == pregnancy.id and isinstance(babies, list) and lost & set(babies):
            return lost & frozenset(babies)
    return lost


def answered_about_loss(session: Session, family_id: int, since: datetime) -> set[int]:
    """Return who told of a loss by text and was answered, though it was not clear of whom they spoke."""
    told = select(AuditEvent).where(
        AuditEvent.subject == "family", AuditEvent.subject_id == family_id, AuditEvent.action == "loss_told",
        AuditEvent.at >= since,
    )  # fmt: skip
    return {
        int(event.actor.removeprefix("caregiver:"))
        for event in session.scalars(told)
        if event.details.get("answered") and event.actor.startswith("caregiver:")
    }


def caregiver_at(session: Session, channel: ChannelName, look_up: str) -> Caregiver | None:
    """Return the caregiver whose address this is now, or None; of a shared phone, the one who owns it."""
    owned = select(Caregiver).join(Address).filter_by(channel=channel, look_up=look_up, closed_at=None, shared=False)
    return session.scalars(owned).one_or_none()


def address_at(session: Session, channel: ChannelName, look_up: str) -> Address | None:
    """Return where a message came from; of a shared phone, the address of the one who owns it.

    Who writes on a channel on which we do not know them is the one who has that number on another.
    """
    owned = (
        select(Address)
        .filter_by(look_up=look_up, closed_at=None, shared=False)
        .order_by(case((Address.channel == channel, 0), else_=1), Address.id)
        .limit(1)
    )
    return session.scalars(owned).one_or_none()


def owned_among(session: Session, look_ups: Sequence[str]) -> Iterator[str]:
    """Yield which of many numbers, by their look-ups, are somebody's now; a query for each few hundred."""
    for first in range(0, len(look_ups), LOOK_UPS_AT_ONCE):
        some = look_ups[first : first + LOOK_UPS_AT_ONCE]
        query = select(Address.look_up).where(Address.look_up.in_(some), Address.closed_at.is_(None), ~Address.shared)
        yield from session.scalars(query)


def sharing_with(session: Session, caregiver_id: int) -> Sequence[Caregiver]:
    """Return a caregiver and everybody who is reached on the same phone."""
    own, other = aliased(Address), aliased(Address)
    ids = (
        select(other.caregiver_id)
        .join(own, (own.look_up == other.look_up) & (own.channel == other.channel))
        .where(own.caregiver_id == caregiver_id, own.closed_at.is_(None), other.closed_at.is_(None))
    )
    mine = select(Caregiver).where((Caregiver.id == caregiver_id) | Caregiver.id.in_(ids)).order_by(Caregiver.id)
    return session.scalars(mine).all()


def set_messaging(session: Session, caregiver_id: int, messaging: Messaging, now: datetime, *,
                  until: date | None = None) -> bool:  # fmt: skip
    """Change whether a caregiver is written to; False when it was so already."""
    changed = (
        update(Caregiver)
        .where(
            Caregiver.id == caregiver_id,
            (Caregiver.messaging != messaging) | Caregiver.paused_until.is_distinct_from(until),
        )
        .values(messaging=messaging, messaging_changed_at=now, paused_until=until)
        .returning(Caregiver.id)
    )
    return session.scalars(changed).one_or_none() is not None


def end_pauses(session: Session, zone: str, day: date, now: datetime) -> Sequence[int]:
    """End the pauses in a zone whose last day was before this one, and return whose they were."""
    over = (
        update(Caregiver)
        .where(Caregiver.zone == zone, Caregiver.paused_until <= day,
               Caregiver.messaging == literal_column(f"'{Messaging.PAUSED.value}'"))  # spelt out: a partial index
        .values(messaging=Messaging.ACTIVE, messaging_changed_at=now, paused_until=None)
        .returning(Caregiver.id)
    )  # fmt: skip
    return session.scalars(over).all()


@dataclass(frozen=True, slots=True)
class FamilyRow:
    """A family as the list of families shows it."""

    family: Family
    study: Study


def recent_families(session: Session, *, study_slug: str | None = None, limit: int = 200) -> Sequence[FamilyRow]:
    """Return families, newest first, with all that the list shows, in a fixed number of queries."""
    every = aliased(Enrolment)
    last = select(func.max(every.id)).where(every.family_id == Family.id).correlate(Family).scalar_subquery()
    query = (
        select(Family, Study)
        .select_from(Family)
        .join(Enrolment, Enrolment.id == last)
        .join(Arm, Arm.id == Enrolment.arm_id)
        .join(Study, Study.id == Arm.study_id)
        .options(
            selectinload(Family.caregivers).selectinload(Caregiver.addresses),
            selectinload(Family.pregnancies).selectinload(Pregnancy.infants),
        )
        .order_by(Family.id.desc())
        .limit(limit)
    )
    if study_slug:
        query = query.where(Study.slug == study_slug)
    return [FamilyRow(family, study) for family, study in session.execute(query)]


def count_families(session: Session) -> int:
    """Return how many families there are, without those that have told us of a loss; see `bereaved`."""
    told = (Pregnancy.hold == Hold.AFTER_LOSS) | (Infant.status == PregnancyStatus.LOST)
    grieving = select(func.count(Pregnancy.family_id.distinct())).outerjoin(Pregnancy.infants).where(told)
    every = select(func.count()).select_from(Family)
    return (session.scalar(every) or 0) - (session.scalar(grieving) or 0)


def study_of(session: Session, family_id: int) -> Study | None:
    """Return the study that a family is, or was last, enrolled in."""
    query = (
        select(Study)
        .join(Arm, Arm.study_id == Study.id)
        .join(Enrolment, Enrolment.arm_id == Arm.id)
        .where(Enrolment.family_id == family_id)
        .order_by(Enrolment.id.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()
