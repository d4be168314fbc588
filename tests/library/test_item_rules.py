"""Every rule on one text catches a text that breaks it, and leaves good texts alone."""

from typing import Any

import pytest

from .conftest import GOOD_FACT, Bank

LONG = "Some studies found that babies turn to a voice they know. " * 6

BROKEN_FACTS: list[tuple[str, dict[str, Any]]] = [
    ("id-form", {"id": "fact-early-voice"}),
    ("id-form", {"id": "prompt-infant-voice"}),
    ("day", {"day": 366, "fits": [300, 366]}),
    ("day", {"stage": "early", "day": 126}),
    ("day", {"stage": "waiting"}),
    ("day", {"day": 10, "fits": [11, 20]}),
    ("theme", {"themes": ["weather"]}),
    ("theme", {"themes": ["voice", "faces", "touch"]}),
    ("theme", {"themes": []}),
    ("placeholder-unknown", {"text": GOOD_FACT + " {Babby} may smile."}),
    ("placeholder-unknown", {"text": GOOD_FACT + " {baby may smile."}),
    ("choice-missing", {"text": "Some babies know a voice. {Baby} likes yours."}),
    ("choice-missing", {"text": "Some babies know a voice. {Baby} often likes yours."}),
    ("choice-missing", {"text": "Some babies know a voice. Is {baby} listening?"}),
    ("choice-missing", {"text": "Some babies know a voice, and so {baby} are listening."}),
    ("choice-missing", {"text": "Some babies know a voice. {Baby} {like|likes} yours."}),
    ("choice-missing", {"text": "Some babies know a voice. {They} is listening."}),
    ("choice-missing", {"text": "Some babies know a voice. {They} {knows|know} yours."}),
    ("choice-missing", {"text": "Some babies know a voice. {Their} face may turn."}),
    ("source-missing", {"sources": None}),
    ("evidence-missing", {"evidence": None}),
    ("source-unknown", {"sources": ["nobody2020"]}),
    ("source-background", {"sources": ["team1999"]}),
    ("source-contested", {"sources": ["open1999"]}),
    ("hedge-missing", {"text": "Babies turn to a voice they know. To {baby}, yours is an old friend."}),
    ("age-fit", {"day": 60, "fits": [60, 60], "text": "Some babies turn to a voice they know."}),
    ("characters", {"text": "Some studies found that babies know a voice \N{EN DASH} yours, too."}),
    ("characters", {"text": "Some studies found that babies know a voice. \N{SLIGHTLY SMILING FACE}"}),
    ("spacing", {"text": "Some studies found  that babies know a voice."}),
    ("spacing", {"text": "Some studies found that babies know a voice ."}),
    ("length", {"text": LONG.strip()}),
    (
        "reading-grade",
        {"text": "Several investigations demonstrated that infants' auditory discrimination abilities anticipate "
                 "communicative reciprocity considerably."},
    ),
    ("reading-grade-file", {"text": "Some studies suggest babies remember familiar voices, recognising several."}),
    ("exclamation", {"text": "Some studies found that babies know a voice!"}),
    ("imperative", {"text": "Some studies watched newborns rest. Put {baby} down to sleep on {their} front."}),
    ("imperative", {"text": "Some studies watched newborns rest. Babies should have a nap at noon."}),
    ("imperative", {"text": "Some studies watched newborns. In the evening, give {them} more milk."}),
    ("imperative", {"text": "Some parents are tired. Call your GP."}),
    ("words-blaming", {"text": "Some parents are tired. Rest when {baby} {sleeps|sleep}."}),
    ("imperative", {"text": "Some newborns wake a lot; wake {them} for a bottle."}),
    ("invitations", {"text": "Some newborns turn to a voice. Notice where {they} look. Try a quiet word."}),
    ("schema", {"text": "a" * 401}),
    ("words-pronoun", {"text": "Some babies turn to a voice. He may know yours."}),
    ("words-gendered-parent", {"text": "Some babies turn to their mum."}),
    ("words-diagnostic", {"text": "Some babies with a developmental delay turn to a voice."}),
    ("words-frightening", {"text": "Some babies may be harmed by noise."}),
    ("words-blaming", {"text": "Some babies know a voice. You should talk more."}),
    ("words-blaming", {"text": "Many babies know a voice. Your baby should know yours."}),
    ("words-screens", {"text": "Some babies look for eyes. Put your phone away."}),
    ("words-assumes-feeding", {"text": "Some babies know a smell, as when you breastfeed."}),
    ("words-assumes-family", {"text": "Some babies know a voice. It may belong to both of you."}),
    ("words-hype", {"text": "Some babies have an amazing ear for voices."}),
    ("words-links", {"text": "Some babies know a voice: www.example.org"}),
    ("claim-crying-peak", {"text": "Many babies cry a lot, with a peak in crying at six weeks."}),
    ("claim-cry-cause", {"text": "Some parents may tell a hungry cry from others."}),
    ("claim-cry-melody", {"text": "Some newborns cry with the melody of their language."}),
    ("claim-neonatal-copying", {"text": "Some newborns may copy a smile."}),
    ("claim-neonatal-copying", {"text": "Some babies copy faces from birth."}),
    ("claim-helper-puppets", {"text": "Some babies reach for the puppet that helped."}),
    ("claim-bilingual-advantage", {"text": "Some bilingual babies are faster to learn."}),
    ("claim-false-belief", {"text": "Some babies may know what others believe."}),
    ("claim-critical-window", {"text": "Some think of this as a critical window."}),
    ("claim-falling-behind", {"text": "Some babies fall behind at this age."}),
    ("claim-cleverness", {"text": "Some talk may build a bigger brain."}),
    ("claim-cleverness", {"text": "Some talk may make babies smarter."}),
    ("claim-upsetting-experiment", {"text": "Some babies look away. Keep your face still for a while."}),
    ("claim-sleeping-through", {"text": "Some babies should now sleep all night."}),
    ("claim-milestone-by-day", {"text": "Some say that all babies know a voice."}),
]  # fmt: skip

BROKEN_PROMPTS: list[tuple[str, dict[str, Any]]] = [
    ("length", {"text": "What might {baby} be thinking just now, " + "and now, " * 15 + "and then?"}),
    ("one-question", {"text": "What might {baby} like? Why might that be?"}),
    ("words-testing", {"text": "How many words might {baby} know?"}),
    ("words-assumes-birth", {"stage": "antenatal", "day": -10, "text": "What might you say once {they} arrive?"}),
    ("words-assumes-well", {"stage": "early", "text": "What might {baby} think when you go home?"}),
    ("words-assumes-carrying", {"stage": "antenatal", "day": -10, "text": "What might be heard inside you?"}),
    ("claim-face-preference-in-the-womb",
     {"stage": "antenatal", "day": -10, "text": "Might unborn babies look at faces?"}),
]  # fmt: skip


@pytest.mark.fault(77)
@pytest.mark.parametrize(("rule", "fields"), BROKEN_FACTS)
def test_a_fact_that_breaks_a_rule_is_found(bank: Bank, rule: str, fields: dict[str, Any]) -> None:
    bank.fact(**fields)

    found = [finding for finding in bank.findings() if finding.rule == rule]

    assert found
    stage = fields.get("stage", "infant")
    assert found[0].file == f"content/facts/en-GB/{stage}.yaml"
    assert found[0].item == fields.get("id", f"fact-{stage}-text-0")
    assert found[0].line >= 8
    assert found[0].message.endswith((".", "!", "?"))


@pytest.mark.fault(77)
@pytest.mark.parametrize(("rule", "fields"), BROKEN_PROMPTS)
def test_a_prompt_that_breaks_a_rule_is_found(bank: Bank, rule: str, fields: dict[str, Any]) -> None:
    bank.prompt(**fields)

    assert rule in bank.rules()


GOOD_TEXTS = [
    GOOD_FACT,
    "So if you and {baby} are often at cross purposes, some studies found that play looks like that close up.",
    "What some studies found about {baby} is that a known voice may calm {them}.",
    "In one study of mothers, babies a few days old seemed to know a voice. Small misses are normal.",
    "Some babies look up while they feed. Notice where {baby} {looks|look} during a feed.",
    "Some studies watched babies rest. The safest place for a baby to sleep is on the back, in a clear, flat cot.",
    "In some families, {baby} may hear two languages. {Their} {face|faces} may turn to both.",
    "One small study found that babies, once they had met a song before birth, seemed to know it.",
]


@pytest.mark.parametrize("text", GOOD_TEXTS)
def test_a_good_fact_breaks_no_rule(bank: Bank, text: str) -> None:
    bank.fact(text=text)

    assert bank.rules() <= {"reading-grade-file"}


def test_a_good_prompt_breaks_no_rule(bank: Bank) -> None:
    bank.prompt()

    assert bank.rules() == set()


@pytest.mark.parametrize(
    "ahead",
    ["At seven months, some babies know it.", "Looking ahead: some babies know it.", "Some seven-month-olds know it.",
     "Some babies, weeks before birth, know it.", "Later on, some babies know it."],
)  # fmt: skip
def test_a_fact_outside_the_ages_of_its_source_may_look_ahead_or_back(bank: Bank, ahead: str) -> None:
    bank.fact(text=ahead, sources=["later1999"])

    assert "age-fit" not in bank.rules()


@pytest.mark.parametrize(
    ("stage", "day", "ages", "fits"),
    [("early", 20, "hedged1999", True), ("early", 83, "later1999", False), ("overdue", 3, "hedged1999", True),
     ("overdue", 3, "later1999", False), ("antenatal", -20, "hedged1999", False)],
)  # fmt: skip
def test_the_ages_of_a_source_count_as_the_stage_lives_them(
    bank: Bank, stage: str, day: int, ages: str, *, fits: bool
) -> None:
    bank.fact(stage=stage, day=day, text="Some studies found that a voice is known.", sources=[ages])

    assert ("age-fit" not in bank.rules()) is fits


def test_the_days_of_early_babies_count_from_birth(bank: Bank) -> None:
    bank.age = "corrected"
    bank.fact(stage="early", day=3)

    assert "age-basis" in bank.rules()


def test_a_review_that_is_due_is_a_notice(bank: Bank) -> None:
    bank.review_by = "2026-11-24"
    bank.fact()

    due = [finding for finding in bank.findings() if finding.rule == "review-due"]

    assert [finding.notice for finding in due] == [True]
