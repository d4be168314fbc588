"""What caregivers sent: the raw message first, then the reply that it became, and the media in it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column, relationship, selectinload

from babymind.domain.reply import Keyword, ReplyStatus
from babymind.store.base import Base, insert_new, new_token
from babymind.store.deliveries import Delivery
from babymind.store.families import Address, Caregiver, Family, Pregnancy


class InboundStatus(StrEnum):
    """Whether a raw message has become a reply."""

    NEW = "new"
    DONE = "done"
    FAILED = "failed"  # our fault; a person looks


class MediaStatus(StrEnum):
    """Where a picture stands."""

    WAITING = "waiting"
    STORED = "stored"
    REFUSED = "refused"  # not something that we can show safely
    LOST = "lost"  # the provider no longer has it


class Inbound(Base):
    """A message exactly as it came, stored before anything is made of it. Once per provider id, for ever."""

    __tablename__ = "inbound"
    __table_args__ = (
        UniqueConstraint("provider", "provider_ref"),
        Index("ix_inbound_new", "id", sqlite_where=text("status = 'new'"), postgresql_where=text("status = 'new'")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    provider: Mapped[str] = mapped_column(String(16))
    provider_ref: Mapped[str] = mapped_column(String(64))
    received_at: Mapped[datetime]
    payload_sealed: Mapped[str]
    sender: Mapped[str | None] = mapped_column(String(64))  # keyed hash of the number that it came from
    status: Mapped[InboundStatus] = mapped_column(default=InboundStatus.NEW)
    attempts: Mapped[int] = mapped_column(default=0)


class Reply(Base):
    """What a caregiver sent us. ``caregiver_id`` is empty for a number that we do not know."""

    __tablename__ = "reply"
    __table_args__ = (
        Index("ix_reply_waiting", "received_at", "id",
              sqlite_where=text("status = 'waiting'"), postgresql_where=text("status = 'waiting'")),
        Index("ix_reply_new", "id", sqlite_where=text("status = 'new'"), postgresql_where=text("status = 'new'")),
        Index("ix_reply_caregiver", "caregiver_id", "received_at"),
        Index("ix_reply_delivery", "delivery_id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    inbound_id: Mapped[int] = mapped_column(ForeignKey("inbound.id"), unique=True)
    caregiver_id: Mapped[int | None] = mapped_column(ForeignKey("caregiver.id"))
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("delivery.id"))  # the prompt it answers
    received_at: Mapped[datetime]
    text_sealed: Mapped[str]
    n_chars: Mapped[int]
    n_words: Mapped[int]
    n_media: Mapped[int]
    keyword: Mapped[Keyword | None]
    provider_answered: Mapped[bool] = mapped_column(default=False)  # STOP, START or HELP
    status: Mapped[ReplyStatus]
    caregiver: Mapped[Caregiver | None] = relationship()
    delivery: Mapped[Delivery | None] = relationship()
    media: Mapped[list["Media"]] = relationship(back_populates="reply", order_by="Media.position")


class Media(Base):
    """A picture of a reply."""

    __tablename__ = "media"
    __table_args__ = (
        UniqueConstraint("reply_id", "position"),
        Index("ix_media_waiting", "next_look_at",
              sqlite_where=text("status = 'waiting'"), postgresql_where=text("status = 'waiting'")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(32), unique=True, default=new_token)  # its name outside
    reply_id: Mapped[int] = mapped_column(ForeignKey("reply.id"))
    position: Mapped[int]
    source_url: Mapped[str] = mapped_column(String(500))  # at the provider
    told_type: Mapped[str] = mapped_column(String(100))
    status: Mapped[MediaStatus] = mapped_column(default=MediaStatus.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    next_look_at: Mapped[datetime]
    key: Mapped[str | None] = mapped_column(String(64))  # in our own store
    content_type: Mapped[str | None] = mapped_column(String(64))
    n_bytes: Mapped[int | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    sha256: Mapped[str | None] = mapped_column(String(64))
    note: Mapped[str | None] = mapped_column(String(400))
    reply: Mapped[Reply] = relationship(back_populates="media")


def store_raw(session: Session, *, provider: str, provider_ref: str, sender: str, payload_sealed: str,
              now: datetime) -> bool:  # fmt: skip
    """Keep a message as it came; False when we have it already."""
    row = insert_new(session, Inbound).values(
        provider=provider, provider_ref=provider_ref, received_at=now, payload_sealed=payload_sealed,
        sender=sender, status=InboundStatus.NEW, attempts=0,
    )  # fmt: skip
    return session.scalar(row.returning(Inbound.id)) is not None


def raw(session: Session, provider: str, provider_ref: str) -> str:
    """Return a message as it first came, sealed."""
    query = select(Inbound.payload_sealed).filter_by(provider=provider, provider_ref=provider_ref)
    return session.scalars(query).one()


def next_new(session: Session, limit: int) -> Sequence[Inbound]:
    """Lock the oldest raw messages that have not become replies yet."""
    return session.scalars(_new(), {"most": limit}).all()


@cache
def _new():  # type: ignore[no-untyped-def]  # one entity
    return (
        select(Inbound)
        .where(Inbound.status == InboundStatus.NEW)
        .order_by(Inbound.id)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
    )


def next_untriaged(session: Session) -> Reply | None:
    """Lock the oldest reply that has not been looked at, each caregiver's in the order they came; or None."""
    return session.scalars(_untriaged()).one_or_none()


@cache
def _untriaged():  # type: ignore[no-untyped-def]  # one entity
    earlier = aliased(Reply, name="earlier")
    before = exists().where(
        earlier.status == ReplyStatus.NEW, earlier.caregiver_id == Reply.caregiver_id, earlier.id < Reply.id
    )
    return (
        select(Reply)
        .where(Reply.status == ReplyStatus.NEW, ~before)
        .options(selectinload(Reply.caregiver))
        .order_by(Reply.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def families_unheard(session: Session) -> list[int]:
    """Return the families of whom something has come that nobody and nothing has looked at yet."""
    return list(session.scalars(_unheard()))


@cache
def _unheard():  # type: ignore[no-untyped-def]  # one column
    # Spelt out, so that the partial indexes serve.
    new: ColumnElement[str] = literal_column(f"'{InboundStatus.NEW.value}'")
    untriaged: ColumnElement[str] = literal_column(f"'{ReplyStatus.NEW.value}'")
    raw = (
        select(Caregiver.family_id)
        .join(Address, Address.caregiver_id == Caregiver.id)
        .join(Inbound, Inbound.sender == Address.look_up)
        .where(Inbound.status == new)
    )
    looked_at = select(Caregiver.family_id).join(Reply).where(Reply.status == untriaged)
    return raw.union(looked_at)


def update_media(session: Session, media_id: int, changes: Mapping[str, object]) -> None:
    """Write what came of a fetch."""
    session.execute(update(Media).where(Media.id == media_id).values(**changes))


def media_to_fetch(session: Session, now: datetime, limit: int, *, hold_until: datetime) -> Sequence[Media]:
    """Take media that wait to be fetched; nobody else gets them before ``hold_until``."""
    query = (
        select(Media.id)
        .where(Media.status == MediaStatus.WAITING, Media.next_look_at <= now)
        .order_by(Media.next_look_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = session.scalars(query).all()
    if not ids:
        return []
    session.execute(
        update(Media).where(Media.id.in_(ids)).values(next_look_at=hold_until, attempts=Media.attempts + 1)
    )
    return session.scalars(select(Media).where(Media.id.in_(ids)).order_by(Media.id)).all()


def media_by_token(session: Session, token: str) -> Media | None:
    """Return a stored picture by its outside name, or None."""
    return session.scalars(select(Media).filter_by(token=token, status=MediaStatus.STORED)).one_or_none()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the queue: at most ``size`` replies, and how many wait in all."""

    replies: Sequence[Reply]
    waiting: int
    more: bool


def queue(session: Session, *, waiting_only: bool, after: tuple[datetime, int] | None, size: int) -> Page:
    """Return replies with all that the queue shows: waiting ones oldest first, or all newest first."""
    query = select(Reply).options(
        selectinload(Reply.media),
        selectinload(Reply.delivery),
        selectinload(Reply.caregiver).selectinload(Caregiver.family).selectinload(Family.pregnancies)
        .selectinload(Pregnancy.infants),
    )  # fmt: skip
    if waiting_only:
        query = query.where(Reply.status == ReplyStatus.WAITING).order_by(Reply.received_at, Reply.id)
        if after:
            query = query.where(
                or_(Reply.received_at > after[0], (Reply.received_at == after[0]) & (Reply.id > after[1]))
            )
    else:
        query = query.order_by(Reply.received_at.desc(), Reply.id.desc())
        if after:
            query = query.where(
                or_(Reply.received_at < after[0], (Reply.received_at == after[0]) & (Reply.id < after[1]))
            )
    found = session.scalars(query.limit(size + 1)).all()
    waiting = session.scalar(select(func.count()).where(Reply.status == ReplyStatus.WAITING)) or 0
    return Page(found[:size], waiting, len(found) > size)


def with_thread(session: Session, reply_id: int) -> Reply | None:
    """Return a reply with its family, media and prompt; or None."""
    query = (
        select(Reply)
        .where(Reply.id == reply_id)
        .options(
            selectinload(Reply.media),
            selectinload(Reply.delivery),
            selectinload(Reply.caregiver).selectinload(Caregiver.family).selectinload(Family.pregnancies)
            .selectinload(Pregnancy.infants),
        )
    )  # fmt: skip
    return session.scalars(query).one_or_none()


def set_status(session: Session, reply_id: int, status: ReplyStatus) -> None:
    """Move a reply in the queue."""
    session.execute(update(Reply).where(Reply.id == reply_id).values(status=status))


def diary(session: Session, caregiver_ids: Iterable[int], limit: int) -> Sequence[Reply]:
    """Return the latest replies of some caregivers, newest first, with their media."""
    query = (
        select(Reply)
        .where(Reply.caregiver_id.in_(list(caregiver_ids)))
        .options(selectinload(Reply.media), selectinload(Reply.delivery))
        .order_by(Reply.received_at.desc(), Reply.id.desc())
        .limit(limit)
    )
    return session.scalars(query).all()


def count_waiting(session: Session) -> int:
    """Return how many replies wait for a person."""
    return session.scalar(select(func.count()).where(Reply.status == ReplyStatus.WAITING)) or 0
