"""Comment: what a person writes to a family travels as a delivery like any other, in its decent hours."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from babymind.clock import utc_now
from babymind.domain.delivery import Kind, Messaging
from babymind.domain.reply import ReplyStatus
from babymind.domain.schedule import QuietHours, decent_instant, local_day
from babymind.engine.base import Work
from babymind.errors import ConflictError, InvalidInputError, NotFoundError
from babymind.services.context import Context
from babymind.store import deliveries, families, replies, reviews
from babymind.store.reviews import Review, ReviewOutcome
from babymind.store.staff import audit

LONGEST = 480  # characters; what a parent reads in one look
VALID_DAYS = 7


def write(ctx: Context, *, reply_id: int, reviewer_id: int, text: str, token: str,
          knows_of_loss: bool = False) -> int:  # fmt: skip
    """Answer a reply, and return the comment's id.

    Args:
        ctx: The installation.
        reply_id: Which reply.
        reviewer_id: Who writes.
        text: The words that the family receives.
        token: Of the form it was written in; the same one sent twice is one comment.
        knows_of_loss: Whoever writes has been told that the family has told us of a loss.

    Raises:
        InvalidInputError: No words, or too many.
        ConflictError: The caregiver may not be written to.
    """
    said = text.replace("\r\n", "\n").strip()
    if not said:
        raise InvalidInputError("The comment is empty; write what the family should read.")
    if len(said) > LONGEST:
        raise InvalidInputError(f"The comment has {len(said)} characters; at most {LONGEST} can be sent.")
    if not token:
        raise InvalidInputError("The form is out of date; load the page again.")
    now = utc_now()
    with ctx.sessions.begin() as session:
        reply = replies.with_thread(session, reply_id)
        if reply is None:
            raise NotFoundError("There is no such reply.")
        caregiver = reply.caregiver
        if caregiver is None:
            raise ConflictError("Nobody is enrolled with this number, so there is no family to write to.")
        family = families.lock_family_of(session, caregiver.id)  # a loss told at this moment comes before or after
        session.refresh(caregiver)
        if caregiver.messaging not in (Messaging.ACTIVE, Messaging.PAUSED):
            raise ConflictError(
                "This caregiver has stopped messages, so a comment cannot be sent. They can start again with START."
            )
        if families.bereaved(family) and not knows_of_loss:
            raise ConflictError(
                "This family has told us that a baby died. Read what they wrote, take out anything cheerful, and "
                "confirm below that you know."
            )
        zone = ZoneInfo(caregiver.zone)
        study = families.study_of(session, caregiver.family_id)
        due_at = decent_instant(now, zone, study.quiet if study else QuietHours())
        sealed = ctx.vault.seal(said)
        written = reviews.add_comment(
            session, token=token, reply_id=reply_id, author_id=reviewer_id, text_sealed=sealed,
            n_words=len(said.split()), created_at=now,
        )  # fmt: skip
        if written is None:  # the same form, sent twice at this moment
            return reviews.comment_id(session, token)
        delivery_id = deliveries.add(
            session,
            deliveries.new_delivery(
                caregiver.id, Kind.COMMENT, f"comment:{written}", local_day=local_day(now, zone), due_at=due_at,
                window_ends_at=due_at + timedelta(days=VALID_DAYS), text_sealed=sealed,
            ),
        )  # fmt: skip
        reviews.set_delivery(session, written, delivery_id)
        reply.status = ReplyStatus.ANSWERED
        session.add(Review(reply_id=reply_id, reviewer_id=reviewer_id, outcome=ReviewOutcome.COMMENTED, at=now))
        audit(session, at=now, actor=f"staff:{reviewer_id}", action="comment", subject="reply", subject_id=reply_id)
    ctx.engine.hint(Work.DELIVER)
    return written
