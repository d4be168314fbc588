"""Rules on how a text is worded, whoever it is for. Each yields what is wrong and how to mend it."""

import re
from collections.abc import Iterator

from smsutil import is_valid_gsm

from babymind.domain.wording import BABY_PLACEHOLDERS, placeholders
from babymind.errors import InvalidInputError
from babymind.library.draft import Draft
from babymind.library.readability import grade
from babymind.library.rulebook import Ban, Rulebook, plain
from babymind.library.sms import septets
from babymind.library.values import ContentKind, Item, Message

MOST_SEPTETS = 306  # two concatenated SMS of 153
PROMPT_SEPTETS = 160  # one SMS
ITEM_GRADE = 9.0
GRADE_NEEDS_WORDS = 8  # the formula means nothing for a handful of words

_BABY = r"\{[Bb]aby\}"
_ADVERBS = (
    "also|often|always|sometimes|still|already|just|now|soon|really|probably|perhaps|usually|never|only|most|not"
)
_BEFORE = rf"(?:(?P<before>[\w'}}]+) )?{_BABY}"
# A verb for one baby only, or for several only, where twins need a choice: "{baby} likes", "what does {baby}".
_ONE_AFTER = re.compile(
    rf"{_BEFORE} (?:(?:{_ADVERBS}) )*(?!(?:{_ADVERBS}|this|as|its|his|across|towards|unless|less|yes|us)\b)"
    r"(?P<verb>(?:is|was|has|does)n't|[a-z]+s)\b"
)
_MANY_AFTER = re.compile(rf"{_BEFORE} (?P<verb>are|have|were|do)\b")
_ONE_BEFORE = re.compile(rf"(?:(?P<before>[\w'}}]+) )?\b(?P<verb>(?:is|was|has|does)(?:n't)?) {_BABY}", re.IGNORECASE)
_MANY_BEFORE = re.compile(rf"(?:(?P<before>[\w'}}]+) )?\b(?P<verb>are|have|were|do) {_BABY}", re.IGNORECASE)
_SWAPPED = re.compile(rf"{_BABY} (?:(?:{_ADVERBS}) )*\{{((?:are|have|were|do|[a-z]+[^s|])\|[a-z]+s)\}}")
# After these the baby is not the subject ("from {baby} feels"), or the verb does not change ("might {baby} have").
_NOT_SUBJECT = (
    "about|after|around|as|at|before|behind|beside|between|by|for|from|in|into|like|near|of|on|over|than|to|towards|"
    "with|without|and|or"
)
_UNCHANGING = (
    f"{_NOT_SUBJECT}|may|might|can|could|will|would|shall|should|must|did|do|does|helps?|lets?|makes?|made|see|saw|"
    "watch|hear|(?:do|let|have|make|help|see)\\}"
)
_OWNERS = "i|you|we|they|people|who|to|parents|babies|mothers|fathers|carers"
_THEY_ONE = re.compile(
    r"\{[Tt]hey\} (?:(?:is|was|has|does)(?:n't)?\b|\{[^{}|]+\|[^{}|]+\})|\b(?:is|was|has|does)(?:n't)? \{they\}"
)
# What a baby has one of: twins have two.
_ONE_EACH = re.compile(
    r"\{(?:[Tt]heir|[Bb]abys)\} (?:(?:own|whole|very|little|small|new|busy) )*"
    r"(?P<thing>mind|face|head|nose|mouth|chin|tummy|body|brain|heart)\b"
)
_EXTRA = re.compile(r"  |\s[.,;:?!]|\n")


def placeholder_unknown(text: Item | Message) -> Iterator[str]:
    """Braces that nobody will fill in."""
    known = BABY_PLACEHOLDERS
    if isinstance(text, Message):
        known = known | {*text.values} | ({"signposts"} if text.signposts else set())
    try:
        unknown = placeholders(text.text) - known
    except InvalidInputError as error:
        yield str(error)
        return
    for name in sorted(unknown):
        yield f"{{{name}}} does not exist here; this text can use: {', '.join(sorted(known))}."


def choice_missing(text: Item | Message) -> Iterator[str]:
    """A word that reads wrong for twins, or for one baby."""
    patterns = ((_ONE_AFTER, _NOT_SUBJECT), (_MANY_AFTER, _UNCHANGING), (_ONE_BEFORE, ""), (_MANY_BEFORE, _OWNERS))
    for pattern, excused in patterns:
        for found in pattern.finditer(text.text):
            before = found["before"]
            if before is None or not re.fullmatch(excused, before, re.IGNORECASE):
                yield (
                    f"'{found.group(0)}' reads wrong for one baby or for twins; write '{found['verb']}' as a choice, "
                    "such as {is|are}."
                )
    for found in _SWAPPED.finditer(text.text):
        yield f"In {{{found.group(1)}}} the word for one baby comes first; swap the two."
    for found in _ONE_EACH.finditer(text.text):
        thing = found["thing"]
        more = "bodies" if thing == "body" else f"{thing}s"
        yield f"Twins have two: mend '{found.group(0)}' with the choice {{{thing}|{more}}}."
    for found in _THEY_ONE.finditer(text.text):
        yield f"After {{they}} the verb is always plural and needs no choice; mend '{found.group(0)}'."


def characters(draft: Draft) -> Iterator[str]:
    """Characters that make an SMS dear: anything outside GSM-7."""
    if not is_valid_gsm(draft.template):
        odd = sorted({letter for letter in draft.template if not is_valid_gsm(letter)})
        shown = " ".join(f"{letter} (U+{ord(letter):04X})" for letter in odd)
        yield f"Outside GSM-7: {shown}; write straight quotes, a hyphen, three full stops."


def spacing(draft: Draft) -> Iterator[str]:
    """Double spaces, a space before a full stop, a line break."""
    found = _EXTRA.search(draft.template)
    if found and draft.kind is not ContentKind.MESSAGE:
        yield f"There is a stray space or line break at '{draft.template[max(0, found.start() - 12) : found.end()]}'."


def length(draft: Draft) -> Iterator[str]:
    """A fact over two SMS segments, a prompt over one."""
    most = PROMPT_SEPTETS if draft.kind is ContentKind.PROMPT else MOST_SEPTETS
    longest = max(map(septets, draft.readings))
    if longest > most:
        yield f"{longest} characters with the name filled in, at most {most}; take out {longest - most}."


def reading_grade(draft: Draft) -> Iterator[str]:
    """One text that is hard to read."""
    found = grade([draft.unnamed])
    if found > ITEM_GRADE and len(draft.unnamed.split()) >= GRADE_NEEDS_WORDS:
        yield f"Reading grade {found:.1f}, at most {ITEM_GRADE:g}; shorten sentences and choose shorter words."


def exclamation(draft: Draft) -> Iterator[str]:
    """An exclamation mark."""
    if "!" in draft.template:
        yield "There is an exclamation mark; end with a full stop."


def banned(draft: Draft, ban: Ban, book: Rulebook) -> Iterator[str]:
    """A phrase of one word list."""
    if not ban.covers(draft.kind, draft.stage):
        return
    for sentence in draft.sentences:
        found = ban.phrases.find(sentence)
        if found and plain(sentence) not in book.allowed:
            yield f"'{found}' is not used here. {ban.mend}"


def imperative(draft: Draft, book: Rulebook) -> Iterator[str]:
    """An order about health, feeding or sleep that is not one of the safer-sleep sentences."""
    for sentence in draft.sentences:
        if plain(sentence) in book.allowed:
            continue
        topic = book.topics.find(book.harmless.without(sentence))
        clauses = re.split(r"[,;:] (?:and |but |then |so )?", sentence)
        if topic and any(book.orders.begins(clause) for clause in clauses):
            yield (
                f"'{sentence}' tells the reader what to do about '{topic}'; say what babies do, or use a safer-sleep "
                "sentence of rules.yaml word for word."
            )


def invitations(draft: Draft, book: Rulebook) -> Iterator[str]:
    """More than one invitation to notice or try in a fact."""
    found = [sentence for sentence in draft.sentences if book.invitations.begins(sentence)]
    if draft.kind is ContentKind.FACT and len(found) > 1:
        yield f"{len(found)} invitations ('{found[0]}', '{found[1]}'); keep one."


def one_question(draft: Draft) -> Iterator[str]:
    """A prompt with several questions."""
    if draft.kind is ContentKind.PROMPT and draft.template.count("?") > 1:
        yield "A prompt asks one question; keep the better one."
