"""Export: a pseudonymous bundle of what happened in a study, and a codebook made of the same declarations."""

import csv
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from babymind.clock import utc_now
from babymind.domain.age import TERM_DAYS, Birth, Dates, stage_on
from babymind.errors import ConflictError, NotFoundError
from babymind.services.context import Context
from babymind.store import exports, schema, studies
from babymind.store.families import PregnancyStatus

FORMULA = ("=", "+", "-", "@", "\t", "\r")
MISSING = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column, declared once: from it come the file, the codebook and the checks."""

    name: str
    label: str
    kind: str  # string, integer, boolean
    value: Callable[[Any], object]
    unit: str = ""
    missing: str = ""  # what an empty cell means


@dataclass(frozen=True, slots=True)
class Table:
    """One file of the bundle."""

    name: str
    label: str
    rows: Callable[[Session, str], Iterator[Any]]
    columns: Sequence[Column]


def _participant(row: Any) -> str:
    return f"{row.study_code}-{row.place}"


def _days(later: date, earlier: date) -> int:
    return (later - earlier).days


def _study_day(row: Any, at: datetime) -> int:
    return _days(at.astimezone(ZoneInfo(row.zone)).date(), row.from_day)


def _clock(row: Any, at: datetime | None) -> str | None:
    return None if at is None else f"{at.astimezone(ZoneInfo(row.zone)):%H:%M}"


def _seconds(later: datetime | None, earlier: datetime | None) -> int | None:
    return None if later is None or earlier is None else round((later - earlier).total_seconds())


def _entry(row: Any) -> tuple[str, int]:
    born = row.born_on is not None and row.born_on <= row.from_day
    birth = Birth(born_on=row.born_on, gestation_days=row.gestation_days) if born else None
    stage, day = stage_on(Dates(due_on=row.due_on, birth=birth), row.from_day)
    return stage.value, day


PARTICIPANT = Column("participant_id", "Caregiver; study code of the family and place in it", "string", _participant)
LOCAL = "the caregiver's own time zone"

TABLES = (
    Table("participants", "One row for each caregiver", exports.participants, (
        PARTICIPANT,
        Column("family_id", "Family (study code)", "string", lambda r: r.study_code),
        Column("arm", "Arm of the study", "string", lambda r: r.arm),
        Column("enrolment", "State of the enrolment", "string", lambda r: r.enrolment.value),
        Column("role", "Who the caregiver is to the infant", "string", lambda r: r.role.value),
        Column("locale", "Language of the messages", "string", lambda r: r.locale),
        Column("research_consent", "Whether the caregiver agreed to research use of the log, by their latest answer",
               "boolean", lambda r: bool(r.research_consent)),
        Column("messaging", "Whether the caregiver is written to now", "string", lambda r: r.messaging.value),
        Column("entry_stage", "Stage on study day 0", "string", lambda r: _entry(r)[0]),
        Column("entry_age_day", "Age day on study day 0; before birth, days to (negative) or past the due date",
               "integer", lambda r: _entry(r)[1], unit="days"),
        Column("gestation_days", "Gestational age at birth", "integer", lambda r: r.gestation_days, unit="days",
               missing="not born yet"),
        Column("early_days", "Days from birth to 40+0; what the corrected age takes off for a birth before 37+0",
               "integer", lambda r: None if r.gestation_days is None else TERM_DAYS - r.gestation_days, unit="days",
               missing="not born yet"),
        Column("born", "Whether the baby is born", "boolean", lambda r: r.status is PregnancyStatus.BORN),
        Column("babies", "Babies of the pregnancy", "integer", lambda r: r.babies),
    )),
    Table("deliveries", "One row for each message due, sent or not", exports.deliveries, (
        Column("delivery_id", "Delivery", "integer", lambda r: r.id),
        PARTICIPANT,
        Column("kind", "fact, prompt, welcome, comment or answer", "string", lambda r: r.kind.value),
        Column("study_day", "Local day, counted from the day of enrolment", "integer",
               lambda r: _days(r.local_day, r.from_day), unit="days"),
        Column("stage", "Stage on that day", "string", lambda r: r.stage and r.stage.value,
               missing="not about an age"),
        Column("age_day", "Day number within the stage (infant: corrected age)", "integer", lambda r: r.age_day,
               unit="days", missing="not about an age"),
        Column("item_id", "Content item", "string", lambda r: r.key, missing="no item"),
        Column("item_version", "Version of the item sent", "integer", lambda r: r.number, missing="not sent"),
        Column("status", "What became of it", "string", lambda r: r.status.value),
        Column("reason", "Why it was not sent", "string", lambda r: r.reason and r.reason.value, missing="no reason"),
        Column("due_time", f"When it was due, in {LOCAL}", "string", lambda r: _clock(r, r.due_at), unit="HH:MM"),
        Column("accepted_time", f"When the provider took it, in {LOCAL}", "string",
               lambda r: _clock(r, r.accepted_at), unit="HH:MM", missing="not taken"),
        Column("delivery_seconds", "From taken by the provider to told delivered", "integer",
               lambda r: _seconds(r.delivered_at, r.accepted_at), unit="seconds", missing="not told delivered"),
        Column("attempts", "Tries at handing it over", "integer", lambda r: r.attempts),
        Column("error_code", "The provider's error code", "integer", lambda r: r.error_code, missing="no error"),
    )),
    Table("replies", "One row for each message from a caregiver; never its words", exports.replies, (
        Column("reply_id", "Reply", "integer", lambda r: r.id),
        PARTICIPANT,
        Column("delivery_id", "The prompt that it answers", "integer", lambda r: r.delivery_id,
               missing="tied to none"),
        Column("study_day", "Local day, counted from the day of enrolment", "integer",
               lambda r: _study_day(r, r.received_at), unit="days"),
        Column("received_time", f"When it came, in {LOCAL}", "string", lambda r: _clock(r, r.received_at),
               unit="HH:MM"),
        Column("latency_seconds", "From the prompt taken by the provider to the reply", "integer",
               lambda r: _seconds(r.received_at, r.accepted_at), unit="seconds", missing="tied to none"),
        Column("n_chars", "Characters", "integer", lambda r: r.n_chars),
        Column("n_words", "Words, split at white space", "integer", lambda r: r.n_words),
        Column("n_media", "Pictures", "integer", lambda r: r.n_media),
        Column("keyword", "The keyword that it was", "string", lambda r: r.keyword and r.keyword.value,
               missing="no keyword"),
        Column("status", "Where it stands in the queue", "string", lambda r: r.status.value),
    )),
    Table("comments", "One row for each comment of the app team; never its words", exports.comments, (
        Column("comment_id", "Comment", "integer", lambda r: r.id),
        Column("reply_id", "The reply that it answers", "integer", lambda r: r.reply_id),
        PARTICIPANT,
        Column("author", "Who wrote it, as a code", "string", lambda r: f"staff-{r.author_id}"),
        Column("study_day", "Local day, counted from the day of enrolment", "integer",
               lambda r: _study_day(r, r.created_at), unit="days"),
        Column("response_seconds", "From the reply to the comment", "integer",
               lambda r: _seconds(r.created_at, r.received_at), unit="seconds"),
        Column("n_words", "Words, split at white space", "integer", lambda r: r.n_words),
        Column("delivery_id", "The delivery that carried it", "integer", lambda r: r.delivery_id),
        Column("status", "What became of it", "string", lambda r: r.status and r.status.value),
    )),
)  # fmt: skip


def export(ctx: Context, study: str, out: Path) -> dict[str, Any]:
    """Write the bundle of a study into a new folder and return its manifest.

    Nothing half-written is left: the files are made beside the folder, which appears when all are whole. What an
    export that was killed left there goes with the next one of that name.

    Raises:
        NotFoundError: There is no such study.
        ConflictError: The folder is there already and holds something.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConflictError(f"{out} is there already; name a new folder, or empty that one.")
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = f".{out.name}-unfinished-"
    for left in out.parent.iterdir():
        if left.name.startswith(unfinished):
            shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=unfinished, dir=out.parent) as beside:
        folder = Path(beside) / "bundle"
        folder.mkdir()
        with ctx.readers.begin() as session:
            if studies.study_by_slug(session, study) is None:
                raise NotFoundError(f"There is no study '{study}'.")
            counts = {table.name: _write_table(session, table, study, folder) for table in TABLES}
        _write_codebook(folder)
        manifest = _manifest(folder, study, counts)
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        if out.exists():
            out.rmdir()
        os.replace(folder, out)  # noqa: PTH105 - a rename that replaces, in one step
    return manifest


def _write_table(session: Session, table: Table, study: str, folder: Path) -> int:
    count = 0
    with (folder / f"{table.name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")  # RFC 4180
        writer.writerow(column.name for column in table.columns)
        for row in table.rows(session, study):
            writer.writerow(_cell(column.value(row)) for column in table.columns)
            count += 1
    return count


def _cell(value: object) -> object:
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"  # a spreadsheet would run it
    return value


def _write_codebook(folder: Path) -> None:
    with (folder / "codebook.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(("table", "column", "label", "type", "unit", "empty_means"))
        for table in TABLES:
            for column in table.columns:
                writer.writerow((table.name, column.name, column.label, column.kind, column.unit, column.missing))


def _manifest(folder: Path, study: str, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "study": study,
        "made_at": utc_now().isoformat().replace("+00:00", "Z"),
        "software": f"babymind {version('babymind')}",
        "schema": schema.head(),
        "tier": "pseudonymous",
        "rows": counts,
        "files": {
            path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
            for path in sorted(folder.iterdir())
        },
    }
