"""The library: the whole content bank, loaded once and asked by day, by key and by word."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Self

from babymind.domain.age import Stage
from babymind.domain.reply import folded
from babymind.domain.wording import render
from babymind.errors import NotFoundError
from babymind.library.parts import Parts, read_parts
from babymind.library.values import DAILY, STAGE_DAYS, ContentKind, Item, KeywordEntry, Message, Signpost, Source

Place = tuple[str, ContentKind, Stage, int]  # locale, kind, stage, age day

SIGNPOST_STALE_DAYS = 90
SIGNPOST_REFUSED_DAYS = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """Every text that a family can be told, with its sources."""

    items: tuple[Item, ...]
    messages: tuple[Message, ...]
    signposts: tuple[Signpost, ...]
    sources: tuple[Source, ...]
    keyword_entries: tuple[KeywordEntry, ...]
    keywords: dict[str, str]  # every phrase that is a keyword, folded as replies are, and the keyword that it is
    today: date
    _places: dict[Place, Item] = field(repr=False)
    _messages: dict[tuple[str, str], Message] = field(repr=False)
    _sources: dict[str, Source] = field(repr=False)

    @classmethod
    def load(cls, root: Path, today: date) -> Self:
        """Read a content folder.

        Args:
            root: The folder that holds ``facts/``, ``prompts/`` and the rest.
            today: The day by which signposts are judged stale.

        Raises:
            ContentError: A file breaks its format; the text names the file and the line.
        """
        parts = read_parts(root)
        parts.require_whole()
        return cls.of(parts, today)

    @classmethod
    def of(cls, parts: Parts, today: date) -> Self:
        """Build a library from what could be read, whatever is missing."""
        return cls(
            items=parts.items,
            messages=parts.messages,
            signposts=parts.signposts,
            sources=parts.sources,
            keyword_entries=parts.keywords,
            keywords={folded(word): entry.keyword for entry in parts.keywords for word in entry.words},
            today=today,
            _places=placed(parts.items),
            _messages={(message.key, message.locale): message for message in parts.messages},
            _sources={source.key: source for source in parts.sources},
        )

    def calendar(self) -> list[tuple[str, ContentKind, Stage, int, str]]:
        """Return (locale, kind, stage, age day, key) for every day that has an item, stand-ins included."""
        return [(*place, item.key) for place, item in sorted(self._places.items())]

    def item_on(self, locale: str, kind: ContentKind, stage: Stage, age_day: int) -> Item | None:
        """Return the item of a day; None where the bank has none."""
        return self._places.get((locale, kind, stage, age_day))

    def message(self, key: str, locale: str) -> Message:
        """Return a message by its key."""
        try:
            return self._messages[key, locale]
        except KeyError:
            raise NotFoundError(
                f"There is no message '{key}' in {locale}; add it to content/messages/{locale}.yaml."
            ) from None

    @property
    def locales(self) -> frozenset[str]:
        """The languages that there are messages in."""
        return frozenset(locale for _, locale in self._messages)

    def source(self, key: str) -> Source:
        """Return a source of the bibliography by its id."""
        try:
            return self._sources[key]
        except KeyError:
            raise NotFoundError(f"There is no source '{key}' in content/sources.yaml.") from None

    def sources_of(self, item: Item) -> list[Source]:
        """Return the sources that an item names and the bibliography has."""
        return [self._sources[key] for key in item.sources if key in self._sources]

    def say(self, key: str, locale: str, babies: Sequence[str | None], *, on: date, **values: str) -> str:
        """Return a message as it is sent on a day: values, babies and signposts filled in."""
        message = self.message(key, locale)
        return render(message.text, babies, **values, signposts=self.signposts_of(message, on)).rstrip()

    def signposts_of(self, message: Message, on: date) -> str:
        """Return what ``{signposts}`` stands for in a message on a day.

        A signpost that nobody has confirmed for 180 days is left out, so this may be empty: the message itself
        still has to go, and `content check` refuses the bank until somebody rings and dates it.
        """
        by_key = {signpost.key: signpost for signpost in self.signposts}
        named = [by_key[key] for key in message.signposts if key in by_key]
        return " ".join(signpost.say for signpost in named if sendable(signpost, on))


def sendable(signpost: Signpost, on: date) -> bool:
    """Tell whether a signpost was confirmed recently enough to be sent."""
    checked_on = signpost.checked_on
    return checked_on is not None and (on - checked_on).days < SIGNPOST_REFUSED_DAYS


def placed(items: Iterable[Item]) -> dict[Place, Item]:
    """Return which item is sent on which day.

    Each live item takes its own day, the first in the file where two want one. The day of a withdrawn item goes to
    the nearest unused item that fits it; where there is none, the day stays empty.
    """
    live = [item for item in items if not item.withdrawn]
    places: dict[Place, Item] = {}
    unused: list[Item] = []
    for item in live:
        if item.spare or places.setdefault(place_of(item), item) is not item:
            unused.append(item)
    for gone in items:
        if not gone.withdrawn or place_of(gone) in places:
            continue
        fitting = [item for item in unused if _may_stand_in(item, gone)]
        if fitting:
            nearest = min(fitting, key=lambda item: (abs(item.day - gone.day), item.key))
            places[place_of(gone)] = nearest
            unused.remove(nearest)
    return places


def gaps(library: Library, locales: Iterable[str]) -> list[Place]:
    """Return the days of the programme that have no item."""
    return [
        (locale, kind, stage, day)
        for locale in locales
        for kind in DAILY
        for stage, (first, last) in STAGE_DAYS.items()
        for day in range(first, last + 1)
        if library.item_on(locale, kind, stage, day) is None
    ]


def in_runs(places: Iterable[Place]) -> Iterator[tuple[Place, int]]:
    """Yield each run of days without a break: its first place, and its last day."""
    numbered = enumerate(places)
    for _, run in groupby(numbered, key=lambda each: (each[1][:3], each[1][3] - each[0])):
        days = [place for _, place in run]
        yield days[0], days[-1][3]


def gap_told(first: Place, last: int) -> str:
    """Say which days have nothing: no fact for infant days 4 to 365."""
    _, kind, stage, day = first
    return f"no {kind} for {stage} " + (f"day {day}" if day == last else f"days {day} to {last}")


def place_of(item: Item) -> Place:
    """Return the place that an item asks for."""
    return item.locale, item.kind, item.stage, item.day


def _may_stand_in(item: Item, gone: Item) -> bool:
    same = place_of(item)[:3] == place_of(gone)[:3]
    return same and item.fits[0] <= gone.day <= item.fits[1]
