"""Deliver: claim what is due, judge it once more inside the claim, hand it to the provider, write what came of it."""

import queue
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from babymind.clock import utc_now
from babymind.domain.codes import code
from babymind.domain.delivery import (
    SEND,
    DeliveryStatus,
    Reason,
    again_after,
    throttled_after,
)
from babymind.domain.looking import wait, wait_for_receipt
from babymind.errors import (
    ChannelConfigurationError,
    ChannelError,
    ChannelOptedOutError,
    ChannelRefusedError,
    ChannelThrottledError,
    ChannelUnknownError,
)
from babymind.services import alerts, measures, receipts
from babymind.services.claim import HORIZON_SECONDS, Ready, claim, judge
from babymind.services.context import Context
from babymind.store import deliveries, replies, senders
from babymind.store.deliveries import Result
from babymind.store.tasks import TaskKind

log = structlog.get_logger()

BATCH = 100
PREVIEW = 10_000
CALL_ANSWERS = 3.0  # a call is not begun when less than this is left of its lease, counted in answers
SOON_SECONDS = 2.0
LATE_SECONDS = 0.05  # so late a second holds 4 in a hundred more than its share, of which 1 is not given away
TURNS = 3
THROTTLED_SECONDS = 5
CONFIGURATION_SECONDS = 300
RECORD_AT_MOST = 100  # results written in one transaction…
RECORD_SECONDS = 0.2  # …or what there is after this long


class NotBegunError(ChannelError):
    """The provider was not called: we were stopping, or too little was left of the lease."""


def deliver_due(ctx: Context, *, limit: int | None = None) -> Counter[DeliveryStatus]:
    """Send what is due until nothing is, and count what became of it.

    Two workers may do this at once: a row belongs to the one whose lease it carries.
    """
    return _Run(ctx, limit).run()


def preview(ctx: Context) -> Counter[DeliveryStatus]:
    """Judge what is due as a claim would, and change nothing; what would go counts as ``sending``."""
    now = utc_now()
    with ctx.readers.begin() as session:
        unheard = replies.families_unheard(session)
        candidates = deliveries.due_for_claim(session, now, PREVIEW, unheard=unheard)
        judged = [judge(candidate, now) for candidate in candidates]
        session.rollback()
    return Counter(DeliveryStatus.SENDING if one == SEND else one.status or DeliveryStatus.PLANNED for one in judged)


def sweep(ctx: Context) -> None:
    """End what is past its window, and ask about what a vanished worker left behind."""
    now = utc_now()
    with ctx.sessions.begin() as session:
        late = deliveries.expire_late(session, now)
        lost = deliveries.expire_leases(session, ctx.lease_now(session), look_at=now)
    if late or lost:
        log.warning("swept", expired=late, unknown=lost)


class _Run:
    """One round of sending: the provider's threads are kept busy while this thread claims and records."""

    def __init__(self, ctx: Context, limit: int | None) -> None:
        self.ctx = ctx
        self.left = limit
        self.lease = secrets.token_hex(16)
        self.done: queue.SimpleQueue[tuple[Ready, str | ChannelError]] = queue.SimpleQueue()
        self.under_way = 0
        self.busy: set[int] = set()  # caregivers with a message under way; their next waits, to keep the order
        self.more = True
        self.held_back = False
        self.not_before = 0.0  # when a sender has time again, by the monotonic clock
        self.outcomes: Counter[DeliveryStatus] = Counter()

    def run(self) -> Counter[DeliveryStatus]:
        results: list[tuple[Ready, str | ChannelError]] = []
        recorded_at = time.monotonic()
        while True:
            waits = self.not_before - time.monotonic()
            if self.more and self.under_way < BATCH and waits <= 0:
                self.start_batch()
                waits = self.not_before - time.monotonic()
            if not self.under_way and not results:
                if not self.more or self.ctx.stopping.wait(max(0.0, waits)):
                    return self.outcomes
                continue  # a whole batch was ended without sending, or no sender has time
            try:
                seconds = min(RECORD_SECONDS, waits) if self.more and waits > 0 else RECORD_SECONDS
                results.append(self.done.get(timeout=seconds))
                self.under_way -= 1
            except queue.Empty:
                pass
            waited = time.monotonic() - recorded_at >= RECORD_SECONDS
            if results and (len(results) >= RECORD_AT_MOST or waited or not self.under_way):
                self.record(results)
                self.busy -= {one.caregiver_id for one, _ in results}
                self.more = self.more or self.held_back
                results, recorded_at = [], time.monotonic()

    def start_batch(self) -> None:
        """Claim a batch and hand it to the threads; the transaction is closed before anything is sent."""
        size = BATCH if self.left is None else min(BATCH, self.left)
        if size <= 0 or self.ctx.stopping.is_set():
            self.more = False
            return
        claimed = claim(self.ctx, lease=self.lease, size=size, busy=self.busy)
        measures.claimed(len(claimed.ready))
        self.outcomes += claimed.ended
        self.held_back = claimed.held_back
        taken = len(claimed.ready) + claimed.ended.total()
        self.more = taken > 0 and claimed.seen >= size  # fewer than asked for: nothing more is due
        soon = claimed.again_seconds is not None and claimed.again_seconds <= SOON_SECONDS
        if soon:  # a sender that stands still for longer is the clock's to wait for
            self.more, self.not_before = True, time.monotonic() + (claimed.again_seconds or 0.0)
        if self.left is not None:
            self.left -= taken
        self.under_way += len(claimed.ready)
        self.busy |= {one.caregiver_id for one in claimed.ready}
        for one in claimed.ready:
            self.ctx.senders.submit(self.send, one)

    def send(self, one: Ready) -> None:
        """Hand one message to the provider; runs in a thread of its own, with no transaction open."""
        in_turn = self.wait_for_turn(one)
        left = self.ctx.lease_seconds - one.age()
        if not in_turn or left < CALL_ANSWERS * self.ctx.answer_seconds:
            # A call that outlived its lease would race with whoever takes the message for lost.
            self.done.put((one, NotBegunError("Not begun: the worker was stopping, or behind.")))
            return
        outcome: str | ChannelError
        began = time.perf_counter()
        try:
            outcome = self.ctx.channel.send(one.message)
        except ChannelError as error:
            outcome = error
        except Exception as error:
            log.exception("sending broke", delivery_id=one.claim.id)
            outcome = ChannelUnknownError(f"Our own error while sending ({type(error).__name__}).")
        measures.sent(outcome, time.perf_counter() - began)
        self.done.put((one, outcome))

    def wait_for_turn(self, one: Ready) -> bool:
        """Wait until a message may leave its sender; False if it may not, because we stop or are too far behind.

        Whoever is late for a turn would leave together with those whose turn is now, so it asks for another.
        """
        wait_seconds = one.wait_seconds
        for _ in range(TURNS):
            if wait_seconds is None:
                return not self.ctx.stopping.is_set()
            measures.waited(max(0.0, wait_seconds - one.age()))
            if self.ctx.stopping.wait(max(0.0, wait_seconds - one.age())):
                return False
            if one.age() - wait_seconds <= LATE_SECONDS:
                return True
            with self.ctx.sessions.begin() as session:
                now, age = self.ctx.lease_now(session), one.age()
                turns = senders.reserve(session, one.claim.sender_id or 0, [one.segments], now, HORIZON_SECONDS)
            if not turns:
                return False
            wait_seconds = age + (turns[0] - now).total_seconds()
        return False

    def record(self, pairs: Sequence[tuple[Ready, str | ChannelError]]) -> None:
        """Write what came of some messages in one transaction; one that cannot be written holds up no other."""
        now = utc_now()
        try:
            results = [_result(self.ctx, one, outcome, now) for one, outcome in pairs]
            self.write(pairs, results, now)
        except Exception:
            if len(pairs) == 1:  # its lease will end, and then the provider is asked about it
                log.exception("an outcome could not be written", delivery_id=pairs[0][0].claim.id)
                return
            log.exception("outcomes could not be written together; they are written one by one", number=len(pairs))
            for pair in pairs:
                self.record([pair])
            return
        self.outcomes.update(result.status for result in results)
        if any(_holds_up_all(outcome) and one.claim.sender_id is None for one, outcome in pairs):
            self.more = self.held_back = False  # the same would be said of every family; the clock looks again

    def write(self, pairs: Sequence[tuple[Ready, str | ChannelError]], results: Sequence[Result],
              now: datetime) -> None:  # fmt: skip
        """Write some outcomes and what follows from them, all or none."""
        with self.ctx.sessions.begin() as session:
            deliveries.record(session, results, lease=self.lease)
            took = {
                one.claim.sender_id
                for one, outcome in pairs
                if isinstance(outcome, str) and one.claim.sender_id is not None
            }
            if took:
                senders.resume(session, took)
            # In the order of their ids, as a claim locks them.
            wrong = {one.claim.sender_id: (one, outcome) for one, outcome in pairs if _holds_up_all(outcome)}
            for sender_id in sorted(wrong, key=lambda sender_id: sender_id or 0):
                self.stop_sender(session, *wrong[sender_id])
            for one, outcome in pairs:
                if isinstance(outcome, ChannelRefusedError):
                    failure = receipts.Failure(one.claim.id, outcome.provider_code, taken=False)
                    receipts.failed(session, failure, now)

    def stop_sender(self, session: Session, one: Ready, outcome: str | ChannelError) -> None:
        """Let nothing more leave from a sender that is set up wrongly: what is due waits, and one alert is given."""
        number = outcome.provider_code if isinstance(outcome, ChannelError) else None
        until = self.ctx.lease_now(session) + timedelta(seconds=CONFIGURATION_SECONDS)
        if one.claim.sender_id is None or senders.stop(session, one.claim.sender_id, until, number):
            occasion = f"sender:{one.claim.sender_id}:{number}:{utc_now().date()}"
            alerts.ask(session, TaskKind.PROVIDER, occasion, code=number)


def _result(ctx: Context, one: Ready, outcome: str | ChannelError, now: datetime) -> Result:
    base = Result(id=one.claim.id, number=one.claim.attempts, status=DeliveryStatus.ACCEPTED, finished_at=now)
    if isinstance(outcome, str):
        after = wait_for_receipt(0, ctx.answer_seconds) if ctx.channel.tells else None
        return replace(base, provider_ref=outcome, look_at=now + after if after else None)
    told = replace(base, note=str(outcome), error_code=outcome.provider_code)
    match outcome:
        case ChannelUnknownError():
            look_at = now + wait(0, ctx.answer_seconds)
            return replace(told, status=DeliveryStatus.UNKNOWN, look_at=look_at)
        case ChannelOptedOutError():
            return replace(told, status=DeliveryStatus.FAILED, reason=Reason.OPTED_OUT, failed=True)
        case ChannelRefusedError():
            return replace(told, status=DeliveryStatus.FAILED, reason=Reason.REFUSED, failed=True)
        case ChannelThrottledError():
            return _again(told, one, now, throttled_after(THROTTLED_SECONDS, one.claim.attempts, str(one.claim.id)))
        case ChannelConfigurationError():
            return _again(told, one, now, timedelta(seconds=CONFIGURATION_SECONDS))
        case NotBegunError():
            return _again(told, one, now, timedelta(0))
    after = again_after(one.failures + 1, str(one.claim.id))
    if after is None:
        return replace(told, status=DeliveryStatus.FAILED, reason=Reason.GAVE_UP, failed=True)
    return replace(_again(told, one, now, after), failed=True)


def _holds_up_all(outcome: str | ChannelError) -> bool:
    """Tell whether the next message would be told the same; one country that is not enabled holds up nobody else."""
    if not isinstance(outcome, ChannelConfigurationError):
        return False
    return outcome.provider_code is None or code(outcome.provider_code).stops_all


def _again(result: Result, one: Ready, now: datetime, after: timedelta) -> Result:
    due_at = now + after
    if due_at >= one.window_ends_at:
        return replace(result, status=DeliveryStatus.EXPIRED, reason=Reason.TOO_LATE)
    return replace(result, status=DeliveryStatus.PLANNED, due_at=due_at)
