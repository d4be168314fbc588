"""The app team's accounts and roles, and the record of who did what."""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum

from flask_security import RoleMixin, UserMixin
from sqlalchemy import JSON, ForeignKey, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from babymind.store.base import Base
from babymind.store.studies import Study


class StaffRoleName(StrEnum):
    """What an account may do."""

    REVIEWER = "reviewer"
    LEAD = "lead"
    EDITOR = "editor"
    RESEARCHER = "researcher"
    ADMIN = "admin"


class Staff(Base, UserMixin):
    """An account of the app team. The columns without a word of ours are those Flask-Security reads."""

    __tablename__ = "staff"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    password: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool]
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)  # changing it ends every session
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    roles: Mapped[list["StaffRole"]] = relationship(  # type: ignore[assignment]  # the mix-in's list of its own roles
        lazy="selectin", order_by="StaffRole.id"
    )


class StaffRole(Base, RoleMixin):
    """A role of an account, in one study or (empty) in all."""

    __tablename__ = "staff_role"
    __table_args__ = (Index("uq_staff_role", "staff_id", "name", "study_id", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    name: Mapped[StaffRoleName]
    study_id: Mapped[int | None] = mapped_column(ForeignKey("study.id"))
    study: Mapped[Study | None] = relationship()


class AuditEvent(Base):
    """Somebody did or looked at something. Only ids: no name, number or word of a family."""

    __tablename__ = "audit_event"
    __table_args__ = (Index("ix_audit_event_subject", "subject", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(64))  # staff:7, caregiver:12, command, system
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[int | None]
    details: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)


def audit(session: Session, *, at: datetime, actor: str, action: str, subject: str, subject_id: int | None,
          **details: object) -> None:  # fmt: skip
    """Add an event to the record, in the transaction of what it tells."""
    session.add(
        AuditEvent(at=at, actor=actor, action=action, subject=subject, subject_id=subject_id, details=details)
    )


def staff_by_email(session: Session, email: str) -> Staff | None:
    """Return an account, or None."""
    return session.scalars(select(Staff).filter_by(email=email)).one_or_none()


def names_of(session: Session, staff_ids: Collection[int]) -> dict[int, str]:
    """Return the names of some accounts."""
    return {row.id: row.name for row in session.execute(select(Staff.id, Staff.name).where(Staff.id.in_(staff_ids)))}


def family_events(
    session: Session, family_id: int, caregiver_ids: Collection[int], limit: int
) -> Sequence[AuditEvent]:
    """Return what was done about a family and its caregivers, newest first; who only looked is left out."""
    about_family = (AuditEvent.subject == "family") & (AuditEvent.subject_id == family_id)
    about_caregiver = (AuditEvent.subject == "caregiver") & AuditEvent.subject_id.in_(caregiver_ids)
    query = (
        select(AuditEvent)
        .where(about_family | about_caregiver, AuditEvent.action != "view")
        .order_by(AuditEvent.id.desc())
        .limit(limit)
    )
    return session.scalars(query).all()
