"""Claim: take what is due for sending, judged by what is true inside the transaction, with its sender and its way."""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.orm import Session

from babymind.channels.base import OutgoingMessage, Template
from babymind.clock import utc_now
from babymind.domain.contact import ChannelName
from babymind.domain.delivery import SEND, DeliveryStatus, Kind, Reason, Standing, Verdict, verdict
from babymind.domain.schedule import QuietHours, decent_instant
from babymind.domain.ways import Way, way
from babymind.domain.wording import render
from babymind.errors import BabyMindError
from babymind.library.sms import segments
from babymind.services.context import Context
from babymind.store import deliveries, replies, senders
from babymind.store.deliveries import Candidate, Claim, Ending
from babymind.store.families import Address

log = structlog.get_logger()

HORIZON_SECONDS = 1.0  # so far ahead messages are given the instants at which they may leave a sender
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A claimed delivery on its way to the provider."""

    claim: Claim
    message: OutgoingMessage
    window_ends_at: datetime
    failures: int
    caregiver_id: int
    claimed_at: tuple[float, float] = (0.0, 0.0)  # `instant` at the claim
    wait_seconds: float | None = None  # after the claim: until its sender's turn has come; None: it needs none
    segments: int = 1

    def age(self) -> float:
        """Return the seconds since the claim; a machine that slept, or whose clock was set, counts the longer."""
        return max(now - then for now, then in zip(instant(), self.claimed_at, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a claim took and what it left."""

    ready: Sequence[Ready] = ()
    ended: Counter[DeliveryStatus]  # those that may not go, by what became of them
    seen: int = 0  # how many were looked at
    held_back: bool = False  # something was left until what is under way to the same caregiver has gone
    again_seconds: float | None = None  # something was left until its sender has time again


def instant() -> tuple[float, float]:
    """Return this moment by two clocks: one that nobody sets, and one that runs while the machine sleeps."""
    return time.monotonic(), time.time()


def claim(ctx: Context, *, lease: str, size: int, busy: Set[int] = frozenset()) -> Claimed:
    """Take due deliveries for sending, and end or put off those that may not go.

    Args:
        ctx: The installation.
        lease: Who takes them.
        size: How many at most.
        busy: Caregivers whose deliveries are left for later; of any other caregiver only the first is taken.

    Consent, pause, loss, quiet hours and window are read inside this transaction: a STOP that was committed
    before it always wins. The rate of each sender is kept here too, in the database: see `domain.pacing`.
    """
    now = utc_now()
    with ctx.sessions.begin() as session:
        lease_now, claimed_at = ctx.lease_now(session), instant()
        waiting = senders.busy_until(session, lease_now, HORIZON_SECONDS)
        again = (min(waiting.values()) - lease_now).total_seconds() if waiting else None
        if waiting and len(waiting) == len(senders.live(session)):
            return Claimed(ended=Counter(), again_seconds=again)
        # Words that came and were not read yet may be a STOP or a loss: their family waits until they are.
        candidates = deliveries.due_for_claim(
            session, now, size, unheard=replies.families_unheard(session), waiting=list(waiting)
        )
        going, endings, held_back = _sorted_out(ctx, session, candidates, now, busy)
        ready = _in_turn(session, [replace(one, claimed_at=claimed_at) for one in going], lease_now)
        deliveries.end_unsent(session, endings)
        deliveries.mark_sending(
            session, [one.claim for one in ready], lease=lease, now=now,
            ends_at=lease_now + timedelta(seconds=ctx.lease_seconds),
        )  # fmt: skip
    if len(ready) < len(going):  # for want of a turn
        again = min(again or HORIZON_SECONDS, HORIZON_SECONDS / 2)
    return Claimed(ready=ready, ended=Counter(ending.status for ending in endings), seen=len(candidates),
                   held_back=held_back, again_seconds=again)  # fmt: skip


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
            address_open=bool(candidate.addresses),
            quiet_until=decent if decent > now else None,
        ),
        now,
    )


def _sorted_out(ctx: Context, session: Session, candidates: Sequence[Candidate], now: datetime,
                busy: Set[int]) -> tuple[list[Ready], list[Ending], bool]:  # fmt: skip
    """Return what may go, what may not, and whether something was left for later."""
    pregnancies = {c.delivery.pregnancy_id for c in candidates if c.delivery.pregnancy_id is not None}
    sealed = deliveries.infant_names_sealed(session, pregnancies) if pregnancies else {}
    tried = [c.delivery.id for c in candidates if c.delivery.attempts and ChannelName.WHATSAPP in c.addresses]
    told = deliveries.codes_told(session, tried) if tried else {}
    going: list[Ready] = []
    endings: list[Ending] = []
    taken, held_back = set(busy), False
    for candidate in candidates:
        judged = judge(candidate, now)
        if judged == SEND and candidate.caregiver.id in taken:
            held_back = True
            continue
        if judged == SEND:
            taken.add(candidate.caregiver.id)
            by, address = _way(ctx, candidate, now, told.get(candidate.delivery.id, ()))
            try:
                if address is not None:
                    going.append(_ready(ctx, candidate, by, address, sealed, now))
                    continue
                judged = Verdict(DeliveryStatus.CANCELLED, Reason.WINDOW_CLOSED)
            except BabyMindError:  # one text that cannot be made stops nobody else's
                log.exception("a text could not be made", delivery_id=candidate.delivery.id)
                reason = Reason.UNREADABLE if candidate.template else Reason.CONTENT_MISSING
                judged = Verdict(DeliveryStatus.CANCELLED, reason)
        endings.append(_ending(candidate, judged))
    return going, endings, held_back


def _way(ctx: Context, candidate: Candidate, now: datetime, told: Sequence[int]) -> tuple[Way, Address | None]:
    """Decide by which way a message goes, and to which address: see `domain.ways`."""
    texts, chat = (candidate.addresses.get(name) for name in (ChannelName.SMS, ChannelName.WHATSAPP))
    if chat is None:
        return Way.SMS, texts
    # A direct answer goes to where they wrote from.
    wrote_by_text = texts is not None and texts.heard_at is not None and texts.heard_at > (chat.heard_at or LONG_AGO)
    if candidate.delivery.kind is Kind.ANSWER and wrote_by_text:
        return Way.SMS, texts
    chosen = way(ChannelName.WHATSAPP, chat.heard_at, now, has_template=ctx.whatsapp_template is not None,
                 has_sms=texts is not None, told=told)  # fmt: skip
    return chosen, {Way.SMS: texts, Way.CLOSED: None}.get(chosen, chat)


def _ready(ctx: Context, candidate: Candidate, by: Way, address: Address, sealed: Mapping[int, Sequence[str | None]],
           now: datetime) -> Ready:  # fmt: skip
    row = candidate.delivery
    if row.text_sealed is not None:
        text, text_sealed = ctx.vault.open(row.text_sealed), row.text_sealed
    else:
        if candidate.template is None:
            raise BabyMindError("The item of this day is no longer in the bank.")
        names = [ctx.vault.open_optional(name) for name in sealed.get(row.pregnancy_id or 0, [])]
        text = render(candidate.template, names)
        text_sealed = ctx.vault.seal(text)
    template = ctx.whatsapp_template if by is Way.TEMPLATE else None
    return Ready(
        claim=Claim(id=row.id, attempts=row.attempts + 1, text_sealed=text_sealed, version_id=candidate.version_id,
                    address_id=address.id, sender_id=None),
        message=OutgoingMessage(
            delivery_id=row.id, to=ctx.vault.open(address.value_sealed), text=text, channel=address.channel,
            valid_seconds=int((row.window_ends_at - now).total_seconds()),
            template=Template.saying(template, text) if template else None,
        ),
        window_ends_at=row.window_ends_at,
        failures=row.failures,
        caregiver_id=row.caregiver_id,
    )  # fmt: skip


def _in_turn(session: Session, going: Sequence[Ready], lease_now: datetime) -> list[Ready]:
    """Return what goes now, each with its sender and its turn; the others stay due."""
    chosen = senders.choose(session, [one.claim.address_id for one in going])
    lengths: dict[int, list[int]] = defaultdict(list)
    for one in going:
        if one.claim.address_id in chosen:
            length = 1 if one.message.channel is ChannelName.WHATSAPP else segments(one.message.text)
            lengths[chosen[one.claim.address_id].sender_id].append(length)
    turns = senders.reserve_each(session, lengths, lease_now, HORIZON_SECONDS) if lengths else {}
    ready = []
    for one in going:
        sender = chosen.get(one.claim.address_id)
        if sender is None:  # no senders are kept: the channel has its own
            ready.append(one)
        elif turns[sender.sender_id]:
            leaves_at = turns[sender.sender_id].pop(0)
            ready.append(
                replace(
                    one,
                    claim=replace(one.claim, sender_id=sender.sender_id),
                    message=replace(one.message, sender=sender.address),
                    wait_seconds=(leaves_at - lease_now).total_seconds() if leaves_at > lease_now else None,
                    segments=lengths[sender.sender_id].pop(0),
                )
            )
    return ready


def _ending(candidate: Candidate, judged: Verdict) -> Ending:
    row = candidate.delivery
    if judged.due_at is not None:
        return Ending(id=row.id, status=DeliveryStatus.PLANNED, reason=row.reason, due_at=judged.due_at)
    return Ending(id=row.id, status=judged.status or row.status, reason=judged.reason, due_at=row.due_at)
