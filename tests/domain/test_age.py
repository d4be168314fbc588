"""Where a pregnancy stands on a day: what families would expect, and rules that hold for any dates."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babymind.domain import age
from babymind.domain.age import Birth, Dates, Stage, corrected_age_days, dates, stage_on, stages
from babymind.errors import InvalidInputError

TODAY = date(2026, 11, 25)
DAYS = st.dates(date(1990, 1, 1), date(2090, 12, 31))
GESTATIONS = st.integers(age.VIABLE_FROM_DAYS, age.BORN_BY_DAYS)
BIRTHS = st.builds(Birth, born_on=DAYS, gestation_days=GESTATIONS)


def born(birth: Birth) -> Dates:
    return Dates(due_on=birth.due_on, birth=birth)


def expecting(due_on: date) -> Dates:
    return Dates(due_on=due_on)


@pytest.mark.parametrize(
    ("days_to_due", "stage", "age_day"),
    [(-85, Stage.WAITING, -85), (-84, Stage.ANTENATAL, -84), (-1, Stage.ANTENATAL, -1), (0, Stage.OVERDUE, 0),
     (21, Stage.OVERDUE, 21), (22, Stage.HELD, 22)],
)  # fmt: skip
def test_before_birth_the_due_date_decides(days_to_due: int, stage: Stage, age_day: int) -> None:
    due_on = date(2026, 3, 8)

    assert stage_on(expecting(due_on), due_on + timedelta(days=days_to_due)) == (stage, age_day)


@pytest.mark.fault(68)
def test_a_baby_of_31_weeks_is_early_until_the_due_date_and_then_newborn_by_corrected_age() -> None:
    known = dates(due_on=None, born_on=date(2026, 1, 1), gestation_days=217, today=TODAY)

    assert known.due_on == date(2026, 3, 5)
    assert stage_on(known, date(2025, 12, 31)) == (Stage.ANTENATAL, -64)
    assert stage_on(known, date(2026, 1, 1)) == (Stage.EARLY, 0)
    assert stage_on(known, date(2026, 3, 4)) == (Stage.EARLY, 62)
    assert stage_on(known, date(2026, 3, 5)) == (Stage.INFANT, 0)
    assert stage_on(known, date(2027, 3, 5)) == (Stage.INFANT, 365)
    assert stage_on(known, date(2027, 3, 6)) == (Stage.COMPLETED, 366)


def test_a_term_baby_counts_from_birth_whatever_the_due_date_was() -> None:
    known = dates(due_on=date(2026, 3, 15), born_on=date(2026, 3, 1), gestation_days=None, today=TODAY)

    assert stage_on(known, date(2026, 3, 1)) == (Stage.INFANT, 0)
    assert stage_on(known, date(2026, 2, 28)) == (Stage.ANTENATAL, -15)


def test_36_weeks_and_6_days_is_early_and_37_weeks_is_not() -> None:
    late_preterm, term = (Birth(born_on=date(2026, 5, 1), gestation_days=days) for days in (258, 259))

    assert stage_on(born(late_preterm), date(2026, 5, 1))[0] is Stage.EARLY
    assert stage_on(born(term), date(2026, 5, 1))[0] is Stage.INFANT


@pytest.mark.fault(66)
def test_corrected_age_ends_with_the_second_birthday() -> None:
    birth = Birth(born_on=date(2024, 2, 29), gestation_days=210)

    assert corrected_age_days(birth, date(2026, 2, 28)) == 730 - 70
    assert corrected_age_days(birth, date(2026, 3, 1)) == 731  # born on 29 February: two years are full on 1 March


@pytest.mark.fault(67)
@pytest.mark.parametrize(
    ("due_on", "born_on", "gestation", "says"),
    [
        (None, None, None, "A due date or a birth date is needed"),
        (None, None, 273, "A due date or a birth date is needed"),
        (date(2027, 1, 1), None, 273, "add the birth date"),
        (None, date(2026, 11, 26), None, "in the future"),
        (date(2027, 9, 2), None, None, "more than 40 weeks away"),
        (date(2026, 10, 27), None, None, "more than 4 weeks past"),
        (None, date(2026, 1, 1), 153, "between 22\\+0 and 44\\+0"),
        (None, date(2026, 1, 1), 309, "between 22\\+0 and 44\\+0"),
        (date(2026, 11, 1), date(2026, 1, 1), None, "between 22\\+0 and 44\\+0"),
        (date(2026, 3, 1), date(2026, 1, 1), 273, "not 39\\+0; correct one"),
    ],
)
def test_dates_that_cannot_be_are_refused_with_the_reason(
    due_on: date | None, born_on: date | None, gestation: int | None, says: str
) -> None:
    with pytest.raises(InvalidInputError, match=says):
        dates(due_on=due_on, born_on=born_on, gestation_days=gestation, today=TODAY)


@pytest.mark.parametrize(("text", "days"), [("39+4", 277), ("39", 273), (" 22+0 ", 154)])
def test_gestation_is_written_as_weeks_and_days(text: str, days: int) -> None:
    assert age.parse_gestation(text) == days


@pytest.mark.parametrize("text", ["39+7", "39.4", "+3", "", "thirty", "139+1", "39+-1"])
def test_an_odd_gestation_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="write weeks\\+days"):
        age.parse_gestation(text)


@pytest.mark.fault(66)
@given(known=st.one_of(DAYS.map(expecting), BIRTHS.map(born)))
def test_every_day_lies_in_exactly_one_stage(known: Dates) -> None:
    spans = stages(known)

    assert spans[0].first == age.FIRST_DAY
    assert spans[-1].last == age.LAST_DAY
    assert all(after.first - before.last == age.DAY for before, after in zip(spans, spans[1:], strict=False))
    assert all(span.first <= span.last for span in spans)


@given(birth=BIRTHS, after=st.integers(0, 900))
def test_the_infant_day_is_the_corrected_age(birth: Birth, after: int) -> None:
    day = birth.born_on + timedelta(days=after)

    stage, age_day = stage_on(born(birth), day)

    if stage is Stage.INFANT:
        assert age_day == corrected_age_days(birth, day)
        assert 0 <= age_day <= age.PROGRAMME_LAST_DAY
    if stage is Stage.EARLY:
        assert birth.preterm
        assert age_day == after
        assert corrected_age_days(birth, day) < 0


@pytest.mark.fault(66)
@given(known=st.one_of(DAYS.map(expecting), BIRTHS.map(born)), offset=st.integers(-400, 1200))
def test_the_day_number_grows_by_one_a_day_within_a_stage(known: Dates, offset: int) -> None:
    day = known.due_on + timedelta(days=offset)

    (today, number), (tomorrow, following) = stage_on(known, day), stage_on(known, day + age.DAY)

    assert following == number + 1 or today is not tomorrow


@pytest.mark.fault(68)
@given(birth=BIRTHS)
def test_nothing_of_a_newborn_comes_before_the_birth(birth: Birth) -> None:
    before, _ = stage_on(born(birth), birth.born_on - age.DAY)

    assert before in (Stage.WAITING, Stage.ANTENATAL, Stage.OVERDUE, Stage.HELD)


@pytest.mark.parametrize(
    ("known", "says"),
    [
        (expecting(date(2026, 12, 25)), "35+5 weeks of pregnancy"),
        (expecting(date(2026, 11, 25)), "due today"),
        (expecting(date(2026, 11, 20)), "5 days past the due date"),
        (born(Birth(born_on=date(2026, 11, 25), gestation_days=280)), "born today"),
        (born(Birth(born_on=date(2026, 11, 24), gestation_days=280)), "1 day old"),
        (born(Birth(born_on=date(2026, 10, 25), gestation_days=280)), "4 weeks 3 days old"),
        (born(Birth(born_on=date(2026, 5, 25), gestation_days=280)), "6 months (184 days) old"),
        (born(Birth(born_on=date(2026, 7, 26), gestation_days=280)), "3 months (122 days) old"),
        (born(Birth(born_on=date(2026, 11, 4), gestation_days=217)), "21 days old, born at 31+0, 34+0 weeks by now"),
    ],
)  # fmt: skip
def test_an_age_is_told_in_a_reviewers_words(known: Dates, says: str) -> None:
    assert age.describe(known, TODAY) == says
