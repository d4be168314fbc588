"""A text under inspection: as the families will read it, and cut into sentences, once for all rules."""

from collections.abc import Sequence
from dataclasses import dataclass

from babymind.domain.age import Stage
from babymind.domain.wording import placeholders, render
from babymind.errors import InvalidInputError
from babymind.library.readability import sentences
from babymind.library.values import ContentKind, Item, Message

LONG_NAME = "Christopher"  # 11 letters: longer than 99 of 100 first names
READERS: tuple[tuple[str | None, ...], ...] = ((LONG_NAME,), (None,), (None, None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One item or message with its readings."""

    key: str
    kind: ContentKind
    stage: Stage | None
    template: str
    readings: tuple[str, ...]  # by a baby with a long name, a baby without a name, twins without names
    sentences: tuple[str, ...]  # of the reading without a name

    @property
    def unnamed(self) -> str:
        """The text as a family with one unnamed baby reads it."""
        return self.readings[1]


def draft_of(text: Item | Message, values: dict[str, str]) -> Draft | None:
    """Return a text ready for inspection; None when its placeholders cannot be filled."""
    try:
        filled = {name: values.get(name, name) for name in placeholders(text.text)}
        readings = tuple(_read(text.text, babies, filled) for babies in READERS)
    except InvalidInputError:
        return None
    return Draft(
        key=text.key,
        kind=text.kind,
        stage=text.stage if isinstance(text, Item) else None,
        template=text.text,
        readings=readings,
        sentences=tuple(sentences(readings[1])),
    )


def _read(template: str, babies: Sequence[str | None], values: dict[str, str]) -> str:
    return render(template, babies, **values)
