"""Rules on the bank as a whole: ids, days, themes, repeats. Each yields the text concerned and how to mend it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from rapidfuzz import fuzz, process

from babymind.domain.age import AgeBasis, Stage
from babymind.library.bank import Library, place_of
from babymind.library.readability import grade
from babymind.library.rulebook import Rulebook, plain
from babymind.library.values import STAGE_DAYS, THEMES, ContentKind, Item

Told = tuple[Item, str]  # the item that a finding is about, and how to mend it

DEFAULT_LOCALE = "en-GB"
MOST_THEMES = 2
THEME_DAYS = 14
MOST_OF_A_THEME = 3
REPEAT_DAYS = 90
ALIKE = 88.0  # of 100, by rapidfuzz's token-sort ratio over the plain text
VERY_ALIKE = 97.0  # alike whatever the words mean
SAME_TOPIC = 0.5  # the part of the words with a topic that two texts share
FINDING_DAYS = 60
SAME_FINDING = 0.6  # the part of its topics that the shorter of two facts on one source shares with the other
_STEM = 5  # letters of a word by which topics are compared: smile, smiled, smiling
FILE_GRADE = 6.5

_SHORTEST_PRETERM_DAYS = 22  # born at 36+6
_BORN_DAYS = 21  # a term birth is from 37+0, 21 days before the due date
_BASIS = {Stage.EARLY: AgeBasis.CHRONOLOGICAL, Stage.INFANT: AgeBasis.CORRECTED}


def id_form(item: Item) -> Iterator[str]:
    """An id that does not say what the item is."""
    start = f"{item.kind}-{item.stage}-"
    if not re.fullmatch(rf"{start}[a-z0-9]+(-[a-z0-9]+)*", item.key):
        yield f"Write the id as {start}<a few words>, lower case with hyphens."


def days(item: Item) -> Iterator[str]:
    """A day that its stage does not have, or that the item itself does not fit."""
    if item.stage not in STAGE_DAYS:
        yield f"Nothing is sent in the stage '{item.stage}'; use {', '.join(STAGE_DAYS)}."
        return
    first, last = STAGE_DAYS[item.stage]
    if not first <= item.day <= last:
        yield f"Day {item.day} is not a day of '{item.stage}', which has {first} to {last}."
    if not item.fits[0] <= item.day <= item.fits[1]:
        yield f"Its own day {item.day} lies outside 'fits' {list(item.fits)}; widen 'fits' or move it."
    if item.fits[0] < first or item.fits[1] > last:
        yield f"'fits' {list(item.fits)} goes beyond '{item.stage}', which has {first} to {last}."


def age_basis(item: Item) -> Iterator[str]:
    """Days counted by the wrong age."""
    right = _BASIS.get(item.stage, item.age_basis)
    if item.age_basis is not right:
        yield f"The days of '{item.stage}' count {right} age; write 'age: {right}' at the top of the file."


def themes(item: Item) -> Iterator[str]:
    """Themes that do not exist, or too many."""
    unknown = sorted({*item.themes} - THEMES)
    if unknown:
        yield f"'{unknown[0]}' is no theme; choose from: {', '.join(sorted(THEMES))}."
    if not 1 <= len(item.themes) <= MOST_THEMES:
        yield f"Give one theme, at most {MOST_THEMES}."


def id_used_twice(library: Library) -> Iterator[Told]:
    """An id that two items share."""
    first: dict[tuple[str, str], Item] = {}
    for item in library.items:
        other = first.setdefault((item.key, item.locale), item)
        if other is not item:
            yield item, f"This id is already used by {_at(other)}; choose another."


def day_used_twice(library: Library) -> Iterator[Told]:
    """Two items that want one day."""
    first: dict[object, Item] = {}
    for item in _live(library):
        other = item if item.spare else first.setdefault(place_of(item), item)
        if other is not item:
            yield item, f"Day {item.day} already has {_at(other)}; move one, or mark one 'spare: true'."


def withdrawn(library: Library) -> Iterator[Told]:
    """A withdrawn item, and which one stands in (a notice)."""
    for item in library.items:
        if not item.withdrawn:
            continue
        other = library.item_on(*place_of(item))
        if other is not None:
            yield item, f"Withdrawn; on day {item.day} {other.key} is sent instead."
        else:
            yield item, f"Withdrawn, and nothing unused fits day {item.day}; write an item for it, or a spare one."


def theme_spread(library: Library) -> Iterator[Told]:
    """A theme that comes too often among the facts of some days running."""
    runs = defaultdict(list)
    for locale, kind, stage, day, _ in library.calendar():
        item = library.item_on(locale, kind, stage, day)
        # The antenatal days and the infant's are one run: most babies are born near the due date.
        run = Stage.INFANT if stage is Stage.ANTENATAL else stage
        if item is not None and kind is ContentKind.FACT:
            for theme in item.themes:
                runs[locale, run, theme].append((day, item))
    for (_, _, theme), run_days in runs.items():
        for (first, earlier), (day, item) in zip(run_days, run_days[MOST_OF_A_THEME:], strict=False):
            if day - first < THEME_DAYS:
                too_often = f"comes more than {MOST_OF_A_THEME} times in {THEME_DAYS} days"
                since = f"since {earlier.key} on day {first}"
                yield item, f"The theme '{theme}' {too_often}, {since}; move it or choose another theme."


def used_twice(library: Library, book: Rulebook) -> Iterator[Told]:
    """A fact told twice, word for word or nearly."""
    facts = [item for item in _live(library) if item.kind is ContentKind.FACT]
    for item, other, likeness in _alike(facts, book):
        same = "the same as" if likeness == 100 else f"{likeness:.0f}% like"
        yield item, f"This text is {same} {_at(other)}; write another fact."


def finding_repeated(library: Library, book: Rulebook) -> Iterator[Told]:
    """A finding that many families would be told again within some weeks, though in other words."""
    by_source = defaultdict(list)
    for item in _as_sent(library):
        for source in item.sources if item.kind is ContentKind.FACT else ():
            by_source[item.locale, source].append(item)
    for (_, source), facts in by_source.items():
        topics = {fact.key: _topics(fact.text, book) for fact in facts}
        for one, other in combinations(facts, 2):
            apart = _most_families_days_apart(one, other)
            if apart is None or apart >= FINDING_DAYS:
                continue
            shorter = min(len(topics[one.key]), len(topics[other.key]))
            shared = len(topics[one.key] & topics[other.key]) / max(1, shorter)
            if shared >= SAME_FINDING:
                mend = "tell another part of the finding, or rest one of them on another source"
                yield other, f"It tells much the same of '{source}' as {_at(one)}, {apart} days away; {mend}."


def prompt_repeated(library: Library, book: Rulebook) -> Iterator[Told]:
    """A prompt that some family would get again too soon, word for word or nearly."""
    prompts = [item for item in _as_sent(library) if item.kind is ContentKind.PROMPT]
    for item, other, likeness in _alike(prompts, book):
        apart = least_days_apart(other, item)
        if apart is not None and apart <= REPEAT_DAYS:
            met = f"which the same family may get {apart} days before or after"
            yield item, f"{likeness:.0f}% like {_at(other)}, {met}; ask about something else."


def reading_grade_of_file(library: Library) -> Iterator[Told]:
    """A file that is hard to read as a whole."""
    files = defaultdict(list)
    for item in _live(library):
        files[item.file].append(item)
    for items in files.values():
        found = grade(_unbraced(item.text) for item in items)
        if found > FILE_GRADE:
            hardest = max(items, key=lambda item: grade([_unbraced(item.text)]))
            most = f"The file reads at grade {found:.1f}, at most {FILE_GRADE}"
            yield hardest, f"{most}; simplify its hardest texts, first this one."


def locales_of(library: Library) -> list[str]:
    """Return the locales that have items, or the one that every bank has to have."""
    return sorted({item.locale for item in library.items}) or [DEFAULT_LOCALE]


def least_days_apart(one: Item, other: Item) -> int | None:
    """Return how many days at least lie between two items for any family that gets both; None if none does.

    A family goes from antenatal to overdue or early, then to infant. A term birth (from 37+0 on) starts the infant's
    days at birth; a preterm one starts early at birth and infant at the due date.
    """
    order = list(STAGE_DAYS)
    first, second = sorted((one, other), key=lambda item: (order.index(item.stage), item.day))
    match first.stage, second.stage:
        case a, b if a is b:
            return second.day - first.day
        case Stage.ANTENATAL, Stage.OVERDUE:
            return second.day - first.day
        case Stage.ANTENATAL, Stage.INFANT:
            return second.day + max(1, -_BORN_DAYS - first.day)
        case Stage.ANTENATAL, Stage.EARLY:
            return second.day + 1 if first.day < -_SHORTEST_PRETERM_DAYS else None
        case Stage.OVERDUE, Stage.INFANT:
            return second.day + 1
        case Stage.EARLY, Stage.INFANT:
            return second.day + max(1, _SHORTEST_PRETERM_DAYS - first.day)
    return None


def _most_families_days_apart(one: Item, other: Item) -> int | None:
    """Return how far apart a family meets two items that is born near its due date; None if it meets one at most.

    What is written for early babies is left out: it tells anew, in its own words, what others read later.
    """
    stages = {one.stage, other.stage}
    if len(stages) > 1 and Stage.EARLY in stages:
        return None
    if stages == {Stage.ANTENATAL, Stage.INFANT}:
        return abs(other.day - one.day)
    return least_days_apart(one, other)


def _alike(items: Sequence[Item], book: Rulebook) -> Iterator[tuple[Item, Item, float]]:
    """Pairs of items whose texts are nearly the same: the later one, the earlier one, and how alike."""
    words = [sorted(plain(_unbraced(item.text)).split()) for item in items]
    texts = [" ".join(each) for each in words]
    topics = [{*each} - book.small_words for each in words]
    for index, item in enumerate(items):
        # Sorted words under a plain ratio: rapidfuzz's token-sort ratio, with the sorting done once.
        close = process.extract(texts[index], texts[:index], scorer=fuzz.ratio, score_cutoff=ALIKE, limit=None)
        for _, likeness, earlier in close:
            shared = len(topics[index] & topics[earlier]) / max(1, len(topics[index] | topics[earlier]))
            same_topic = shared >= SAME_TOPIC or likeness >= VERY_ALIKE
            if same_topic and items[earlier].locale == item.locale:
                yield item, items[earlier], likeness


def _topics(template: str, book: Rulebook) -> frozenset[str]:
    return frozenset(word[:_STEM] for word in {*plain(_unbraced(template)).split()} - book.small_words)


def _at(item: Item) -> str:
    return f"{item.key} ({item.file}:{item.line})"


def _unbraced(template: str) -> str:
    """A template as one unnamed baby's family reads it, near enough to compare and count."""
    chosen = re.sub(r"\{([^{}|]*)\|[^{}]*\}", r"\1", template)
    named = re.sub(r"\{([Bb])aby(s?)\}", lambda found: "your baby" + ("'s" if found.group(2) else ""), chosen)
    return re.sub(r"[{}]", "", named)


def _as_sent(library: Library) -> list[Item]:
    """The live items on the days on which they go: a spare one that stands in takes the day of the withdrawn one."""
    sent = {(key, locale): day for locale, _, _, day, key in library.calendar()}
    days = [(item, sent.get((item.key, item.locale), item.day)) for item in _live(library)]
    return [item if item.day == day else replace(item, day=day) for item, day in days]


def _live(library: Library) -> Iterable[Item]:
    return [item for item in library.items if not item.withdrawn and item.stage in STAGE_DAYS]
