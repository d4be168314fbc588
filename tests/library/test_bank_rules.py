"""The rules over the whole bank: ids, days, themes, repeats, and what stands in for what."""

import re
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babymind.domain.age import AgeBasis, Birth, Dates, Stage, stage_on
from babymind.library import ContentKind, Item, Library
from babymind.library.calendar_rules import least_days_apart
from babymind.library.check import check
from babymind.library.commands import default_root
from babymind.library.readability import grade, sentences, syllables
from babymind.library.values import STAGE_DAYS, age_words

from .conftest import TODAY, Bank

TEXTS = [
    "Some babies turn to a voice.",
    "Many newborns know a smell from before birth.",
    "A soft touch may calm, some studies found.",
    "In one study, faces held a gaze for longer.",
    "Songs may be known again, it seems.",
]


def test_an_id_that_two_items_share_is_found(bank: Bank) -> None:
    bank.fact(id="fact-infant-same", day=3, text=TEXTS[0])
    bank.fact(id="fact-infant-same", day=4, text=TEXTS[1])

    assert "id-used-twice" in bank.rules()


def test_a_day_that_two_items_want_is_found_unless_one_is_spare(bank: Bank) -> None:
    bank.fact(day=3, text=TEXTS[0])
    bank.fact(day=3, text=TEXTS[1], spare=True)
    assert bank.rules() == set()

    bank.fact(day=3, text=TEXTS[2])
    assert bank.rules() == {"day-used-twice"}


def test_a_stand_in_is_a_notice_and_an_empty_day_is_refused(bank: Bank) -> None:
    bank.fact(day=3, withdrawn=True)
    bank.fact(day=5, text=TEXTS[1], fits=[0, 30], spare=True)
    bank.fact(day=90, withdrawn=True)

    found = bank.findings()
    gaps = [finding.message for finding in check(bank.root, TODAY).findings if finding.rule == "day-missing"]

    assert {(finding.rule, finding.notice) for finding in found} == {("withdrawn", True)}
    assert "fact-infant-text-1 is sent instead" in found[0].message
    assert "nothing unused fits day 90" in found[1].message
    assert "No fact for infant days 4 to 365; write one for each day." in gaps


def test_in_the_real_bank_the_nearest_spare_item_is_sent_for_a_withdrawn_one_and_the_check_says_so(
    tmp_path: Path,
) -> None:
    root = tmp_path / "content"
    shutil.copytree(default_root(), root)
    file = root / "prompts/en-GB/infant-000-030.yaml"
    written = file.read_text(encoding="utf-8")
    gone = re.search(r"(?m)^- id: (\S+)\n  day: 12\n", written)
    assert gone
    spares = "".join(
        f"- id: prompt-infant-spare-{name}\n  day: {day}\n  fits: {fits}\n  themes: [play]\n  text: {text}\n"
        "  spare: true\n"
        for name, day, fits, text in [
            ("nearest", 14, [0, 30], "Which zebra might {baby} dream up?"),
            ("farther", 9, [0, 30], "Whose hat might {baby} borrow?"),
            ("elsewhere", 13, [13, 30], "What might a cloud be to {baby}?"),
        ]
    )
    file.write_text(written.replace(gone.group(0), f"{gone.group(0)}  withdrawn: true\n") + spares, encoding="utf-8")

    report = check(root, TODAY)
    sent = Library.load(root, TODAY).item_on("en-GB", ContentKind.PROMPT, Stage.INFANT, 12)

    assert sent is not None
    assert sent.key == "prompt-infant-spare-nearest"
    assert [(finding.item, finding.rule, finding.message) for finding in report.findings] == [
        (gone.group(1), "withdrawn", "Withdrawn; on day 12 prompt-infant-spare-nearest is sent instead.")
    ]
    assert not report.refused
    assert report.counts["bank"]["spare"] == 3
    assert report.counts["bank"]["withdrawn"] == 1


def test_a_theme_four_times_in_fourteen_days_is_found(bank: Bank) -> None:
    for day, text in zip((0, 4, 8, 14), TEXTS, strict=False):
        bank.fact(day=day, text=text)
    assert bank.rules() == set()

    bank.fact(day=13, text=TEXTS[4])
    assert bank.rules() == {"theme-spread"}


def test_themes_spread_over_the_due_date(bank: Bank) -> None:
    for stage, day, text in zip(["antenatal"] * 2 + ["infant"] * 2, (-2, -1, 0, 1), TEXTS, strict=False):
        bank.fact(stage=stage, day=day, text=f"Looking ahead: {text}")

    assert "theme-spread" in bank.rules()


def test_a_fact_told_twice_is_found_even_in_other_words(bank: Bank) -> None:
    bank.fact(day=3, text="Some babies turn to a voice that they have heard before birth.")
    bank.fact(day=30, text="Some babies turn to a voice they have heard before their birth.", sources=["plain1999"])

    assert bank.rules() == {"used-twice"}


KNOWN_VOICE = "Some babies turn to a voice that they know from the womb."
SAME_IN_OTHER_WORDS = "From the womb, one study says, a known voice may be why some babies turn."
ANOTHER_PART = "Some studies asked how newborns suck on a teat when a recording plays."


@pytest.mark.parametrize(
    ("other", "repeated"),
    [
        ({"day": 62, "text": SAME_IN_OTHER_WORDS}, True),  # 59 days apart
        ({"day": 63, "text": SAME_IN_OTHER_WORDS}, False),
        ({"day": 30, "text": SAME_IN_OTHER_WORDS, "sources": ["plain1999"]}, False),
        ({"day": 30, "text": ANOTHER_PART}, False),
        ({"stage": "antenatal", "day": -56, "text": SAME_IN_OTHER_WORDS}, True),  # born on the due date
        ({"stage": "antenatal", "day": -57, "text": SAME_IN_OTHER_WORDS}, False),
        ({"stage": "overdue", "day": 21, "text": SAME_IN_OTHER_WORDS}, True),
        ({"stage": "early", "day": 80, "text": SAME_IN_OTHER_WORDS}, False),  # told anew to few
        ({"day": 30, "text": SAME_IN_OTHER_WORDS, "withdrawn": True}, False),
    ],
)
def test_a_finding_is_not_told_again_within_sixty_days(bank: Bank, other: dict[str, Any], *, repeated: bool) -> None:
    bank.fact(day=3, text=KNOWN_VOICE)
    bank.fact(**other)

    found = [finding for finding in bank.findings() if finding.rule == "finding-repeated"]

    assert bool(found) is repeated
    assert all("much the same of 'hedged1999'" in finding.message for finding in found)


def test_a_stand_in_is_judged_by_the_day_on_which_it_goes(bank: Bank) -> None:
    bank.prompt(day=0)
    bank.prompt(day=100, fits=[40, 100], spare=True)
    assert "prompt-repeated" not in bank.rules()

    bank.prompt(day=60, text="What might {baby} be hearing?", withdrawn=True)

    assert "prompt-repeated" in bank.rules()


def test_texts_that_share_only_small_words_are_not_alike(bank: Bank) -> None:
    bank.prompt(day=3, text="What do you think {baby} {makes|make} of water?")
    bank.prompt(day=4, text="What do you think {baby} {makes|make} of winter?")

    assert bank.rules() == set()


@pytest.mark.parametrize(
    ("one", "other", "repeated"),
    [
        (("infant", 0), ("infant", 90), True),
        (("infant", 0), ("infant", 91), False),
        (("antenatal", -84), ("infant", 28), False),
        (("antenatal", -84), ("infant", 27), True),
        (("antenatal", -84), ("overdue", 6), True),
        (("antenatal", -84), ("overdue", 7), False),
        (("antenatal", -30), ("early", 80), True),
        (("antenatal", -20), ("early", 0), False),
        (("overdue", 0), ("early", 0), False),
        (("overdue", 21), ("infant", 80), True),
        (("early", 83), ("infant", 80), True),
        (("early", 0), ("infant", 80), False),
    ],
)
def test_a_prompt_is_not_repeated_within_ninety_days_on_any_path(
    bank: Bank, one: tuple[str, int], other: tuple[str, int], *, repeated: bool
) -> None:
    for stage, day in (one, other):
        bank.prompt(stage=stage, day=day)

    assert ("prompt-repeated" in bank.rules()) is repeated


def item(stage: Stage, day: int) -> Item:
    """Return a prompt of a day."""
    return Item(
        key="prompt", kind=ContentKind.PROMPT, locale="en-GB", stage=stage, day=day, fits=(day, day),
        age_basis=AgeBasis.CORRECTED, themes=("voice",), text="", sources=(), evidence="", reviewer="",
        review_by=TODAY, file="", line=1,
    )  # fmt: skip


@given(gestation_days=st.integers(154, 308), one=st.integers(-84, 500), other=st.integers(-84, 500), data=st.data())
def test_no_family_gets_two_items_closer_than_we_think(
    gestation_days: int, one: int, other: int, data: st.DataObject
) -> None:
    due_on = date(2026, 6, 1)
    born_on = due_on + timedelta(days=gestation_days - 280)
    known = Dates(due_on=due_on, birth=Birth(born_on=born_on, gestation_days=gestation_days))
    places = [stage_on(known, due_on + timedelta(days=day)) for day in (one, other)]
    if not all(stage in STAGE_DAYS for stage, _ in places):
        return

    apart = least_days_apart(*(item(stage, day) for stage, day in places))

    assert apart is not None
    assert apart <= abs(one - other)


def test_a_bank_without_texts_is_refused(bank: Bank) -> None:
    report = check(bank.write(), TODAY)

    assert report.refused
    assert {finding.rule for finding in report.findings} == {"day-missing"}
    assert len(report.findings) == 2 * len(STAGE_DAYS)


def test_what_cannot_be_read_is_found_beside_the_rest(bank: Bank) -> None:
    bank.fact(day="ten")
    bank.fact(text="Some babies turn to a voice!")
    (bank.root / "rules.yaml").write_text("hedges: some\n", encoding="utf-8")

    assert bank.rules() == {"format"}

    found = [(finding.file, finding.line) for finding in bank.findings()]
    assert found == [("content/facts/en-GB/infant.yaml", 9), ("content/rules.yaml", 1)]


def test_a_file_without_a_schema_is_found(bank: Bank) -> None:
    bank.put("more.yaml", {"a": 1})

    assert bank.rules() == {"schema"}


def test_a_word_list_for_texts_that_do_not_exist_is_found(bank: Bank) -> None:
    rules = bank.write() / "rules.yaml"
    rules.write_text(rules.read_text(encoding="utf-8").replace("kinds: [fact, prompt]", "kinds: [song]", 1), "utf-8")

    assert [finding.message for finding in bank.findings()] == [
        "'kinds' are fact, prompt, message; 'stages' antenatal, overdue, early, infant."
    ]


def test_a_word_list_that_is_no_list_is_found(bank: Bank) -> None:
    rules = bank.write() / "rules.yaml"
    rules.write_text(rules.read_text(encoding="utf-8").replace("never:\n", "never:\n- dance\n", 1), "utf-8")

    assert bank.rules() == {"format"}


def test_a_schema_breach_names_its_line_and_item(bank: Bank) -> None:
    bank.fact(fits=[10, 10], sources=["hedged1999", "hedged1999"])

    breach = next(finding for finding in bank.findings() if finding.rule == "schema")

    assert breach.item == "fact-infant-text-0"
    assert breach.message.startswith("sources is not as the schema asks")
    assert breach.line > 8


def test_the_grade_is_the_one_of_flesch_and_kincaid() -> None:
    # 0.39 * 6 / 2 + 11.8 * 7 / 6 - 15.59
    assert grade(["The cat sat. Babies sleep well."]) == pytest.approx(-0.653, abs=0.001)
    assert grade([]) == 0
    assert grade(["See https://babymind.example.org/f/abc Or write."]) == grade(["See. Or write."])


def test_sentences_end_where_people_end_them() -> None:
    assert sentences('One. "Two?" Three\'s 8.2 months. Four') == ["One.", '"Two?', "Three's 8.2 months.", "Four"]


@pytest.mark.parametrize(
    ("word", "count"),
    [("baby", 2), ("baby's", 2), ("voices", 2), ("24", 1), ("zorple", 2), ("blimfed", 1), ("zn", 1)],
)
def test_syllables_are_counted_or_guessed(word: str, count: int) -> None:
    assert syllables(word) == count


@pytest.mark.parametrize(
    ("stage", "day", "words"),
    [
        (Stage.ANTENATAL, -84, "28+0 weeks of pregnancy"),
        (Stage.OVERDUE, 0, "the due date"),
        (Stage.OVERDUE, 1, "1 day past the due date"),
        (Stage.EARLY, 15, "2 weeks 1 day after an early birth"),
        (Stage.INFANT, 0, "0 days old"),
        (Stage.INFANT, 7, "1 week old"),
    ],
)
def test_an_age_day_is_said_in_words(stage: Stage, day: int, words: str) -> None:
    assert age_words(stage, day) == words
