"""What the content bank is made of: frozen values, each knowing the file and line it stands on."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from babymind.domain.age import (
    ANTENATAL_FROM,
    OVERDUE_LAST_DAY,
    PROGRAMME_LAST_DAY,
    TERM_DAYS,
    VIABLE_FROM_DAYS,
    AgeBasis,
    Stage,
    weeks,
)

EARLY_LAST_DAY = TERM_DAYS - VIABLE_FROM_DAYS - 1  # born at 22+0, on the day before the due date

# The age days of each stage that has content, first and last included, in the order in which a family meets them.
STAGE_DAYS = {
    Stage.ANTENATAL: (ANTENATAL_FROM, -1),
    Stage.OVERDUE: (0, OVERDUE_LAST_DAY),
    Stage.EARLY: (0, EARLY_LAST_DAY),
    Stage.INFANT: (0, PROGRAMME_LAST_DAY),
}


THEMES = {
    "voice", "faces", "touch", "smell-taste", "sleep", "crying", "turn-taking", "feelings", "joint-attention",
    "memory", "objects", "number", "language", "gestures", "movement", "attachment", "peers", "humour", "self",
    "play", "caregiver", "mind-mindedness",
}  # fmt: skip


class ContentKind(StrEnum):
    """What a text is for: a fact and a prompt fill the day's two slots, a message says everything else."""

    FACT = "fact"
    PROMPT = "prompt"
    MESSAGE = "message"


DAILY = (ContentKind.FACT, ContentKind.PROMPT)


class ParentUse(StrEnum):
    """How a source may be told to parents: plainly, with hedging words, or not at all."""

    FACT = "fact"
    HEDGE = "hedge"
    BACKGROUND = "background"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A fact or a prompt."""

    key: str  # the id, never used again
    kind: ContentKind
    locale: str
    stage: Stage
    day: int
    fits: tuple[int, int]  # the age days, first and last, on which it is still true
    age_basis: AgeBasis
    themes: tuple[str, ...]
    text: str
    sources: tuple[str, ...]
    evidence: str
    reviewer: str
    review_by: date
    file: str
    line: int
    spare: bool = False  # not sent on its own day; waits to stand in for a withdrawn one
    withdrawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Anything else that we say, found by its key and never by its age."""

    key: str
    locale: str
    text: str
    sensitive: bool  # to somebody who may be grieving or in danger
    values: tuple[str, ...]  # the placeholders that whoever sends it fills in
    signposts: tuple[str, ...]  # the ids behind ``{signposts}``, most urgent first
    segments: int  # most SMS segments; 0 for a text that is shown on a page
    reviewer: str
    review_by: date
    file: str
    line: int
    kind: ContentKind = ContentKind.MESSAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Signpost:
    """A helpline or service, as dated data."""

    key: str
    name: str
    contact: str
    say: str  # the sentence that a text message carries
    hours: str
    nations: tuple[str, ...]
    cost: str
    purpose: str
    checked_on: date | None  # None: known, but nobody has confirmed it; never sent
    checked_by: str
    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A study or guideline of the bibliography, with its finding in plain words."""

    key: str
    authors: str
    year: int
    title: str
    journal: str
    volume_pages: str
    doi: str
    url: str
    kind: str
    ages_days: tuple[int, int]  # days from the due date or birth that the finding speaks to
    finding: str
    replication: str
    note: str
    parent_use: ParentUse
    tags: tuple[str, ...]
    confidence: str
    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordEntry:
    """The phrases that mean one keyword, by language, and examples of what must and must not match."""

    keyword: str
    words: tuple[str, ...]
    must_match: tuple[str, ...]
    must_not_match: tuple[str, ...]
    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """Something about the bank that somebody should know, and how to mend it.

    A notice asks for attention in time; any other finding refuses the bank.
    """

    file: str
    line: int
    item: str
    rule: str
    message: str
    notice: bool = False

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        return " ".join(part for part in (f"{where}:", self.item, f"[{self.rule}]", self.message) if part)


def age_words(stage: Stage, day: int) -> str:
    """Return an age day as people say it: 30+2 weeks of pregnancy, 5 days overdue, 7 weeks 1 day."""
    if stage is Stage.ANTENATAL:
        return f"{weeks(TERM_DAYS + day)} weeks of pregnancy"
    if stage is Stage.OVERDUE:
        return "the due date" if day == 0 else f"{counted(day, 'day')} past the due date"
    if stage is Stage.EARLY:
        return f"{_lived(day)} after an early birth"
    return f"{_lived(day)} old"


def counted(number: int, thing: str) -> str:
    """Return a number of things: 1 day, 2 days."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _lived(day: int) -> str:
    whole, rest = divmod(day, 7)
    parts = [counted(whole, "week")] * (whole > 0) + [counted(rest, "day")] * (rest > 0 or whole == 0)
    return " ".join(parts)
