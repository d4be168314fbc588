"""A comment that could not reach the family is refused when it is written; one that was held back says why."""

from datetime import date

import pytest

from babymind.domain.delivery import DeliveryStatus, Kind, Reason
from babymind.errors import ConflictError, InvalidInputError
from babymind.services import caregivers, comment, enrol, enrolments, review
from babymind.services.context import Context
from babymind.store.deliveries import Delivery
from babymind.store.studies import DataChoice, Enrolment, EnrolmentStatus
from tests.factories import JO, SAM, enrol_family, rows
from tests.services.living import Living, Phones

STAFF = "staff:1"


def write(ctx: Context, reviewer: int, text: str = "What a giggler!") -> int:
    return comment.write(ctx, reply_id=1, reviewer_id=reviewer, text=text, token=f"token of {text}")


def test_whoever_writes_to_a_family_that_has_withdrawn_is_told_so(
    living: Living, ctx: Context, reviewer: int
) -> None:
    family = enrol_family(ctx)
    living.text("He laughed")
    enrolments.withdraw(ctx, family.study_code, data=DataChoice.KEEP, actor=STAFF)

    with pytest.raises(ConflictError, match="part in the study ended on 2 March 2026, so a comment cannot be sent"):
        write(ctx, reviewer)
    assert rows(ctx, Delivery, kind=Kind.COMMENT) == []


def test_whoever_writes_after_the_programme_is_over_is_told_so(living: Living, ctx: Context, reviewer: int) -> None:
    enrol_family(ctx, born_on=date(2025, 3, 5))
    living.text("He laughed")
    living.days(11, looks=(0, 9))
    assert rows(ctx, Enrolment)[0].status is EnrolmentStatus.COMPLETED

    with pytest.raises(ConflictError, match="ended on 13 March 2026"):
        write(ctx, reviewer)


def test_a_comment_that_a_withdrawal_held_back_says_why(
    living: Living, ctx: Context, channel: Phones, reviewer: int
) -> None:
    family = enrol_family(ctx)
    living.at("2026-03-02T22:00")
    living.text("He laughed")
    write(ctx, reviewer)
    channel.clear()

    enrolments.withdraw(ctx, family.study_code, data=DataChoice.KEEP, actor=STAFF)
    living.days(1)

    assert channel.came == []
    [shown] = review.thread(ctx, 1, viewer_id=reviewer).comments
    assert (shown.state, shown.reason) == (DeliveryStatus.CANCELLED, Reason.ENROLMENT_ENDED.value)


def test_a_family_that_moves_tomorrow_may_be_written_to(
    living: Living, ctx: Context, channel: Phones, reviewer: int
) -> None:
    family = enrol_family(ctx)
    enrol.add_study(ctx, "other")
    living.at("2026-03-02T12:00")
    living.text("He laughed")
    enrolments.move(ctx, family.study_code, study="other", actor=STAFF)

    write(ctx, reviewer)
    living.tick()

    assert channel.of(SAM)[-1] == "What a giggler!"


def test_whoever_writes_to_a_number_that_is_closed_is_told_so(living: Living, ctx: Context, reviewer: int) -> None:
    enrol_family(ctx)
    living.text("He laughed")
    caregivers.wrong_number_by_staff(ctx, 1, actor=STAFF)

    with pytest.raises(ConflictError, match="no number of their own in use"):
        write(ctx, reviewer)

    caregivers.change_number(ctx, 1, JO, actor=STAFF)
    write(ctx, reviewer)


def test_a_comment_may_hold_whatever_a_phone_can_show(
    living: Living, ctx: Context, channel: Phones, reviewer: int
) -> None:
    enrol_family(ctx)
    living.at("2026-03-02T12:00")
    living.text("He laughed")
    words = "Hwyl fawr!\nA whole family: \U0001f469\u200d\U0001f469\u200d\U0001f467"

    write(ctx, reviewer, words.replace("\n", "\r\n"))
    living.tick()

    assert channel.of(SAM)[-1] == words
    for odd in ("\x00", "\x1b[31m", "\ud800"):
        with pytest.raises(InvalidInputError, match="no phone can show"):
            write(ctx, reviewer, f"Hello {odd}")
