"""The ledger: every slot that was due has exactly one row with one outcome; where it has not, a person is told."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import structlog

from babymind.clock import utc_now
from babymind.domain.delivery import DeliveryStatus, Reason
from babymind.domain.schedule import instant_of, local_day
from babymind.errors import ChannelError
from babymind.services.context import Context
from babymind.store import ledger, tasks, ticks
from babymind.store import plan as planning
from babymind.store.tasks import TaskKind

log = structlog.get_logger()

TICK = "ledger"  # when it was last compared, and what was found: see `babymind.services.health`
PLAN_WITHIN_MINUTES = 15  # of a day's beginning; until then what is missing is still being planned


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One study in one zone on one day."""

    study: str
    zone: str
    expected: int
    actual: int
    missing: int  # due, and nothing says what became of it
    stuck: int  # still open after its window
    outcomes: Mapping[str, int]  # by state; what was not sent as "skipped: paused" and the like

    @property
    def ok(self) -> bool:
        """Whether everything due has its one outcome, or still has time for it."""
        return not (self.missing or self.stuck)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A day, expected against actual."""

    day: date
    lines: Sequence[LedgerLine]

    @property
    def ok(self) -> bool:
        """Whether every line is."""
        return all(line.ok for line in self.lines)


def of_day(ctx: Context, day: date, *, zone: str | None = None) -> Ledger:
    """Return what was due on a local day against what became of it: in one zone, or all where that day has begun."""
    now = utc_now()
    with ctx.readers.begin() as session:
        begins = _begins([zone] if zone else planning.zones(session), day, now)
        late = now - timedelta(minutes=PLAN_WITHIN_MINUTES)
        pending = {zone for zone, at in begins.items() if at > late}
        counts = ledger.count(session, day, now, begins, pending=pending)
    return Ledger(
        day=day,
        lines=[
            LedgerLine(
                study=line.study, zone=line.zone, expected=line.expected, actual=line.actual, missing=line.missing,
                stuck=line.stuck, outcomes=_said(line.outcomes),
            )
            for line in counts
        ],
    )  # fmt: skip


def check(ctx: Context) -> bool:
    """Compare today and yesterday, wherever those are; what does not add up becomes a log line, a task and a mail.

    Each line of each day is told of once, however often this runs.
    """
    today = utc_now().date()
    fine, wrong, found = True, list[str](), dict[str, object]()
    for day in (today - timedelta(days=1), today, today + timedelta(days=1)):  # the day after has begun in the east
        lines = of_day(ctx, day).lines
        found[day.isoformat()] = {
            "expected": sum(line.expected for line in lines), "actual": sum(line.actual for line in lines),
            "missing": sum(line.missing for line in lines), "stuck": sum(line.stuck for line in lines),
        }  # fmt: skip
        for line in lines:
            if line.ok:
                continue
            fine = False
            log.error("the ledger does not add up", day=day.isoformat(), study=line.study, zone=line.zone,
                      expected=line.expected, missing=line.missing, stuck=line.stuck)  # fmt: skip
            wrong += _ask_a_person(ctx, day, line)
    with ctx.sessions.begin() as session:
        ticks.mark(session, TICK, utc_now(), found)
    if wrong and ctx.alerts:
        text = "\n".join([*wrong, "", "See the page Ledger, or: babymind ledger --day DAY"])
        try:
            ctx.alerts.send("BabyMind: the ledger does not add up", text)
        except ChannelError as error:  # the log line and the task are there all the same
            log.exception("an alert could not be mailed", why=str(error))
    return fine


def _ask_a_person(ctx: Context, day: date, line: LedgerLine) -> list[str]:
    with ctx.sessions.begin() as session:
        new = tasks.ask(
            session, TaskKind.LEDGER, f"ledger:{day}:{line.study}:{line.zone}", now=utc_now(), day=day.isoformat(),
            study=line.study, zone=line.zone, missing=line.missing, stuck=line.stuck,
        )  # fmt: skip
    told = f"{day}, study {line.study}, {line.zone}: {line.missing} missing, {line.stuck} still open"
    return [told] if new else []


def _begins(zones: Sequence[str], day: date, now: datetime) -> dict[str, datetime]:
    begun = {}
    for zone in zones:
        there = ZoneInfo(zone)
        # A day that the zone left out (Samoa, 30 December 2011) never begins there.
        begins_at = instant_of(day, time(0, 0), there)
        if begins_at <= now and local_day(begins_at, there) == day:
            begun[zone] = begins_at
    return begun


def _said(outcomes: Mapping[tuple[DeliveryStatus, Reason | None], int]) -> dict[str, int]:
    said: Counter[str] = Counter()
    for (status, reason), number in outcomes.items():
        said[f"{status.value}: {reason.value}" if reason else status.value] += number
    return dict(sorted(said.items()))
