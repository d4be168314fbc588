"""What one family would read, day by day, as on a phone."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from babymind.domain.age import Dates, Stage, describe, stage_on, stages
from babymind.domain.wording import render
from babymind.library.bank import Library
from babymind.library.sms import segments, septets
from babymind.library.values import DAILY, STAGE_DAYS, ContentKind, Item, Source, counted

BUBBLE_CHARACTERS = 46


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubble:
    """One text of one day; without an item where the bank has none."""

    local_day: date
    stage: Stage
    age_day: int
    age: str  # in words
    slot: ContentKind
    item: Item | None
    text: str
    segments: int
    septets: int
    sources: tuple[Source, ...]

    def document(self) -> dict[str, object]:
        """Return the text as ``--json`` prints it."""
        return {
            "local_day": self.local_day.isoformat(),
            "stage": self.stage.value,
            "age_day": self.age_day,
            "slot": self.slot.value,
            "item": self.item.key if self.item else None,
            "text": self.text,
            "segments": self.segments,
            "sources": [{"id": source.key, "finding": source.finding} for source in self.sources],
        }


def first_day(known: Dates) -> date:
    """Return the day on which a preview begins: the birth, or the first day on which anything is sent."""
    if known.birth is not None:
        return known.birth.born_on
    return next(span.first for span in stages(known) if span.stage in STAGE_DAYS)


def preview(
    library: Library, locale: str, known: Dates, names: Sequence[str | None], *, first: date, days: int
) -> list[Bubble]:
    """Return what a family would read.

    Args:
        library: The content bank.
        locale: The language of the texts.
        known: The dates of the pregnancy.
        names: The babies, each a name or None.
        first: The first day of the preview.
        days: How many days it shows; a day on which nothing is due shows nothing.
    """
    bubbles = []
    for number in range(days):
        day = first + timedelta(days=number)
        stage, age_day = stage_on(known, day)
        for kind in DAILY if stage in STAGE_DAYS else ():
            item = library.item_on(locale, kind, stage, age_day)
            text = "" if item is None else render(item.text, names)
            bubbles.append(
                Bubble(
                    local_day=day,
                    stage=stage,
                    age_day=age_day,
                    age=describe(known, day),
                    slot=kind,
                    item=item,
                    text=text,
                    segments=segments(text) if text else 0,
                    septets=septets(text) if text else 0,
                    sources=() if item is None else tuple(library.sources_of(item)),
                )
            )
    return bubbles


def drawn(bubbles: Sequence[Bubble]) -> str:
    """Return the texts as lines for a terminal."""
    lines: list[str] = []
    shown: date | None = None
    for bubble in bubbles:
        if bubble.local_day != shown:
            shown = bubble.local_day
            lines += ["", f"{shown:%a} {shown.day} {shown:%B %Y} - {bubble.age}"]
        lines += _bubble(bubble)
    return "\n".join(lines).strip("\n")


def _bubble(bubble: Bubble) -> list[str]:
    if bubble.item is None:
        return [f"  (there is no {bubble.slot} for this day)"]
    wrapped = textwrap.wrap(bubble.text, BUBBLE_CHARACTERS)
    width = max(map(len, wrapped))
    size = f"{counted(bubble.segments, 'SMS segment')}, {bubble.septets} characters"
    sources = ", ".join(source.key for source in bubble.sources)
    return [
        f"  ╭{'─' * (width + 2)}╮",
        *(f"  │ {line:<{width}} │" for line in wrapped),
        f"  ╰{'─' * (width + 2)}╯",
        f"    {bubble.item.key} - {size}" + (f" - {sources}" if sources else ""),
    ]
