"""Plan: as a zone's local day begins, write every delivery that it makes due, and why the others are not sent."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from babymind.clock import utc_now
from babymind.domain.age import Span, share_days, stages
from babymind.domain.delivery import SLOTS, Reason
from babymind.domain.schedule import instant_of, local_day
from babymind.services.context import Context
from babymind.store import families, months
from babymind.store import plan as planning
from babymind.store.base import Sessions
from babymind.store.families import Family, PregnancyStatus
from babymind.store.staff import audit

LONGEST_CATCH_UP_DAYS = 62
CHUNK_CAREGIVERS = 25_000
Planned = Counter[Reason | None]  # by reason for not sending; None is what will be sent


def plan_due(ctx: Context, *, everything: bool = False, dry_run: bool = False) -> Planned:
    """Plan today in every zone in which today is not planned yet, and before it the days that an outage left out.

    What those days made due is too late and will be expired, but each slot has its row and its reason.

    Args:
        ctx: The installation.
        everything: Plan also what was planned once already; it finds what is missing and doubles nothing.
        dry_run: Count what would be planned, and roll it back.
    """
    now = utc_now()
    with ctx.readers.begin() as session:
        todays = {zone: local_day(now, ZoneInfo(zone)) for zone in planning.zones(session)}
        latest = planning.latest_planned(session)
    todo = [
        (zone, day)
        for zone, today in sorted(todays.items())
        for day in _days_to_plan(today, latest.get(zone), everything=everything)
    ]
    planned: Planned = Counter()
    for zone, today in todo:
        planned += plan_zone(ctx, zone, today, dry_run=dry_run)
    return planned


def _days_to_plan(today: date, latest: date | None, *, everything: bool) -> list[date]:
    if latest is None or latest >= today:
        return [today] if everything or latest is None else []
    missed = min((today - latest).days, LONGEST_CATCH_UP_DAYS)
    return [today - timedelta(days=days) for days in reversed(range(missed))]


def plan_zone(ctx: Context, zone: str, day: date, *, dry_run: bool = False) -> Planned:
    """Plan one local day of one zone, in chunks of caregivers."""
    planned: Planned = Counter()
    with ctx.sessions.begin() as session:
        _write_moments(session, zone, day)
        if not dry_run:
            _begin_day(session, zone, day, utc_now())
    after = 0
    while True:
        with ctx.sessions.begin() as session:
            upto = planning.chunk_end(session, zone, after, CHUNK_CAREGIVERS)
            if upto is None:
                if not dry_run:
                    planning.mark_planned(session, zone, day, utc_now())
                return planned
            chunk = planning.Chunk(zone=zone, local_day=day, after=after, upto=upto)
            for kind in SLOTS:
                planned += planning.plan_chunk(session, kind, chunk)
            if dry_run:
                session.rollback()
        after = upto


def make_months(sessions: Sessions) -> int:
    """Make the ledger's tables of this month and the next ones, if the database has one a month; return how many.

    Whoever writes a delivery makes what is missing, but might then wait for somebody who waits for it.
    """
    made = 0
    for month in months.coming(utc_now().date()):
        with sessions.begin() as session:  # each for itself: until it is committed, nobody can change a caregiver
            made += months.have(session, [month])
    return made


def plan_caregivers(session: Session, caregiver_ids: Sequence[int], zones: set[str], now: datetime) -> Planned:
    """Plan many caregivers, whose ids follow each other, in the transaction that added them."""
    return _plan_today(session, zones, now, after=min(caregiver_ids) - 1, upto=max(caregiver_ids))


def plan_family(session: Session, family_id: int, zones: set[str], now: datetime) -> Planned:
    """Plan one family in the transaction that changed it: today, and tomorrow where that is planned already."""
    return _plan_today(session, zones, now, family_id=family_id)


def _plan_today(session: Session, zones: set[str], now: datetime, *, after: int = 0, upto: int = 0,
                family_id: int | None = None) -> Planned:  # fmt: skip
    planned: Planned = Counter()
    for zone in sorted(zones):
        today = local_day(now, ZoneInfo(zone))
        for day in (today, today + timedelta(days=1)):
            if day != today and not planning.is_planned(session, zone, day):
                continue
            _write_moments(session, zone, day)
            chunk = planning.Chunk(zone=zone, local_day=day, after=after, upto=upto, family_id=family_id)
            for kind in SLOTS:
                planned += planning.plan_chunk(session, kind, chunk)
    return planned


def write_stages(session: Session, written: Sequence[Family]) -> None:
    """Write down when each pregnancy of some families is in which stage, and whose turn it is among siblings."""
    spans: dict[int, tuple[Span, ...]] = {}
    for family in written:
        shared = share_days(
            [stages(one.dates) for one in family.pregnancies],
            [one.status is not PregnancyStatus.LOST and one.hold is None for one in family.pregnancies],
        )
        spans |= zip([one.id for one in family.pregnancies], shared, strict=True)
    families.write_stages(session, spans)


def replan_family(session: Session, family: Family, now: datetime) -> Planned:
    """Plan a family anew in the transaction that changed it: only what has not left yet is touched."""
    session.flush()
    write_stages(session, [family])
    planning.unplan(session, [one.id for one in family.caregivers], now)
    return plan_family(session, family.id, {one.zone for one in family.caregivers}, now)


def _begin_day(session: Session, zone: str, day: date, now: datetime) -> None:
    """Do what a day changes by itself: pauses end, births are asked about, the programme's end is told."""
    back = families.end_pauses(session, zone, day, now)
    if back:
        planning.unplan(session, back, now)
        for caregiver_id in back:
            audit(session, at=now, actor="system", action="resume", subject="caregiver", subject_id=caregiver_id)
    planning.turning_points(session, zone, day, now)
    planning.complete_enrolments(session, day)


def _write_moments(session: Session, zone: str, day: date) -> None:
    planning.write_moments(session, zone, day, lambda at: instant_of(day, at, ZoneInfo(zone)))
