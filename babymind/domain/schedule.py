"""When something is due: a caregiver's day and chosen time as an instant, and the hours that are left alone."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from babymind.errors import InvalidInputError

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """The local hours in which nothing that we start may arrive; they span midnight."""

    start: time = time(21, 0)
    end: time = time(8, 0)

    def covers(self, at: time) -> bool:
        """Tell whether a local time lies in them."""
        return at >= self.start or at < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M} to {self.end:%H:%M}"


def zone_named(name: str) -> ZoneInfo:
    """Return the IANA zone of that name; a sentence for a person where there is none."""
    if name not in _zone_names():
        raise InvalidInputError(f"'{name}' is not a time zone; write an IANA name such as Europe/London.")
    return ZoneInfo(name)


@cache
def _zone_names() -> frozenset[str]:
    """Return the names of all zones; finding them takes longer than anything else here."""
    return frozenset(available_timezones())


def parse_time(text: str) -> time:
    """Return a time of day from ``09:00`` or ``9:00``."""
    try:
        return datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007 - a wall-clock time has no zone
    except ValueError:
        raise InvalidInputError(f"'{text}' is not a time of day; write hours and minutes such as 09:00.") from None


def decent_time(text: str, quiet: QuietHours) -> time:
    """Return a time of day at which a family may be written to."""
    return require_decent(parse_time(text), quiet)


def require_decent(at: time, quiet: QuietHours) -> time:
    """Return a time of day, unless it lies in the quiet hours."""
    if quiet.covers(at):
        raise InvalidInputError(
            f"{at:%H:%M} lies in the quiet hours, {quiet}; choose a time from {quiet.end:%H:%M} and before "
            f"{quiet.start:%H:%M}."
        )
    return at


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """Return the calendar day in a zone at an instant."""
    return instant.astimezone(zone).date()


def instant_of(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the instant of a wall-clock time, in UTC.

    In a clock-change gap it is the first valid moment after the gap; a time that comes twice means the first.
    Source: PEP 495 (``fold``).
    """
    wall = datetime.combine(day, at, tzinfo=zone)  # fold=0: the first of two, and the offset before a gap
    instant = wall.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return instant
    return _end_of_gap(wall.replace(fold=1).astimezone(UTC), instant, zone)


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    old = before.astimezone(zone).utcoffset()
    while after - before > SECOND:
        middle = before + timedelta(seconds=(after - before) // SECOND // 2)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after


def window_end(day: date, zone: ZoneInfo, quiet: QuietHours) -> datetime:
    """Return the instant from which something due on this day is too late to send."""
    return instant_of(day, quiet.start, zone)


def decent_instant(wanted: datetime, zone: ZoneInfo, quiet: QuietHours) -> datetime:
    """Return the first instant, not before the wanted one, outside the quiet hours."""
    local = wanted.astimezone(zone)
    if not quiet.covers(local.time()):
        return wanted
    day = local.date() if local.time() < quiet.end else local.date() + DAY
    return max(wanted, instant_of(day, quiet.end, zone))
