"""Comment: what a person writes to a family travels as a delivery like any other, in its decent hours."""

import unicodedata
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from babymind.clock import utc_now
from babymind.domain.delivery import Kind, Messaging
from babymind.domain.reply import ReplyStatus
from babymind.domain.schedule import QuietHours, decent_instant, local_day
from babymind.engine.base import Work
from babymind.errors import ConflictError, InvalidInputError, NotFoundError
from babymind.services.context import Context
from babymind.store import deliveries, families, replies, reviews
from babymind.store.families import Caregiver, Family, PregnancyStatus
from babymind.store.replies import Reply
from babymind.store.reviews import Review, ReviewOutcome
from babymind.store.staff import audit

LONGEST = 480  # characters; what a parent reads in one look
VALID_DAYS = 7


class NotAwareError(ConflictError):
    """Whoever writes has to know something of the family first, and has not said that they do."""


def write(ctx: Context, *, reply_id: int, reviewer_id: int, text: str, token: str, knows_of_loss: bool = False,
          knows_of_hold: bool = False) -> int:  # fmt: skip
    """Answer a reply, and return the comment's id.

    Args:
        ctx: The installation.
        reply_id: Which reply.
        reviewer_id: Who writes.
        text: The words that the family receives.
        token: Of the form it was written in; the same one sent twice is one comment.
        knows_of_loss: Whoever writes has been told that the family has told us of a loss.
        knows_of_hold: Whoever writes has been told that messages about a baby are held.

    Raises:
        InvalidInputError: No words, too many, or some that cannot be sent.
        ConflictError: The caregiver may not be written to; it would only be cancelled.
        NotAwareError: The family has told us of a loss, or messages are held, and the writer has not said they know.
    """
    said = _checked(text)
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
        _require_reachable(session, family, caregiver)
        _require_aware(family, knows_of_loss=knows_of_loss, knows_of_hold=knows_of_hold)
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
                pregnancy_id=_about(reply, family),
            ),
        )  # fmt: skip
        reviews.set_delivery(session, written, delivery_id)
        reply.status = ReplyStatus.ANSWERED
        session.add(Review(reply_id=reply_id, reviewer_id=reviewer_id, outcome=ReviewOutcome.COMMENTED, at=now))
        audit(session, at=now, actor=f"staff:{reviewer_id}", action="comment", subject="reply", subject_id=reply_id)
    ctx.engine.hint(Work.DELIVER)
    return written


def _checked(text: str) -> str:
    said = text.replace("\r\n", "\n").strip()
    if not said:
        raise InvalidInputError("The comment is empty; write what the family should read.")
    if len(said) > LONGEST:
        raise InvalidInputError(f"The comment has {len(said)} characters; at most {LONGEST} can be sent.")
    if any(unicodedata.category(one) in ("Cc", "Cs") for one in said if one not in "\n\t"):
        raise InvalidInputError("There are characters in the comment that no phone can show; type it anew.")
    return said


def _require_reachable(session: Session, family: Family, caregiver: Caregiver) -> None:
    """Refuse a comment that the claim would cancel; the family is locked, so that what is read here holds."""
    session.refresh(caregiver)
    session.refresh(caregiver, ["addresses"])
    session.refresh(family, ["enrolments"])
    if caregiver.messaging not in (Messaging.ACTIVE, Messaging.PAUSED):
        raise ConflictError(
            "This caregiver has stopped messages, so a comment cannot be sent. They can start again with START."
        )
    if all(one.to_day is not None for one in family.enrolments):
        ended = max((one.to_day for one in family.enrolments if one.to_day), default=None)
        on = f" on {ended.day} {ended:%B %Y}" if ended else ""
        raise ConflictError(
            f"This family's part in the study ended{on}, so a comment cannot be sent. If the family should hear from "
            "us, speak with them."
        )
    if all(one.closed_at is not None or one.shared for one in caregiver.addresses):
        raise ConflictError(
            "This caregiver has no number of their own in use, so a comment cannot be sent. Give them one on the "
            "family's page first."
        )


def _require_aware(family: Family, *, knows_of_loss: bool, knows_of_hold: bool) -> None:
    if families.bereaved(family):
        if not knows_of_loss:
            raise NotAwareError(
                "This family has told us that a baby died. Read what they wrote, take out anything cheerful, and "
                "confirm below that you know."
            )
    elif families.held(family) and not knows_of_hold:
        raise NotAwareError(
            "Messages about a baby of this family are on hold. Read why on the family's page, take out anything that "
            "does not fit, and confirm below that you know."
        )


def _about(reply: Reply, family: Family) -> int | None:
    """Return the pregnancy that a comment goes with: what befalls it before the comment has left holds that back.

    None for what was written in the knowledge of a loss or a hold: it goes all the same.
    """
    there = [one.id for one in family.pregnancies if one.status is not PregnancyStatus.LOST]
    if families.bereaved(family) or families.held(family) or not there:
        return None
    asked = reply.delivery.pregnancy_id if reply.delivery else None
    return asked if asked in there else there[0]
