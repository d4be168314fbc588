"""The library loads strictly, and answers by day, key and word."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from babymind.domain.age import Stage
from babymind.errors import ContentError, InvalidInputError, NotFoundError
from babymind.library import ContentKind, Library
from babymind.library.commands import default_root
from babymind.library.values import STAGE_DAYS

from .conftest import TODAY, Bank

HEAD = "kind: fact\nlocale: en-GB\nstage: infant\nage: corrected\nreviewer: us\nreview_by: 2027-01-01\n"
FILE = "facts/en-GB/infant.yaml"


def test_an_item_keeps_what_it_is_and_where_it_stands(bank: Bank) -> None:
    bank.fact(day=3, fits=[0, 20], themes=["voice", "memory"])

    item = bank.library().items[0]

    assert (item.kind, item.stage, item.day, item.fits) == (ContentKind.FACT, Stage.INFANT, 3, (0, 20))
    assert (item.themes, item.sources) == (("voice", "memory"), ("hedged1999",))
    assert (item.file, item.line, item.review_by) == ("content/facts/en-GB/infant.yaml", 8, date(2027, 11, 25))


@pytest.mark.parametrize(
    ("wrong", "line", "why"),
    [
        ("day: ten", 9, "whole number"),
        ("day: 10\n  day: 11", 10, "written twice"),
        ("day: 10\n  colour: red", 10, "'colour' is not a field"),
        ("fit: [1, 2]", 9, "'fit' is not a field|'day' is missing"),
        ("day: [1]", 9, "whole number"),
        ("day: 10\n  spare: perhaps", 10, "true or false"),
        ("day: 10\n  review_by: soon", 10, "2027-11-25"),
    ],
)
def test_a_bad_field_names_its_file_and_line(bank: Bank, wrong: str, line: int, why: str) -> None:
    bank.fact()
    path = bank.write() / FILE
    path.write_text(path.read_text(encoding="utf-8").replace("day: 10", wrong, 1), encoding="utf-8")

    with pytest.raises(ContentError, match=rf"content/{FILE}:({line}|8): .*({why})"):
        Library.load(bank.root, TODAY)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"fits": [20, 3]}, "ends before it starts"),
        ({"fits": [1, 2, 3]}, "two day numbers"),
        ({"fits": 3}, "is a list"),
        ({"text": ""}, "is empty"),
        ({"text": 12}, "write it in quotes"),
        ({"text": ["a"]}, "is text, not a list"),
        ({"themes": [True]}, "write it in quotes"),
        ({"sources": "hedged1999"}, "is a list"),
    ],
)
def test_a_field_of_the_wrong_type_is_refused(bank: Bank, fields: dict[str, Any], why: str) -> None:
    bank.fact(**fields)

    with pytest.raises(ContentError, match=why):
        bank.library()


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "empty"),
        ("a: [", "not YAML"),
        ("- a\n- b\n", "Expected the file"),
        ("kind: song\n", "none of: fact, prompt, message"),
        ("kind: message\n", "messages live in messages/"),
        ("kind: [fact]\n", "one value, not a list"),
        ("kind: fact\nstage: infant\n", "'locale' is missing"),
        ("\0", "not YAML"),
        (f"{HEAD}items: [3]\n", "Expected a fact"),
    ],
)
def test_a_file_that_is_no_file_of_items_is_refused(bank: Bank, written: str, why: str) -> None:
    bank.write().joinpath("facts").mkdir()
    (bank.root / "facts/broken.yaml").write_text(written, encoding="utf-8")

    with pytest.raises(ContentError, match=rf"content/facts/broken.yaml:\d+: .*{why}"):
        Library.load(bank.root, TODAY)


def test_a_file_that_is_not_utf8_is_refused(bank: Bank) -> None:
    (bank.write() / "sources.yaml").write_bytes(b"sources: \xff\xfe")

    with pytest.raises(ContentError, match="not UTF-8"):
        Library.load(bank.root, TODAY)


def test_a_missing_file_is_refused_and_further_problems_are_counted(bank: Bank) -> None:
    (bank.write() / "sources.yaml").unlink()
    (bank.root / "signposts.yaml").unlink()

    with pytest.raises(ContentError, match=r"missing; restore it\. \(1 more"):
        Library.load(bank.root, TODAY)


def test_the_calendar_has_a_row_for_each_day_with_an_item(bank: Bank) -> None:
    bank.fact(day=4)
    bank.fact(day=3)
    bank.prompt(stage="antenatal", day=-84)

    assert bank.library().calendar() == [
        ("en-GB", ContentKind.FACT, Stage.INFANT, 3, "fact-infant-text-1"),
        ("en-GB", ContentKind.FACT, Stage.INFANT, 4, "fact-infant-text-0"),
        ("en-GB", ContentKind.PROMPT, Stage.ANTENATAL, -84, "prompt-antenatal-text-0"),
    ]


def test_the_nearest_spare_item_that_fits_stands_in_for_a_withdrawn_one(bank: Bank) -> None:
    bank.fact(day=10, withdrawn=True)
    bank.fact(day=11, fits=[0, 30])
    bank.fact(day=14, fits=[0, 30], spare=True)
    bank.fact(day=8, fits=[0, 30], spare=True)
    bank.fact(day=10, fits=[10, 10], spare=True, withdrawn=True)
    bank.prompt(day=9, fits=[0, 30], spare=True)

    library = bank.library()

    assert [(day, key) for *_, day, key in library.calendar()] == [
        (10, "fact-infant-text-3"),
        (11, "fact-infant-text-1"),
    ]


def test_a_day_stays_empty_rather_than_repeat_an_item(bank: Bank) -> None:
    bank.fact(day=10, withdrawn=True)
    bank.fact(day=11, fits=[0, 30])

    assert [day for *_, day, _ in bank.library().calendar()] == [11]


def test_one_spare_item_stands_in_once(bank: Bank) -> None:
    bank.fact(day=10, withdrawn=True)
    bank.fact(day=11, withdrawn=True)
    bank.fact(day=12, fits=[0, 30], spare=True)

    assert [day for *_, day, _ in bank.library().calendar()] == [10]


def test_a_new_item_takes_the_day_of_a_withdrawn_one(bank: Bank) -> None:
    bank.fact(day=10, withdrawn=True)
    bank.fact(day=10)
    bank.fact(day=9, fits=[0, 30], spare=True)

    assert [key for *_, key in bank.library().calendar()] == ["fact-infant-text-1"]


def test_what_is_not_there_is_said(bank: Bank) -> None:
    library = bank.library()

    with pytest.raises(NotFoundError, match="no message 'welcome' in cy"):
        library.message("welcome", "cy")
    with pytest.raises(NotFoundError, match="no source 'nobody1900'"):
        library.source("nobody1900")
    assert library.item_on("en-GB", ContentKind.FACT, Stage.INFANT, 3) is None


@pytest.fixture(scope="module")
def real() -> Library:
    """Return the real bank."""
    return Library.load(default_root(), date(2026, 11, 25))


def test_the_real_bank_loads(real: Library) -> None:
    assert len(real.calendar()) == 2 * sum(last - first + 1 for first, last in STAGE_DAYS.values())
    assert real.source("decasper1980").ages_days == (0, 3)


def test_the_crisis_message_carries_its_signposts_while_they_are_fresh(real: Library) -> None:
    crisis = real.message("crisis", "en-GB")
    checked = date(2026, 11, 23)

    assert "Samaritans 116 123" in real.signposts_of(crisis, checked)
    assert "Samaritans 116 123" in real.signposts_of(crisis, checked + timedelta(days=179))
    assert real.signposts_of(crisis, checked + timedelta(days=180)) == ""


@pytest.mark.fault(112)
def test_a_message_reads_well_when_its_signposts_are_too_old_to_send(real: Library) -> None:
    said = real.say("loss", "en-GB", ["Robin"], on=date(2028, 1, 1))

    assert said.endswith("there is nothing you need to do.")


def test_a_message_without_one_of_its_values_is_not_sent(real: Library) -> None:
    with pytest.raises(InvalidInputError, match=r"\{link\}"):
        real.say("upload-link", "en-GB", ["Robin"], on=TODAY)


def test_keywords_are_folded_as_replies_are(real: Library) -> None:
    assert real.keywords["stop"] == "stop"
    assert real.keywords["babys here"] == "born"
    assert real.keywords["bu farwr babi"] == "loss"


def test_the_default_folder_is_the_projects_own() -> None:
    assert default_root() == Path(__file__).resolve().parents[2] / "content"
