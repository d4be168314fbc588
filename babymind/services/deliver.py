"""Deliver: claim what is due, judge it once more inside the claim, hand it to the provider, write what came of it."""

import queue
import secrets
import time
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from babymind.channels.base import OutgoingMessage
from babymind.clock import utc_now
from babymind.domain.codes import code
from babymind.domain.delivery import (
    SEND,
    DeliveryStatus,
    Messaging,
    Reason,
    Standing,
    Verdict,
    retry_delay_seconds,
    verdict,
)
from babymind.domain.schedule import QuietHours, decent_instant
from babymind.domain.wording import render
from babymind.errors import (
    BabyMindError,
    ChannelConfigurationError,
    ChannelError,
    ChannelOptedOutError,
    ChannelRefusedError,
    ChannelThrottledError,
    ChannelUnknownError,
)
from babymind.services.context import Context
from babymind.store import deliveries, families, replies
from babymind.store.deliveries import Candidate, Claim, Ending, Result

log = structlog.get_logger()

BATCH = 100
PREVIEW = 10_000
LEASE_SECONDS = 120  # longer than any call to the provider may take
THROTTLED_SECONDS = 5
CONFIGURATION_SECONDS = 300
RECORD_AT_MOST = 50  # results written in one transaction…
RECORD_SECONDS = 0.2  # …or what there is after this long


@dataclass(frozen=True, slots=True)
class Ready:
    """A claimed delivery on its way to the provider."""

    claim: Claim
    message: OutgoingMessage
    window_ends_at: datetime
    failures: int
    caregiver_id: int


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
        lost = deliveries.expire_leases(session, now)
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
        self.outcomes: Counter[DeliveryStatus] = Counter()

    def run(self) -> Counter[DeliveryStatus]:
        results: list[tuple[Ready, str | ChannelError]] = []
        recorded_at = time.monotonic()
        while True:
            if self.more and self.under_way < BATCH:
                self.start_batch()
            if not self.under_way and not results:
                if self.more:  # a whole batch was ended without sending
                    continue
                return self.outcomes
            try:
                results.append(self.done.get(timeout=RECORD_SECONDS))
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
        ready, ended, seen, self.held_back = claim(self.ctx, lease=self.lease, size=size, busy=self.busy)
        self.outcomes += ended
        taken = len(ready) + ended.total()
        self.more = taken > 0 and seen >= size  # fewer than asked for: nothing more is due
        if self.left is not None:
            self.left -= taken
        self.under_way += len(ready)
        self.busy |= {one.caregiver_id for one in ready}
        for one in ready:
            self.ctx.senders.submit(self.send, one)

    def send(self, one: Ready) -> None:
        """Hand one message to the provider; runs in a thread of its own, with no transaction open."""
        try:
            self.done.put((one, self.ctx.channel.send(one.message)))
        except ChannelError as error:
            self.done.put((one, error))
        except Exception as error:
            log.exception("sending broke", delivery_id=one.claim.id)
            self.done.put((one, ChannelUnknownError(f"Our own error while sending ({type(error).__name__}).")))

    def record(self, pairs: Sequence[tuple[Ready, str | ChannelError]]) -> None:
        """Write what came of some messages in one transaction; one that cannot be written holds up no other."""
        now = utc_now()
        try:
            self.write(pairs, now)
        except Exception:
            if len(pairs) == 1:  # its lease will end, and then the provider is asked about it
                log.exception("an outcome could not be written", delivery_id=pairs[0][0].claim.id)
                return
            for pair in pairs:
                self.record([pair])
            return
        self.outcomes.update(_result(one, outcome, now).status for one, outcome in pairs)
        wrong = [outcome for _, outcome in pairs if _holds_up_all(outcome)]
        if wrong:  # the same would be said of every family: stop here, and try again later
            log.error("the channel is set up wrongly", said=str(wrong[0]))
            self.more = self.held_back = False

    def write(self, pairs: Sequence[tuple[Ready, str | ChannelError]], now: datetime) -> None:
        """Write some outcomes, all or none."""
        with self.ctx.sessions.begin() as session:
            deliveries.record(session, [_result(one, outcome, now) for one, outcome in pairs], lease=self.lease)
            for one, outcome in pairs:
                if isinstance(outcome, ChannelOptedOutError):
                    families.set_messaging(session, one.caregiver_id, Messaging.STOPPED, now)
                    deliveries.cancel_planned(session, [one.caregiver_id], Reason.STOPPED)


def claim(
    ctx: Context, *, lease: str, size: int, busy: Set[int] = frozenset()
) -> tuple[list[Ready], Counter[DeliveryStatus], int, bool]:
    """Take due deliveries for sending, and end or put off those that may not go.

    Args:
        ctx: The installation.
        lease: Who takes them.
        size: How many at most.
        busy: Caregivers whose deliveries are left for later; of any other caregiver only the first is taken.

    Returns:
        What to send, what was ended by its new status, how many were looked at, and whether something was left
        for later.

    Consent, pause, loss, quiet hours and window are read inside this transaction: a STOP that was committed
    before it always wins.
    """
    now = utc_now()
    ready: list[Ready] = []
    endings: list[Ending] = []
    taken, held_back = set(busy), False
    with ctx.sessions.begin() as session:
        # Words that came and were not read yet may be a STOP or a loss: their family waits until they are.
        candidates = deliveries.due_for_claim(session, now, size, unheard=replies.families_unheard(session))
        pregnancies = {c.delivery.pregnancy_id for c in candidates if c.delivery.pregnancy_id is not None}
        sealed = deliveries.infant_names_sealed(session, pregnancies) if pregnancies else {}
        for candidate in candidates:
            judged = judge(candidate, now)
            if judged == SEND and candidate.caregiver.id in taken:
                held_back = True
                continue
            if judged == SEND:
                taken.add(candidate.caregiver.id)
                try:
                    ready.append(_ready(ctx, candidate, sealed, now))
                    continue
                except BabyMindError:  # one text that cannot be made stops nobody else's
                    log.exception("a text could not be made", delivery_id=candidate.delivery.id)
                    reason = Reason.UNREADABLE if candidate.template else Reason.CONTENT_MISSING
                    judged = Verdict(DeliveryStatus.CANCELLED, reason)
            endings.append(_ending(candidate, judged))
        deliveries.end_unsent(session, endings)
        deliveries.mark_sending(
            session, [one.claim for one in ready], lease=lease, now=now,
            ends_at=now + timedelta(seconds=LEASE_SECONDS),
        )  # fmt: skip
    return ready, Counter(ending.status for ending in endings), len(candidates), held_back


def judge(candidate: Candidate, now: datetime) -> Verdict:
    """Judge one due delivery by what the claim has just read."""
    quiet = candidate.study.quiet if candidate.study else QuietHours()
    decent = decent_instant(now, ZoneInfo(candidate.caregiver.zone), quiet)
    return verdict(
        Standing(
            kind=candidate.delivery.kind,
            due_at=candidate.delivery.due_at,
            window_ends_at=candidate.delivery.window_ends_at,
            messaging=candidate.caregiver.messaging,
            enrolled=candidate.enrolled,
            lost=candidate.lost,
            hold=candidate.hold,
            superseded=candidate.superseded,
            address_open=candidate.address_sealed is not None,
            quiet_until=decent if decent > now else None,
        ),
        now,
    )


def _ready(ctx: Context, candidate: Candidate, sealed: dict[int, list[str | None]], now: datetime) -> Ready:
    row = candidate.delivery
    if row.text_sealed is not None:
        text, text_sealed = ctx.vault.open(row.text_sealed), row.text_sealed
    else:
        if candidate.template is None:
            raise BabyMindError("The item of this day is no longer in the bank.")
        names = [ctx.vault.open_optional(name) for name in sealed.get(row.pregnancy_id or 0, [])]
        text = render(candidate.template, names)
        text_sealed = ctx.vault.seal(text)
    seconds_left = int((row.window_ends_at - now).total_seconds())
    return Ready(
        Claim(id=row.id, attempts=row.attempts + 1, text_sealed=text_sealed, version_id=candidate.version_id),
        OutgoingMessage(delivery_id=row.id, to=ctx.vault.open(candidate.address_sealed or ""), text=text,
                        valid_seconds=seconds_left),
        row.window_ends_at,
        row.failures,
        row.caregiver_id,
    )  # fmt: skip


def _ending(candidate: Candidate, judged: Verdict) -> Ending:
    row = candidate.delivery
    if judged.due_at is not None:
        return Ending(id=row.id, status=DeliveryStatus.PLANNED, reason=row.reason, due_at=judged.due_at)
    return Ending(id=row.id, status=judged.status or row.status, reason=judged.reason, due_at=row.due_at)


def _result(one: Ready, outcome: str | ChannelError, now: datetime) -> Result:
    base = Result(id=one.claim.id, number=one.claim.attempts, status=DeliveryStatus.ACCEPTED, finished_at=now)
    if isinstance(outcome, str):
        return replace(base, provider_ref=outcome)
    told = replace(base, note=str(outcome), error_code=outcome.provider_code)
    match outcome:
        case ChannelUnknownError():
            return replace(told, status=DeliveryStatus.UNKNOWN, failed=True)
        case ChannelOptedOutError():
            return replace(told, status=DeliveryStatus.FAILED, reason=Reason.OPTED_OUT, failed=True)
        case ChannelRefusedError():
            return replace(told, status=DeliveryStatus.FAILED, reason=Reason.REFUSED, failed=True)
        case ChannelThrottledError():
            return _again(told, one, now, THROTTLED_SECONDS)
        case ChannelConfigurationError():
            return _again(told, one, now, CONFIGURATION_SECONDS)
    delay = retry_delay_seconds(one.failures + 1)
    if delay is None:
        return replace(told, status=DeliveryStatus.FAILED, reason=Reason.GAVE_UP, failed=True)
    return replace(_again(told, one, now, delay), failed=True)


def _holds_up_all(outcome: str | ChannelError) -> bool:
    """Tell whether the next message would be told the same; one country that is not enabled holds up nobody else."""
    if not isinstance(outcome, ChannelConfigurationError):
        return False
    return outcome.provider_code is None or code(outcome.provider_code).stops_all


def _again(result: Result, one: Ready, now: datetime, seconds: int) -> Result:
    due_at = now + timedelta(seconds=seconds)
    if due_at >= one.window_ends_at:
        return replace(result, status=DeliveryStatus.EXPIRED, reason=Reason.TOO_LATE)
    return replace(result, status=DeliveryStatus.PLANNED, due_at=due_at)
