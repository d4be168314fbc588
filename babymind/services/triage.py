"""Triage: the automatic first look at a reply. Words that steer are carried out; everything else goes to a person."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from babymind.clock import utc_now
from babymind.domain.delivery import Kind, Messaging, Reason
from babymind.domain.reply import Keyword, ReplyStatus
from babymind.domain.schedule import local_day
from babymind.engine.base import Work
from babymind.services.context import Context
from babymind.services.plan import plan_family
from babymind.services.texts import message_text
from babymind.store import deliveries, families, replies
from babymind.store.families import Consent, ConsentKind
from babymind.store.replies import Reply
from babymind.store.staff import audit

BATCH = 50
ANSWER_HOURS = 1  # a direct answer that is later than this answers nothing


def triage_new(ctx: Context) -> int:
    """Look at the replies that nobody has looked at, and return how many."""
    looked = 0
    while True:
        with ctx.sessions.begin() as session:
            batch = replies.next_untriaged(session, BATCH)
            for reply in batch:
                reply.status = _look(ctx, session, reply, utc_now())
        looked += len(batch)
        if len(batch) < BATCH:
            break
    if looked:
        ctx.engine.hint(Work.DELIVER)
    return looked


def _look(ctx: Context, session: Session, reply: Reply, now: datetime) -> ReplyStatus:
    if reply.caregiver is None:
        return ReplyStatus.WAITING
    match reply.keyword:
        case Keyword.STOP:
            stop(session, reply.caregiver_id or 0, now, actor=f"caregiver:{reply.caregiver_id}")
        case Keyword.START:
            start(ctx, session, reply.caregiver_id or 0, now, actor=f"caregiver:{reply.caregiver_id}")
        case Keyword.HELP:
            pass
        case _:
            return ReplyStatus.WAITING
    if not ctx.provider_answers:
        _answer(ctx, session, reply, reply.keyword, now)
    return ReplyStatus.HANDLED


def stop(session: Session, caregiver_id: int, now: datetime, *, actor: str) -> None:
    """Stop every message to a caregiver, in this transaction; what was planned is cancelled."""
    if families.set_messaging(session, caregiver_id, Messaging.STOPPED, now):
        _consent(session, caregiver_id, given=False, now=now, actor=actor, words="STOP")
    deliveries.cancel_planned(session, [caregiver_id], Reason.STOPPED)
    audit(session, at=now, actor=actor, action="stop", subject="caregiver", subject_id=caregiver_id)


def start(ctx: Context, session: Session, caregiver_id: int, now: datetime, *, actor: str) -> None:
    """Begin again after a STOP: with the next slot, nothing is sent after."""
    if not families.set_messaging(session, caregiver_id, Messaging.ACTIVE, now):
        return
    _consent(session, caregiver_id, given=True, now=now, actor=actor, words="START")
    deliveries.revive(session, caregiver_id, now, reasons=[Reason.STOPPED])
    caregiver = session.get_one(families.Caregiver, caregiver_id)
    plan_family(session, caregiver.family_id, {caregiver.zone}, now)
    audit(session, at=now, actor=actor, action="start", subject="caregiver", subject_id=caregiver_id)


def _consent(session: Session, caregiver_id: int, *, given: bool, now: datetime, actor: str, words: str) -> None:
    how = "text" if actor.startswith("caregiver") else "staff"
    session.add(
        Consent(caregiver_id=caregiver_id, kind=ConsentKind.MESSAGING, given=given, at=now, how=how, text_shown=words)
    )


def _answer(ctx: Context, session: Session, reply: Reply, keyword: Keyword, now: datetime) -> None:
    caregiver = reply.caregiver
    assert caregiver is not None  # noqa: S101 - for the type checker; unknown numbers never come here
    today = local_day(now, ZoneInfo(caregiver.zone))
    text = message_text(ctx, keyword.value, caregiver.locale, today=today)
    deliveries.add(
        session,
        deliveries.new_delivery(
            caregiver.id, Kind.ANSWER, f"answer:{reply.id}", local_day=today, due_at=now,
            window_ends_at=now + timedelta(hours=ANSWER_HOURS), text_sealed=ctx.vault.seal(text),
        ),
    )  # fmt: skip
