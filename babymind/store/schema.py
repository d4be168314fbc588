"""The schema as a whole: its revision, and how a database is brought up to it."""

import re
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, ForeignKeyConstraint, text

from babymind.store import (
    content,
    deliveries,
    families,
    plan,
    replies,
    reviews,
    senders,
    staff,
    studies,
    tasks,
    ticks,
)
from babymind.store.base import Base

MODULES = (
    content,
    deliveries,
    families,
    plan,
    replies,
    reviews,
    senders,
    staff,
    studies,
    tasks,
    ticks,
)  # importing them declares the tables
METADATA = Base.metadata
MIGRATIONS = Path(__file__).parents[2] / "migrations"
# What PostgreSQL has besides the tables of the code, because it keeps the ledger by month.
BY_MONTH = re.compile(r"delivery_(\d{4}_\d{2}|occasion)")


def _config(**attributes: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes.update(attributes)
    return config


def head() -> str:
    """Return the revision that this code needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def to_do_about(at: str | None) -> str:
    """Return what to do about a database at another revision than the one that this code needs."""
    script = ScriptDirectory.from_config(_config())
    if at is None or at in {one.revision for one in script.walk_revisions()}:
        return f"revision {at or 'none'} and this version needs {script.get_current_head()}; run: babymind db upgrade"
    return f"revision {at}, which is newer than this version: install the version that made it"


def current(engine: Engine) -> str | None:
    """Return the revision that a database is at; None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _run(engine: Engine, direction: str, revision: str) -> None:
    # Foreign keys are off while SQLite makes a table anew, and checked whole afterwards.
    with engine.connect() as connection:
        sqlite = engine.dialect.name == "sqlite"
        if sqlite:
            connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        getattr(command, direction)(_config(connection=connection), revision)
        if sqlite:
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise RuntimeError(f"a migration left {len(broken)} rows without the row they point to")
        connection.commit()
        if sqlite:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring a database up to a revision."""
    _run(engine, "upgrade", revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take a database back to a revision."""
    _run(engine, "downgrade", revision)


def differences(engine: Engine) -> list[Any]:
    """Return what the tables of the code and those of a database do not share."""
    with engine.connect() as connection:
        options = {"compare_type": True, **compared(engine.dialect.name)}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


def compared(dialect: str) -> dict[str, Any]:
    """Return what Alembic is told to compare: on PostgreSQL, nothing that differs because of the months."""
    if dialect != "postgresql":
        return {}

    def name(name: str | None, kind: str, _parents: Any) -> bool:
        return not (kind == "table" and BY_MONTH.fullmatch(name or ""))

    def thing(thing: Any, _name: str | None, _kind: str, _reflected: bool, _other: Any) -> bool:
        if isinstance(thing, ForeignKeyConstraint):  # triggers are in its place
            return not thing.elements[0].target_fullname.startswith("delivery.")
        return "one_table" not in thing.info

    return {"include_name": name, "include_object": thing}


def ping(engine: Engine) -> None:
    """Ask the database anything."""
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
