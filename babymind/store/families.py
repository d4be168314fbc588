"""Families: caregivers, how they are reached, pregnancies, infants, and what was consented to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, func, select, text, update
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column, relationship, selectinload

from babymind.domain.age import Birth, Dates, Span, Stage
from babymind.domain.delivery import Messaging
from babymind.store.base import CLUSTERED, Base
from babymind.store.studies import Arm, Enrolment, Study


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


class ChannelName(StrEnum):
    """By what a caregiver is reached."""

    SMS = "sms"
    WHATSAPP = "whatsapp"
    APP = "app"


class PregnancyStatus(StrEnum):
    """Where a pregnancy, or one infant of it, stands."""

    EXPECTED = "expected"
    BORN = "born"
    LOST = "lost"


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
        Index("ix_caregiver_family", "family_id"),
    )

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
    starts_at: Mapped[datetime]  # no slot before this instant is due
    family: Mapped[Family] = relationship(back_populates="caregivers")
    addresses: Mapped[list["Address"]] = relationship(back_populates="caregiver", order_by="Address.id")


class Address(Base):
    """How a caregiver is reached on one channel. Closed, never deleted, when it changes."""

    __tablename__ = "address"
    __table_args__ = (
        Index("uq_address_open", "channel", "look_up", unique=True, sqlite_where=text("closed_at IS NULL"),
              postgresql_where=text("closed_at IS NULL")),
        Index("ix_address_caregiver", "caregiver_id", "closed_at"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    caregiver_id: Mapped[int] = mapped_column(ForeignKey("caregiver.id"))
    channel: Mapped[ChannelName]
    value_sealed: Mapped[str]
    look_up: Mapped[str] = mapped_column(String(64))  # keyed hash
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
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
    family: Mapped[Family] = relationship(back_populates="pregnancies")
    infants: Mapped[list["Infant"]] = relationship(back_populates="pregnancy", order_by="Infant.position")
    stages: Mapped[list["PregnancyStage"]] = relationship(cascade="all, delete-orphan")

    @property
    def dates(self) -> Dates:
        """The dates as the age engine takes them."""
        if self.born_on is None or self.gestation_days is None:
            return Dates(due_on=self.due_on)
        return Dates(due_on=self.due_on, birth=Birth(born_on=self.born_on, gestation_days=self.gestation_days))


class PregnancyStage(Base):
    """The days on which a pregnancy is in one stage, worked out by the age engine, so that planning is a join."""

    __tablename__ = "pregnancy_stage"
    __table_args__ = CLUSTERED

    pregnancy_id: Mapped[int] = mapped_column(ForeignKey("pregnancy.id"), primary_key=True)
    first_day: Mapped[date] = mapped_column(primary_key=True)
    last_day: Mapped[date]
    stage: Mapped[Stage]
    zero_ordinal: Mapped[int]  # date.toordinal() of day number 0: both databases subtract it alike


class Infant(Base):
    """A child of a pregnancy."""

    __tablename__ = "infant"
    __table_args__ = (UniqueConstraint("pregnancy_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    pregnancy_id: Mapped[int] = mapped_column(ForeignKey("pregnancy.id"))
    position: Mapped[int]
    name_sealed: Mapped[str | None]
    status: Mapped[PregnancyStatus]
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


def stage_rows(spans: Iterable[Span]) -> list[PregnancyStage]:
    """Return the rows that hold the age engine's spans."""
    return [
        PregnancyStage(first_day=span.first, last_day=span.last, stage=span.stage, zero_ordinal=span.zero.toordinal())
        for span in spans
    ]


def family_by_code(session: Session, study_code: str) -> Family | None:
    """Return a family by its study code, or None."""
    return session.scalars(select(Family).filter_by(study_code=study_code)).one_or_none()


def caregiver_at(session: Session, channel: ChannelName, look_up: str) -> Caregiver | None:
    """Return the caregiver who is reached at an address now, or None."""
    open_here = select(Caregiver).join(Address).filter_by(channel=channel, look_up=look_up, closed_at=None)
    return session.scalars(open_here).one_or_none()


def set_messaging(session: Session, caregiver_id: int, messaging: Messaging, now: datetime) -> bool:
    """Change whether a caregiver is written to; False when it was so already."""
    changed = (
        update(Caregiver)
        .where(Caregiver.id == caregiver_id, Caregiver.messaging != messaging)
        .values(messaging=messaging, messaging_changed_at=now)
        .returning(Caregiver.id)
    )
    return session.scalars(changed).one_or_none() is not None


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
    """Return how many families there are."""
    return session.scalar(select(func.count()).select_from(Family)) or 0


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
