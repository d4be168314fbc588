"""Room: how much the disks of this machine still hold. Pictures wait before the database has nowhere to write."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babymind.errors import NoRoomError
from babymind.services.context import Context

LEAST_FREE_BYTES = 1_000_000_000  # a picture takes a few million, a text a thousand: texts go on for long below it


@dataclass(frozen=True, slots=True)
class Room:
    """What is free on the disk of one folder."""

    holds: str  # database or media
    folder: Path
    free_bytes: int

    @property
    def short(self) -> bool:
        """Whether it is so little that somebody has to make room, and that pictures wait."""
        return self.free_bytes < LEAST_FREE_BYTES

    def __str__(self) -> str:
        """Say what to do."""
        return (
            f"Only {self.free_bytes // 1_000_000} MB are free for {self.folder}: make room before it is full. "
            "Pictures wait until then; texts go on."
        )


def left(ctx: Context) -> Iterator[Room]:
    """Yield what is free for each folder that fills up; a bucket and a database server may be on other machines."""
    if ctx.database.dialect.name == "sqlite" and ctx.database.url.database:
        yield _room("database", Path(ctx.database.url.database).resolve().parent)
    if ctx.media.folder is not None:
        yield _room("media", ctx.media.folder)


def is_short(ctx: Context) -> bool:
    """Tell whether pictures have to wait."""
    return any(one.short for one in left(ctx))


def require(ctx: Context) -> None:
    """Return if something large may be kept.

    Raises:
        NoRoomError: It has to wait; the text is for whoever sends it.
    """
    if is_short(ctx):
        raise NoRoomError("We cannot take pictures just now. Words go through; please send the picture tomorrow.")


def _room(holds: str, folder: Path) -> Room:
    return Room(holds, folder, shutil.disk_usage(folder).free)
