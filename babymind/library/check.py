"""The check of the content bank: every rule over every text, and what it found."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from babymind.library import calendar_rules, evidence_rules, message_rules, wording_rules
from babymind.library.bank import Library, gap_told, gaps, in_runs
from babymind.library.draft import draft_of
from babymind.library.parts import read_parts
from babymind.library.reading import FormatError
from babymind.library.rulebook import Rulebook, load_rulebook
from babymind.library.schemas import against_schemas
from babymind.library.values import (
    DAILY,
    STAGE_DAYS,
    ContentKind,
    Finding,
    Item,
    KeywordEntry,
    Message,
    Signpost,
)

NOTICES = frozenset({"withdrawn", "signpost-stale", "review-due"})

Judgeable = Item | Message | Signpost | KeywordEntry
Judged = Iterator[tuple[str, Iterable[str]]]  # a rule's name, and what it found


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a check found. Notices ask for attention; anything else refuses the bank."""

    counts: dict[str, dict[str, int]]
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> bool:
        """Tell whether the bank is refused."""
        return any(not finding.notice for finding in self.findings)

    def document(self) -> dict[str, object]:
        """Return the report as ``--json`` prints it."""
        names = ("file", "line", "item", "rule", "message")
        findings = [{name: getattr(finding, name) for name in names} for finding in self.findings]
        return {"counts": self.counts, "findings": findings}


def check(root: Path, today: date) -> Report:
    """Check a content folder by every rule.

    Args:
        root: The folder that holds ``facts/``, ``prompts/`` and the rest.
        today: The day by which signposts and reviews are judged.

    Returns:
        The counts by kind and stage, and the findings in the order of files and lines.
    """
    parts = read_parts(root)
    library = Library.of(parts, today)
    findings = [*parts.problems, *_over_bank(library, root)]
    try:
        book = load_rulebook(root)
    except FormatError as error:
        findings.append(error.finding)
    else:
        findings += _over_texts(library, book)
    unreadable = [finding.file for finding in findings if finding.rule == "format"]
    findings += against_schemas(root, skip=unreadable)
    return Report(counts=_counts(library, findings), findings=tuple(sorted(findings)))


def _over_texts(library: Library, book: Rulebook) -> Iterator[Finding]:
    for item, told in calendar_rules.used_twice(library, book):
        yield from _findings(item, [("used-twice", [told])])
    for item, told in calendar_rules.finding_repeated(library, book):
        yield from _findings(item, [("finding-repeated", [told])])
    for item, told in calendar_rules.prompt_repeated(library, book):
        yield from _findings(item, [("prompt-repeated", [told])])
    for item in library.items:
        yield from _findings(item, _item_rules(item, library, book))
    for message in library.messages:
        yield from _findings(message, _message_rules(message, library, book))
    for signpost in library.signposts:
        yield from _findings(signpost, _signpost_rules(signpost, library.today))
    for entry in library.keyword_entries:
        yield from _findings(entry, _keyword_rules(entry, library))


def _item_rules(item: Item, library: Library, book: Rulebook) -> Judged:
    yield "id-form", calendar_rules.id_form(item)
    if item.withdrawn:
        return
    yield "day", calendar_rules.days(item)
    yield "age-basis", calendar_rules.age_basis(item)
    yield "theme", calendar_rules.themes(item)
    yield "review-due", _review_due(item.review_by, library.today)
    yield "placeholder-unknown", wording_rules.placeholder_unknown(item)
    yield "choice-missing", wording_rules.choice_missing(item)
    if item.kind is ContentKind.FACT:
        yield "source-missing", evidence_rules.source_missing(item)
        yield "evidence-missing", evidence_rules.evidence_missing(item)
        yield "source-unknown", evidence_rules.source_unknown(item, library)
        yield "source-background", evidence_rules.source_background(item, library)
        yield "source-contested", evidence_rules.source_contested(item, library)
    draft = draft_of(item, {})
    if draft is None:
        return
    yield "characters", wording_rules.characters(draft)
    yield "spacing", wording_rules.spacing(draft)
    yield "length", wording_rules.length(draft)
    yield "reading-grade", wording_rules.reading_grade(draft)
    yield "exclamation", wording_rules.exclamation(draft)
    yield "imperative", wording_rules.imperative(draft, book)
    yield "invitations", wording_rules.invitations(draft, book)
    yield "one-question", wording_rules.one_question(draft)
    for ban in book.bans:
        yield ban.name, wording_rules.banned(draft, ban, book)
    if item.kind is ContentKind.FACT:
        yield "hedge-missing", evidence_rules.hedge_missing(item, draft, library, book)
        yield "age-fit", evidence_rules.age_fit(item, draft, library, book)


def _message_rules(message: Message, library: Library, book: Rulebook) -> Judged:
    yield "review-due", _review_due(message.review_by, library.today)
    yield "placeholder-unknown", wording_rules.placeholder_unknown(message)
    yield "choice-missing", wording_rules.choice_missing(message)
    yield "message-values", message_rules.values(message, book)
    yield "message-must-say", message_rules.must_say(message)
    yield "sensitive-exclamation", message_rules.exclamation(message)
    yield "sensitive-name", message_rules.named(message)
    yield "signpost-unknown", message_rules.signposts_known(message, library)
    says = {signpost.key: signpost.say for signpost in library.signposts}
    signposts = " ".join(says.get(key, "") for key in message.signposts)
    draft = draft_of(message, {**book.samples, "signposts": signposts})
    if draft is None:
        return
    if message.segments:
        yield "characters", wording_rules.characters(draft)
    yield "length", message_rules.length(message, draft)
    yield "reading-grade", wording_rules.reading_grade(draft)
    for ban in book.bans:
        yield ban.name, wording_rules.banned(draft, ban, book)


def _signpost_rules(signpost: Signpost, today: date) -> Judged:
    yield "signpost-stale", message_rules.signpost_stale(signpost, today)
    yield "signpost-refused", message_rules.signpost_refused(signpost, today)


def _keyword_rules(entry: KeywordEntry, library: Library) -> Judged:
    yield "keyword-unknown", message_rules.keyword_unknown(entry)
    yield "keyword-clash", message_rules.keyword_clash(entry, library)
    yield "keyword-example", message_rules.keyword_examples(entry, library)


def _review_due(review_by: date, today: date) -> Iterator[str]:
    if review_by < today:
        yield f"Its review was due by {review_by}; read it again and set a new 'review_by'."


def _over_bank(library: Library, root: Path) -> Iterator[Finding]:
    rules = {
        "id-used-twice": calendar_rules.id_used_twice,
        "day-used-twice": calendar_rules.day_used_twice,
        "withdrawn": calendar_rules.withdrawn,
        "theme-spread": calendar_rules.theme_spread,
        "reading-grade-file": calendar_rules.reading_grade_of_file,
    }
    for name, rule in rules.items():
        for item, told in rule(library):
            yield from _findings(item, [(name, [told])])
    for message, told in message_rules.key_used_twice(library):
        yield from _findings(message, [("id-used-twice", [told])])
    for locale, told in message_rules.missing(library):
        yield Finding(
            file=f"{root.name}/messages/{locale}.yaml", line=1, item="", rule="message-missing", message=told
        )
    yield from _gaps(library, root)


def _gaps(library: Library, root: Path) -> Iterator[Finding]:
    """Days without content, one finding for each run of them."""
    for first, last in in_runs(gaps(library, calendar_rules.locales_of(library))):
        locale, kind = first[:2]
        told = f"{gap_told(first, last).capitalize()}; write one for each day."
        yield Finding(file=f"{root.name}/{kind}s/{locale}", line=1, item="", rule="day-missing", message=told)


def _findings(
    text: Item | Message | Signpost | KeywordEntry, judged: Iterable[tuple[str, Iterable[str]]]
) -> Iterator[Finding]:
    key = text.keyword if isinstance(text, KeywordEntry) else text.key
    for rule, messages in judged:
        for message in messages:
            yield Finding(
                file=text.file, line=text.line, item=key, rule=rule, message=message, notice=rule in NOTICES
            )


def _counts(library: Library, findings: list[Finding]) -> dict[str, dict[str, int]]:
    by_stage = Counter((kind, stage) for _, kind, stage, _, _ in library.calendar())
    daily = {f"{kind}s": {stage.value: by_stage[kind, stage] for stage in STAGE_DAYS} for kind in DAILY}
    notices = sum(finding.notice for finding in findings)
    return {
        **daily,
        "messages": dict(Counter(message.locale for message in library.messages)),
        "bank": {
            "sources": len(library.sources),
            "signposts": len(library.signposts),
            "keywords": len(library.keyword_entries),
            "spare": sum(item.spare for item in library.items),
            "withdrawn": sum(item.withdrawn for item in library.items),
        },
        "findings": {"refusing": len(findings) - notices, "notices": notices},
    }
