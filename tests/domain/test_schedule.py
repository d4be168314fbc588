"""When something is due, in every zone of the world and through clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babymind.domain.schedule import (
    QuietHours,
    decent_instant,
    decent_time,
    instant_of,
    local_day,
    window_end,
    zone_named,
)
from babymind.errors import InvalidInputError

ZONES = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
DAYS = st.dates(date(2024, 1, 1), date(2028, 12, 31))
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
QUIET = QuietHours()


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.fault(63)
@pytest.mark.parametrize(
    ("day", "at", "zone", "instant"),
    [
        (date(2026, 1, 10), time(9, 0), "Europe/London", "2026-01-10T09:00"),
        (date(2026, 7, 10), time(9, 0), "Europe/London", "2026-07-10T08:00"),
        (date(2027, 3, 28), time(1, 30), "Europe/London", "2027-03-28T01:00"),  # a gap: 02:00 summer time
        (date(2027, 10, 31), time(1, 30), "Europe/London", "2027-10-31T00:30"),  # twice: the first
        (date(2026, 3, 8), time(2, 15), "America/New_York", "2026-03-08T07:00"),
        (date(2026, 10, 4), time(2, 10), "Australia/Lord_Howe", "2026-10-03T15:30"),  # a gap of half an hour
        (date(2026, 5, 1), time(9, 0), "Asia/Kathmandu", "2026-05-01T03:15"),
        (date(2026, 5, 1), time(9, 0), "Pacific/Apia", "2026-04-30T20:00"),
    ],
)  # fmt: skip
def test_a_chosen_time_becomes_an_instant(day: date, at: time, zone: str, instant: str) -> None:
    assert instant_of(day, at, ZoneInfo(zone)) == utc(instant)


@pytest.mark.fault(63)
@given(day=DAYS, at=TIMES, zone=ZONES)
def test_the_clock_on_the_wall_shows_the_chosen_time_or_the_end_of_a_gap(day: date, at: time, zone: ZoneInfo) -> None:
    local = instant_of(day, at, zone).astimezone(zone)

    if (local.date(), local.time()) != (day, at):
        before = (local - timedelta(0)).astimezone(UTC) - timedelta(seconds=1)
        assert before.astimezone(zone).utcoffset() != local.utcoffset()  # exactly where the clock jumped
        assert datetime.combine(day, at) < local.replace(tzinfo=None)


@pytest.mark.fault(63)
@given(day=DAYS, at=TIMES, zone=ZONES)
def test_a_time_that_comes_twice_is_meant_once_and_first(day: date, at: time, zone: ZoneInfo) -> None:
    instant = instant_of(day, at, zone)

    earlier = instant - timedelta(hours=1)
    assert (earlier.astimezone(zone).date(), earlier.astimezone(zone).time()) != (day, at)


@given(day=DAYS, at=TIMES, zone=ZONES)
def test_each_local_day_has_one_instant_later_than_the_day_before(day: date, at: time, zone: ZoneInfo) -> None:
    assert instant_of(day, at, zone) < instant_of(day + timedelta(days=1), at, zone)


@pytest.mark.fault(76)
@given(wanted=st.datetimes(datetime(2024, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC)), zone=ZONES)
def test_a_decent_instant_is_never_in_the_quiet_hours_and_never_earlier(wanted: datetime, zone: ZoneInfo) -> None:
    decent = decent_instant(wanted, zone, QUIET)

    assert decent >= wanted
    assert not QUIET.covers(decent.astimezone(zone).time())
    assert decent - wanted < timedelta(hours=36)


def test_a_comment_at_night_waits_for_the_morning() -> None:
    zone = ZoneInfo("Europe/London")

    assert decent_instant(utc("2026-01-10T22:30"), zone, QUIET) == utc("2026-01-11T08:00")
    assert decent_instant(utc("2026-01-10T03:00"), zone, QUIET) == utc("2026-01-10T08:00")
    assert decent_instant(utc("2026-01-10T12:00"), zone, QUIET) == utc("2026-01-10T12:00")


def test_the_window_of_a_day_ends_with_its_quiet_hours() -> None:
    assert window_end(date(2026, 7, 10), ZoneInfo("Europe/London"), QUIET) == utc("2026-07-10T20:00")


@pytest.mark.fault(76)
@pytest.mark.parametrize("text", ["21:00", "23:59", "00:00", "07:59"])
def test_a_time_in_the_quiet_hours_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="from 08:00 and before 21:00"):
        decent_time(text, QUIET)


@pytest.mark.parametrize("text", ["8", "25:00", "nine", "9.00", ""])
def test_an_odd_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="such as 09:00"):
        decent_time(text, QUIET)


@pytest.mark.parametrize("name", ["Europe/Londn", "GMT+1", "../etc/passwd", ""])
def test_an_odd_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="IANA name such as Europe/London"):
        zone_named(name)


def test_the_local_day_is_the_caregivers_own() -> None:
    instant = utc("2026-01-10T12:30")

    assert local_day(instant, ZoneInfo("Pacific/Apia")) == date(2026, 1, 11)
    assert local_day(instant, ZoneInfo("Pacific/Honolulu")) == date(2026, 1, 10)
