"""What an export reads: the rows of one study, streamed in a fixed order, without a name, a number or a word."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from babymind.store.content import ContentItem, ContentVersion
from babymind.store.deliveries import Delivery
from babymind.store.families import Caregiver, Consent, ConsentKind, Family, Infant, Pregnancy
from babymind.store.replies import Reply
from babymind.store.reviews import Comment
from babymind.store.studies import Arm, Enrolment, Study

ROWS_AT_ONCE = 2000

# The place of a caregiver in the family: with the study code it names a participant.
_PLACE = func.row_number().over(partition_by=Caregiver.family_id, order_by=Caregiver.id).label("place")
_MEMBERS = (
    select(Caregiver.id.label("caregiver_id"), Caregiver.family_id, Caregiver.zone, Family.study_code,
           Enrolment.from_day, Enrolment.status.label("enrolment"), Arm.slug.label("arm"), Study.slug.label("study"),
           _PLACE)
    .join(Family, Family.id == Caregiver.family_id)
    .join(Enrolment, Enrolment.family_id == Family.id)
    .join(Arm, Arm.id == Enrolment.arm_id)
    .join(Study, Study.id == Arm.study_id)
).subquery("members")  # fmt: skip


def _stream(session: Session, query: Select[Any], study: str) -> Iterator[Row[Any]]:
    chosen = query.where(_MEMBERS.c.study == study).execution_options(yield_per=ROWS_AT_ONCE)
    yield from session.execute(chosen)


def participants(session: Session, study: str) -> Iterator[Row[Any]]:
    """Yield each caregiver with the first pregnancy of the family."""
    first = (
        select(Pregnancy.family_id, func.min(Pregnancy.id).label("pregnancy_id"))
        .group_by(Pregnancy.family_id)
        .subquery()
    )
    agreed = (
        select(Consent.given)
        .where(Consent.caregiver_id == Caregiver.id, Consent.kind == ConsentKind.RESEARCH)
        .order_by(Consent.id.desc())
        .limit(1)
        .correlate(Caregiver)
        .scalar_subquery()
    )
    babies = select(func.count(Infant.id)).where(Infant.pregnancy_id == Pregnancy.id).scalar_subquery()
    query = (
        select(_MEMBERS.c.study_code, _MEMBERS.c.place, _MEMBERS.c.arm, _MEMBERS.c.enrolment, _MEMBERS.c.from_day,
               Caregiver.role, Caregiver.locale, Caregiver.messaging, agreed.label("research_consent"),
               Pregnancy.due_on, Pregnancy.born_on,
               Pregnancy.gestation_days, Pregnancy.status, babies.label("babies"))
        .join(Caregiver, Caregiver.id == _MEMBERS.c.caregiver_id)
        .join(first, first.c.family_id == _MEMBERS.c.family_id)
        .join(Pregnancy, Pregnancy.id == first.c.pregnancy_id)
        .order_by(_MEMBERS.c.caregiver_id)
    )  # fmt: skip
    return _stream(session, query, study)


def deliveries(session: Session, study: str) -> Iterator[Row[Any]]:
    """Yield each delivery, non-sends with their reason included."""
    query = (
        select(_MEMBERS.c.study_code, _MEMBERS.c.place, _MEMBERS.c.zone, _MEMBERS.c.from_day, Delivery.id,
               Delivery.kind, Delivery.local_day, Delivery.stage, Delivery.age_day, ContentItem.key,
               ContentVersion.number, Delivery.status, Delivery.reason, Delivery.due_at, Delivery.accepted_at,
               Delivery.delivered_at, Delivery.attempts, Delivery.error_code)
        .join(Delivery, Delivery.caregiver_id == _MEMBERS.c.caregiver_id)
        .outerjoin(ContentItem, ContentItem.id == Delivery.item_id)
        .outerjoin(ContentVersion, ContentVersion.id == Delivery.version_id)
        .order_by(Delivery.id)
    )  # fmt: skip
    return _stream(session, query, study)


def replies(session: Session, study: str) -> Iterator[Row[Any]]:
    """Yield each reply of an enrolled caregiver."""
    query = (
        select(_MEMBERS.c.study_code, _MEMBERS.c.place, _MEMBERS.c.zone, _MEMBERS.c.from_day, Reply.id,
               Reply.delivery_id, Reply.received_at, Delivery.accepted_at, Reply.n_chars, Reply.n_words,
               Reply.n_media, Reply.keyword, Reply.status)
        .join(Reply, Reply.caregiver_id == _MEMBERS.c.caregiver_id)
        .outerjoin(Delivery, Delivery.id == Reply.delivery_id)
        .order_by(Reply.id)
    )  # fmt: skip
    return _stream(session, query, study)


def comments(session: Session, study: str) -> Iterator[Row[Any]]:
    """Yield each comment of the app team."""
    query = (
        select(_MEMBERS.c.study_code, _MEMBERS.c.place, _MEMBERS.c.zone, _MEMBERS.c.from_day, Comment.id,
               Comment.reply_id, Comment.author_id, Comment.created_at, Reply.received_at, Comment.n_words,
               Comment.delivery_id, Delivery.status, Delivery.delivered_at)
        .join(Reply, Reply.caregiver_id == _MEMBERS.c.caregiver_id)
        .join(Comment, Comment.reply_id == Reply.id)
        .outerjoin(Delivery, Delivery.id == Comment.delivery_id)
        .order_by(Comment.id)
    )  # fmt: skip
    return _stream(session, query, study)
