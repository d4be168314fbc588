"""A person's work on replies: reviews, comments that the family receives, and notes that it does not."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, select, update
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from babymind.store.base import Base, insert_new
from babymind.store.deliveries import Delivery
from babymind.store.staff import Staff


class ReviewOutcome(StrEnum):
    """What a person decided."""

    COMMENTED = "commented"
    NO_ANSWER_NEEDED = "no_answer_needed"


class Review(Base):
    """A person read a reply and decided."""

    __tablename__ = "review"
    __table_args__ = (Index("ix_review_reply", "reply_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    reply_id: Mapped[int] = mapped_column(ForeignKey("reply.id"))
    reviewer_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    outcome: Mapped[ReviewOutcome]
    at: Mapped[datetime]
    reviewer: Mapped[Staff] = relationship()


class Comment(Base):
    """What the app team wrote back. It travels as a delivery like any other."""

    __tablename__ = "comment"
    __table_args__ = (Index("ix_comment_reply", "reply_id"), Index("ix_comment_delivery", "delivery_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(unique=True)  # of the form it was written in: sent twice is written once
    reply_id: Mapped[int] = mapped_column(ForeignKey("reply.id"))
    author_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("delivery.id"))
    text_sealed: Mapped[str]
    n_words: Mapped[int]
    created_at: Mapped[datetime]
    author: Mapped[Staff] = relationship()
    delivery: Mapped[Delivery | None] = relationship()


def add_comment(session: Session, **row: object) -> int | None:
    """Add a comment and return its id; None when its form has been sent before."""
    added: int | None = session.scalar(insert_new(session, Comment).values(**row).returning(Comment.id))
    return added


def comment_id(session: Session, token: str) -> int:
    """Return the id of the comment that was written in a form."""
    return session.scalars(select(Comment.id).filter_by(token=token)).one()


def set_delivery(session: Session, comment_id: int, delivery_id: int | None) -> None:
    """Say which delivery carries a comment."""
    session.execute(update(Comment).where(Comment.id == comment_id).values(delivery_id=delivery_id))


def comments_on(session: Session, reply_ids: Iterable[int]) -> Sequence[Comment]:
    """Return the comments on some replies, oldest first, with author and delivery."""
    query = (
        select(Comment)
        .where(Comment.reply_id.in_(list(reply_ids)))
        .options(joinedload(Comment.author), joinedload(Comment.delivery))
        .order_by(Comment.id)
    )
    return session.scalars(query).unique().all()
