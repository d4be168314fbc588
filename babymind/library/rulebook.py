"""The rule book: the word lists of ``content/rules.yaml``, ready to be looked for in a text."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from babymind.domain.age import Stage
from babymind.domain.wording import render
from babymind.library.reading import Fields, FormatError, read
from babymind.library.values import ContentKind


@dataclass(frozen=True, slots=True)
class Phrases:
    """A list of phrases as one search."""

    _search: re.Pattern[str]

    def find(self, text: str) -> str | None:
        """Return the first thing in a text that is one of the phrases, or None."""
        found = self._search.search(text)
        return found.group(0).strip() if found else None

    def begins(self, text: str) -> bool:
        """Tell whether a text begins with one of the phrases."""
        return self._search.match(text) is not None

    def without(self, text: str) -> str:
        """Return a text with the phrases taken out."""
        return self._search.sub(" ", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """Phrases that a text may not have, and what to write instead."""

    name: str
    mend: str
    phrases: Phrases
    kinds: tuple[ContentKind, ...]
    stages: tuple[Stage, ...]

    def covers(self, kind: ContentKind, stage: Stage | None) -> bool:
        """Tell whether the list holds for texts of a kind and stage."""
        return kind in self.kinds and (stage is None or stage in self.stages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """All word lists."""

    hedges: Phrases
    looks_elsewhere: Phrases
    bans: tuple[Ban, ...]  # named ``words-<name>`` and ``claim-<name>``
    orders: Phrases
    topics: Phrases
    harmless: Phrases
    allowed: frozenset[str]  # whole sentences, as `plain` writes them
    invitations: Phrases
    small_words: frozenset[str]
    samples: dict[str, str]


def load_rulebook(root: Path) -> Rulebook:
    """Read ``rules.yaml`` of a content folder.

    Raises:
        ContentError: It breaks its format; names the line.
    """
    top = read(root / "rules.yaml", root)
    imperatives = top.inside("imperatives", "the rule on imperatives")
    samples = top.inside("samples", "the samples")
    book = Rulebook(
        hedges=phrases(top.texts("hedges")),
        looks_elsewhere=phrases(top.texts("looks_elsewhere")),
        bans=(*_bans(top, "never", "words"), *_bans(top, "claims", "claim")),
        orders=phrases(imperatives.texts("orders")),
        topics=phrases(imperatives.texts("topics")),
        harmless=phrases(imperatives.texts("harmless")),
        allowed=frozenset(
            plain(render(sentence, babies))
            for sentence in imperatives.texts("allowed")
            for babies in ([None], [None, None])
        ),
        invitations=phrases(top.texts("invitations")),
        small_words=frozenset(top.texts("small_words")),
        samples={name: samples.text(name) for name in samples.names},
    )
    imperatives.done()
    top.done()
    return book


def phrases(written: Iterable[str]) -> Phrases:
    """Return a search for phrases: ``*`` is any ending, ``a/b`` either word, ``...`` the rest of the sentence."""
    # Longest first, so that what is found and shown is the whole phrase.
    each = "|".join(_pattern(phrase) for phrase in sorted(written, key=len, reverse=True))
    return Phrases(re.compile(rf"(?<![\w'-])(?:{each})(?![\w'-])", re.IGNORECASE))


def plain(text: str) -> str:
    """Return a text as texts are compared: small letters, no punctuation, single spaces."""
    return re.sub(r"[^a-z0-9']+", " ", text.lower()).strip()


def _pattern(phrase: str) -> str:
    parts = [
        r"[^.?!]*?" if word == "..." else "(?:" + "|".join(map(_word, word.split("/"))) + ")"
        for word in phrase.split()
    ]
    # "..." may stand for nothing at all, so it takes the gaps around it with it.
    return r"[\s,]+".join(parts).replace(r"[\s,]+[^.?!]*?[\s,]+", r"(?:[\s,]+[^.?!]*?)?[\s,]+")


def _word(word: str) -> str:
    return re.escape(word).replace(r"\*", r"[\w'-]*")


def _bans(top: Fields, key: str, prefix: str) -> Iterable[Ban]:
    for entry in top.each(key, "a word list"):
        if isinstance(entry, FormatError):
            raise entry
        kinds = entry.texts("kinds", tuple(ContentKind))
        stages = entry.texts("stages", tuple(Stage))
        if not {*kinds} <= {*ContentKind} or not {*stages} <= {*Stage}:
            raise entry.error("'kinds' are fact, prompt, message; 'stages' antenatal, overdue, early, infant.")
        yield Ban(
            name=f"{prefix}-{entry.text('name')}",
            mend=entry.text("mend"),
            phrases=phrases(entry.texts("phrases")),
            kinds=tuple(ContentKind(kind) for kind in kinds),
            stages=tuple(Stage(stage) for stage in stages),
        )
        entry.done()
