"""Plan: as a zone's local day begins, write every delivery that it makes due, and why the others are not sent."""

from collections import Counter
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from babymind.clock import utc_now
from babymind.domain.delivery import SLOTS, Reason
from babymind.domain.schedule import instant_of, local_day
from babymind.services.context import Context
from babymind.store import plan as planning

CHUNK_CAREGIVERS = 25_000  # a transaction each, so that no lock is held for long
Planned = Counter[Reason | None]  # by reason for not sending; None is what will be sent


def plan_due(ctx: Context, *, everything: bool = False, dry_run: bool = False) -> Planned:
    """Plan today in every zone in which today is not planned yet.

    Args:
        ctx: The installation.
        everything: Plan also what was planned once already; it finds what is missing and doubles nothing.
        dry_run: Count what would be planned, and roll it back.
    """
    now = utc_now()
    with ctx.readers.begin() as session:
        todo = [
            (zone, today)
            for zone in planning.zones(session)
            for today in [local_day(now, ZoneInfo(zone))]
            if everything or not planning.is_planned(session, zone, today)
        ]
    planned: Planned = Counter()
    for zone, today in todo:
        planned += plan_zone(ctx, zone, today, dry_run=dry_run)
    return planned


def plan_zone(ctx: Context, zone: str, day: date, *, dry_run: bool = False) -> Planned:
    """Plan one local day of one zone, in chunks of caregivers."""
    planned: Planned = Counter()
    with ctx.sessions.begin() as session:
        _write_moments(session, zone, day)
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


def plan_family(session: Session, family_id: int, zones: set[str], now: datetime) -> Planned:
    """Plan one family in the transaction that changed it: today, and tomorrow where that is planned already."""
    planned: Planned = Counter()
    for zone in zones:
        today = local_day(now, ZoneInfo(zone))
        for day in (today, today + timedelta(days=1)):
            if day != today and not planning.is_planned(session, zone, day):
                continue
            _write_moments(session, zone, day)
            chunk = planning.Chunk(zone=zone, local_day=day, after=0, upto=0, family_id=family_id)
            for kind in SLOTS:
                planned += planning.plan_chunk(session, kind, chunk)
    return planned


def _write_moments(session: Session, zone: str, day: date) -> None:
    planning.write_moments(session, zone, day, lambda at: instant_of(day, at, ZoneInfo(zone)))
