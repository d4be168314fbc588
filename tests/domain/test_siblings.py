"""Siblings take turns without losing or repeating a day; and in every zone of the world a day comes once."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from babymind.domain import age
from babymind.domain.age import (
    DAY,
    SENDING_STAGES,
    Birth,
    Dates,
    Span,
    Stage,
    has_turn,
    second_birthday,
    share_days,
    stage_on,
    stages,
)
from babymind.domain.schedule import instant_of, local_day

NEAR = st.dates(date(2024, 1, 1), date(2027, 12, 31))
GESTATIONS = st.integers(age.VIABLE_FROM_DAYS, age.BORN_BY_DAYS)
BIRTHS = st.builds(Birth, born_on=NEAR, gestation_days=GESTATIONS)
PREGNANCIES = st.one_of(
    NEAR.map(lambda due_on: Dates(due_on=due_on)),
    BIRTHS.map(lambda birth: Dates(due_on=birth.due_on, birth=birth)),
    st.builds(lambda birth, late: Dates(due_on=birth.due_on - timedelta(days=late), birth=birth), BIRTHS,
              st.integers(-14, 14)),
)  # fmt: skip


@st.composite
def households(draw: st.DrawFn) -> tuple[list[Dates], list[bool]]:
    known = draw(st.lists(PREGNANCIES, min_size=2, max_size=4))
    if draw(st.booleans()):  # born in the same months, so that they meet
        known = [known[0], *(_near(draw, known[0]) for _ in known[1:])]
    return known, draw(st.lists(st.booleans(), min_size=len(known), max_size=len(known)))


def _near(draw: st.DrawFn, first: Dates) -> Dates:
    return Dates(due_on=first.due_on + timedelta(days=draw(st.integers(-120, 120))))


def span_on(spans: tuple[Span, ...], day: date) -> Span:
    [found] = [span for span in spans if span.first <= day <= span.last]
    return found


def interesting_days(families: list[tuple[Span, ...]]) -> list[date]:
    firsts = {span.first for spans in families for span in spans}
    near = {first + timedelta(days=offset) for first in firsts for offset in range(-2, 6)}
    return sorted(day for day in near if age.FIRST_DAY <= day <= age.LAST_DAY)


@given(households(), st.integers(1, 4))
def test_on_every_day_as_many_siblings_have_a_turn_as_the_cap_allows(
    household: tuple[list[Dates], list[bool]], cap: int
) -> None:
    known, sending = household
    shared = share_days([stages(one) for one in known], sending)

    for day in interesting_days(shared):
        spans = [span_on(spans, day) for spans in shared]
        rivals = [span for span, sends in zip(spans, sending, strict=True) if sends and span.stage in SENDING_STAGES]
        assert sum(has_turn(span, day, cap) for span in rivals) == min(cap, len(rivals))


@given(households())
def test_sharing_changes_no_stage_and_no_day_number_and_leaves_no_day_out(
    household: tuple[list[Dates], list[bool]],
) -> None:
    known, sending = household
    shared = share_days([stages(one) for one in known], sending)

    for one, spans in zip(known, shared, strict=True):
        assert (spans[0].first, spans[-1].last) == (age.FIRST_DAY, age.LAST_DAY)
        assert all(after.first - before.last == DAY for before, after in zip(spans, spans[1:], strict=False))
        assert all(span.first <= span.last for span in spans)
        for day in interesting_days([spans]):
            span = span_on(spans, day)
            assert (span.stage, (day - span.zero).days) == stage_on(one, day)


@given(households())
def test_one_of_whom_nothing_is_sent_takes_no_turn(household: tuple[list[Dates], list[bool]]) -> None:
    known, sending = household
    alone = [stages(one) for one in known]
    shared = share_days(alone, sending)

    for before, after, sends in zip(alone, shared, sending, strict=True):
        if not sends or sum(sending) < 2:
            assert after == before
    there = [index for index, sends in enumerate(sending) if sends]
    among_themselves = share_days([alone[index] for index in there], [True] * len(there))
    assert [shared[index] for index in there] == among_themselves


@given(households())
def test_the_youngest_has_the_first_day_that_several_share(household: tuple[list[Dates], list[bool]]) -> None:
    known, _ = household
    shared = share_days([stages(one) for one in known], [True] * len(known))

    for day in sorted({span.first for spans in shared for span in spans}):
        spans = [span_on(spans, day) for spans in shared]
        rivals = [span for span in spans if span.stage in SENDING_STAGES]
        if len(rivals) > 1:
            [first] = [span for span in rivals if has_turn(span, day, 1)]
            assert first.zero == max(span.zero for span in rivals)


@given(households())
def test_while_the_same_siblings_share_each_comes_again_after_as_many_days(
    household: tuple[list[Dates], list[bool]],
) -> None:
    known, _ = household
    shared = share_days([stages(one) for one in known], [True] * len(known))

    for spans in shared:
        for span in spans:
            length = (span.last - span.first).days
            if span.turns == 1 or length > 800:
                continue
            days = [number for number in range(length + 1) if has_turn(span, span.first + number * DAY, 1)]
            assert all(after - before == span.turns for before, after in zip(days, days[1:], strict=False))
            assert not days or days[0] < span.turns


def test_two_under_two_come_on_alternate_days_and_the_older_alone_again_when_the_younger_is_through() -> None:
    younger, older = (
        Dates(due_on=on, birth=Birth(born_on=on, gestation_days=280)) for on in (date(2026, 3, 8), date(2025, 6, 1))
    )
    shared = share_days([stages(older), stages(younger)], [True, True])

    turns = {
        number: [has_turn(span_on(spans, date(2026, 3, 8) + number * DAY), date(2026, 3, 8) + number * DAY, 1)
                 for spans in shared]
        for number in (-90, 0, 1, 2, 3)
    }  # fmt: skip
    assert turns == {-90: [True, True], 0: [False, True], 1: [True, False], 2: [False, True], 3: [True, False]}
    done = date(2026, 6, 2)  # of the older one, day 366
    assert span_on(shared[0], done).stage is Stage.COMPLETED
    assert all(has_turn(span_on(shared[1], done + number * DAY), done + number * DAY, 1) for number in range(5))


@given(PREGNANCIES, st.data())
def test_the_day_number_never_goes_back_within_a_stage_and_the_stages_come_in_order(
    known: Dates, data: st.DataObject
) -> None:
    order = list(Stage)
    begin = known.due_on + timedelta(days=data.draw(st.integers(-200, 500)))

    told = [stage_on(known, begin + number * DAY) for number in range(60)]

    for (stage, number), (next_stage, following) in zip(told, told[1:], strict=False):
        assert order.index(next_stage) >= order.index(stage)
        assert following == number + 1 if next_stage is stage else True


@given(BIRTHS)
def test_no_day_number_of_an_infant_comes_twice_or_is_left_out(birth: Birth) -> None:
    known = Dates(due_on=birth.due_on, birth=birth)

    numbers: dict[Stage, list[int]] = {}
    for offset in range(560):
        stage, number = stage_on(known, birth.born_on + offset * DAY)
        numbers.setdefault(stage, []).append(number)

    assert numbers[Stage.INFANT] == list(range(age.PROGRAMME_LAST_DAY + 1))
    early = numbers.get(Stage.EARLY, [])
    assert early == list(range(280 - birth.gestation_days if birth.preterm else 0))


@pytest.mark.fault(66)
@given(st.dates(date(1996, 1, 1), date(2096, 12, 31)))
def test_the_second_birthday_is_two_years_on_and_after_a_leap_day_the_first_of_march(born_on: date) -> None:
    birthday = second_birthday(born_on)

    assert birthday.year == born_on.year + 2
    if (born_on.month, born_on.day) == (2, 29):
        assert (birthday.month, birthday.day) == (3, 1)
    else:
        assert (birthday.month, birthday.day) == (born_on.month, born_on.day)


@pytest.mark.fault(66)
@pytest.mark.parametrize(
    ("born_on", "day", "number"),
    [
        (date(2024, 2, 28), date(2024, 2, 29), 1), (date(2024, 2, 28), date(2024, 3, 1), 2),
        (date(2024, 2, 29), date(2025, 2, 28), 365), (date(2023, 3, 1), date(2024, 2, 29), 365),
        (date(2099, 12, 31), date(2100, 3, 1), 60),  # 2100 is no leap year
    ],
)  # fmt: skip
def test_a_leap_day_is_a_day_like_any_other(born_on: date, day: date, number: int) -> None:
    known = Dates(due_on=born_on, birth=Birth(born_on=born_on, gestation_days=280))

    assert stage_on(known, day) == (Stage.INFANT, number)


@pytest.mark.fault(68)
@given(BIRTHS, st.integers(0, 800))
def test_corrected_age_counts_till_the_second_birthday_and_not_a_day_longer(birth: Birth, after: int) -> None:
    day = birth.born_on + timedelta(days=after)
    assume(birth.preterm)

    corrected = age.corrected_age_days(birth, day)

    assert corrected == (after - (280 - birth.gestation_days) if day < second_birthday(birth.born_on) else after)


# One day, one slot: in every zone.


def _zones() -> Iterator[ZoneInfo]:
    """Every zone once: names for a clock that jumps at the same instants are left out."""
    begin, end = datetime(2024, 12, 30, tzinfo=UTC), datetime(2028, 1, 3, tzinfo=UTC)
    seen = set()
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        clock = tuple(_offsets(zone, begin, end))
        if clock not in seen:
            seen.add(clock)
            yield zone


def _offsets(zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[tuple[datetime, timedelta | None]]:
    """The instants, to the hour, at which a clock jumps, found day by day; and what it shows then."""
    yield begin, begin.astimezone(zone).utcoffset()
    day = timedelta(days=1)
    while begin < end:
        if begin.astimezone(zone).utcoffset() != (begin + day).astimezone(zone).utcoffset():
            for hour in range(25):
                at = begin + timedelta(hours=hour)
                yield at, at.astimezone(zone).utcoffset()
        begin += day


@pytest.mark.fault(63)
@pytest.mark.parametrize("at", [time(8, 0), time(20, 59)])
def test_in_every_zone_over_three_years_each_local_day_has_its_slot_once(at: time) -> None:
    for zone in _zones():
        before, day = datetime(1970, 1, 1, tzinfo=UTC), date(2025, 1, 1)
        while day < date(2028, 1, 1):
            instant = instant_of(day, at, zone)
            assert instant > before, (zone.key, day)
            assert local_day(instant, zone) == day, (zone.key, day)
            before, day = instant, day + DAY


@pytest.mark.parametrize(
    ("name", "left_out"),
    [("Pacific/Apia", date(2011, 12, 30)), ("Pacific/Fakaofo", date(2011, 12, 30)),
     ("Pacific/Kwajalein", date(1993, 8, 21)), ("Pacific/Kiritimati", date(1994, 12, 31))],
)  # fmt: skip
def test_where_a_zone_left_a_day_out_no_other_day_suffers(name: str, left_out: date) -> None:
    zone = ZoneInfo(name)

    for at in (time(0, 0), time(9, 0), time(20, 59)):
        around = {left_out + number * DAY: instant_of(left_out + number * DAY, at, zone) for number in range(-3, 4)}
        days = [local_day(instant, zone) for day, instant in around.items() if day != left_out]
        assert days == [day for day in around if day != left_out]
        assert local_day(around[left_out], zone) != left_out
        others = [instant for day, instant in around.items() if day != left_out]
        assert all(before < after for before, after in zip(others, others[1:], strict=False))


def test_a_child_of_a_day_that_was_left_out_still_has_every_day_number_once() -> None:
    zone = ZoneInfo("Pacific/Apia")
    known = Dates(due_on=date(2011, 12, 1), birth=Birth(born_on=date(2011, 12, 1), gestation_days=280))

    lived = sorted({
        local_day(datetime(2011, 12, 20, 18, tzinfo=UTC) + timedelta(hours=number), zone) for number in range(500)
    })  # fmt: skip

    numbers = [stage_on(known, day)[1] for day in lived]
    assert date(2011, 12, 30) not in lived
    assert len(numbers) == len(set(numbers))
    assert 29 not in numbers
    assert {28, 30} <= set(numbers)
