"""Alembic's entry: the schema of ``babymind.store`` on whichever database is handed over."""

from typing import Any

import sqlalchemy as sa
from alembic import context

from babymind.store.base import TimeOfDay, UtcDateTime
from babymind.store.schema import METADATA, compared


def render_item(kind: str, item: Any, _context: Any) -> str | bool:
    """Write our column types into a migration as plain ones: a migration never changes with the code."""
    if kind == "type":
        if isinstance(item, UtcDateTime):
            return "sa.DateTime(timezone=True)"
        if isinstance(item, TimeOfDay):
            return "sa.Integer()"
        if isinstance(item, sa.Enum):
            return f"sa.String(length={item.length})"
        if isinstance(item, sa.BigInteger):
            return "KEY"
    return False


def run() -> None:
    """Migrate on the connection that ``store.schema`` made."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_item=render_item,
        render_as_batch=True,  # SQLite changes a table by making it anew
        compare_type=True,
        **compared(connection.dialect.name),
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
