"""What a person of the team has to do for a family, and alerts about the service itself."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, Index, String, func, select, text, update
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from babymind.store.base import Base, insert_new
from babymind.store.families import Family

MOST_AT_ONCE = 200


class TaskKind(StrEnum):
    """What has to be done."""

    ASK_ABOUT_BIRTH = "ask_about_birth"  # long past the due date and nobody told of a birth
    CHECK_GESTATION = "check_gestation"  # an early birth by the due date we have
    WRONG_NUMBER = "wrong_number"
    TALK_AFTER_LOSS = "talk_after_loss"  # before anything resumes for a surviving twin or a sibling
    CONFIRM_LOSS = "confirm_loss"  # told by text: which baby, and is it right
    ERASE = "erase"  # the family withdrew and wants what it gave erased
    NUMBER_FAILED = "number_failed"  # the provider cannot reach a number; the family has to be asked for another
    PARKED = "parked"  # nobody can tell whether a message went
    PROVIDER = "provider"  # the provider turns us away, or says what we do not know
    LEDGER = "ledger"  # what was due and what became of it do not add up


class Task(Base):
    """Something for a person to do. One for each occasion, however often it is asked for."""

    __tablename__ = "task"
    __table_args__ = (
        Index("ix_task_open", "id", sqlite_where=text("done_at IS NULL"), postgresql_where=text("done_at IS NULL")),
        Index("ix_task_family", "family_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[TaskKind]
    occasion: Mapped[str] = mapped_column(String(96), unique=True)
    family_id: Mapped[int | None] = mapped_column(ForeignKey("family.id"))
    created_at: Mapped[datetime]
    details: Mapped[dict[str, object]] = mapped_column(JSON)  # only ids, counts and days
    done_at: Mapped[datetime | None]
    done_by: Mapped[str | None] = mapped_column(String(64))
    outcome: Mapped[str | None] = mapped_column(String(400))  # what was done, in a few words without names
    family: Mapped[Family | None] = relationship()


def ask(session: Session, kind: TaskKind, occasion: str, *, now: datetime, family_id: int | None = None,
        **details: object) -> bool:  # fmt: skip
    """Ask for something to be done; False when this occasion has its task already."""
    row = insert_new(session, Task).values(kind=kind, occasion=occasion, family_id=family_id, created_at=now,
                                           details=details)  # fmt: skip
    return session.scalar(row.returning(Task.id)) is not None


def open_tasks(session: Session, limit: int = 200) -> Sequence[Task]:
    """Return what is still to be done, oldest first."""
    waiting = select(Task).where(Task.done_at.is_(None)).order_by(Task.id).limit(limit)
    return session.scalars(waiting.options(joinedload(Task.family))).all()


def asked_since(session: Session, kinds: Sequence[TaskKind], after: datetime, until: datetime) -> Sequence[Task]:
    """Return what was asked for after an instant and until another, of some kinds, oldest first."""
    asked = select(Task).where(Task.kind.in_(kinds), Task.created_at > after, Task.created_at <= until)
    return session.scalars(asked.order_by(Task.id).limit(MOST_AT_ONCE)).all()


def count_open(session: Session) -> int:
    """Return how many tasks are still to be done."""
    return session.scalar(select(func.count()).select_from(Task).where(Task.done_at.is_(None))) or 0


def count_by_kind(session: Session) -> dict[TaskKind, int]:
    """Return how many tasks of each kind are still to be done."""
    query = select(Task.kind, func.count()).where(Task.done_at.is_(None)).group_by(Task.kind)
    return dict(session.execute(query).all())


def finish(session: Session, task_id: int, *, now: datetime, by: str, outcome: str) -> bool:
    """Say what was done; False when it was done already or is none."""
    done = (
        update(Task)
        .where(Task.id == task_id, Task.done_at.is_(None))
        .values(done_at=now, done_by=by, outcome=outcome)
        .returning(Task.id)
    )
    return session.scalar(done) is not None
