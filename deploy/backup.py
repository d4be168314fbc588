"""Copy the database, and the pictures where they are in a folder, while everything runs.

Example: .venv/bin/python deploy/backup.py /var/backups/babymind --keep 14

The settings say which database: SQLite is copied by SQLite itself, PostgreSQL by pg_dump. A copy gets its name only
when it is whole and was read once. The keys are not in it.
"""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
from sqlalchemy import make_url
from sqlalchemy.engine import URL

from babymind.config import Settings
from babymind.errors import BabyMindError

NAME, STAMP = "babymind", "%Y%m%dT%H%M%SZ"
UNDER_WAY = ".part"


class BackupError(BabyMindError):
    """There is no copy; the text says what to do."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--keep", type=click.IntRange(1), default=14, show_default=True, help="For how many days.")
def main(folder: Path, keep: int) -> None:
    """Put a copy into FOLDER, and remove those that are older."""
    settings = Settings.read()
    now = datetime.now(UTC)
    os.umask(0o077)
    folder.mkdir(parents=True, exist_ok=True)
    url = make_url(settings.database_url)
    sqlite = url.get_backend_name() == "sqlite"
    copy = folder / f"{NAME}-{now.strftime(STAMP)}{'.db' if sqlite else '.dump'}"
    part = copy.with_name(copy.name + UNDER_WAY)
    try:
        (copy_sqlite if sqlite else dump_postgresql)(url, part)
        keep_safe(part, copy)
    finally:
        part.unlink(missing_ok=True)
    click.echo(copy)
    # After the database, so that no picture is missing which it knows of.
    if urlsplit(settings.media_url).scheme == "file":
        new = copy_pictures(Path(unquote(urlsplit(settings.media_url).path)), folder / "media")
        click.echo(f"{new} new pictures")
    remove_old(folder, now - timedelta(days=keep))


def copy_sqlite(url: URL, part: Path) -> None:
    """Copy in one reading transaction, so that writers go on and the copy is of one moment."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{Path(str(url.database)).resolve().as_uri()}?mode=rw", uri=True)
        ) as database:
            database.execute("VACUUM INTO ?", (str(part),))
        with contextlib.closing(sqlite3.connect(f"{part.resolve().as_uri()}?mode=ro", uri=True)) as copied:
            found = copied.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.Error as error:
        raise BackupError(f"{url.database} could not be copied ({error}).") from error
    if found != "ok":
        raise BackupError(
            f"The copy of {url.database} is damaged ({found}): look at the disk, and keep older copies."
        )


def dump_postgresql(url: URL, part: Path) -> None:
    """Dump by pg_dump, whose version has to be that of the server or a newer one. Hints need no copy."""
    environment = {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})}
    address = url.set(drivername="postgresql", password=None).render_as_string()
    _run(["pg_dump", "--format=custom", "--exclude-schema=dbos", f"--file={part}", address], environment)
    _run(["pg_restore", "--file=/dev/null", str(part)], environment)


def _run(command: list[str], environment: dict[str, str]) -> None:
    try:
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)  # noqa: S603
    except FileNotFoundError:
        raise BackupError(
            f"{command[0]} is not there: install the client programs of PostgreSQL, in the server's version."
        ) from None
    if done.returncode:
        raise BackupError(f"{command[0]} failed: {done.stderr.strip()}")


def keep_safe(part: Path, copy: Path) -> None:
    """Give a copy its name once it is on the disk; SQLite does not see to that here."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(copy)
    held = os.open(copy.parent, os.O_RDONLY)
    os.fsync(held)
    os.close(held)


def copy_pictures(source: Path, target: Path) -> int:
    """Copy the pictures that are not there yet: a picture never changes."""
    new = 0
    for path in source.rglob("*") if source.exists() else ():
        there = target / path.relative_to(source)
        if path.is_file() and "#" not in path.name and not there.exists():  # with a # it is still being written
            there.parent.mkdir(parents=True, exist_ok=True)
            part = there.with_name(there.name + UNDER_WAY)
            shutil.copyfile(path, part)
            part.replace(there)
            new += 1
    return new


def remove_old(folder: Path, before: datetime) -> None:
    """Remove copies of ours that are older; what has another name is left alone."""
    for path in folder.glob(f"{NAME}-*"):
        try:
            made = datetime.strptime(path.name.removeprefix(f"{NAME}-").partition(".")[0], STAMP).replace(tzinfo=UTC)
        except ValueError:
            continue
        if made < before:
            path.unlink()


if __name__ == "__main__":
    try:
        main()
    except BabyMindError as error:
        click.echo(f"backup: {error}", err=True)
        sys.exit(1)
