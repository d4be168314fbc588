"""What we send from: numbers and messaging services, how fast each may go, and when it last did."""

import time
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Select, String, UniqueConstraint, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from babymind.domain.contact import ChannelName
from babymind.domain.pacing import ask_again_at, pace
from babymind.store.base import Base, insert_new
from babymind.store.families import Address


class Sender(Base):
    """A number or a messaging service of ours. What the settings no longer name is retired, never deleted."""

    __tablename__ = "sender"
    __table_args__ = (UniqueConstraint("channel", "address"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[ChannelName]
    address: Mapped[str] = mapped_column(String(64))  # E.164, or the provider's id of a messaging service
    segments_per_second: Mapped[int | None]  # in all processes together; empty: as fast as the provider takes them
    next_at: Mapped[datetime | None]  # when its next segment may leave: what lies before has been given away
    stopped_until: Mapped[datetime | None]  # set up wrongly: nothing leaves from it before
    stopped_code: Mapped[int | None]  # what the provider said of it
    retired_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """A sender as the settings have it."""

    channel: ChannelName
    address: str
    segments_per_second: int | None = None


def settled(session: Session, configured: Collection[Configured]) -> bool:
    """Tell whether the senders are those of the settings already, so that nothing has to be written."""
    rows = select(Sender.channel, Sender.address, Sender.segments_per_second).where(Sender.retired_at.is_(None))
    wanted = {(one.channel, one.address, one.segments_per_second) for one in configured}
    return {tuple(row) for row in session.execute(rows)} == wanted


def settle(session: Session, configured: Collection[Configured], now: datetime) -> None:
    """Make the senders those of the settings: add what is new, retire what is gone, revive what came back.

    Any number of processes may do this at once.
    """
    wanted = {(one.channel, one.address): one for one in configured}
    known = set()
    for row in session.scalars(select(Sender).order_by(Sender.id).with_for_update(key_share=True)):
        known.add((row.channel, row.address))
        one = wanted.get((row.channel, row.address))
        if one is None:
            row.retired_at = row.retired_at or now
            continue
        if row.retired_at is not None:  # what was wrong with it then need not be so now
            row.retired_at = row.stopped_until = row.stopped_code = None
        row.segments_per_second = one.segments_per_second
    session.flush()
    new = [{"channel": one.channel, "address": one.address, "segments_per_second": one.segments_per_second}
           for key, one in wanted.items() if key not in known]  # fmt: skip
    if new:
        session.execute(insert_new(session, Sender), new)


def live(session: Session) -> Sequence[Sender]:
    """Return the senders of the settings, stopped ones too."""
    return session.scalars(_live()).all()


@cache
def _live() -> Select[Sender]:
    return select(Sender).where(Sender.retired_at.is_(None)).order_by(Sender.id)


@dataclass(frozen=True, slots=True)
class From:
    """The sender that an address is written to from."""

    sender_id: int
    address: str  # E.164, or the provider's id of a messaging service


def choose(session: Session, address_ids: Collection[int]) -> dict[int, From]:
    """Return what each address is written to from: always the same, as long as the settings have it.

    One that has no sender yet, or whose sender was retired, gets one of its channel, and keeps it. Which one follows
    from the address's id, so all get about the same number of addresses, and nothing is counted.

    Args:
        session: The claim's transaction.
        address_ids: The addresses.

    Returns:
        The senders by address. An address whose channel has none is left out.
    """
    if not address_ids:
        return {}
    senders = live(session)
    if not senders:
        return {}
    of_channel: dict[ChannelName, list[Sender]] = {}
    for sender in senders:
        of_channel.setdefault(sender.channel, []).append(sender)
    by_id = {sender.id: sender for sender in senders}
    chosen: dict[int, From] = {}
    new: dict[int, int] = {}
    rows = select(Address.id, Address.channel, Address.sender_id).where(Address.id.in_(address_ids))
    for address_id, channel, sender_id in session.execute(rows):
        kept = by_id.get(sender_id or 0)
        if kept is None:
            among = of_channel.get(channel)
            if not among:
                continue
            kept = among[zlib.crc32(str(address_id).encode()) % len(among)]
            new[address_id] = kept.id
        chosen[address_id] = From(kept.id, kept.address)
    if new:
        _keep(session, new)
    return chosen


def _keep(session: Session, chosen: Mapping[int, int]) -> None:
    """Write which sender some addresses have got.

    One that somebody is changing at this moment is passed over, so that nobody waits for a claim: the choice is the
    same the next time.
    """
    free = select(Address.id).where(Address.id.in_(chosen)).order_by(Address.id)
    ids = session.scalars(free.with_for_update(skip_locked=True, key_share=True)).all()
    if ids:
        session.execute(update(Address), [{"id": one, "sender_id": chosen[one]} for one in ids])


def reserve(session: Session, sender_id: int, segments: Sequence[int], now: datetime,
            horizon_seconds: float) -> list[datetime]:  # fmt: skip
    """Give messages the instants at which they may leave one sender; see `reserve_each`."""
    return reserve_each(session, {sender_id: segments}, now, horizon_seconds)[sender_id]


def reserve_each(session: Session, segments: Mapping[int, Sequence[int]], now: datetime,
                 horizon_seconds: float) -> dict[int, list[datetime]]:  # fmt: skip
    """Give messages the instants at which they may leave, so that each sender keeps to its rate in all processes.

    Args:
        session: A transaction; until it ends, nobody else gets time of a sender that has a rate. The rest of it ought
            to be short, and to lock nothing that somebody may hold who asks for a sender too.
        segments: For each sender, the segments of each message, in the order in which they should leave. On WhatsApp
            a message counts as one.
        now: The present instant, by the clock that all processes share, read after the transaction began.
        horizon_seconds: How far ahead time is given; see `pace`.

    Returns:
        For each sender the instants of as many of its messages as fit, the first first. The others have to ask again.
        All now where there is no rate; none where the sender is stopped, retired or not there.
    """
    given: dict[int, list[datetime]] = {sender_id: [] for sender_id in segments}
    columns = select(Sender.id, Sender.segments_per_second, Sender.next_at).where(
        Sender.retired_at.is_(None), or_(Sender.stopped_until.is_(None), Sender.stopped_until <= now)
    )
    paced = []
    for sender_id, rate, _ in session.execute(columns.where(Sender.id.in_(segments))):
        if rate is None:
            given[sender_id] = [now] * len(segments[sender_id])
        elif segments[sender_id]:
            paced.append(sender_id)
    if not paced:
        return given
    # In the order of their ids, so that two claims never wait for each other; and not so strictly that a row which
    # only names a sender would have to wait.
    locked = columns.where(Sender.id.in_(paced)).order_by(Sender.id).with_for_update(key_share=True)
    began_at, changes = time.monotonic(), []
    rows = session.execute(locked).all()
    now += timedelta(seconds=time.monotonic() - began_at)  # others may have held them: no instant is to lie behind us
    for sender_id, rate, next_at in rows:
        if rate is None:  # since a moment ago
            given[sender_id] = [now] * len(segments[sender_id])
            continue
        got = pace(next_at, now, rate, segments[sender_id], horizon_seconds)
        given[sender_id] = list(got.leave_at)
        if got.leave_at:
            changes.append({"id": sender_id, "next_at": got.next_at})
    if changes:
        session.execute(update(Sender), changes)
    return given


def busy_until(session: Session, now: datetime, horizon_seconds: float) -> dict[int, datetime]:
    """Return the senders that have no time to give now, stopped ones too, each with the instant to ask again."""
    busy: dict[int, datetime] = {}
    for sender in live(session):
        until = sender.stopped_until
        if (until is None or until <= now) and sender.segments_per_second is not None:
            until = ask_again_at(sender.next_at, now, sender.segments_per_second, horizon_seconds)
        if until is not None and until > now:
            busy[sender.id] = until
    return busy


def stop(session: Session, sender_id: int, until: datetime, code: int | None) -> bool:
    """Let nothing leave from a sender before an instant, for the provider says that it is set up wrongly.

    Returns:
        True the first time that this code is told of it, until it is resumed: then somebody should hear of it.
    """
    anew = (
        update(Sender)
        .where(Sender.id == sender_id,
               or_(Sender.stopped_until.is_(None), Sender.stopped_code.is_distinct_from(code)))
        .values(stopped_until=until, stopped_code=code)
        .returning(Sender.id)
    )  # fmt: skip
    if session.scalar(anew) is not None:
        return True
    session.execute(update(Sender).where(Sender.id == sender_id).values(stopped_until=until))
    return False


def resume(session: Session, sender_ids: Collection[int]) -> list[int]:
    """Let senders go on, for the provider took something from them; returns those that had been stopped."""
    again = (
        update(Sender)
        .where(Sender.id.in_(sender_ids), Sender.stopped_until.is_not(None))
        .values(stopped_until=None, stopped_code=None)
        .returning(Sender.id)
    )
    return sorted(session.scalars(again))
