"""Today: what waits for a person, and how far the day's deliveries have got."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from babymind.clock import utc_now
from babymind.domain.delivery import DeliveryStatus, Kind, Reason
from babymind.services.context import Context
from babymind.store import deliveries, replies, tasks
from babymind.store.families import count_families


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """How many deliveries of one kind stand where."""

    kind: Kind
    outcome: DeliveryStatus
    reason: Reason | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The day at a glance. Only counts: anybody of the team may see it."""

    day: date
    waiting: int  # replies
    tasks: int  # that are still to be done
    families: int  # without those that have told us of a loss
    days: Sequence[DayCount]


def overview(ctx: Context) -> Overview:
    """Return the counts of the day that it is in UTC; each delivery belongs to its caregiver's own day."""
    day = utc_now().date()
    with ctx.readers.begin() as session:
        waiting = replies.queue(session, waiting_only=True, after=None, size=1).waiting
        to_do = tasks.count_open(session)
        families = count_families(session)
        counts = deliveries.counts_on(session, day)
    days = [
        DayCount(kind=kind, outcome=outcome, reason=reason, count=count)
        for (kind, outcome, reason), count in sorted(
            counts.items(), key=lambda entry: (list(Kind).index(entry[0][0]), -entry[1])
        )
    ]
    return Overview(day=day, waiting=waiting, tasks=to_do, families=families, days=days)
