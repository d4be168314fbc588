"""Pages to read away from the computer: the review pack for paper, and a phone preview for the eye."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined

from babymind.domain.age import Stage
from babymind.domain.wording import name_list, render
from babymind.library.bank import Library
from babymind.library.preview import Bubble
from babymind.library.values import DAILY, STAGE_DAYS, Item, Message, Source, age_words

NAME = "Robin"  # how the pack shows {baby}
DAYS_A_SECTION = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One text of the pack, with what it rests on."""

    item: Item
    text: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Some weeks of one stage: the ages in words, and the texts of each day."""

    title: str
    ages: str
    days: tuple[tuple[str, tuple[Entry, ...]], ...]

    def count(self, kind: str) -> int:
        """Return how many of its texts are of a kind."""
        return sum(entry.item.kind == kind for _, entries in self.days for entry in entries)


def review_pack(library: Library, locale: str) -> str:
    """Return every text by age as an HTML page that prints well, with sources beside it and boxes to tick."""
    messages = [message for message in library.messages if message.locale == locale]
    return _page(
        "pack.html",
        locale=locale,
        today=library.today,
        sections=_sections(library, locale),
        messages=[(message, _shown(message)) for message in messages],
        signposts=library.signposts,
        name=NAME,
    )


def phone_page(bubbles: Sequence[Bubble], title: str, *, locale: str, names: Sequence[str | None]) -> str:
    """Return a preview as an HTML page that looks like a phone; each source opens to its finding."""
    days: dict[date, list[Bubble]] = {}
    for bubble in bubbles:
        days.setdefault(bubble.local_day, []).append(bubble)
    return _page("phone.html", title=title, locale=locale, babies=name_list(names), days=days)


def _sections(library: Library, locale: str) -> list[Section]:
    sections = []
    for stage, (first, last) in STAGE_DAYS.items():
        for start in range(first, last + 1, DAYS_A_SECTION):
            end = min(start + DAYS_A_SECTION - 1, last)
            days = [_day(library, locale, stage, day) for day in range(start, end + 1)]
            sections.append(
                Section(
                    title=f"{stage.capitalize()}, day {start} to {end}",
                    ages=f"{age_words(stage, start)} to {age_words(stage, end)}",
                    days=tuple(days),
                )
            )
    return sections


def _day(library: Library, locale: str, stage: Stage, day: int) -> tuple[str, tuple[Entry, ...]]:
    items = (library.item_on(locale, kind, stage, day) for kind in DAILY)
    entries = tuple(
        Entry(item=item, text=render(item.text, [NAME]), sources=tuple(library.sources_of(item)))
        for item in items
        if item is not None
    )
    return f"Day {day}: {age_words(stage, day)}", entries


def _shown(message: Message) -> str:
    """A message with its values left as names in brackets, for their place matters to a reviewer."""
    named = {name: f"[{name.replace('_', ' ')}]" for name in (*message.values, "signposts")}
    return render(message.text, [NAME], **named)


def _page(template: str, **values: object) -> str:
    templates = files("babymind.library") / "templates"
    pages = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda page: (templates / page).read_text(encoding="utf-8")),
    )
    return pages.get_template(template).render(**values)
