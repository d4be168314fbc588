"""The words by which a parent steers by text, in parents' own words; and what is an ordinary answer after all."""

import time as clock
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from babymind.domain.age import BORN_BY_DAYS, VIABLE_FROM_DAYS
from babymind.domain.reply import Keyword, folded
from babymind.domain.words import LONGEST_PAUSE_DAYS, Steering, read_steering

ENTRIES: list[dict[str, Any]] = yaml.load(
    (Path(__file__).parents[2] / "content/triage/keywords.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader
)["keywords"]
PHRASES = [(word, entry["keyword"]) for entry in ENTRIES for language in entry["words"].values() for word in language]
WORDS = {folded(word): keyword for word, keyword in PHRASES}

TODAY = date(2026, 3, 18)  # a Wednesday
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))


def read(text: str, today: date = TODAY) -> Steering | None:
    return read_steering(text, WORDS, today=today)


def keyword_of(text: str, today: date = TODAY) -> Keyword | None:
    steering = read(text, today)
    return steering.keyword if steering else None


@pytest.mark.parametrize(
    ("text", "born_on"),
    [
        ("BORN today", "2026-03-18"),
        ("Born today!! 🎉👶", "2026-03-18"),
        ("born just now", "2026-03-18"),
        ("Born this morning", "2026-03-18"),
        ("BORN yesterday", "2026-03-17"),
        ("born yesterday evening xx", "2026-03-17"),
        ("Born last night", "2026-03-17"),
        ("BORN on Tuesday", "2026-03-17"),
        ("born tues night", "2026-03-17"),
        ("Born Wednesday", "2026-03-18"),
        ("Born on Thursday", "2026-03-12"),
        ("BORN 12 March", "2026-03-12"),
        ("BORN12March", "2026-03-12"),
        ("BORN - 12 March.", "2026-03-12"),
        ("BORN March 12", "2026-03-12"),
        ("BORN 12th of March", "2026-03-12"),
        ("BORN on the 12th of March", "2026-03-12"),
        ("BORN 12 Mar 2026", "2026-03-12"),
        ("Born March 12th, 2026", "2026-03-12"),
        ("born Thursday 12 March", "2026-03-12"),
        ("born Thursday the 12th of March", "2026-03-12"),
        ("BORN 12-Mar-2026", "2026-03-12"),
        ("BORN 2026-03-12", "2026-03-12"),
        ("BORN 2026–03–12", "2026-03-12"),
        ("BORN 13/3", "2026-03-13"),
        ("BORN 3/3", "2026-03-03"),
        ("BORN 13/03/2026", "2026-03-13"),
        ("BORN 13.3.26", "2026-03-13"),
        ("BORN 03/13/2026", "2026-03-13"),
        ("BORN 1 December", "2025-12-01"),
        ("BORN 25/12/25", "2025-12-25"),
        ("BORN 12 March 2025", "2025-03-12"),
        ("Baby's here! 12 March", "2026-03-12"),
        ("Our baby has arrived on the 12th of March, thank you", "2026-03-12"),
        ("BORN baby on 12 March please", "2026-03-12"),
        ("Ganwyd ddoe", "2026-03-17"),
        ("Ganwyd 12 Mawrth", "2026-03-12"),
        ("ＢＯＲＮ　１２　ｍａｒｃｈ", "2026-03-12"),
        ("ВОRN ١٢ Маrсh".replace("М", "M"), "2026-03-12"),
        ("B\u200bORN tod\u200day", "2026-03-18"),
    ],
)
def test_a_birth_is_told_with_its_day(text: str, born_on: str) -> None:
    assert read(text) == Steering(keyword=Keyword.BORN, born_on=date.fromisoformat(born_on))


@pytest.mark.parametrize(
    ("text", "born_on", "gestation_days"),
    [
        ("BORN 12 March 39+4", "2026-03-12", 277),
        ("BORN 12 March, 39 + 4", "2026-03-12", 277),
        ("BORN 12 March at 39+4 weeks", "2026-03-12", 277),
        ("BORN 13/3 39 weeks", "2026-03-13", 273),
        ("BORN today at 36 weeks", "2026-03-18", 252),
        ("BORN today 36w", "2026-03-18", 252),
        ("BORN yesterday 36 weeks 2 days", "2026-03-17", 254),
        ("BORN yesterday, 36wks and 2 days please", "2026-03-17", 254),
        ("Baby born at 36 weeks on 12 March", "2026-03-12", 252),
        ("BORN 36 weeks 12 March", "2026-03-12", 252),
        ("BORN at 36 weeks gestation", None, 252),
        ("BORN 22+0", None, 154),
        ("BORN 44+0", None, 308),
    ],
)
def test_a_birth_is_told_with_its_gestation(text: str, born_on: str | None, gestation_days: int) -> None:
    day = date.fromisoformat(born_on) if born_on else None

    assert read(text) == Steering(keyword=Keyword.BORN, born_on=day, gestation_days=gestation_days)


@pytest.mark.fault(108)
@pytest.mark.parametrize(
    "text",
    [
        "BORN 12/3", "BORN 12/03/2026", "BORN 3/13",  # which is the month?
        "BORN tomorrow", "BORN 20 March 2026", "Our baby has arrived on the 20th of April 2026",
        "BORN 19 March", "BORN 21 May", "BORN 12 March 1985",  # too long ago, without a year and with one
        "BORN 31 February", "BORN 29 Feb", "BORN 0 March", "BORN Tuesday 12 March", "BORN 12", "BORN last Tuesday",
        "BORN 12 - 14 March", "BORN 12 March 39", "BORN 12 March 3 weeks", "BORN 45+0", "BORN 39+7", "BORN 39½ weeks",
        "BORN 36 weeks 9 days", "BORN 36 weeks ago", "BORN 3 weeks early", "BORN 12 March girl 7lb",
        "BORN around 12 March", "BORN today but she died", "Ganwyd dydd Llun",
    ],
)  # fmt: skip
def test_a_day_that_is_not_sure_is_for_a_person(text: str) -> None:
    assert read(text) == Steering(keyword=Keyword.UNCLEAR)


@pytest.mark.parametrize(
    ("today", "text", "born_on"),
    [
        (date(2026, 1, 2), "BORN 30 December", date(2025, 12, 30)),
        (date(2026, 1, 1), "BORN yesterday", date(2025, 12, 31)),
        (date(2028, 3, 1), "BORN 29 Feb", date(2028, 2, 29)),
        (date(2026, 11, 25), "BORN 29 January", date(2026, 1, 29)),  # 300 days
        (date(2026, 11, 25), "BORN 28 January", None),
        (date(2026, 11, 25), "BORN 26 November", None),  # a year ago less a day, or tomorrow
    ],
)
def test_a_day_without_a_year_is_the_latest_one(today: date, text: str, born_on: date | None) -> None:
    keyword = Keyword.BORN if born_on else Keyword.UNCLEAR

    assert read(text, today) == Steering(keyword=keyword, born_on=born_on)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("PAUSE 7", 7), ("pause7", 7), ("PAUSE: 7 days", 7), ("PAUSE a day", 1), ("PAUSE a week", 7),
        ("Pause for one week please", 7), ("pause for 2 weeks", 14), ("Please pause for two weeks x", 14),
        ("pause 2wks", 14), ("pause for the next 3 days", 3), ("pause a fortnight", 14), ("pause for a month", 30),
        ("PAUSE 90", 90), ("PAUSE 1", 1), ("pause messages until 12 April", 25), ("pause until the 1st of April", 14),
        ("pause until 2026-04-01", 14), ("pause until Monday", 5), ("pause till Wednesday", 7),
        ("PAUSE until tomorrow", 1), ("saib 7 diwrnod", 7), ("PAUSE ７", 7),
    ],
)  # fmt: skip
def test_a_pause_says_how_long(text: str, days: int) -> None:
    assert read(text) == Steering(keyword=Keyword.PAUSE, pause_days=days)


def test_a_pause_may_end_in_the_next_year() -> None:
    assert read("PAUSE until 2 January", date(2026, 12, 30)) == Steering(keyword=Keyword.PAUSE, pause_days=3)


@pytest.mark.parametrize(
    "text",
    [
        "PAUSE 0", "PAUSE 91", "PAUSE 99999999999999999999", "PAUSE for a year", "PAUSE 14 weeks", "pause 7-10 days",
        "pause 7 - 10 days", "pause 1.5 weeks", "pause a few days", "pause until today", "pause until 12 March 2026",
        "pause until 17 March", "pause until 12/4", "pause until 31 June", "pause until they sleep", "pause and look",
        "please pause the messages until the 17th of March 2027",
    ],
)  # fmt: skip
def test_a_pause_that_is_not_sure_is_for_a_person(text: str) -> None:
    assert read(text) == Steering(keyword=Keyword.UNCLEAR)


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("TIME 8am", [time(8)]), ("TIME8AM", [time(8)]), ("TIME 8", [time(8)]), ("TIME 12", [time(12)]),
        ("TIME 18:30", [time(18, 30)]), ("TIME 1830", [time(18, 30)]), ("TIME 18.30!", [time(18, 30)]),
        ("time 8.30 am", [time(8, 30)]), ("time 8:30 a.m.", [time(8, 30)]), ("time 9 p.m. please", [time(21)]),
        ("TIME 6:30pm", [time(18, 30)]), ("TIME 7am", [time(7)]), ("TIME 12am", [time(0)]), ("TIME 12pm", [time(12)]),
        ("TIME 13pm", [time(13)]), ("TIME 00:15", [time(0, 15)]), ("time 8 o'clock", [time(8)]),
        ("time 8 oclock pm", [time(20)]), ("TIME noon", [time(12)]), ("time midday", [time(12)]),
        ("time 12 noon", [time(12)]), ("time midnight", [time(0)]), ("change time to 9am", [time(9)]),
        ("Please change the time to 9am, thank you", [time(9)]), ("amser 8", [time(8)]),
        ("TIME 8am and 6pm", [time(8), time(18)]), ("TIME 8am 6:30pm", [time(8), time(18, 30)]),
        ("TIME 8am, 6pm", [time(8), time(18)]), ("times 8am & 6pm", [time(8), time(18)]),
        ("TIME noon and 18:00", [time(12), time(18)]), ("TIME 6pm 8am", [time(18), time(8)]),
        ("Please change the time to 8 a.m. and then 6 p.m.", [time(8), time(18)]),
    ],
)  # fmt: skip
def test_times_are_chosen(text: str, times: list[time]) -> None:
    assert read(text) == Steering(keyword=Keyword.TIME, times=tuple(times))


@pytest.mark.parametrize(
    "text",
    [
        "TIME 7", "TIME 1", "TIME 6:30", "TIME 0630", "TIME 0", "TIME 24", "TIME 25:00", "TIME 8:60", "TIME 13am",
        "TIME 0pm", "TIME 8am 12pm 6pm", "change the time to 8am, noon, 4pm and 6pm please", "TIME 8am-6pm",
        "TIME 8am – 6pm", "TIME 8-9", "TIME 8am or 9am", "TIME 8 ambulances", "time 8:30:00", "time eight pm",
        "TIME 8am and",
    ],
)  # fmt: skip
def test_times_that_are_not_sure_are_for_a_person(text: str) -> None:
    assert read(text) == Steering(keyword=Keyword.UNCLEAR)


@pytest.mark.parametrize(
    "text",
    [
        "don't stop", "Don’t stop!!", "dont stop please", "please do not stop the messages", "I don't want to stop",
        "No, don't stop", "I didn't mean to stop", "we really don't want to unsubscribe", "Do not cancel",
        "stop it, that laugh!", "Stop and look", "stop at once you lot", "start of the day", "start again tomorrow",
        "resume on Monday", "Stop? Never!", "our baby died on Friday", "we lost the baby on Sunday",
        "loss of sleep", "wrong number mate", "peidiwch â stopio",
    ],
)  # fmt: skip
def test_what_only_opens_like_a_keyword_is_for_a_person(text: str) -> None:
    assert read(text) == Steering(keyword=Keyword.UNCLEAR)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "👶", "!!!", "born to dance this one", "Born ready!", "born tired", "Baby is here with me",
        "We had the baby weighed", "time flies", "Time for bed", "time to eat", "time after time", "bath time",
        "they don't stop smiling", "she can't stop looking at me", "we never stop", "non stop", "12 March", "8am",
        "today", "stop laughing at me you two cheeky little ones", "pause and then a huge smile at the cat",
        "Stop the car, I said, and the baby laughed and laughed and laughed all the way home to us",
        "help me", "link arms with me", "how do i stop the hiccups", "she was born to be wild", "yes", "they paused",
        "time 8am would be best for us, or maybe a bit later on", "who is this?", "I don't have a baby",
    ],
)  # fmt: skip
def test_an_ordinary_answer_steers_nothing(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "keyword"),
    [(example, entry["keyword"]) for entry in ENTRIES for example in entry["must_match"]],
)
def test_a_message_that_must_match_steers_so(text: str, keyword: str) -> None:
    assert read(text) == Steering(keyword=Keyword(keyword))


@pytest.mark.parametrize(
    ("text", "keyword"),
    [(example, entry["keyword"]) for entry in ENTRIES for example in entry["must_not_match"]],
)
def test_a_message_that_must_not_match_does_not_steer_so(text: str, keyword: str) -> None:
    assert keyword_of(text) != keyword


def full_width(letter: str) -> str:
    return chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter


WRITTEN = [str, str.upper, str.title, lambda text: "".join(map(full_width, text)), lambda text: "\u200b".join(text)]
PHRASE = st.sampled_from(PHRASES)


@given(
    phrase=PHRASE,
    written=st.sampled_from(WRITTEN),
    before=st.sampled_from(["", " ", "\n", "...", "\u200f", "🙏 "]),
    after=st.sampled_from(
        ["", ".", "!!!", " 🎉🎉", "\u2026", "\x00", " \U0001f6d1\ufe0f", "\ud800", " - ", " 😀" * 200]
    ),
    gap=st.sampled_from([" ", "  ", "\n", ", ", "-", "\u00a0", " / "]),
)
def test_a_whole_phrase_steers_however_it_is_written(phrase: tuple[str, str], written: Any, before: str,
                                                     after: str, gap: str) -> None:  # fmt: skip
    text, keyword = phrase

    assert read(before + gap.join(written(text).split(" ")) + after) == Steering(keyword=Keyword(keyword))


HOSTILE = st.text(st.sampled_from("stoptimebornpause 0123456789:+-/.,'\u2044\u200b\u0301½٣ａ８🎉\ud800\x00\u202e"))
PIECES = [
    "on", "at", "the", "of", "and", "for", "until", "to", "today", "yesterday", "tuesday", "night", "12", "12th", "3",
    "31", "39+4", "weeks", "36", "days", "2026", "12/3", "13/3", "2026-03-12", "march", "feb", "may", "am", "pm",
    "8am", "18:30", "noon", "week", "a", "month", "-", "please", "x", "stop", "don't", "99", "0",
]  # fmt: skip
AFTER_A_WORD = st.lists(st.sampled_from(PIECES), max_size=8)
SPOKEN = st.builds(
    lambda phrase, rest: " ".join([phrase[0], *rest]),
    st.sampled_from([("born", ""), ("pause", ""), ("time", ""), *PHRASES]),
    AFTER_A_WORD,
)


@given(text=st.one_of(st.text(max_size=500), HOSTILE, SPOKEN), today=DAYS)
def test_whatever_is_sent_can_be_read_and_what_is_read_can_be(text: str, today: date) -> None:
    steering = read(text, today)

    if steering is not None:
        bare = Steering(keyword=steering.keyword)
        assert steering.born_on is None or timedelta(0) <= today - steering.born_on <= timedelta(days=730)
        assert steering.gestation_days is None or VIABLE_FROM_DAYS <= steering.gestation_days <= BORN_BY_DAYS
        assert steering.pause_days is None or 1 <= steering.pause_days <= LONGEST_PAUSE_DAYS
        assert len(steering.times) <= 2
        assert all(at == time(at.hour, at.minute) for at in steering.times)
        assert steering == bare or steering.keyword in {Keyword.BORN, Keyword.PAUSE, Keyword.TIME}


@given(
    born_on=DAYS, days_later=st.integers(0, 300), form=st.sampled_from(["%d %B", "%B %d", "%dth of %b", "%A %d %B"])
)
def test_a_birth_told_within_300_days_needs_no_year(born_on: date, days_later: int, form: str) -> None:
    steering = read(f"BORN {born_on:{form}}", born_on + timedelta(days=days_later))

    assert steering == Steering(keyword=Keyword.BORN, born_on=born_on)


@given(born_on=DAYS, days_later=st.integers(-400, 1000))
def test_a_birth_told_with_its_year_is_that_day_or_unclear(born_on: date, days_later: int) -> None:
    steering = read(f"born {born_on}", born_on + timedelta(days=days_later))

    taken = Steering(keyword=Keyword.BORN, born_on=born_on)
    assert steering == (taken if 0 <= days_later <= 730 else Steering(keyword=Keyword.UNCLEAR))


@given(at=st.times())
def test_every_minute_can_be_chosen_in_either_clock(at: time) -> None:
    minute = at.replace(second=0, microsecond=0)
    half = "am" if at.hour < 12 else "pm"

    assert read(f"TIME {at.hour % 12 or 12}:{at:%M}{half}") == Steering(keyword=Keyword.TIME, times=(minute,))
    if not 1 <= at.hour <= 7:
        assert read(f"TIME {at:%H:%M}") == Steering(keyword=Keyword.TIME, times=(minute,))


def test_nothing_longer_than_80_characters_steers() -> None:
    assert keyword_of("pause for 2 weeks" + " please" * 9) is Keyword.PAUSE
    assert read("pause for 2 weeks" + " please" * 10) is None
    assert read("STOP" + "." * 200 + "that is what I said") is None


@pytest.mark.fault(35)
@pytest.mark.parametrize(
    "piece",
    ["stop ", "a", " ", "-", "1", "1+", "12/3 ", "born 1 ", "x ", "please ", "\u0301", "\u200b", "ﷺ", "8am ", "dont ",
     "\ud800", "🎉", "pause for "],
)  # fmt: skip
def test_a_very_long_message_costs_nothing(piece: str) -> None:
    texts = [start + piece * (size // len(piece)) for start in ("", "time ", "born ", "don't ")
             for size in (70, 150, 100_000)]  # fmt: skip
    began = clock.perf_counter()

    for text in texts:
        read(text)

    assert clock.perf_counter() - began < 1
