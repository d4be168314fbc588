"""Review: what a person sees of a reply: words, pictures, the prompt it answers, the baby's age, the thread."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from babymind.clock import utc_now
from babymind.domain.age import describe
from babymind.domain.delivery import DeliveryStatus, Hold, Messaging
from babymind.domain.reply import Keyword, ReplyStatus
from babymind.domain.schedule import local_day
from babymind.domain.wording import babies_called
from babymind.errors import ConflictError, NotFoundError
from babymind.services.context import Context
from babymind.store import replies, reviews
from babymind.store.families import Caregiver, Pregnancy, PregnancyStatus, bereaved, held
from babymind.store.replies import MediaStatus, Reply
from babymind.store.reviews import Review, ReviewOutcome
from babymind.store.staff import audit

PAGE = 50
DIARY = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture of a reply; without a token there is nothing to show, and ``note`` says why."""

    token: str | None
    width: int
    height: int
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyView:
    """A reply as the queue shows it."""

    id: int
    received_at: datetime
    caregiver: str | None = field(repr=False)  # None: a number that we do not know
    role: str | None
    study_code: str | None
    babies: str = field(repr=False)
    ages: Sequence[str]  # one for each pregnancy, but none of a baby who died
    text: str = field(repr=False)
    prompt: str | None = field(repr=False)
    pictures: Sequence[Picture]
    keyword: Keyword | None
    status: ReplyStatus
    stopped: bool
    bereaved: bool  # the family has told us of a loss
    held: Hold | None  # why messages about a baby of the family wait for a person
    zone: str  # where the caregiver is; UTC for a number that we do not know


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentView:
    """A comment and how far it got."""

    author: str
    text: str = field(repr=False)
    created_at: datetime
    state: DeliveryStatus | None
    reason: str | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A reply with its comments, and the diary before it."""

    reply: ReplyView
    comments: Sequence[CommentView]
    diary: Sequence[tuple[ReplyView, Sequence[CommentView]]]
    local_time: str | None  # where the caregiver is, now


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One page of the queue."""

    replies: Sequence[ReplyView]
    waiting: int
    next_after: str | None  # for the next page


def queue(ctx: Context, *, waiting_only: bool = True, after: str | None = None) -> Queue:
    """Return a page of replies: those that wait, oldest first; or all, newest first."""
    with ctx.readers.begin() as session:
        page = replies.queue(session, waiting_only=waiting_only, after=_parse_after(after), size=PAGE)
        views = [_view(ctx, reply) for reply in page.replies]
        last = page.replies[-1] if page.more else None
    following = f"{last.received_at.timestamp():.6f}_{last.id}" if last else None
    return Queue(replies=views, waiting=page.waiting, next_after=following)


def thread(ctx: Context, reply_id: int, *, viewer_id: int) -> Thread:
    """Return a reply with its thread, and record who looked at it."""
    with ctx.sessions.begin() as session:
        reply = _reply(session, reply_id)
        earlier = replies.diary(session, [reply.caregiver_id], DIARY) if reply.caregiver_id else []
        earlier = [one for one in earlier if one.id != reply.id]
        comments = _comments(ctx, session, [reply.id, *(one.id for one in earlier)])
        audit(session, at=utc_now(), actor=f"staff:{viewer_id}", action="view", subject="reply", subject_id=reply.id)
        caregiver = reply.caregiver
        return Thread(
            reply=_view(ctx, reply),
            comments=comments.get(reply.id, []),
            diary=[(_view(ctx, one), comments.get(one.id, [])) for one in earlier],
            local_time=f"{utc_now().astimezone(ZoneInfo(caregiver.zone)):%H:%M}" if caregiver else None,
        )


def close(ctx: Context, reply_id: int, *, reviewer_id: int) -> None:
    """Say that a reply needs no answer."""
    now = utc_now()
    with ctx.sessions.begin() as session:
        reply = _reply(session, reply_id)
        if reply.status is not ReplyStatus.WAITING:
            raise ConflictError("Somebody has dealt with this reply already.")
        reply.status = ReplyStatus.ANSWERED
        session.add(
            Review(reply_id=reply_id, reviewer_id=reviewer_id, outcome=ReviewOutcome.NO_ANSWER_NEEDED, at=now)
        )
        audit(session, at=now, actor=f"staff:{reviewer_id}", action="close", subject="reply", subject_id=reply_id)


def _reply(session: Session, reply_id: int) -> Reply:
    reply = replies.with_thread(session, reply_id)
    if reply is None:
        raise NotFoundError("There is no such reply.")
    return reply


def _view(ctx: Context, reply: Reply) -> ReplyView:
    caregiver = reply.caregiver
    family = caregiver.family if caregiver else None
    pregnancies = family.pregnancies if family else []
    prompt = reply.delivery
    return ReplyView(
        id=reply.id,
        received_at=reply.received_at,
        caregiver=ctx.vault.open(caregiver.name_sealed) if caregiver else None,
        role=caregiver.role.value.replace("_", " ") if caregiver else None,
        study_code=family.study_code if family else None,
        babies="; ".join(_babies(ctx, pregnancy) for pregnancy in pregnancies),
        ages=[_age(one, caregiver) for one in pregnancies if one.status is not PregnancyStatus.LOST]
        if caregiver
        else [],
        text=ctx.vault.open(reply.text_sealed),
        prompt=ctx.vault.open_optional(prompt.text_sealed) if prompt else None,
        pictures=[
            Picture(
                token=media.token if media.status is MediaStatus.STORED else None,
                width=media.width or 0, height=media.height or 0,
                note=_picture_note(media.status, media.note),
            )
            for media in reply.media
        ],
        keyword=reply.keyword,
        status=reply.status,
        stopped=caregiver is not None and caregiver.messaging is Messaging.STOPPED,
        bereaved=family is not None and bereaved(family),
        held=held(family) if family else None,
        zone=caregiver.zone if caregiver else "UTC",
    )  # fmt: skip


def _babies(ctx: Context, pregnancy: Pregnancy) -> str:
    return babies_called([ctx.vault.open_optional(infant.name_sealed) for infant in pregnancy.infants])


def _age(pregnancy: Pregnancy, caregiver: Caregiver) -> str:
    return describe(pregnancy.dates, local_day(utc_now(), ZoneInfo(caregiver.zone)))


def _picture_note(status: MediaStatus, note: str | None) -> str | None:
    match status:
        case MediaStatus.STORED:
            return None
        case MediaStatus.WAITING:
            return "This picture is on its way."
        case MediaStatus.REFUSED:
            return f"This picture is not readable. {note or ''}".strip()
        case MediaStatus.LOST:
            return "This picture could not be fetched from the provider."


def _comments(ctx: Context, session: Session, reply_ids: Sequence[int]) -> dict[int, list[CommentView]]:
    found: dict[int, list[CommentView]] = {}
    for comment in reviews.comments_on(session, reply_ids):
        row = comment.delivery
        found.setdefault(comment.reply_id, []).append(
            CommentView(
                author=comment.author.name, text=ctx.vault.open(comment.text_sealed), created_at=comment.created_at,
                state=row.status if row else None, reason=row.reason.value if row and row.reason else None,
                due_at=row.due_at if row else None,
            )
        )  # fmt: skip
    return found


def _parse_after(after: str | None) -> tuple[datetime, int] | None:
    if not after:
        return None
    stamp, _, reply_id = after.partition("_")
    try:
        return datetime.fromtimestamp(float(stamp), tz=ZoneInfo("UTC")), int(reply_id)
    except (ValueError, OverflowError, OSError):
        raise NotFoundError("There is no such page.") from None
