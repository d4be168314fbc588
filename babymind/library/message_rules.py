"""Rules on messages, signposts and keywords. Each yields what is wrong and how to mend it."""

from collections.abc import Iterator
from datetime import date

from babymind.domain.reply import Keyword, folded
from babymind.domain.wording import BABY_PLACEHOLDERS, placeholders
from babymind.errors import InvalidInputError
from babymind.library.bank import SIGNPOST_REFUSED_DAYS, SIGNPOST_STALE_DAYS, Library
from babymind.library.draft import Draft
from babymind.library.rulebook import Rulebook
from babymind.library.sms import septets
from babymind.library.values import KeywordEntry, Message, Signpost

# The messages that the service sends by name, in every locale.
REQUIRED = {
    "welcome", "consent-messaging", "consent-research", "stop", "start", "help", "pause", "resume", "time", "born",
    "loss", "arrived", "birth-congratulations", "upload-link", "unknown-number", "condolence", "crisis",
    "programme-end",
}  # fmt: skip
ONE_SMS = frozenset({"stop", "start", "help"})
MUST_SAY = {
    "welcome": ("{service}", "{reading_hours}", "emergency", "STOP", "HELP"),
    "help": ("{service}", "emergency", "STOP"),
    "stop": ("START",),
    "start": ("STOP",),
    "crisis": ("{reading_hours}", "{signposts}"),
    "condolence": ("{signposts}",),
}
_ONE_SEGMENT = 160
_EACH_SEGMENT = 153


def missing(library: Library) -> Iterator[tuple[str, str]]:
    """Yield (locale, how to mend it) for each message that a locale lacks."""
    for locale in sorted({message.locale for message in library.messages}):
        there = {message.key for message in library.messages if message.locale == locale}
        for key in sorted(REQUIRED - there):
            yield locale, f"The message '{key}' is missing; write it."


def key_used_twice(library: Library) -> Iterator[tuple[Message, str]]:
    """A key that two messages of a locale share."""
    first: dict[tuple[str, str], Message] = {}
    for message in library.messages:
        other = first.setdefault((message.key, message.locale), message)
        if other is not message:
            yield message, f"This id is already used at {other.file}:{other.line}; keep one of the two."


def values(message: Message, book: Rulebook) -> Iterator[str]:
    """A value that is declared but not used, or whose length nobody can judge."""
    try:
        used = placeholders(message.text)
    except InvalidInputError:
        return
    for name in message.values:
        if name not in used:
            yield f"'{name}' is among its values but not in its text; use it or take it out."
        elif name not in book.samples:
            yield f"'{name}' has no sample in rules.yaml; add one, as long as it may get."
    if message.signposts and "signposts" not in used:
        yield "It lists signposts but its text has no {signposts}; add it or take the list out."


def must_say(message: Message) -> Iterator[str]:
    """What a message has to tell, and does not."""
    for words in MUST_SAY.get(message.key, ()):
        if words not in message.text:
            yield f"It has to say '{words}'; families rely on it."


def length(message: Message, draft: Draft) -> Iterator[str]:
    """A message over its SMS segments, with the longest values filled in."""
    most = 1 if message.key in ONE_SMS else message.segments
    longest = max(map(septets, draft.readings))
    room = _ONE_SEGMENT if most == 1 else most * _EACH_SEGMENT
    if message.segments and longest > room:
        yield f"{longest} characters with its values filled in, at most {room} ({most} SMS); shorten it."


def exclamation(message: Message) -> Iterator[str]:
    """A cheerful mark in a message to somebody who may be grieving or in danger."""
    if message.sensitive and "!" in message.text:
        yield "A sensitive message has no exclamation mark; end with a full stop."


def named(message: Message) -> Iterator[str]:
    """A baby's name in a message to somebody who may be grieving."""
    try:
        used = placeholders(message.text) & BABY_PLACEHOLDERS
    except InvalidInputError:
        return
    if message.sensitive and used:
        yield f"A sensitive message names no baby; write it without {{{min(used)}}}."


def signposts_known(message: Message, library: Library) -> Iterator[str]:
    """A signpost that does not exist, or that nobody has confirmed."""
    by_key = {signpost.key: signpost for signpost in library.signposts}
    for key in message.signposts:
        if key not in by_key:
            yield f"'{key}' is not in signposts.yaml; check the spelling."
        elif by_key[key].checked_on is None:
            yield f"'{key}' is marked unchecked and is never sent; confirm it first, or name another."


def signpost_stale(signpost: Signpost, today: date) -> Iterator[str]:
    """A signpost to confirm soon (a notice)."""
    days = _days_since_check(signpost, today)
    if SIGNPOST_STALE_DAYS <= days < SIGNPOST_REFUSED_DAYS:
        left = SIGNPOST_REFUSED_DAYS - days
        yield f"Checked {days} days ago; ring or open it and date it anew. In {left} days it is no longer sent."


def signpost_refused(signpost: Signpost, today: date) -> Iterator[str]:
    """A signpost too old to send, or dated in the future."""
    days = _days_since_check(signpost, today)
    if days >= SIGNPOST_REFUSED_DAYS:
        yield f"Checked {days} days ago and no longer sent; ring or open it and date it anew."
    if days < 0:
        yield f"'checked_on' {signpost.checked_on} is in the future; write the day of the check."


def _days_since_check(signpost: Signpost, today: date) -> int:
    return 0 if signpost.checked_on is None else (today - signpost.checked_on).days


def keyword_unknown(entry: KeywordEntry) -> Iterator[str]:
    """A keyword that steers nothing."""
    if entry.keyword not in {*Keyword} - {Keyword.UNCLEAR}:
        known = ", ".join(keyword for keyword in Keyword if keyword is not Keyword.UNCLEAR)
        yield f"'{entry.keyword}' is no keyword; choose from: {known}."


def keyword_clash(entry: KeywordEntry, library: Library) -> Iterator[str]:
    """A phrase that would mean two things."""
    for other in library.keyword_entries:
        shared = sorted({*map(folded, entry.words)} & {*map(folded, other.words)})
        if other is not entry and shared:
            yield f"'{shared[0]}' also means {other.keyword} ({other.file}:{other.line}); keep it in one place."


def keyword_examples(entry: KeywordEntry, library: Library) -> Iterator[str]:
    """An example that is read otherwise than it says."""
    words = library.keywords
    for example in entry.must_match:
        if words.get(folded(example)) != entry.keyword:
            yield f"'{example}' must match and does not; add it to the words."
    for example in entry.must_not_match:
        if words.get(folded(example)) == entry.keyword:
            yield f"'{example}' must not match and does; take it out of the words."
