"""The age engine: where a pregnancy stands on a local day, and which day number picks its content."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from babymind.errors import InvalidInputError

TERM_DAYS = 280  # 40+0
PRETERM_BELOW_DAYS = 259  # 37+0
VIABLE_FROM_DAYS = 154  # 22+0
BORN_BY_DAYS = 308  # 44+0
ANTENATAL_FROM = -84  # 28+0, counted from the due date
OVERDUE_LAST_DAY = 21
PROGRAMME_LAST_DAY = 365
DATES_MAY_DIFFER_DAYS = 14  # between the gestation given and the one that the due date implies

FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2999, 12, 31)
DAY = timedelta(days=1)


class Stage(StrEnum):
    """Where a pregnancy stands."""

    WAITING = "waiting"
    ANTENATAL = "antenatal"
    OVERDUE = "overdue"
    HELD = "held"  # more than 21 days past the due date and no birth told: a person asks, nothing is sent
    EARLY = "early"
    INFANT = "infant"
    COMPLETED = "completed"


SENDING_STAGES = frozenset({Stage.ANTENATAL, Stage.OVERDUE, Stage.EARLY, Stage.INFANT})


class AgeBasis(StrEnum):
    """Which age a day number counts."""

    CHRONOLOGICAL = "chronological"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """When an infant was born, and how early."""

    born_on: date
    gestation_days: int  # at birth; 39+4 is 277

    @property
    def preterm(self) -> bool:
        """Whether the birth was before 37+0 weeks."""
        return self.gestation_days < PRETERM_BELOW_DAYS

    @property
    def due_on(self) -> date:
        """The day on which 40+0 weeks would have been reached."""
        return self.born_on + timedelta(days=TERM_DAYS - self.gestation_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """What is known of one pregnancy. Build it with `dates`, which refuses what cannot be."""

    due_on: date
    birth: Birth | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The local days, first and last included, on which a pregnancy is in one stage.

    The day number on any of them is ``(day - zero).days``. Where siblings share a caregiver's day, ``turns`` of
    them take turns, and this one's come on the days whose ordinal leaves ``turn`` when divided by ``turns``.
    """

    stage: Stage
    first: date
    last: date
    zero: date
    turns: int = 1
    turn: int = 0


def dates(*, due_on: date | None, born_on: date | None, gestation_days: int | None, today: date) -> Dates:
    """Return the dates of a pregnancy, each filled from the others.

    Args:
        due_on: The day of 40+0 weeks, if known.
        born_on: The day of birth, if born.
        gestation_days: Gestational age at birth in days, if known; without it and without a due date a birth
            is taken to be at 40+0.
        today: The caregiver's local day.

    Raises:
        InvalidInputError: The dates cannot be; the text says why and what would be right.
    """
    if due_on is None and born_on is None:
        raise InvalidInputError("A due date or a birth date is needed, for example 2026-03-08.")
    if born_on is None:
        if gestation_days is not None:
            raise InvalidInputError("Gestation at birth is given without a birth date; add the birth date.")
        assert due_on is not None  # noqa: S101 - for the type checker; the first test above rules it out
        return _unborn(due_on, today)
    if born_on > today:
        raise InvalidInputError(
            f"The birth date {born_on} is in the future; today is {today}. For a baby not born yet give the due date."
        )
    return Dates(due_on=due_on or _birth(born_on, None, gestation_days).due_on,
                 birth=_birth(born_on, due_on, gestation_days))  # fmt: skip


def _unborn(due_on: date, today: date) -> Dates:
    days_left = (due_on - today).days
    if days_left > TERM_DAYS:
        raise InvalidInputError(
            f"The due date {due_on} is more than 40 weeks away; today is {today}. Check the year."
        )
    if -days_left > BORN_BY_DAYS - TERM_DAYS:
        raise InvalidInputError(
            f"The due date {due_on} is more than 4 weeks past; today is {today}. Give the birth date."
        )
    return Dates(due_on=due_on)


def _birth(born_on: date, due_on: date | None, gestation_days: int | None) -> Birth:
    implied = None if due_on is None else TERM_DAYS - (due_on - born_on).days
    if gestation_days is not None:
        _require_gestation(gestation_days, "Gestation at birth")
        if implied is not None and abs(implied - gestation_days) > DATES_MAY_DIFFER_DAYS:
            raise InvalidInputError(
                f"The due date {due_on} and the birth date {born_on} make {weeks(implied)} weeks at birth, "
                f"not {weeks(gestation_days)}; correct one of them."
            )
        return Birth(born_on=born_on, gestation_days=gestation_days)
    if implied is not None:
        _require_gestation(implied, f"By the due date {due_on}, a birth on {born_on}")
        return Birth(born_on=born_on, gestation_days=implied)
    return Birth(born_on=born_on, gestation_days=TERM_DAYS)


def _require_gestation(gestation_days: int, what: str) -> None:
    if not VIABLE_FROM_DAYS <= gestation_days <= BORN_BY_DAYS:
        raise InvalidInputError(
            f"{what} is at {weeks(gestation_days)} weeks; a birth is between 22+0 and 44+0 weeks."
        )


def weeks(gestation_days: int) -> str:
    """Return gestational age as people say it: 277 days is ``39+4``."""
    whole, days = divmod(gestation_days, 7)
    return f"{whole}+{days}"


def parse_gestation(text: str) -> int:
    """Return days from weeks+days: ``39+4`` is 277, ``39`` is 273."""
    whole, _, days = text.strip().partition("+")
    if not (whole.isdecimal() and (days or "0").isdecimal() and int(days or "0") < 7 and len(whole) <= 2):
        raise InvalidInputError(f"'{text}' is not a gestation; write weeks+days such as 39+4 (days 0 to 6).")
    return int(whole) * 7 + int(days or "0")


def second_birthday(born_on: date) -> date:
    """Return the day on which a child turns two; for a birth on 29 February, 1 March."""
    try:
        return born_on.replace(year=born_on.year + 2)
    except ValueError:
        return date(born_on.year + 2, 3, 1)


def chronological_age_days(birth: Birth, on: date) -> int:
    """Return whole days since birth."""
    if on < birth.born_on:
        raise InvalidInputError(f"{on} is before the birth on {birth.born_on}.")
    return (on - birth.born_on).days


def corrected_age_days(birth: Birth, on: date) -> int:
    """Return the corrected age on a day: for a preterm infant, less the days missing to 40+0.

    Args:
        birth: Day of birth, and gestational age in days.
        on: Day in the family's own time zone.

    Returns:
        Whole days; negative until a preterm infant reaches the due date. From the second birthday on it is
        the chronological age.

    Raises:
        InvalidInputError: ``on`` is before the birth.

    Source: NICE NG72 (2017), corrected age up to 2 years; AAP, Pediatrics 2004;114:1362-1364.
    """
    days = chronological_age_days(birth, on)
    corrects = birth.preterm and on < second_birthday(birth.born_on)
    return days - (TERM_DAYS - birth.gestation_days) if corrects else days


def stages(known: Dates) -> tuple[Span, ...]:
    """Return the stages of a pregnancy in order: every day from 1900 to 2999 lies in exactly one span."""
    if known.birth is None:
        return _unborn_stages(known.due_on, LAST_DAY)
    birth = known.birth
    before = _unborn_stages(known.due_on, birth.born_on - DAY)
    zero = birth.due_on if birth.preterm else birth.born_on
    early = (
        [Span(stage=Stage.EARLY, first=birth.born_on, last=zero - DAY, zero=birth.born_on)] if birth.preterm else []
    )
    last = zero + timedelta(days=PROGRAMME_LAST_DAY)
    infant = Span(stage=Stage.INFANT, first=zero, last=last, zero=zero)
    completed = Span(stage=Stage.COMPLETED, first=last + DAY, last=LAST_DAY, zero=zero)
    return (*before, *early, infant, completed)


def _unborn_stages(due_on: date, until: date) -> tuple[Span, ...]:
    antenatal = due_on + timedelta(days=ANTENATAL_FROM)
    held = due_on + timedelta(days=OVERDUE_LAST_DAY + 1)
    spans = (
        Span(stage=Stage.WAITING, first=FIRST_DAY, last=antenatal - DAY, zero=due_on),
        Span(stage=Stage.ANTENATAL, first=antenatal, last=due_on - DAY, zero=due_on),
        Span(stage=Stage.OVERDUE, first=due_on, last=held - DAY, zero=due_on),
        Span(stage=Stage.HELD, first=held, last=LAST_DAY, zero=due_on),
    )
    return tuple(
        Span(stage=span.stage, first=span.first, last=min(span.last, until), zero=span.zero)
        for span in spans
        if span.first <= until
    )


def share_days(families: Sequence[Sequence[Span]], sending: Sequence[bool]) -> list[tuple[Span, ...]]:
    """Split the stages of one family's pregnancies so that on every day it is known who takes turns with whom.

    On the first day that several have something to send, the youngest is first; the others follow day by day.

    Args:
        families: The stages of each pregnancy, as `stages` returns them.
        sending: Whether anything is sent about each: not about one that is lost or held.

    Returns:
        The stages of each pregnancy again, cut where the number of those that take turns changes.
    """
    if sum(sending) < 2:
        return [tuple(spans) for spans in families]
    rivals = [index for index, sends in enumerate(sending) if sends]
    cuts = sorted({span.first for index in rivals for span in families[index]})
    return [
        tuple(
            _with_turn(families, rivals, index, piece) if sending[index] else piece
            for span in spans
            for piece in (_pieces(span, cuts) if sending[index] else [span])
        )
        for index, spans in enumerate(families)
    ]


def _pieces(span: Span, cuts: Sequence[date]) -> list[Span]:
    firsts = [span.first, *(cut for cut in cuts if span.first < cut <= span.last)]
    lasts = [*(first - DAY for first in firsts[1:]), span.last]
    return [replace(span, first=first, last=last) for first, last in zip(firsts, lasts, strict=True)]


def _with_turn(families: Sequence[Sequence[Span]], rivals: Sequence[int], index: int, piece: Span) -> Span:
    there = [(_span_on(families[rival], piece.first), rival) for rival in rivals]
    busy = sorted(
        ((span.zero, -rival) for span, rival in there if span.stage in SENDING_STAGES), reverse=True
    )  # youngest first
    if piece.stage not in SENDING_STAGES or len(busy) < 2:
        return piece
    rank = busy.index((piece.zero, -index))
    return replace(piece, turns=len(busy), turn=(piece.first.toordinal() + rank) % len(busy))


def _span_on(spans: Sequence[Span], day: date) -> Span:
    return next(span for span in spans if span.first <= day <= span.last)


def has_turn(span: Span, day: date, daily_cap: int) -> bool:
    """Tell whether a pregnancy is among the ``daily_cap`` of its siblings that have a day."""
    return (day.toordinal() - span.turn) % span.turns < daily_cap


def stage_on(known: Dates, day: date) -> tuple[Stage, int]:
    """Return the stage of a pregnancy on a local day, and its day number."""
    span = next(span for span in stages(known) if span.first <= day <= span.last)
    return span.stage, (day - span.zero).days


def describe(known: Dates, day: date) -> str:
    """Return a baby's age on a day in a reviewer's words."""
    stage, age_day = stage_on(known, day)
    if known.birth is None or day < known.birth.born_on:
        if age_day < 0:
            return f"{weeks(TERM_DAYS + age_day)} weeks of pregnancy"
        return "due today" if age_day == 0 else f"{_count(age_day, 'day')} past the due date"
    lived = chronological_age_days(known.birth, day)
    said = "born today" if lived == 0 else f"{_age(known.birth.born_on, day)} old"
    if not known.birth.preterm or day >= second_birthday(known.birth.born_on):
        return said
    born_at = f"born at {weeks(known.birth.gestation_days)}"
    if stage is Stage.EARLY:
        return f"{said}, {born_at}, {weeks(known.birth.gestation_days + lived)} weeks by now"
    return f"{said}, {_age(known.birth.due_on, day)} corrected, {born_at}"


def _age(zero: date, day: date) -> str:
    """Say an age in days, weeks or calendar months, as parents count it."""
    days = (day - zero).days
    if days < 28:
        return _count(days, "day")
    if days < 112:
        whole, rest = divmod(days, 7)
        return _count(whole, "week") + (f" {_count(rest, 'day')}" if rest else "")
    months = (day.year - zero.year) * 12 + day.month - zero.month - (day.day < zero.day)
    return f"{months} months ({days} days)"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
