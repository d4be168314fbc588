"""How fast a sender may send: its segments leave one after another at an even pace, in all processes together.

The pace is kept in one instant, ``next_at``: what lies before it has been given away. (The generic cell rate
algorithm without a burst: a pause earns nothing, so no second ever holds more than the rate.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

PERCENT = 99  # of the rate: messages that bunch up a little on their way still keep to it at the provider
SKEW = timedelta(seconds=30)  # by so much the clocks of two processes may differ, or a rate have just been changed
LONGEST_SEGMENTS = 24  # of one message: 1,600 characters outside GSM-7, 67 in each


@dataclass(frozen=True, slots=True)
class Paced:
    """When some messages may leave, and when the next one may."""

    leave_at: tuple[datetime, ...]  # of the first so many messages, in their order; the others have to wait
    next_at: datetime | None


def pace(next_at: datetime | None, now: datetime, segments_per_second: int, segments: Sequence[int],
         horizon_seconds: float) -> Paced:  # fmt: skip
    """Give away the time of a sender to messages that are ready, in their order.

    Args:
        next_at: When its next segment may leave; None for a sender that has never sent.
        now: The present instant, by the clock that all who share this sender go by.
        segments_per_second: Its rate.
        segments: How many segments each message has.
        horizon_seconds: A message is given an instant only if that is nearer than this. The same for all who share
            this sender. Where there is always something to send, the whole rate is used as long as somebody asks
            once within this time.

    Returns:
        The instants, and what to keep as ``next_at``. A message takes its instant and, for all its segments, the time
        after it; counted so, no second holds more than the rate. Whoever counts a message's segments all at its
        instant finds at most one message's segments more.
    """
    free = _free(next_at, now, segments_per_second, horizon_seconds)
    beyond = now + timedelta(seconds=horizon_seconds)
    leave_at = []
    for count in segments:
        if free >= beyond:
            break
        leave_at.append(free)
        free += timedelta(microseconds=_microseconds(count, segments_per_second))
    return Paced(tuple(leave_at), free if leave_at else next_at)


def ask_again_at(next_at: datetime | None, now: datetime, segments_per_second: int,
                 horizon_seconds: float) -> datetime | None:  # fmt: skip
    """Return when a sender has time to give again; None if it has some now. See `pace` for the arguments."""
    free = _free(next_at, now, segments_per_second, horizon_seconds)
    again_at = free - timedelta(seconds=horizon_seconds)
    return again_at if again_at >= now else None


def _free(next_at: datetime | None, now: datetime, segments_per_second: int, horizon_seconds: float) -> datetime:
    """Return the first instant that nobody has got yet."""
    longest = timedelta(microseconds=_microseconds(LONGEST_SEGMENTS, segments_per_second))
    if next_at is None or next_at > now + timedelta(seconds=horizon_seconds) + longest + SKEW:
        return now  # no one gave that much away: it is from a clock that was wrong, and must not silence the sender
    return max(next_at, now)


def _microseconds(segments: int, segments_per_second: int) -> int:
    """Return how long some segments take, rounded up."""
    return -(-max(1, segments) * 100_000_000 // (PERCENT * segments_per_second))
