"""The content bank in the database: items, their versions, and which item belongs to which day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint, delete, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from babymind.domain.age import Stage
from babymind.store.base import CLUSTERED, Base


class ContentItem(Base):
    """A fact, a prompt or a message, by the id that it has in content/."""

    __tablename__ = "content_item"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(128))
    locale: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(16))  # fact, prompt, message
    withdrawn_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("key", "locale"),)


class ContentVersion(Base):
    """One wording of an item. Never changed once written: a delivery keeps the version that was sent."""

    __tablename__ = "content_version"
    __table_args__ = (
        UniqueConstraint("item_id", "number"),
        Index("uq_content_version_current", "item_id", unique=True, sqlite_where=text("current"),
              postgresql_where=text("current")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("content_item.id"))
    number: Mapped[int]
    current: Mapped[bool]
    text: Mapped[str]
    details: Mapped[dict[str, object]] = mapped_column(JSON)  # sources, evidence, themes, reviewer, review_by
    loaded_at: Mapped[datetime]


class ContentCalendar(Base):
    """Which item is the one of an age day."""

    __tablename__ = "content_calendar"
    __table_args__ = CLUSTERED

    # The key begins with what differs most: planning looks up one row for each delivery.
    age_day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    stage: Mapped[Stage] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    locale: Mapped[str] = mapped_column(String(16), primary_key=True)
    programme: Mapped[str] = mapped_column(String(64), primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("content_item.id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """An item as it stands in content/ now."""

    key: str
    locale: str
    kind: str
    text: str
    details: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load changed."""

    new: int
    changed: int
    withdrawn: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class Held:
    """An item as the database has it."""

    item_id: int
    version_id: int
    number: int
    text: str
    details: Mapping[str, object]
    withdrawn: bool


def current_wordings(session: Session) -> dict[tuple[str, str], Held]:
    """Return each item's current version by (key, locale)."""
    query = select(ContentItem, ContentVersion).join(
        ContentVersion, (ContentVersion.item_id == ContentItem.id) & ContentVersion.current
    )
    return {
        (item.key, item.locale): Held(
            item.id, version.id, version.number, version.text, version.details, item.withdrawn_at is not None
        )
        for item, version in session.execute(query)
    }


def load(session: Session, wordings: Sequence[Wording], now: datetime) -> Loaded:
    """Bring items and versions in line with content/; what was there and is not any more is withdrawn."""
    held = current_wordings(session)
    given = {(wording.key, wording.locale): wording for wording in wordings}
    fresh = [wording for key, wording in given.items() if key not in held]
    changed = [
        (held[key], wording)
        for key, wording in given.items()
        if key in held and (held[key].text, held[key].details) != (wording.text, wording.details)
    ]
    back = [held[key].item_id for key in given if key in held and held[key].withdrawn]
    gone = [held[key].item_id for key in held if key not in given and not held[key].withdrawn]
    if fresh:
        _insert_items(session, fresh)
        ids = {
            (key, locale): item_id
            for item_id, key, locale in session.execute(select(ContentItem.id, ContentItem.key, ContentItem.locale))
        }
        _insert_versions(session, [(ids[w.key, w.locale], 1, w) for w in fresh], now)
    if changed:
        session.execute(
            update(ContentVersion).where(ContentVersion.id.in_([old.version_id for old, _ in changed])),
            {"current": False},
        )
        _insert_versions(session, [(old.item_id, old.number + 1, w) for old, w in changed], now)
    for ids_of, withdrawn_at in ((back, None), (gone, now)):
        if ids_of:
            session.execute(update(ContentItem).where(ContentItem.id.in_(ids_of)).values(withdrawn_at=withdrawn_at))
    return Loaded(len(fresh), len(changed), len(gone), len(given) - len(fresh) - len(changed))


def _insert_items(session: Session, wordings: Iterable[Wording]) -> None:
    session.execute(insert(ContentItem), [{"key": w.key, "locale": w.locale, "kind": w.kind} for w in wordings])


def _insert_versions(session: Session, rows: Iterable[tuple[int, int, Wording]], now: datetime) -> None:
    session.execute(
        insert(ContentVersion),
        [
            {"item_id": item_id, "number": number, "current": True, "text": wording.text,
             "details": dict(wording.details), "loaded_at": now}
            for item_id, number, wording in rows
        ],
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDay:
    """One entry of the calendar."""

    locale: str
    kind: str
    stage: Stage
    age_day: int
    key: str


def replace_calendar(session: Session, programme: str, days: Sequence[CalendarDay]) -> None:
    """Make the calendar of a programme the one given."""
    ids = {
        (key, locale): item_id
        for item_id, key, locale in session.execute(select(ContentItem.id, ContentItem.key, ContentItem.locale))
    }
    session.execute(delete(ContentCalendar).where(ContentCalendar.programme == programme))
    if days:
        session.execute(
            insert(ContentCalendar),
            [
                {"programme": programme, "locale": day.locale, "kind": day.kind, "stage": day.stage,
                 "age_day": day.age_day, "item_id": ids[day.key, day.locale]}
                for day in days
            ],
        )  # fmt: skip


def item_id_of(session: Session, key: str, locale: str) -> int | None:
    """Return the id of an item, or None."""
    return session.scalar(select(ContentItem.id).filter_by(key=key, locale=locale))


def item_on(session: Session, programme: str, locale: str, kind: str, stage: Stage,
            age_day: int) -> tuple[int, str] | None:  # fmt: skip
    """Return the id and the key of the item of an age day, or None."""
    query = (
        select(ContentItem.id, ContentItem.key)
        .join(ContentCalendar, ContentCalendar.item_id == ContentItem.id)
        .where(ContentCalendar.age_day == age_day, ContentCalendar.stage == stage, ContentCalendar.kind == kind,
               ContentCalendar.locale == locale, ContentCalendar.programme == programme)
    )  # fmt: skip
    found = session.execute(query).one_or_none()
    return (found[0], found[1]) if found else None
