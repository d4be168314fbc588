"""Parked: what only a person can decide about deliveries, and what a day of them came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from babymind.clock import utc_now
from babymind.domain.codes import TABLE, CodeClass, code
from babymind.domain.delivery import DeliveryStatus, Kind, Reason
from babymind.engine.base import Work
from babymind.errors import ConflictError, NotFoundError
from babymind.services.context import Context
from babymind.store import watching
from babymind.store.deliveries import Delivery
from babymind.store.senders import Sender
from babymind.store.staff import audit
from babymind.store.watching import Listed, Try

PAGE = 25
# Ended by what is neither the family's wish nor their phone: once that is mended, the message may go after all.
STUCK = frozenset({Reason.GAVE_UP, Reason.UNREADABLE, Reason.CONTENT_MISSING, Reason.CONFIGURATION})
OURS = frozenset(number for number, one in TABLE.items() if number and one.meaning is CodeClass.OURS)
MOVED_ON = "Something has become of this message meanwhile; it is shown below as it stands now."


@dataclass(frozen=True, slots=True, kw_only=True)
class TryView:
    """One attempt at sending."""

    number: int
    started_at: datetime
    outcome: DeliveryStatus | None  # None: it was broken off
    said: str | None  # in words for staff


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckView:
    """A delivery that waits for a person. No name, number or text."""

    id: int
    study_code: str
    kind: Kind
    zone: str
    due_at: datetime
    since: datetime  # the last attempt, or when it was due
    open: bool  # its window: it may still be sent
    status: DeliveryStatus
    reason: Reason | None
    code: int | None  # the provider's
    why: str | None  # what that means, in words for staff
    looks: int  # how often the provider was asked about it since
    tries: Sequence[TryView]


@dataclass(frozen=True, slots=True)
class List:
    """A page of them."""

    rows: Sequence[StuckView]
    next_after: int | None  # None: that was all


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureView:
    """A cause of failures."""

    code: int | None
    why: str | None  # what the provider's number means, in words for staff
    reason: Reason | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderView:
    """Something we send from that nothing leaves from just now. The number is ours."""

    id: int
    channel: str
    address: str
    until: datetime | None
    code: int | None
    why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveriesView:
    """The page Deliveries."""

    counts: Mapping[tuple[Kind, DeliveryStatus], int]
    failures: Sequence[FailureView]
    parked_in_all: int
    parked: List
    stuck: List
    senders: Sequence[SenderView]


def overview(ctx: Context, day: date, *, parked_after: int = 0, stuck_after: int = 0) -> DeliveriesView:
    """Return what a local day came to and what of it is stuck, with everything that is parked."""
    now = utc_now()
    with ctx.readers.begin() as session:
        parked = watching.parked(session, after=parked_after, limit=PAGE + 1)
        stuck = watching.stuck(session, day, reasons=STUCK, codes=OURS, after=stuck_after, limit=PAGE + 1)
        return DeliveriesView(
            counts=watching.counts_on(session, day),
            failures=[
                FailureView(code=one.code, why=_meaning(one.code), reason=one.reason, count=one.count)
                for one in watching.failures_on(session, day)
            ],
            parked_in_all=watching.count_parked(session),
            parked=_page(parked, now),
            stuck=_page(stuck, now),
            senders=[_sender(one) for one in watching.stopped_senders(session, now)],
        )


def ask_again(ctx: Context, delivery_id: int, actor: str) -> None:
    """Let the provider be asked once more what became of a parked delivery.

    Raises:
        NotFoundError: There is no such delivery.
        ConflictError: It is parked no more.
    """
    now = utc_now()
    with ctx.sessions.begin() as session:
        delivery = _delivery(session.get(Delivery, delivery_id))
        if not watching.ask_again(session, delivery.id, now):
            raise ConflictError(MOVED_ON)
        audit(session, at=now, actor=actor, action="delivery_asked_again", subject="delivery", subject_id=delivery.id)
    ctx.engine.hint(Work.RECONCILE)


def send_again(ctx: Context, delivery_id: int, actor: str) -> None:
    """Send a delivery that did not go, or of which a person knows that it did not arrive.

    Consent, pause, loss and quiet hours are judged when it is taken for sending, as for any other.

    Raises:
        NotFoundError: There is no such delivery.
        ConflictError: Its time is over, a newer one has been due since, or something became of it meanwhile.
    """
    now = utc_now()
    with ctx.sessions.begin() as session:
        delivery = _delivery(session.get(Delivery, delivery_id))
        if not _may_go(delivery):
            raise ConflictError(MOVED_ON)
        if now >= delivery.window_ends_at:
            raise ConflictError("The time of this message is over: so late it would only puzzle the family.")
        if watching.is_superseded(session, delivery, now):
            raise ConflictError("A newer fact or prompt for this baby has been due since, and only the newest goes.")
        before = {"status": delivery.status.value, "reason": delivery.reason.value if delivery.reason else None}
        if not watching.plan_again(session, delivery, now):
            raise ConflictError(MOVED_ON)
        audit(session, at=now, actor=actor, action="delivery_sent_again", subject="delivery", subject_id=delivery.id,
              **before)  # fmt: skip
    ctx.engine.hint(Work.DELIVER)


def give_up(ctx: Context, delivery_id: int, actor: str) -> None:
    """Say that nothing more is done about a parked delivery.

    Raises:
        NotFoundError: There is no such delivery.
        ConflictError: It is parked no more.
    """
    now = utc_now()
    with ctx.sessions.begin() as session:
        delivery = _delivery(session.get(Delivery, delivery_id))
        if not watching.give_up(session, delivery.id):
            raise ConflictError(MOVED_ON)
        audit(session, at=now, actor=actor, action=watching.GIVEN_UP, subject="delivery", subject_id=delivery.id)


def try_sender(ctx: Context, sender_id: int, actor: str) -> None:
    """Let a sender that was stopped send again at once; the provider's next answer may stop it again.

    Raises:
        NotFoundError: There is no such sender.
        ConflictError: It is not stopped.
    """
    now = utc_now()
    with ctx.sessions.begin() as session:
        sender = session.get(Sender, sender_id)
        if sender is None:
            raise NotFoundError("There is no such sender.")
        code_before = sender.stopped_code
        if not watching.free_sender(session, sender_id, now):
            raise ConflictError("This sender is not stopped any more.")
        audit(session, at=now, actor=actor, action="sender_tried_again", subject="sender", subject_id=sender_id,
              code=code_before)  # fmt: skip
    ctx.engine.hint(Work.DELIVER)


def _delivery(found: Delivery | None) -> Delivery:
    if found is None:
        raise NotFoundError("There is no such delivery.")
    return found


def _may_go(delivery: Delivery) -> bool:
    match delivery.status:
        case DeliveryStatus.UNKNOWN:
            return delivery.look_at is None
        case DeliveryStatus.FAILED | DeliveryStatus.CANCELLED:
            return delivery.reason in STUCK or (delivery.reason is Reason.REFUSED and delivery.error_code in OURS)
    return False


def _page(found: Sequence[Listed], now: datetime) -> List:
    rows = [_row(one, now) for one in found[:PAGE]]
    return List(rows, rows[-1].id if len(found) > PAGE else None)


def _row(one: Listed, now: datetime) -> StuckView:
    tries = [_try(each) for each in one.tries]
    return StuckView(
        id=one.id, study_code=one.study_code, kind=one.kind, zone=one.zone, due_at=one.due_at,
        since=tries[-1].started_at if tries else one.due_at, open=now < one.window_ends_at, status=one.status,
        reason=one.reason, code=one.code, why=_meaning(one.code), looks=one.looks, tries=tries,
    )  # fmt: skip


def _try(one: Try) -> TryView:
    outcome = DeliveryStatus(one.outcome) if one.outcome in set(DeliveryStatus) else None
    return TryView(number=one.number, started_at=one.started_at, outcome=outcome, said=one.note or _meaning(one.code))


def _sender(one: Sender) -> SenderView:
    return SenderView(id=one.id, channel=one.channel.value, address=one.address, until=one.stopped_until,
                      code=one.stopped_code, why=_meaning(one.stopped_code))  # fmt: skip


def _meaning(number: int | None) -> str | None:
    return code(number).staff if number is not None else None
