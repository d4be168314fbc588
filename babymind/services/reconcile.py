"""Reconcile: ask the provider about what we do not know, before anything is sent again; and what nobody told us."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from babymind.channels.base import Found, Receipt, Sought
from babymind.clock import utc_now
from babymind.domain.delivery import MOST_FAILURES, DeliveryStatus, Reason
from babymind.domain.looking import Answer, Step, step, wait, wait_for_receipt
from babymind.engine.base import Work
from babymind.errors import ChannelConfigurationError, ChannelError, ChannelThrottledError, NotFoundError
from babymind.services import alerts, measures, receipts
from babymind.services.context import Context
from babymind.services.receipts import FAILED, Failure
from babymind.store import looks
from babymind.store.looks import Change, Look
from babymind.store.tasks import TaskKind

log = structlog.get_logger()

BATCH = 50
NOT_THERE = "Twilio has no such message: it was never taken."
IT_WENT = "Twilio has taken it; its answer had not reached us."
NOBODY_KNOWS = "Twilio could not say whether it has this message."


@dataclass(frozen=True, slots=True)
class _Brought:
    """What a look brought: the message, a receipt, the provider's error, or none of them."""

    answer: Answer
    found: Found | None = None
    receipt: Receipt | None = None
    error: ChannelError | None = None


def ask_about_unknown(ctx: Context) -> Counter[Step]:
    """Ask about every delivery whose time to be asked about has come, and count what followed."""
    followed: Counter[Step] = Counter()
    while not ctx.stopping.is_set():
        now = utc_now()
        with ctx.sessions.begin() as session:
            due = looks.take(session, now, BATCH, look_at=now + timedelta(seconds=ctx.lease_seconds))
            if not due:
                break
            began = min(look.began_at for look in due) - timedelta(days=1)
            refs = looks.refs_of(session, sorted({look.caregiver_id for look in due}), began)
        # Those of one caregiver follow each other, so that what the first finds is not found by the second.
        lines: dict[int, list[Look]] = {}
        for look in due:
            lines.setdefault(look.caregiver_id, []).append(look)
        for brought in ctx.senders.map(partial(_ask, ctx, refs), lines.values()):
            for look, one in brought:
                followed[_follow(ctx, look, one)] += 1
    if followed[Step.SEND_AGAIN]:
        ctx.engine.hint(Work.DELIVER)
    for follows, count in followed.items():
        measures.reconciled(follows.value, count)
    if followed:
        log.info("asked the provider", **{one.value: count for one, count in followed.items()})
    return followed


def _ask(ctx: Context, refs: Mapping[int, set[str]], line: Sequence[Look]) -> list[tuple[Look, _Brought]]:
    """Ask about the messages to one caregiver; in a thread of its own, with no transaction open."""
    taken = set(refs.get(line[0].caregiver_id, ()))
    brought: list[tuple[Look, _Brought]] = []
    for look in line:
        began = time.perf_counter()
        try:
            accepted = look.status is DeliveryStatus.ACCEPTED
            one = _ask_for_receipt(ctx, look) if accepted else _look_up(ctx, look, taken)
        except ChannelError as error:
            one = _Brought(Answer.UNCLEAR, error=error)
        except Exception as error:  # one that cannot be asked about holds up no other
            log.exception("a look failed", delivery_id=look.id)
            ours = ChannelError(f"Our own error while asking ({type(error).__name__}).")
            one = _Brought(Answer.UNCLEAR, error=ours)
        measures.asked(time.perf_counter() - began)
        if one.found is not None:
            taken.add(one.found.provider_ref)
        brought.append((look, one))
    return brought


def _follow(ctx: Context, look: Look, brought: _Brought) -> Step:
    try:
        return _hear(ctx, look, brought) if look.status is DeliveryStatus.ACCEPTED else _write(ctx, look, brought)
    except Exception:  # its next look is due by itself
        log.exception("what a look brought could not be written", delivery_id=look.id)
        return Step.LOOK_AGAIN


def _look_up(ctx: Context, look: Look, taken: set[str]) -> _Brought:
    if look.address_sealed is None or look.text_sealed is None:
        return _Brought(Answer.UNCLEAR)
    sought = Sought(
        delivery_id=look.id, to=ctx.vault.open(look.address_sealed), text=ctx.vault.open(look.text_sealed),
        since=look.began_at, channel=look.channel, provider_ref=look.provider_ref,
    )  # fmt: skip
    found = ctx.channel.look_up(sought, taken)
    return _Brought(Answer.FOUND, found) if found else _Brought(Answer.ABSENT)


def _write(ctx: Context, look: Look, brought: _Brought) -> Step:
    """Write what follows from a look, in a transaction of its own."""
    now = utc_now()
    if isinstance(brought.error, ChannelThrottledError | ChannelConfigurationError):  # says nothing of the message
        follows, counts = Step.LOOK_AGAIN, False
    else:
        since = (now - look.began_at).total_seconds() / ctx.answer_seconds
        follows, counts = step(brought.answer, look.looks, since), True
    change = _change(ctx, look, follows, brought, now, counts=counts)
    with ctx.sessions.begin() as session:
        if not looks.write(session, look, change):
            return Step.LOOK_AGAIN  # a receipt was faster: what it told counts
        if change.status in FAILED and brought.found is not None:
            receipts.failed(session, Failure(look.id, brought.found.error_code, taken=True), now)
        if follows is Step.PARK:
            alerts.ask(session, TaskKind.PARKED, f"parked:{now.date()}")
    if follows is Step.PARK:
        log.error("parked: nobody can tell whether it went", delivery_id=look.id)
    return follows


def _change(ctx: Context, look: Look, follows: Step, brought: _Brought, now: datetime, *, counts: bool) -> Change:
    if brought.found is not None:
        status = brought.found.status or DeliveryStatus.ACCEPTED
        return Change(
            status=status, provider_ref=brought.found.provider_ref, error_code=brought.found.error_code,
            at=brought.found.at, note=IT_WENT,
            look_at=_receipt_due(ctx, 0, now) if status is DeliveryStatus.ACCEPTED else None,
        )  # fmt: skip
    match follows:
        case Step.SEND_AGAIN:
            if look.failures + 1 >= MOST_FAILURES:
                return Change(status=DeliveryStatus.FAILED, reason=Reason.GAVE_UP, failed=True, note=NOT_THERE)
            if now >= look.window_ends_at:
                return Change(status=DeliveryStatus.EXPIRED, reason=Reason.TOO_LATE, failed=True, note=NOT_THERE)
            return Change(status=DeliveryStatus.PLANNED, due_at=now, failed=True, note=NOT_THERE)
        case Step.PARK:
            return Change(status=DeliveryStatus.UNKNOWN, note=str(brought.error or NOBODY_KNOWS))
    told = str(brought.error) if brought.error else None
    return Change(status=DeliveryStatus.UNKNOWN, look_at=now + wait(look.looks, ctx.answer_seconds), note=told,
                  counts=counts)  # fmt: skip


def _ask_for_receipt(ctx: Context, look: Look) -> _Brought:
    try:
        return _Brought(Answer.FOUND, receipt=ctx.channel.status_of(look.provider_ref or ""))
    except NotFoundError:
        return _Brought(Answer.ABSENT)


def _hear(ctx: Context, look: Look, brought: _Brought) -> Step:
    """Take in where an accepted message stands of which no receipt came; what is told counts as one."""
    now = utc_now()
    if brought.error is not None:
        log.warning("a receipt could not be asked for", delivery_id=look.id, why=str(brought.error))
    with ctx.sessions.begin() as session:
        looks.write(session, look, Change(status=look.status, look_at=_receipt_due(ctx, look.looks, now)))
    receipt = brought.receipt
    if receipt is None or receipt.status in (None, DeliveryStatus.ACCEPTED):
        return Step.LOOK_AGAIN
    receipts.hear(ctx, look.id, receipt)
    return Step.ADOPT


def _receipt_due(ctx: Context, looked: int, now: datetime) -> datetime | None:
    after = wait_for_receipt(looked, ctx.answer_seconds) if ctx.channel.tells else None
    return now + after if after else None
