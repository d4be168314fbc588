"""Studies, their arms, and which family is enrolled in which."""

from collections.abc import Sequence
from datetime import date, datetime, time
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from babymind.domain.schedule import QuietHours
from babymind.store.base import Base

EVERY_DAY = 0b1111111
FREQUENCIES = {"daily": EVERY_DAY, "three-a-week": 0b0010101, "weekly": 0b0000001}  # every day; Mon, Wed, Fri; Mon


class EnrolmentStatus(StrEnum):
    """Whether a family takes part."""

    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
    COMPLETED = "completed"


class EndedWhy(StrEnum):
    """Why a family no longer takes part."""

    WITHDREW = "withdrew"
    MOVED = "moved"  # to another study
    COMPLETED = "completed"


class DataChoice(StrEnum):
    """What a family that withdrew wants done with what it gave."""

    KEEP = "keep"
    ERASE = "erase"


class Study(Base):
    """A trial or a service."""

    __tablename__ = "study"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    programme: Mapped[str] = mapped_column(String(64), default="standard")  # which content calendar
    locale: Mapped[str] = mapped_column(String(16), default="en-GB")
    quiet_from: Mapped[time] = mapped_column(default=time(21, 0))
    quiet_until: Mapped[time] = mapped_column(default=time(8, 0))
    daily_cap: Mapped[int] = mapped_column(default=1)  # siblings written about on one day
    condolence: Mapped[bool] = mapped_column(default=False)  # approved to go after a loss
    created_at: Mapped[datetime]
    arms: Mapped[list["Arm"]] = relationship(back_populates="study", order_by="Arm.id")

    @property
    def quiet(self) -> QuietHours:
        """The hours in which this study writes to nobody."""
        return QuietHours(start=self.quiet_from, end=self.quiet_until)


class Arm(Base):
    """What some families of a study get."""

    __tablename__ = "arm"
    __table_args__ = (UniqueConstraint("study_id", "slug"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    slug: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    gets_facts: Mapped[bool]
    gets_prompts: Mapped[bool]
    weekdays: Mapped[int] = mapped_column(default=EVERY_DAY)  # bit 0 is Monday
    study: Mapped[Study] = relationship(back_populates="arms")


class Enrolment(Base):
    """A family in an arm of a study, from one local day to another (both included)."""

    __tablename__ = "enrolment"
    __table_args__ = (
        Index("uq_enrolment_open", "family_id", unique=True, sqlite_where=text("to_day IS NULL"),
              postgresql_where=text("to_day IS NULL")),  # one study at a time
        Index("ix_enrolment_family", "family_id", "from_day", "to_day", "arm_id"),
        Index("ix_enrolment_arm", "arm_id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    family_id: Mapped[int] = mapped_column(ForeignKey("family.id"))
    arm_id: Mapped[int] = mapped_column(ForeignKey("arm.id"))
    status: Mapped[EnrolmentStatus] = mapped_column(default=EnrolmentStatus.ACTIVE)
    from_day: Mapped[date]
    to_day: Mapped[date | None]
    ended_why: Mapped[EndedWhy | None]
    data_choice: Mapped[DataChoice | None]
    arm: Mapped[Arm] = relationship()


def study_by_slug(session: Session, slug: str) -> Study | None:
    """Return a study, or None."""
    return session.scalars(select(Study).filter_by(slug=slug)).one_or_none()


def all_studies(session: Session) -> Sequence[Study]:
    """Return every study, by slug."""
    return session.scalars(select(Study).order_by(Study.slug)).all()
