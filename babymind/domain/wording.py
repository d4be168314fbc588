"""Wording: one text that reads right for one baby, for several, and without a name."""

import re
from collections.abc import Sequence

from babymind.errors import InvalidInputError

# Something in braces, or a brace left alone: one choice ``{likes|like}`` or one name ``{baby}``.
_BRACES = re.compile(r"\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"[A-Za-z][A-Za-z_]*")
_PRONOUNS = {word: word for word in ("they", "them", "their", "They", "Their")}

BABY_PLACEHOLDERS = frozenset({"baby", "Baby", "babys", "Babys", *_PRONOUNS})


def render(template: str, babies: Sequence[str | None], **values: str) -> str:
    """Return a text with its placeholders filled in.

    Args:
        template: The text, with ``{baby}``, ``{they}``, ``{likes|like}`` and the like; ``content/README.md`` has
            the table.
        babies: The babies whom it is about, each a name or None; with no baby at all it speaks of "your baby".
        values: What every other placeholder stands for. Names and values are put in as they are: a brace in
            them means nothing.

    Raises:
        InvalidInputError: A placeholder is unknown or written wrongly; the text names it.
    """
    known = {**values, **_about(babies)}
    several = len(babies) > 1

    def fill(found: re.Match[str]) -> str:
        inside = found.group(1)
        if inside is not None and inside.count("|") == 1:
            one, many = inside.split("|")
            return many if several else one
        if inside is None or inside not in known:
            raise InvalidInputError(_complaint(found.group(0)))
        return known[inside]

    return _BRACES.sub(fill, template)


def placeholders(template: str) -> frozenset[str]:
    """Return the names of the placeholders in a text; a ``{one|many}`` choice has no name.

    Raises:
        InvalidInputError: Braces that are neither a name nor a choice.
    """
    names = set()
    for found in _BRACES.finditer(template):
        inside = found.group(1)
        if inside is not None and inside.count("|") == 1:
            continue
        if inside is None or not _NAME.fullmatch(inside):
            raise InvalidInputError(_complaint(found.group(0)))
        names.add(inside)
    return frozenset(names)


def name_list(babies: Sequence[str | None]) -> str:
    """Return the babies as a sentence names them: "Ada and Ben"; "your babies" where a name is missing."""
    names = _names(babies)
    if not names:
        return "your babies" if len(babies) > 1 else "your baby"
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def babies_called(babies: Sequence[str | None]) -> str:
    """Return the babies as the app team speaks of them: "Ada and one without a name"."""
    if not any(babies):
        return "a baby without a name" if len(babies) == 1 else f"{len(babies)} babies without names"
    said = [name or "one without a name" for name in babies]
    return " and ".join(part for part in (", ".join(said[:-1]), said[-1]) if part)


def _names(babies: Sequence[str | None]) -> list[str]:
    """The names, if every baby has one; else none, for to name one twin only would leave the other out."""
    names = [name.strip() for name in babies if name and name.strip()]
    return names if len(names) == len(babies) else []


def _about(babies: Sequence[str | None]) -> dict[str, str]:
    baby = name_list(babies)
    if _names(babies):
        forms = {"baby": baby, "Baby": baby, "babys": f"{baby}'s", "Babys": f"{baby}'s"}
    else:
        babys = f"{baby}'" if len(babies) > 1 else f"{baby}'s"
        forms = {"baby": baby, "Baby": baby.capitalize(), "babys": babys, "Babys": babys.capitalize()}
    return forms | _PRONOUNS


def _complaint(written: str) -> str:
    if written in "{}":
        return f"The brace {written} stands alone; placeholders are written like {{baby}} or {{likes|like}}."
    return f"{written} is not a placeholder that this text can use; check its spelling."
