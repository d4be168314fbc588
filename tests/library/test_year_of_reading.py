"""Families read the real bank through their whole time with us, day by day, and nothing goes wrong on the way."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smsutil import is_valid_gsm

from babymind.domain.age import (
    BORN_BY_DAYS,
    DAY,
    PROGRAMME_LAST_DAY,
    TERM_DAYS,
    VIABLE_FROM_DAYS,
    Birth,
    Dates,
    Stage,
    parse_gestation,
    stage_on,
    weeks,
)
from babymind.domain.wording import name_list, render
from babymind.library import ContentKind, Item, Library
from babymind.library.calendar_rules import REPEAT_DAYS
from babymind.library.sms import segments, septets
from babymind.library.values import DAILY, STAGE_DAYS
from babymind.library.wording_rules import MOST_SEPTETS

DUE_ON = date(2028, 1, 20)  # so that a year with a 29 February is among what they read
FIRST_DAY = DUE_ON - timedelta(days=84)  # 28+0 weeks


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A family as the service knows it: when it joined, when the birth was, and when we heard of that."""

    called: str
    born_at: str  # weeks+days
    joined_on: date = FIRST_DAY
    told_after_days: int = 0  # from the birth until we know of it
    babies: tuple[str | None, ...] = ("Christopher",)

    @property
    def birth(self) -> Birth:
        """The birth, known or not."""
        gestation_days = parse_gestation(self.born_at)
        return Birth(born_on=DUE_ON + timedelta(days=gestation_days - TERM_DAYS), gestation_days=gestation_days)

    def known_on(self, day: date) -> Dates:
        """What the service knows on a day."""
        told_on = self.birth.born_on + timedelta(days=self.told_after_days)
        return Dates(due_on=DUE_ON, birth=self.birth if day >= told_on else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One text that one family reads on one day."""

    day: date
    stage: Stage
    age_day: int
    item: Item
    text: str


def born_days_after_due(days: int) -> date:
    """Return a day counted from the due date."""
    return DUE_ON + timedelta(days=days)


FAMILIES = [
    Family(called="term", born_at="40+0"),
    Family(called="term, no name", born_at="39+2", babies=(None,)),
    Family(called="31 weeks", born_at="31+0", joined_on=born_days_after_due(-63)),
    Family(called="31 weeks, expected with us, told late", born_at="31+0", told_after_days=9),
    Family(called="twins", born_at="36+6", babies=("Ada", "Ben")),
    Family(called="twins, no names", born_at="37+0", babies=(None, None)),
    Family(called="twins, one without a name", born_at="35+3", babies=("Ada", None)),
    Family(called="joined at five months", born_at="40+3", joined_on=born_days_after_due(155)),
    Family(called="26 weeks, joined at 20 weeks", born_at="26+0", joined_on=born_days_after_due(-140)),
    Family(called="22 weeks", born_at="22+0", joined_on=born_days_after_due(-126)),
    Family(called="ten days overdue", born_at="41+3"),
    Family(called="ten days overdue, told late", born_at="41+3", told_after_days=4, babies=(None,)),
    Family(called="three weeks overdue", born_at="43+1"),
]


@pytest.fixture(params=FAMILIES, ids=lambda family: family.called)
def family(request: pytest.FixtureRequest) -> Family:
    """Each of the families."""
    chosen: Family = request.param
    return chosen


@pytest.fixture
def readings(family: Family, library: Library) -> list[Reading]:
    """Return all that a family reads; a day without an item fails at once."""
    return [
        reading
        for day in days_with_us(family)
        for kind in DAILY
        if (reading := read(family, library, day, kind)) is not None
    ]


def days_with_us(family: Family) -> Iterator[date]:
    """Yield the days from joining to the last one of the programme."""
    day = family.joined_on
    while stage_on(family.known_on(day), day)[0] is not Stage.COMPLETED:
        yield day
        day += DAY


def read(family: Family, library: Library, day: date, kind: ContentKind) -> Reading | None:
    """Return what a family reads in one slot; None before 28 weeks, and while a birth long due is not told."""
    stage, age_day = stage_on(family.known_on(day), day)
    if stage not in STAGE_DAYS:
        return None
    item = library.item_on("en-GB", kind, stage, age_day)
    assert item is not None, f"no {kind} for {stage} day {age_day}"
    return Reading(day=day, stage=stage, age_day=age_day, item=item, text=render(item.text, family.babies))


def test_a_fact_and_a_prompt_come_on_every_day_up_to_the_last(family: Family, readings: list[Reading]) -> None:
    first = max(family.joined_on, min(FIRST_DAY, family.birth.born_on))
    zero = DUE_ON if family.birth.preterm else family.birth.born_on
    last = zero + timedelta(days=PROGRAMME_LAST_DAY)

    kinds_by_day = defaultdict(list)
    for reading in readings:
        kinds_by_day[reading.day].append(reading.item.kind)

    assert list(kinds_by_day) == [first + timedelta(days=number) for number in range((last - first).days + 1)]
    assert all(kinds == [*DAILY] for kinds in kinds_by_day.values())
    assert (readings[-1].stage, readings[-1].age_day) == (Stage.INFANT, PROGRAMME_LAST_DAY)


def test_the_families_meet_every_stage(library: Library) -> None:
    met = {stage_on(family.known_on(day), day)[0] for family in FAMILIES for day in days_with_us(family)}

    assert met == {*STAGE_DAYS, Stage.WAITING}


def test_no_fact_comes_twice(readings: list[Reading]) -> None:
    facts = [reading for reading in readings if reading.item.kind is ContentKind.FACT]

    assert len({reading.item.key for reading in facts}) == len(facts)
    assert len({reading.text for reading in facts}) == len(facts)


def test_no_prompt_comes_twice_within_ninety_days(readings: list[Reading]) -> None:
    asked: dict[str, date] = {}
    for reading in readings:
        if reading.item.kind is ContentKind.PROMPT:
            before = asked.get(reading.text)
            assert before is None or (reading.day - before).days > REPEAT_DAYS, reading.text
            asked[reading.text] = reading.day


@pytest.mark.fault(77)
def test_every_text_is_filled_in_and_fits_into_two_messages(readings: list[Reading]) -> None:
    for reading in readings:
        assert not re.search(r"[{}|]", reading.text), reading.text
        assert is_valid_gsm(reading.text), reading.text
        assert septets(reading.text) <= MOST_SEPTETS, reading.text
        assert segments(reading.text) <= 2, reading.text
        assert reading.text == " ".join(reading.text.split())
        assert reading.text[-1] in ".?'", reading.text


def test_one_baby_and_several_are_spoken_of_rightly(family: Family, readings: list[Reading]) -> None:
    whole = name_list(family.babies)
    if len(family.babies) > 1:  # "Ada and Ben is", "does your babies"; but "a song makes Ada and Ben"
        wrong = rf"\b{whole} (?:is|was|has|does)\b|\b(?:is|was|has|does) {whole}\b(?!')|\byour baby\b"
    else:  # "Your baby are", "were your baby"; but "you and your baby are", "what might your baby have"
        wrong = rf"(?:^|[.?!,] ){whole} (?:are|were|have|do)\b|\b(?:are|were) {whole}\b(?!')|\byour babies\b"

    for reading in readings:
        assert not re.search(wrong, reading.text, re.IGNORECASE), reading.text


@given(
    gestation_days=st.integers(VIABLE_FROM_DAYS, BORN_BY_DAYS),
    told_after_days=st.integers(0, 40),
    joined=st.integers(-140, 300),
)
@settings(max_examples=60)
def test_whatever_the_birth_no_day_is_empty_and_nothing_comes_again_too_soon(
    library: Library, gestation_days: int, told_after_days: int, joined: int
) -> None:
    joined_on = born_days_after_due(joined)
    family = Family(called="any", born_at=weeks(gestation_days), joined_on=joined_on, told_after_days=told_after_days)

    last: dict[str, date] = {}
    for day in days_with_us(family):
        for kind in DAILY:
            reading = read(family, library, day, kind)
            if reading is None:
                continue
            key = reading.item.key
            apart = (day - last[key]).days if key in last else None
            assert apart is None or (kind is ContentKind.PROMPT and apart > REPEAT_DAYS), key
            last[key] = day


@pytest.mark.fault(110)
def test_twins_of_whom_one_has_no_name_are_both_left_unnamed(library: Library) -> None:
    family = next(family for family in FAMILIES if family.babies == ("Ada", None))

    texts = [
        reading.text
        for day in days_with_us(family)
        for kind in DAILY
        if (reading := read(family, library, day, kind)) is not None
    ]

    assert not any("Ada" in text for text in texts)
    assert any("our babies" in text for text in texts)
