"""Tasks: what a person has to do for a family or the service, and the word that it is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from babymind.clock import utc_now
from babymind.errors import ConflictError, InvalidInputError, NotFoundError
from babymind.services.context import Context
from babymind.store import tasks
from babymind.store.staff import audit
from babymind.store.tasks import Task, TaskKind

MOST = 200
LONGEST_OUTCOME = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """Something that waits for a person."""

    id: int
    kind: TaskKind
    study_code: str | None  # None: it is about the service, not about a family
    created_at: datetime
    details: Mapping[str, object]


def list_open(ctx: Context) -> list[TaskView]:
    """Return what is still to be done, oldest first."""
    with ctx.readers.begin() as session:
        return [
            TaskView(
                id=row.id, kind=row.kind, study_code=row.family.study_code if row.family else None,
                created_at=row.created_at, details=row.details,
            )
            for row in tasks.open_tasks(session, MOST)
        ]  # fmt: skip


def finish(ctx: Context, task_id: int, outcome: str, actor: str) -> None:
    """Say what was done about a task.

    Raises:
        InvalidInputError: No words, or too many.
        NotFoundError: There is no such task.
        ConflictError: Somebody else was first.
    """
    said = " ".join(outcome.split())
    if not said:
        raise InvalidInputError("Say in a few words, without names, what was done.")
    if len(said) > LONGEST_OUTCOME or not said.isprintable():
        raise InvalidInputError(f"What was done takes at most {LONGEST_OUTCOME} plain characters; shorten it.")
    now = utc_now()
    with ctx.sessions.begin() as session:
        task = session.get(Task, task_id)
        if task is None:
            raise NotFoundError("There is no such task.")
        if not tasks.finish(session, task_id, now=now, by=actor, outcome=said):
            raise ConflictError("Somebody has done this task already; it is no longer on the list.")
        subject, subject_id = ("family", task.family_id) if task.family_id else ("task", task_id)
        audit(session, at=now, actor=actor, action="task_done", subject=subject, subject_id=subject_id,
              task_id=task_id, kind=task.kind.value, because=said)  # fmt: skip
