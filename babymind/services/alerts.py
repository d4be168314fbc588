"""Alerts: what is the matter with the service itself is told to the people who run it, once for each occasion."""

from collections.abc import Mapping
from datetime import timedelta

import structlog
from sqlalchemy.orm import Session

from babymind.clock import utc_now
from babymind.errors import ChannelError
from babymind.services.context import Context
from babymind.store import tasks, ticks
from babymind.store.tasks import TaskKind

log = structlog.get_logger()

WORDS = {
    TaskKind.PARKED: "Nobody can tell whether some messages went; a person has to decide.",
    TaskKind.PROVIDER: "The provider turns messages away, or gives an error that is new to us.",
}
MAILED = tuple(WORDS)
FIRST_MAIL = timedelta(days=1)


def ask(session: Session, kind: TaskKind, occasion: str, **details: object) -> bool:
    """Write an alert down as a task, with a log line; False when this occasion has had its own already.

    Args:
        session: A transaction; `mail_new` mails what was committed.
        kind: What it is about.
        occasion: What makes it one and the same, such as ``parked:2026-03-08``.
        details: Ids, counts and days only.
    """
    new = tasks.ask(session, kind, occasion, now=utc_now(), family_id=None, **details)
    if new:
        log.error("alert", kind=kind.value, **details)
    return new


def mail_new(ctx: Context) -> int:
    """Mail what has been asked since the last mail to the address of the settings, and return how much that was.

    A mail that could not be sent is tried again by the next tick; the task and the log line are there all the same.
    """
    if ctx.alerts is None:
        return 0
    now = utc_now()
    with ctx.readers.begin() as session:
        since = ticks.last(session, "alerts mailed") or now - FIRST_MAIL
        new = tasks.asked_since(session, MAILED, since, now)
    if new:
        lines = [f"{WORDS[task.kind]}{_details(task.details)}" for task in new]
        try:
            ctx.alerts.send(
                "BabyMind needs somebody to look", "\n".join([*lines, "", "See the pages Tasks and Deliveries."])
            )
        except ChannelError as error:
            log.exception("an alert could not be mailed", why=str(error))
            return 0
    with ctx.sessions.begin() as session:
        ticks.mark(session, "alerts mailed", now)
    return len(new)


def _details(details: Mapping[str, object]) -> str:
    told = ", ".join(f"{name} {value}" for name, value in details.items() if value is not None)
    return f" ({told})" if told else ""
