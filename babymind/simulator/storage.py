"""The provider's memory: one SQLite file, so that a restart of the simulator forgets nothing."""

import sqlite3
import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from babymind.simulator.addresses import bare_number
from babymind.simulator.records import Came, Direction, Media, Message, Phone, Status

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    position INTEGER PRIMARY KEY AUTOINCREMENT, sid TEXT NOT NULL UNIQUE, account_sid TEXT NOT NULL,
    from_ TEXT, to_ TEXT NOT NULL, body TEXT NOT NULL, direction TEXT NOT NULL, status TEXT NOT NULL,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, sent_at INTEGER, error_code INTEGER,
    num_media INTEGER NOT NULL, num_segments INTEGER NOT NULL, status_callback TEXT,
    messaging_service_sid TEXT, validity_seconds INTEGER NOT NULL, send_at INTEGER, links TEXT NOT NULL,
    webhook_status INTEGER, content_sid TEXT, phone TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS message_phone ON message (phone, position);
CREATE INDEX IF NOT EXISTS message_unfinished ON message (status)
    WHERE status IN ('accepted', 'scheduled', 'queued', 'sent');
CREATE TABLE IF NOT EXISTS media (
    position INTEGER PRIMARY KEY AUTOINCREMENT, sid TEXT NOT NULL UNIQUE,
    message_sid TEXT NOT NULL REFERENCES message (sid) ON DELETE CASCADE,
    content_type TEXT NOT NULL, created_at INTEGER NOT NULL, content BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS media_message ON media (message_sid);
CREATE TABLE IF NOT EXISTS opted_out (phone TEXT NOT NULL, sender TEXT NOT NULL, PRIMARY KEY (phone, sender));
CREATE TABLE IF NOT EXISTS heard (phone TEXT NOT NULL, sender TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (phone, sender));
CREATE TABLE IF NOT EXISTS phone (number TEXT PRIMARY KEY, label TEXT NOT NULL, time_zone TEXT NOT NULL);
"""
_COLUMNS = (
    "sid, account_sid, from_, to_, body, direction, status, created_at, updated_at, sent_at, error_code,"
    " num_media, num_segments, status_callback, messaging_service_sid, validity_seconds, send_at, links,"
    " webhook_status, content_sid, position"
)
_INSERT = f"INSERT INTO message ({_COLUMNS}, phone) VALUES ({', '.join('?' * 22)})"  # noqa: S608 - our own names
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which messages a list names; a day is one of GMT, and a message not yet sent has none."""

    to: str | None = None
    from_: str | None = None
    sent_on: date | None = None
    sent_on_or_before: date | None = None
    sent_on_or_after: date | None = None
    created_until: datetime | None = None

    def conditions(self) -> tuple[list[str], list[str | int]]:
        """Return the conditions, and their values, that say this in SQL."""
        first_day = self.sent_on or self.sent_on_or_after
        last_day = self.sent_on or self.sent_on_or_before
        asked: tuple[tuple[str, str | int | None], ...] = (
            ("to_ = ?", self.to),
            ("from_ = ?", self.from_),
            ("sent_at >= ?", _midnight(first_day) if first_day else None),
            ("sent_at < ?", _midnight(last_day + timedelta(days=1)) if last_day else None),
            ("created_at <= ?", _number(self.created_until)),
        )
        given = [(condition, value) for condition, value in asked if value is not None]
        return [condition for condition, _ in given], [value for _, value in given]


class Storage:
    """All tables behind one connection and one lock; every call is a transaction of its own."""

    def __init__(self, database: str) -> None:
        self.revision = 0  # moves with every change, so that a page can tell that nothing is new
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing this way; only a power cut could lose the last moments of a demo.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.executescript(_SCHEMA)
        columns = {row[1] for row in self._connection.execute("PRAGMA table_info(message)")}
        if "content_sid" not in columns:  # a file of an earlier version
            self._connection.execute("ALTER TABLE message ADD COLUMN content_sid TEXT")
        self._opted_out = set(self._connection.execute("SELECT phone, sender FROM opted_out"))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def add(self, message: Message, media: Sequence[tuple[Media, bytes]] = ()) -> Message:
        """Keep a new message with its files; returns it with its position."""
        row = (
            message.sid,
            message.account_sid,
            message.from_,
            message.to,
            message.body,
            message.direction,
            message.status,
            _number(message.created_at),
            _number(message.updated_at),
            _number(message.sent_at),
            message.error_code,
            message.num_media,
            message.num_segments,
            message.status_callback,
            message.messaging_service_sid,
            message.validity_seconds,
            _number(message.send_at),
            message.links,
            message.webhook_status,
            message.content_sid,
            None,
            message.phone,
        )
        with self._lock:
            self.revision += 1
            if not media:
                self._connection.execute(_INSERT, row)
                return message
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.execute(_INSERT, row)
                self._connection.executemany(
                    "INSERT INTO media (sid, message_sid, content_type, created_at, content) VALUES (?, ?, ?, ?, ?)",
                    [(m.sid, m.message_sid, m.content_type, _number(m.created_at), content) for m, content in media],
                )
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        return message

    def update(
        self, sid: str, *, now: datetime, only_from: Collection[Status] = tuple(Status), **changes: Any
    ) -> Message | None:
        """Change a message that stands in one of these states; None where it is gone or stands elsewhere."""
        values = {**changes, "updated_at": now}
        sql = (
            f"UPDATE message SET {', '.join(f'{name} = ?' for name in values)} WHERE sid = ?"  # noqa: S608 - our own names
            f" AND status IN ({', '.join('?' * len(only_from))}) RETURNING {_COLUMNS}"
        )
        plain = [_number(v) if isinstance(v, datetime) else v for v in values.values()]
        with self._lock:
            self.revision += 1
            row = self._connection.execute(sql, (*plain, sid, *only_from)).fetchone()
        return _message(row) if row else None

    def message(self, sid: str) -> Message | None:
        """Return one message."""
        rows = self._read(f"SELECT {_COLUMNS} FROM message WHERE sid = ?", (sid,))  # noqa: S608 - our own names
        return _message(rows[0]) if rows else None

    def delete(self, sid: str) -> bool:
        """Delete a message and its files; False where there was none."""
        return self._write("DELETE FROM message WHERE sid = ?", (sid,))

    def page(
        self, search: Search, *, limit: int, before: int | None = None, after: int | None = None
    ) -> list[Message]:
        """Return messages, newest first: the next ones older than a position, or newer than one.

        What the provider wrote by itself is left out, as it is from the provider's own log.
        """
        conditions, values = search.conditions()
        conditions.append("direction <> 'outbound-reply'")
        if before is not None:
            conditions.append("position < ?")
            values.append(before)
        if after is not None:
            conditions.append("position > ?")
            values.append(after)
        order = "ASC" if after is not None else "DESC"
        rows = self._read(
            f"SELECT {_COLUMNS} FROM message WHERE {' AND '.join(conditions)}"  # noqa: S608 - our own names
            f" ORDER BY position {order} LIMIT ?",
            (*values, limit),
        )
        found = [_message(row) for row in rows]
        return found[::-1] if after is not None else found

    def thread(self, phone: str, *, limit: int) -> list[Message]:
        """Return the last messages that a phone shows, oldest first."""
        sql = f"SELECT {_COLUMNS} FROM message WHERE phone = ? ORDER BY position DESC LIMIT ?"  # noqa: S608 - our own names
        return [_message(row) for row in self._read(sql, (phone, limit))][::-1]

    def unfinished(self) -> list[Message]:
        """Return what was on its way when the simulator last stopped, oldest first."""
        sql = (
            f"SELECT {_COLUMNS} FROM message WHERE direction = 'outbound-api'"  # noqa: S608 - our own names
            " AND status IN ('accepted', 'scheduled', 'queued', 'sent') ORDER BY position"
        )
        return [_message(row) for row in self._read(sql)]

    def media_of(self, message_sids: Iterable[str]) -> list[Media]:
        """Return the files of some messages, in order."""
        sids = tuple(message_sids)
        marks = ", ".join("?" * len(sids))
        sql = f"SELECT sid, message_sid, content_type, created_at FROM media WHERE message_sid IN ({marks})"  # noqa: S608 - placeholders only
        sql += " ORDER BY position"
        return [_media(row) for row in self._read(sql, sids)]

    def media(self, sid: str) -> tuple[Media, bytes] | None:
        """Return one file with its bytes."""
        sql = "SELECT sid, message_sid, content_type, created_at, content FROM media WHERE sid = ?"
        rows = self._read(sql, (sid,))
        return (_media(rows[0][:4]), rows[0][4]) if rows else None

    def delete_media(self, sid: str, *, message_sid: str) -> bool:
        """Delete one file of a message; False where there was none."""
        with self._lock:
            self.revision += 1
            gone = self._connection.execute(
                "DELETE FROM media WHERE sid = ? AND message_sid = ?", (sid, message_sid)
            ).rowcount
            if gone:
                self._connection.execute("UPDATE message SET num_media = num_media - 1 WHERE sid = ?", (message_sid,))
        return bool(gone)

    def opt_out(self, phone: str, sender: str) -> bool:
        """Keep a STOP; False where it was kept already."""
        kept = self._write("INSERT OR IGNORE INTO opted_out VALUES (?, ?)", (phone, sender))
        self._opted_out.add((phone, sender))
        return kept

    def opt_in(self, phone: str, sender: str) -> bool:
        """Lift a STOP; False where there was none."""
        self._opted_out.discard((phone, sender))
        return self._write("DELETE FROM opted_out WHERE phone = ? AND sender = ?", (phone, sender))

    def opted_out(self, phone: str, sender: str) -> bool:
        """Say whether a STOP is in force; asked before every message, so it is kept at hand."""
        return (phone, sender) in self._opted_out

    def hear(self, phone: str, sender: str, now: datetime) -> None:
        """Keep when a phone last wrote to a sender; that stays though the message be deleted."""
        self._write("INSERT OR REPLACE INTO heard VALUES (?, ?, ?)", (phone, sender, _number(now)))

    def heard_at(self, phone: str, sender: str) -> datetime | None:
        """Return when a phone last wrote to a sender."""
        rows = self._read("SELECT at FROM heard WHERE phone = ? AND sender = ?", (phone, sender))
        return _instant(rows[0][0]) if rows else None

    def last_sender(self, to: str) -> str | None:
        """Return what an address was last written to from."""
        sql = "SELECT from_ FROM message WHERE phone = ? AND to_ = ? AND from_ IS NOT NULL"
        sql += " ORDER BY position DESC LIMIT 1"
        rows = self._read(sql, (bare_number(to), to))
        return rows[0][0] if rows else None

    def came(self, since: datetime | None = None) -> list[Came]:
        """Return when how many segments came from each sender, the first first."""
        sql = (
            "SELECT created_at, COALESCE(messaging_service_sid, from_), num_segments FROM message"
            " WHERE direction = 'outbound-api' AND created_at >= ? ORDER BY created_at, position"
        )
        rows = self._read(sql, (_number(since) or 0,))
        return [Came(_EPOCH + at * _MICROSECOND, sender, segments) for at, sender, segments in rows]

    def add_phone(self, phone: Phone) -> None:
        """Keep a phone, or give a known one another label and zone."""
        self._write(
            "INSERT INTO phone VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET label = excluded.label, time_zone = excluded.time_zone",
            (phone.number, phone.label, phone.time_zone),
        )

    def phone(self, number: str) -> Phone | None:
        """Return one phone."""
        rows = self._read("SELECT number, label, time_zone FROM phone WHERE number = ?", (number,))
        return Phone(number=rows[0][0], label=rows[0][1], time_zone=rows[0][2]) if rows else None

    def phones(self, *, limit: int) -> list[tuple[Phone, Message | None]]:
        """Return phones with the last message of each: those with the newest message first."""
        sql = (
            f"SELECT number, label, time_zone, {_COLUMNS} FROM phone LEFT JOIN message ON position ="  # noqa: S608 - our own names
            " (SELECT max(position) FROM message WHERE message.phone = phone.number)"
            " ORDER BY position IS NULL, position DESC, label LIMIT ?"
        )
        return [
            (
                Phone(number=row[0], label=row[1], time_zone=row[2]),
                _message(row[3:]) if row[3] is not None else None,
            )
            for row in self._read(sql, (limit,))
        ]

    def numbers(self) -> set[str]:
        """Return the numbers of all phones."""
        return {row[0] for row in self._read("SELECT number FROM phone")}

    def _read(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def _write(self, sql: str, values: Sequence[Any]) -> bool:
        with self._lock:
            self.revision += 1
            return self._connection.execute(sql, values).rowcount > 0


def _number(instant: datetime | None) -> int | None:
    return None if instant is None else (instant - _EPOCH) // _MICROSECOND


def _instant(number: int | None) -> datetime | None:
    return None if number is None else _EPOCH + number * _MICROSECOND


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def _message(row: Sequence[Any]) -> Message:
    return Message(
        sid=row[0],
        account_sid=row[1],
        from_=row[2],
        to=row[3],
        body=row[4],
        direction=Direction(row[5]),
        status=Status(row[6]),
        created_at=_EPOCH + row[7] * _MICROSECOND,
        updated_at=_EPOCH + row[8] * _MICROSECOND,
        sent_at=_instant(row[9]),
        error_code=row[10],
        num_media=row[11],
        num_segments=row[12],
        status_callback=row[13],
        messaging_service_sid=row[14],
        validity_seconds=row[15],
        send_at=_instant(row[16]),
        links=row[17],
        webhook_status=row[18],
        content_sid=row[19],
        position=row[20],
    )


def _media(row: Sequence[Any]) -> Media:
    return Media(sid=row[0], message_sid=row[1], content_type=row[2], created_at=_EPOCH + row[3] * _MICROSECOND)
