"""Steering by text: the words that ask for something, read with the day, the pause or the times that they name.

No pattern here ever sees more than a short text, so none can be made slow.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import NamedTuple

from babymind.domain.age import BORN_BY_DAYS, VIABLE_FROM_DAYS
from babymind.domain.reply import Keyword, folded, plain, read_keyword, too_long

LONGEST_STEERING = 80  # folded characters
LONGEST_PAUSE_DAYS = 90
MOST_TIMES = 2  # one for the fact, one for the prompt
BORN_WITHIN_DAYS = 300  # where no year is written: further back, another year may be meant
BORN_WITHIN_DAYS_OF_A_YEAR = 730  # where one is: further back, it is somebody else's birthday
UNCLEAR_WORDS = 6  # a message of more words that only opens like a keyword is an ordinary answer
NEGATED_WORDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Steering:
    """What a message asks for, with what it says besides the word."""

    keyword: Keyword
    born_on: date | None = None  # BORN 12 March, BORN today
    gestation_days: int | None = None  # at birth: BORN 12 March 39+4, BORN today at 36 weeks
    pause_days: int | None = None  # PAUSE 7, PAUSE 2 weeks
    times: tuple[time, ...] = ()  # TIME 8am; TIME 8am 6:30pm: in the order written, at most two
    perhaps: Keyword | None = field(default=None, compare=False)  # of an unclear one, with which word it opens


UNCLEAR = Steering(keyword=Keyword.UNCLEAR)


class _NotTakenError(Exception):
    """What follows the word can be read, but not carried out: a day to come, a third time, a pause of a year."""


def read_steering(text: str, words: Mapping[str, str], *, today: date) -> Steering | None:
    """Return what a message asks for; None for an ordinary answer.

    A message steers in two ways only. Either the whole of it is a known phrase, or it opens with a phrase of BORN,
    PAUSE or TIME and all the rest is what that word takes:

    - BORN: a day, a gestation at birth, or both. The day is today, yesterday, "this morning", "last night"
      (yesterday), a weekday (the last such day, today included) or a date. Without a year it is the latest such day.
    - PAUSE: 1 to 90 days, said as days, weeks, months of 30 days, or "until" a day to come.
    - TIME: one or two times of day. An hour from 1 to 7 needs am or pm.

    Case, punctuation, spaces, look-alike letters, emoji and a closing "please" or "thank you" do not matter.

    It is UNCLEAR, so that a person looks and nothing is carried out:

    - when that rest can be read but not taken: a day in the future, too long ago or, like 12/3, perhaps another
      day; a gestation outside 22+0 to 44+0; a pause outside 1 to 90 days; a third time; an hour that may be two;
    - when it has at most 6 words and opens with a phrase of STOP, START, PAUSE, RESUME, LOSS or WRONG_NUMBER;
    - when it has at most 6 words, opens with a phrase of BORN or TIME, and some word of the rest is of a day (has a
      digit; a month, a weekday, "today", "weeks" ...) or of a clock (has a digit; "pm", "noon" ...): "born to
      dance" and "time for bed" have none, and are ordinary answers;
    - when it has at most 8 words and is a STOP turned round: "don't stop", "I do not want to stop".

    Args:
        text: The message; any text at all, of any length. Beyond 80 folded characters nothing steers.
        words: Folded phrase to keyword, from ``content/triage/keywords.yaml``.
        today: The caregiver's local day when it was sent.
    """
    whole = read_keyword(text, words)
    if whole is not None:
        return Steering(keyword=whole)
    if too_long(text, LONGEST_STEERING):
        return None
    keyword, rest = _opening(_pieces(text), words)
    if keyword is not None:
        try:
            read = _read_rest(keyword, rest, today)
        except _NotTakenError:
            return Steering(keyword=Keyword.UNCLEAR, perhaps=keyword)
        if read is not None:
            return read
    count = sum(any(map(str.isalnum, word)) for word in plain(text).split())
    meant = count <= UNCLEAR_WORDS and keyword is not None and _looks_meant(keyword, rest)
    if meant:
        return Steering(keyword=Keyword.UNCLEAR, perhaps=keyword)
    return UNCLEAR if count <= NEGATED_WORDS and _turns_stop_round(folded(text)) else None


# From text to pieces: numbers with what holds them together (39+4, 18:30, 12/3, 2026-03-12), words, lone dashes.
# A dash is kept, for "8am - 6pm" is a span and not two times; so is the slash of a fraction, for 39½ is not 391.
_PIECE = re.compile(r"[0-9]+(?:(?:[.:/\u2044-]| ?\+ ?)[0-9]+)*|[^\W\d_]+|(?<![^\W\d_])-|-(?![^\W\d_])")
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2012\u2013\u2014\u2015\u2212", "-"))
_APOSTROPHES = frozenset("'`\u2018\u2019")
_COURTESY = re.compile(r"(?:(?:^| )(?:please|pls|plz|thanks|thank you|thankyou|ta|cheers|diolch|x+))+$")


def _pieces(text: str) -> list[str]:
    kept = "".join(
        str(unicodedata.decimal(letter, letter))  # digits of any script as plain ones
        for letter in plain(text).translate(_DASHES)
        if letter not in _APOSTROPHES and not unicodedata.category(letter).startswith("M")  # the mark of a keycap
    )
    return [piece.replace(" ", "") for piece in _PIECE.findall(" ".join(kept.split()))]


def _opening(pieces: list[str], words: Mapping[str, str]) -> tuple[Keyword | None, list[str]]:
    """Return the keyword of the longest phrase that a message opens with, and what follows it."""
    for end in range(len(pieces), 0, -1):
        found = words.get(" ".join(pieces[:end]))
        if found:
            return Keyword(found), pieces[end:]
    return None, pieces


def _read_rest(keyword: Keyword, rest: list[str], today: date) -> Steering | None:
    """Return what is asked for, if the rest is nothing, or all of it is what the word takes."""
    reader = _READERS.get(keyword)
    said = _COURTESY.sub("", " ".join(rest)) if reader else " ".join(rest)
    if not said:
        return Steering(keyword=keyword)
    return reader(said.removeprefix("- "), today) if reader else None


# Days. A name may be cut short, to three letters at least.
_MONTHS = (
    ("january", "ionawr"), ("february", "chwefror"), ("march", "mawrth"), ("april", "ebrill"), ("may", "mai"),
    ("june", "mehefin"), ("july", "gorffennaf"), ("august", "awst"), ("september", "medi"),
    ("october", "hydref"), ("november", "tachwedd"), ("december", "rhagfyr"),
)  # fmt: skip
_WEEKDAYS = (("monday",), ("tuesday",), ("wednesday", "weds"), ("thursday",), ("friday",), ("saturday",), ("sunday",))
_PARTS = ("morning", "afternoon", "evening", "night")
# A night lies in two days, and nobody says in which the birth fell: people mean the day on which the night began.
_DAYS_AGO = {
    "today": 0, "tonight": 0, "now": 0, "just now": 0, "heddiw": 0,
    "yesterday": 1, "last night": 1, "ddoe": 1, "neithiwr": 1,
    **{f"this {part}": 0 for part in _PARTS}, **{f"yesterday {part}": 1 for part in _PARTS},
}  # fmt: skip


class _Written(NamedTuple):
    """A date as somebody wrote it, possible or not."""

    year: int | None
    month: int
    day: int
    weekday: int | None = None


_TWO_DAYS = _Written(None, 0, 0)  # day or month first, nobody can say: in no year is it a day

_ORDINAL = r"(?:the )?(?P<day>[0-9]{1,2})(?: (?:st|nd|rd|th))?"
_YEAR = r"(?: (?P<year>[0-9]{4}))?"
_NAMED = (
    re.compile(rf"(?:(?!the )(?P<weekday>[^\W\d]+) )?{_ORDINAL}(?: of)? (?P<month>[^\W\d]+){_YEAR}"),
    re.compile(rf"(?:(?!the )(?P<weekday>[^\W\d]+) )?(?P<month>[^\W\d]+) {_ORDINAL}{_YEAR}"),
)
_YEAR_FIRST = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
_YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})")
_SLASHED = re.compile(r"([0-9]{1,2})/([0-9]{1,2})")  # a dot or a hyphen may hold a gestation together


def _number(name: str, names: tuple[tuple[str, ...], ...]) -> int | None:
    """Return which of the names, counted from 0, a word is or begins."""
    if len(name) < 3:
        return None
    return next((at for at, known in enumerate(names) if any(full.startswith(name) for full in known)), None)


def _written(said: str) -> _Written | None:
    """Return the date that a whole text is; None where it is something else."""
    if found := _YEAR_FIRST.fullmatch(said):
        return _Written(int(found[1]), int(found[3]), int(found[4]))
    if found := _YEAR_LAST.fullmatch(said):
        year = int(found[4]) if len(found[4]) == 4 else 2000 + int(found[4])
        first, second = int(found[1]), int(found[3])
        if first > 12 or first == second:
            return _Written(year, second, first)
        return _Written(year, first, second) if second > 12 else _TWO_DAYS
    if found := _SLASHED.fullmatch(said):
        day, month = int(found[1]), int(found[2])  # 3/25 may be a month and a year, so it is no date
        return _Written(None, month, day) if day > 12 or day == month else _TWO_DAYS
    for pattern in _NAMED:
        found = pattern.fullmatch(said)
        named = _number(found["month"], _MONTHS) if found else None
        if found is None or named is None:
            continue
        weekday = _number(found["weekday"], _WEEKDAYS) if found["weekday"] else None
        if found["weekday"] and weekday is None:
            continue
        return _Written(int(found["year"]) if found["year"] else None, named + 1, int(found["day"]), weekday)
    return None


def _in_years(written: _Written, years: tuple[int, ...]) -> list[date]:
    """Return the days that it is in these years, or in the year written; on the weekday, if one is written."""
    found = []
    for year in years if written.year is None else (written.year,):
        try:
            day = date(year, written.month, written.day)
        except ValueError:
            continue
        if written.weekday in (None, day.weekday()):
            found.append(day)
    return found


def _weekday_of(said: str) -> int | None:
    """Return the weekday that a whole text names: "tuesday", "tues", "tuesday night"."""
    name, _, part = said.partition(" ")
    return _number(name, _WEEKDAYS) if not part or part in _PARTS else None


# BORN
_BEFORE_BIRTH = re.compile(r"^(?:(?:on|at|and|the|baby|our|my|was|is)(?: |$))+")
_WEEKS = r"(?:weeks?|wks?|w|wythnos)"
_GESTATION = (
    r"(?:(?:and|at) )*(?P<weeks>[0-9]{1,2})"
    rf"(?:\+(?P<days>[0-9])(?: {_WEEKS})?| {_WEEKS}(?: (?:and )?(?P<more>[0-9]) (?:days?|d|diwrnod))?)(?: gestation)?"
)
_GESTATION_LAST = re.compile(rf"(?:^| ){_GESTATION}$")
_GESTATION_FIRST = re.compile(rf"^{_GESTATION} ")


def _born(said: str, today: date) -> Steering | None:
    said = _BEFORE_BIRTH.sub("", said.replace(" -", ""))
    found = _GESTATION_LAST.search(said) or _GESTATION_FIRST.search(said)
    if found is None:
        day = _birthday(said, today)
        return Steering(keyword=Keyword.BORN, born_on=day) if day else None
    rest = _BEFORE_BIRTH.sub("", said[: found.start()] + said[found.end() :])
    day = _birthday(rest, today) if rest else None
    if rest and day is None:
        return None
    days = int(found["days"] or found["more"] or 0)
    gestation_days = int(found["weeks"]) * 7 + days
    if days > 6 or not VIABLE_FROM_DAYS <= gestation_days <= BORN_BY_DAYS:
        raise _NotTakenError
    return Steering(keyword=Keyword.BORN, born_on=day, gestation_days=gestation_days)


def _birthday(said: str, today: date) -> date | None:
    """Return the day of a birth; None where the text is no day.

    Raises:
        _NotTakenError: It is a day, but may be another one, is in the future or is too long ago.
    """
    weekday = _weekday_of(said)
    ago = _DAYS_AGO.get(said) if weekday is None else (today.weekday() - weekday) % 7
    if ago is not None:
        return today - timedelta(days=ago)
    written = _written(said)
    if written is None:
        return None
    within = BORN_WITHIN_DAYS if written.year is None else BORN_WITHIN_DAYS_OF_A_YEAR
    for day in _in_years(written, (today.year, today.year - 1)):
        if 0 <= (today - day).days <= within:
            return day
    raise _NotTakenError


# PAUSE
_COUNTS = ("a", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")  # of which a is 1
_UNITS = {"d": 1, "w": 7, "f": 14, "m": 30}  # by first letter, in days
_FOR = re.compile(
    rf"(?:for )?(?:the next )?(?:(?P<number>[0-9]+)|(?P<word>{'|'.join(_COUNTS)})(?= ))"
    rf"(?: (?P<unit>days?|d|diwrnod|{_WEEKS}|fortnights?|months?))?"
)
_UNTIL = re.compile(r"(?:until|till|til) (?:on )?(.+)")


def _pause(said: str, today: date) -> Steering | None:
    if until := _UNTIL.fullmatch(said):
        days = _days_until(until[1], today)
    elif span := _FOR.fullmatch(said):
        count = int(span["number"]) if span["number"] else max(1, _COUNTS.index(span["word"]))
        days = count * _UNITS[(span["unit"] or "days")[0]]
    else:
        return None
    if days is None:
        return None
    if not 1 <= days <= LONGEST_PAUSE_DAYS:
        raise _NotTakenError
    return Steering(keyword=Keyword.PAUSE, pause_days=days)


def _days_until(said: str, today: date) -> int | None:
    """Return how far off the next such day is, today left out; 0 where there is none to come; None for no day."""
    if said == "tomorrow":
        return 1
    weekday = _weekday_of(said)
    if weekday is not None:
        return (weekday - today.weekday() - 1) % 7 + 1
    written = _written(said)
    if written is None:
        return None
    days = _in_years(written, (today.year, today.year + 1))
    return next(((day - today).days for day in days if day > today), 0)


# TIME
_BEFORE_TIMES = re.compile(r"^(?:(?:to|at|for|is)(?: |$))+")
_BETWEEN_TIMES = re.compile(r"^ (?:and )?(?:then )?(?:at )?")
_CLOCK = re.compile(
    r"(?:(?:12 )?(?P<name>noon|midday|midnight)"
    r"|(?:(?P<hour>[0-9]{1,2})(?:[:.](?P<minute>[0-9]{2}))?|(?P<hours>[0-9]{2})(?P<minutes>[0-9]{2}))"
    r"(?: o ?clock)?(?: (?P<half>[ap]) ?m)?)(?= |$)"
)


def _times(said: str, _today: date) -> Steering | None:
    rest, found = _BEFORE_TIMES.sub("", said), []
    while rest:
        one = _CLOCK.match(rest)
        if one is None:
            return None
        found.append(one)
        rest = _BETWEEN_TIMES.sub("", rest[one.end() :])
    if len(found) > MOST_TIMES:
        raise _NotTakenError
    return Steering(keyword=Keyword.TIME, times=tuple(map(_clock, found))) if found else None


def _clock(found: re.Match[str]) -> time:
    """Return the time of day.

    Raises:
        _NotTakenError: There is no such time, or without am and pm there may be two.
    """
    if found["name"]:
        return time(0 if found["name"] == "midnight" else 12)
    hour, minute = int(found["hour"] or found["hours"]), int(found["minute"] or found["minutes"] or 0)
    half = found["half"]
    early = half == "a" and not 1 <= hour <= 12
    unsaid = half is None and (1 <= hour <= 7 or (hour == 0 and not (found["minute"] or found["minutes"])))
    if early or unsaid or (half == "p" and hour == 0) or hour > 23 or minute > 59:
        raise _NotTakenError
    if half and hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    return time(hour, minute)


_READERS: Mapping[Keyword, Callable[[str, date], Steering | None]] = {
    Keyword.BORN: _born, Keyword.PAUSE: _pause, Keyword.TIME: _times,
}  # fmt: skip

# What is no steering after all, and what may be.
_STEERING = frozenset(
    {Keyword.STOP, Keyword.START, Keyword.PAUSE, Keyword.RESUME, Keyword.LOSS, Keyword.WRONG_NUMBER}
)
_OF_A_DAY = frozenset({*_PARTS, "today", "tonight", "tomorrow", "yesterday", "now", "ago", "day", "days", "week",
                       "weeks", "month", "hour", "hours", "heddiw", "ddoe", "neithiwr", "dydd"})  # fmt: skip
_OF_A_CLOCK = frozenset({"noon", "midday", "midnight", "oclock", "pm"})
# "They don't stop" is about the baby; without a subject, or with I or we, it may be about us.
_TURNED_ROUND = re.compile(
    r"(?:(?:please|pls|no|oh|but|just|really|i|we) )*(?:dont|don t|do not|didnt mean|did not mean) (?:.* )?"
    r"(?:stop|unsubscribe|cancel)"
)


def _looks_meant(keyword: Keyword, rest: list[str]) -> bool:
    """Tell whether a message that opens with a phrase may steer, though the rest cannot be read."""
    if keyword is Keyword.BORN:
        return any(
            piece[0].isdecimal() or piece in _OF_A_DAY or _number(piece, (*_MONTHS, *_WEEKDAYS)) is not None
            for piece in rest
        )
    if keyword is Keyword.TIME:
        return any(piece[0].isdecimal() or piece in _OF_A_CLOCK for piece in rest)
    return keyword in _STEERING


def _turns_stop_round(said: str) -> bool:
    return _TURNED_ROUND.match(said) is not None
