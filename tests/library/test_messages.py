"""Messages, signposts and keywords: the real ones hold, and broken ones are found."""

import itertools
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from babymind.domain.reply import read_keyword
from babymind.library import Library, Message
from babymind.library.check import check
from babymind.library.commands import default_root
from babymind.library.message_rules import ONE_SMS, REQUIRED
from babymind.library.rulebook import load_rulebook

from .conftest import TODAY, Bank

REAL = Library.load(default_root(), date(2026, 11, 25))
SAMPLES = load_rulebook(default_root()).samples

SIGNPOST = {
    "id": "somebody",
    "name": "Somebody",
    "contact": "116 123",
    "say": "Somebody: 116 123.",
    "hours": "24 hours",
    "nations": ["england"],
    "cost": "free",
    "for": "anyone",
    "checked_on": "2026-11-23",
    "checked_by": "us",
}
KEYWORD = {"keyword": "stop", "words": {"en": ["stop"]}, "must_match": ["Stop."], "must_not_match": ["bus stop"]}


def told(message: Message, babies: Sequence[str | None]) -> str:
    """Return a real message as it is sent."""
    return REAL.say(message.key, message.locale, babies, on=TODAY, **SAMPLES)


def test_every_message_that_the_service_needs_is_there() -> None:
    assert {message.key for message in REAL.messages} >= REQUIRED


@pytest.mark.parametrize("message", REAL.messages, ids=lambda message: message.key)
def test_every_real_message_reads_for_every_family(message: Message) -> None:
    families: list[list[str | None]] = [["Ada"], [None], ["Ada", "Ben"], [None, None]]
    for babies in families:
        assert "{" not in told(message, babies)


@pytest.mark.parametrize("key", sorted(ONE_SMS))
def test_the_answers_to_stop_start_and_help_are_one_sms(key: str) -> None:
    assert len(told(REAL.message(key, "en-GB"), [None])) <= 160


def test_the_welcome_says_who_we_are_what_we_are_not_and_how_to_stop() -> None:
    welcome = told(REAL.message("welcome", "en-GB"), ["Robin"])

    for words in ("BabyMind", "not an emergency service", "999", "Mon-Fri 9-5", "STOP", "HELP", "Robin"):
        assert words in welcome


@pytest.mark.parametrize("key", ["loss", "condolence"])
def test_the_words_after_a_loss_are_plain(key: str) -> None:
    words = told(REAL.message(key, "en-GB"), ["Robin"])

    assert "Robin" not in words
    assert "!" not in words
    assert "0808 164 3332" in words


def test_a_signpost_that_nobody_confirmed_is_in_no_message() -> None:
    unchecked = {signpost.key for signpost in REAL.signposts if signpost.checked_on is None}
    named = {key for message in REAL.messages for key in message.signposts}

    assert unchecked
    assert not unchecked & named


KEYWORDS = [(entry.keyword, example) for entry in REAL.keyword_entries for example in entry.must_match]
NO_KEYWORDS = [(entry.keyword, example) for entry in REAL.keyword_entries for example in entry.must_not_match]


@pytest.mark.fault(34)
@pytest.mark.parametrize(("keyword", "example"), KEYWORDS)
def test_a_message_that_must_match_does(keyword: str, example: str) -> None:
    assert read_keyword(example, REAL.keywords) == keyword


@pytest.mark.fault(34)
@pytest.mark.parametrize(("keyword", "example"), NO_KEYWORDS)
def test_a_message_that_must_not_match_does_not(keyword: str, example: str) -> None:
    assert read_keyword(example, REAL.keywords) != keyword


def test_no_phrase_means_two_things() -> None:
    for one, other in itertools.combinations(REAL.keyword_entries, 2):
        assert not {*one.words} & {*other.words}


BROKEN_MESSAGES: list[tuple[str, dict[str, Any]]] = [
    ("placeholder-unknown", {"text": "Write to {service}."}),
    ("placeholder-unknown", {"text": "Call now. {signposts}"}),
    ("message-values", {"text": "Write to us.", "values": ["service"]}),
    ("message-values", {"text": "Write to {hat}.", "values": ["hat"]}),
    ("message-values", {"text": "Write to us.", "signposts": ["somebody"]}),
    ("message-must-say", {"key": "welcome", "text": "Welcome."}),
    ("sensitive-exclamation", {"text": "We are sorry!", "sensitive": True}),
    ("sensitive-name", {"text": "We are sorry about {baby}.", "sensitive": True}),
    ("signpost-unknown", {"text": "Call. {signposts}", "signposts": ["nobody"]}),
    ("signpost-unknown", {"text": "Call. {signposts}", "signposts": ["unchecked"]}),
    ("characters", {"text": "Your messages \N{EN DASH} paused."}),
    ("length", {"text": "We say it, again and again. " * 12}),
    ("length", {"key": "stop", "text": "You can text START if you like. " * 6}),
    ("length", {"text": "We say it again and again. " * 6, "segments": 1}),
    ("reading-grade", {"text": "Immediate authorisation is necessary before any communication about participation."}),
    ("choice-missing", {"text": "{Baby} likes your voice."}),
    ("words-pronoun", {"text": "How is he today?"}),
    ("schema", {"key": "Not_A_Key"}),
]  # fmt: skip


@pytest.mark.fault(77)
@pytest.mark.parametrize(("rule", "fields"), BROKEN_MESSAGES)
def test_a_message_that_breaks_a_rule_is_found(bank: Bank, rule: str, fields: dict[str, Any]) -> None:
    checked = {"checked_on", "checked_by"}
    unchecked = {name: value for name, value in SIGNPOST.items() if name not in checked}
    bank.signposts = [SIGNPOST, unchecked | {"id": "unchecked", "unchecked": True}]
    bank.message(**fields)

    assert rule in bank.rules()


def test_a_good_message_breaks_no_rule(bank: Bank) -> None:
    bank.signposts = [SIGNPOST]
    bank.message(text="Hello! {Baby} {likes|like} {service}. {signposts}", values=["service"], signposts=["somebody"])
    bank.message("page", "We say it again and again \N{EN DASH} often. " * 12, segments=0)

    assert bank.rules() == set()


def test_a_message_with_odd_braces_breaks_only_the_rule_on_placeholders(bank: Bank) -> None:
    bank.message(text="Hello {.", sensitive=True)

    assert bank.rules() == {"placeholder-unknown"}


def test_a_message_that_is_missing_is_found(bank: Bank) -> None:
    bank.message("welcome")

    missing = [
        finding.message for finding in check(bank.write(), TODAY).findings if finding.rule == "message-missing"
    ]

    assert "The message 'condolence' is missing; write it." in missing


def test_a_message_that_is_there_twice_is_found(bank: Bank) -> None:
    bank.message("note")
    bank.message("note", "Your messages are back.")

    assert bank.rules() == {"id-used-twice"}


@pytest.mark.fault(112)
@pytest.mark.parametrize(
    ("today", "rule", "notice"),
    [
        (date(2027, 2, 20), None, None),  # 89 days
        (date(2027, 2, 21), "signpost-stale", True),
        (date(2027, 5, 21), "signpost-stale", True),
        (date(2027, 5, 22), "signpost-refused", False),  # 180 days
        (date(2026, 11, 22), "signpost-refused", False),  # checked tomorrow
    ],
)
def test_a_signpost_grows_stale_and_is_refused(
    bank: Bank, today: date, rule: str | None, *, notice: bool | None
) -> None:
    bank.signposts = [SIGNPOST]

    found = [(finding.rule, finding.notice) for finding in bank.findings(today)]

    assert found == ([] if rule is None else [(rule, notice)])


@pytest.mark.parametrize(
    ("rule", "entries"),
    [
        ("keyword-unknown", [KEYWORD | {"keyword": "dance"}]),
        ("keyword-unknown", [KEYWORD | {"keyword": "unclear"}]),
        ("keyword-clash", [KEYWORD, KEYWORD | {"keyword": "pause", "words": {"en": ["STOP!"]}}]),
        ("keyword-example", [KEYWORD | {"must_match": ["halt"]}]),
        ("keyword-example", [KEYWORD | {"must_not_match": ["stop"]}]),
        ("schema", [KEYWORD | {"must_match": []}]),
        ("format", [KEYWORD | {"words": ["stop"]}]),
    ],
)
def test_a_keyword_that_breaks_a_rule_is_found(bank: Bank, rule: str, entries: list[dict[str, Any]]) -> None:
    bank.keywords = entries

    assert rule in bank.rules()
