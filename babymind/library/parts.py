"""From files to values: what each kind of file holds, read strictly."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from babymind.domain.age import AgeBasis, Stage
from babymind.errors import ContentError
from babymind.library.reading import Fields, FormatError, read
from babymind.library.values import (
    DAILY,
    ContentKind,
    Finding,
    Item,
    KeywordEntry,
    Message,
    ParentUse,
    Signpost,
    Source,
)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that the files hold, and what is wrong with their format."""

    items: tuple[Item, ...]
    messages: tuple[Message, ...]
    signposts: tuple[Signpost, ...]
    sources: tuple[Source, ...]
    keywords: tuple[KeywordEntry, ...]
    problems: tuple[Finding, ...]

    def require_whole(self) -> None:
        """Refuse a folder of which something could not be read.

        Raises:
            ContentError: Names the file and the line of the first problem.
        """
        if self.problems:
            first, more = self.problems[0], len(self.problems) - 1
            rest = f" ({more} more; 'babymind content check' lists them)" if more else ""
            raise ContentError(f"{first}{rest}")


def read_parts(root: Path) -> Parts:
    """Read a content folder; what cannot be read is left out and told as a problem."""
    problems: list[Finding] = []

    def gather(paths: list[Path], contents: Callable[[Fields], Iterator[_T | FormatError]]) -> tuple[_T, ...]:
        found: list[_T] = []
        for path in paths:
            try:
                for part in contents(read(path, root)):
                    if isinstance(part, FormatError):
                        problems.append(part.finding)
                    else:
                        found.append(part)
            except FormatError as error:
                problems.append(error.finding)
        return tuple(found)

    return Parts(
        items=gather([*_files(root / "facts"), *_files(root / "prompts")], _items),
        messages=gather(_files(root / "messages"), _messages),
        signposts=gather([root / "signposts.yaml"], _list_of("signposts", "a signpost", _signpost)),
        sources=gather([root / "sources.yaml"], _list_of("sources", "a source", _source)),
        keywords=gather([root / "triage" / "keywords.yaml"], _list_of("keywords", "a keyword", _keyword)),
        problems=tuple(problems),
    )


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.yaml"))


def _list_of(key: str, kind: str, build: Callable[[Fields], _T]) -> Callable[[Fields], Iterator[_T | FormatError]]:
    """Return a reader of a file that holds one list; one bad entry does not hide the next."""

    def contents(top: Fields) -> Iterator[_T | FormatError]:
        for entry in top.each(key, kind):
            if isinstance(entry, FormatError):
                yield entry
                continue
            try:
                value = build(entry)
                entry.done()
                yield value
            except FormatError as error:
                yield error
        top.done()

    return contents


def _items(top: Fields) -> Iterator[Item | FormatError]:
    kind = top.choice("kind", ContentKind)
    if kind not in DAILY:
        raise top.error("A file of items is of kind fact or prompt; messages live in messages/.")
    stage, locale = top.choice("stage", Stage), top.text("locale")
    basis = top.choice("age", AgeBasis)
    reviewer, review_by = top.text("reviewer"), top.day("review_by")

    def item(entry: Fields) -> Item:
        return Item(
            key=entry.text("id"),
            kind=kind,
            locale=locale,
            stage=stage,
            day=entry.whole("day"),
            fits=entry.span("fits"),
            age_basis=basis,
            themes=entry.texts("themes"),
            text=entry.text("text"),
            sources=entry.texts("sources", ()),
            evidence=entry.text("evidence", ""),
            reviewer=entry.text("reviewer", reviewer),
            review_by=entry.day("review_by") if entry.has("review_by") else review_by,
            file=entry.file,
            line=entry.line,
            spare=entry.flag("spare", default=False),
            withdrawn=entry.flag("withdrawn", default=False),
        )

    yield from _list_of("items", f"a {kind}", item)(top)


def _messages(top: Fields) -> Iterator[Message | FormatError]:
    locale, reviewer, review_by = top.text("locale"), top.text("reviewer"), top.day("review_by")

    def message(entry: Fields) -> Message:
        return Message(
            key=entry.text("id"),
            locale=locale,
            text=entry.text("text"),
            sensitive=entry.flag("sensitive"),
            values=entry.texts("values"),
            signposts=entry.texts("signposts", ()),
            segments=entry.whole("segments", 2),
            reviewer=reviewer,
            review_by=review_by,
            file=entry.file,
            line=entry.line,
        )

    yield from _list_of("messages", "a message", message)(top)


def _signpost(entry: Fields) -> Signpost:
    unchecked = entry.flag("unchecked", default=False)
    return Signpost(
        key=entry.text("id"),
        name=entry.text("name"),
        contact=entry.text("contact"),
        say=entry.text("say"),
        hours=entry.text("hours"),
        nations=entry.texts("nations"),
        cost=entry.text("cost"),
        purpose=entry.text("for"),
        checked_on=None if unchecked else entry.day("checked_on"),
        checked_by="" if unchecked else entry.text("checked_by"),
        file=entry.file,
        line=entry.line,
    )


def _source(entry: Fields) -> Source:
    if entry.has("gestational_weeks"):
        entry.span("gestational_weeks")
    return Source(
        key=entry.text("id"),
        authors=entry.text("authors"),
        year=entry.whole("year"),
        title=entry.text("title"),
        journal=entry.text("journal"),
        volume_pages=entry.text("volume_pages", ""),
        doi=entry.text("doi", ""),
        url=entry.text("url", ""),
        kind=entry.text("kind"),
        ages_days=entry.span("ages_days"),
        finding=entry.text("finding"),
        replication=entry.text("replication"),
        note=entry.text("note", ""),
        parent_use=entry.choice("parent_use", ParentUse),
        tags=entry.texts("tags"),
        confidence=entry.text("confidence"),
        file=entry.file,
        line=entry.line,
    )


def _keyword(entry: Fields) -> KeywordEntry:
    languages = entry.inside("words", "the words of a keyword")
    return KeywordEntry(
        keyword=entry.text("keyword"),
        words=tuple(word for language in languages.names for word in languages.texts(language)),
        must_match=entry.texts("must_match"),
        must_not_match=entry.texts("must_not_match"),
        file=entry.file,
        line=entry.line,
    )
