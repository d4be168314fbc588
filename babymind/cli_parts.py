"""What the commands share: how days and moments are typed, how an installation is opened, how outcomes are told."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import click

from babymind.bootstrap import build, set_up_logging
from babymind.config import Settings
from babymind.services.context import Context

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document for a program.")


class Day(click.ParamType[date]):
    """A calendar day, year first so that no country reads it differently."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read ``2026-03-08``."""
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"'{value}' is not a date; write year-month-day such as 2026-03-08.", param, ctx)


class Instant(click.ParamType[datetime]):
    """A moment with its zone."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read ``2026-03-08T09:00:00Z``."""
        try:
            instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"'{value}' is not a moment; write it such as 2026-03-08T09:00:00Z.", param, ctx)
        if instant.tzinfo is None:
            self.fail(f"'{value}' has no zone; add Z for UTC, such as 2026-03-08T09:00:00Z.", param, ctx)
        return instant.astimezone(UTC)


at_option = click.option("--at", type=Instant(), help="Run as if it were this moment, such as 2026-03-08T09:00:00Z.")


@contextlib.contextmanager
def installation(**options: Any) -> Iterator[Context]:
    """Open the installation of the settings, and close it."""
    settings = Settings.read()
    set_up_logging(settings.log_format)
    ctx = build(settings, **options)
    try:
        yield ctx
    finally:
        ctx.senders.shutdown(wait=True)
        ctx.database.dispose()


def show(document: object, text: str, *, as_json: bool) -> None:
    """Print what came of a command, for a program or for a person."""
    click.echo(json.dumps(document, ensure_ascii=False) if as_json else text)
