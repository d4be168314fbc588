"""Rules on what a fact rests on. Each yields what is wrong and how to mend it."""

from collections.abc import Iterator

from babymind.domain.age import Stage
from babymind.library.bank import Library
from babymind.library.draft import Draft
from babymind.library.rulebook import Rulebook
from babymind.library.values import Item, ParentUse

LEFT_ALONE = frozenset({"contested", "failed_replication", "multi_lab_failed_replication"})

# An early baby of so many days may be so much younger by corrected age (born at 22+0); an overdue one lives as in
# the last weeks of pregnancy.
_EARLY_MISSING_DAYS = 126
_NEAR_TERM_DAYS = -14


def source_missing(item: Item) -> Iterator[str]:
    """A fact that rests on nothing."""
    if not item.sources:
        yield "A fact needs at least one source; add 'sources: [id]' from sources.yaml."


def evidence_missing(item: Item) -> Iterator[str]:
    """A fact that does not say what it rests on."""
    if not item.evidence:
        yield "Add 'evidence': one line that says which part of the finding this rests on."


def source_unknown(item: Item, library: Library) -> Iterator[str]:
    """A source that the bibliography does not have."""
    known = {source.key for source in library.sources_of(item)}
    for key in item.sources:
        if key not in known:
            yield f"'{key}' is not in sources.yaml; check the spelling, or cite another source."


def source_background(item: Item, library: Library) -> Iterator[str]:
    """A source that is for the team only."""
    for source in library.sources_of(item):
        if source.parent_use is ParentUse.BACKGROUND:
            yield f"'{source.key}' is for the team only (parent_use: background); cite another source."


def source_contested(item: Item, library: Library) -> Iterator[str]:
    """A source whose finding did not hold up."""
    for source in library.sources_of(item):
        if source.replication in LEFT_ALONE:
            yield f"'{source.key}' is {source.replication.replace('_', ' ')}; leave this finding alone."


def hedge_missing(item: Item, draft: Draft, library: Library, book: Rulebook) -> Iterator[str]:
    """A finding that is not certain, told as if it were."""
    for source in library.sources_of(item):
        if source.parent_use is ParentUse.HEDGE and not book.hedges.find(draft.unnamed):
            yield f"'{source.key}' needs a hedge: some studies, one small study, may, seems, often, many babies."
            return


def age_fit(item: Item, draft: Draft, library: Library, book: Rulebook) -> Iterator[str]:
    """A fact on a day that its sources say nothing about."""
    sources = library.sources_of(item)
    first, last = _lived(item)
    fits = any(source.ages_days[0] <= last and first <= source.ages_days[1] for source in sources)
    if sources and not fits and not book.looks_elsewhere.find(draft.unnamed):
        ages = ", ".join(f"{s.key} {s.ages_days[0]} to {s.ages_days[1]}" for s in sources)
        yield (
            f"Day {item.day} lies outside the ages of its sources ({ages}); move it, or say that it looks ahead or "
            "back (by six months, newborns, later, before birth)."
        )


def _lived(item: Item) -> tuple[int, int]:
    """The ages, in days from the due date, that a baby may have on an item's day."""
    if item.stage is Stage.EARLY:
        return item.day - _EARLY_MISSING_DAYS, item.day
    if item.stage is Stage.OVERDUE:
        return _NEAR_TERM_DAYS, item.day
    return item.day, item.day
