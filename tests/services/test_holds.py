"""While a baby is in care, adopted or ill nothing cheerful goes, and whoever writes to the family knows why."""

from datetime import date

import pytest

from babymind.domain.delivery import DeliveryStatus, Hold, Kind, Reason
from babymind.errors import ConflictError, InvalidInputError
from babymind.services import caregivers, comment, life, review
from babymind.services.context import Context
from babymind.store.deliveries import Delivery
from babymind.store.families import Pregnancy
from tests.factories import SAM, change, enrol_family, rows
from tests.services.living import Living, Phones, occasions, parents

STAFF = "staff:1"
BORN = date(2026, 2, 1)


def comments(ctx: Context) -> list[Delivery]:
    return rows(ctx, Delivery, kind=Kind.COMMENT)


def state_of_comment(ctx: Context, reviewer: int) -> tuple[DeliveryStatus | None, str | None]:
    """What the page of the reply says of the comment on it."""
    [written] = review.thread(ctx, 1, viewer_id=reviewer).comments
    return written.state, written.reason


@pytest.mark.fault(115)
@pytest.mark.parametrize("why", life.CHOSEN_HOLDS)
def test_a_comment_from_before_a_hold_is_taken_back_and_its_writer_sees_why(
    living: Living, ctx: Context, channel: Phones, reviewer: int, why: Hold
) -> None:
    family = parents(ctx, born_on=BORN)
    living.at("2026-03-02T22:00")
    living.text("He laughed")
    comment.write(ctx, reply_id=1, reviewer_id=reviewer, text="What a giggler!", token="t1")
    channel.clear()

    taken_back = life.hold(ctx, family.study_code, why=why, actor=STAFF)
    living.days(2)

    assert taken_back == 1
    assert channel.came == []
    assert state_of_comment(ctx, reviewer) == (DeliveryStatus.CANCELLED, why.value)
    life.release(ctx, family.study_code, because="spoken with them", actor=STAFF)
    living.days(2)
    assert "What a giggler!" not in channel.of(SAM)  # whether it still fits, a person says


def test_congratulations_and_a_welcome_that_have_not_gone_do_not_come_once_a_baby_is_held(
    living: Living, ctx: Context, channel: Phones
) -> None:
    living.frozen.move_to("2026-03-02T22:00Z")
    family = enrol_family(ctx, born_on=None, due_on=date(2026, 3, 20))
    life.tell_birth(ctx, family.study_code, born_on=date(2026, 3, 2), actor=STAFF)

    life.hold(ctx, family.study_code, why=Hold.IN_CARE, actor=STAFF)
    living.days(3)

    assert channel.came == []
    assert {row.reason for row in (*occasions(ctx, begin="welcome"), *occasions(ctx, begin="birth"))} == {
        Reason.IN_CARE
    }


def test_whoever_writes_while_messages_are_held_must_say_that_they_know(
    living: Living, ctx: Context, channel: Phones, reviewer: int
) -> None:
    family = enrol_family(ctx)
    living.at("2026-03-02T12:00")
    living.text("We are at the hospital")
    life.hold(ctx, family.study_code, why=Hold.ILL, actor=STAFF)
    channel.clear()

    for knows in ({}, {"knows_of_loss": True}):
        with pytest.raises(comment.NotAwareError, match="on hold"):
            comment.write(ctx, reply_id=1, reviewer_id=reviewer, text="Lovely!", token="t1", **knows)
    comment.write(ctx, reply_id=1, reviewer_id=reviewer, text="We think of you.", token="t2", knows_of_hold=True)
    living.tick()

    assert channel.of(SAM) == ["We think of you."]


def test_who_knows_of_a_hold_does_not_know_of_a_loss(living: Living, ctx: Context, reviewer: int) -> None:
    family = enrol_family(ctx)
    living.text("We are at the hospital")
    life.hold(ctx, family.study_code, why=Hold.ILL, actor=STAFF)
    life.tell_loss(ctx, family.study_code, actor=STAFF)

    with pytest.raises(comment.NotAwareError, match="a baby died"):
        comment.write(ctx, reply_id=1, reviewer_id=reviewer, text="Be well!", token="t1", knows_of_hold=True)
    assert comments(ctx) == []


@pytest.mark.parametrize("loss", [True, False])
def test_a_comment_that_was_on_its_way_when_it_was_told_is_not_tried_again(
    living: Living, ctx: Context, channel: Phones, reviewer: int, loss: bool
) -> None:
    family = enrol_family(ctx)
    living.at("2026-03-02T12:00")
    living.text("He laughed")
    comment.write(ctx, reply_id=1, reviewer_id=reviewer, text="What a giggler!", token="t1")
    channel.clear()
    [row] = comments(ctx)
    change(ctx, Delivery, row.id, status=DeliveryStatus.SENDING)  # handed over at this moment…

    if loss:
        life.tell_loss(ctx, family.study_code, actor=STAFF)
    else:
        life.hold(ctx, family.study_code, why=Hold.ADOPTED, actor=STAFF)
    change(ctx, Delivery, row.id, status=DeliveryStatus.PLANNED)  # …and the provider had too much to do
    living.tick()

    assert channel.came == []
    assert comments(ctx)[0].reason is (Reason.LOSS if loss else Reason.ADOPTED)


def test_a_start_during_a_hold_does_not_bring_a_comment_from_before(
    living: Living, ctx: Context, channel: Phones, reviewer: int
) -> None:
    family = enrol_family(ctx)
    living.at("2026-03-02T12:00")
    living.text("He laughed")
    comment.write(ctx, reply_id=1, reviewer_id=reviewer, text="What a giggler!", token="t1")
    living.text("STOP")
    life.hold(ctx, family.study_code, why=Hold.IN_CARE, actor=STAFF)
    channel.clear()

    living.text("START")
    living.days(2)

    assert channel.came == []


def test_a_hold_after_a_loss_is_not_replaced_by_another_reason(living: Living, ctx: Context) -> None:
    family = enrol_family(ctx, babies=("Ada", "Ben"))
    life.tell_loss(ctx, family.study_code, babies=[2], actor=STAFF)

    with pytest.raises(ConflictError, match="end that hold first"):
        life.hold(ctx, family.study_code, why=Hold.ILL, actor=STAFF)
    assert rows(ctx, Pregnancy)[0].hold is Hold.AFTER_LOSS

    life.release(ctx, family.study_code, because="they would like Ada's", actor=STAFF)
    life.hold(ctx, family.study_code, why=Hold.ILL, actor=STAFF)
    assert rows(ctx, Pregnancy)[0].hold is Hold.ILL


def test_nobody_chooses_the_hold_that_follows_a_loss(living: Living, ctx: Context) -> None:
    family = enrol_family(ctx)

    with pytest.raises(InvalidInputError, match="record the loss instead"):
        life.hold(ctx, family.study_code, why=Hold.AFTER_LOSS, actor=STAFF)
    assert rows(ctx, Pregnancy)[0].hold is None


def test_a_baby_who_was_ill_before_a_loss_was_told_wrongly_is_still_held_when_it_is_undone(
    living: Living, ctx: Context, channel: Phones
) -> None:
    family = enrol_family(ctx)
    other = life.add_pregnancy(ctx, family.study_code, babies=("Kim",), born_on=date(2025, 8, 1), actor=STAFF)
    life.hold(ctx, family.study_code, why=Hold.ILL, pregnancy_id=1, actor=STAFF)
    life.hold(ctx, family.study_code, why=Hold.STAFF_HOLD, pregnancy_id=other, actor=STAFF)
    life.release(ctx, family.study_code, pregnancy_id=other, because="done", actor=STAFF)
    life.tell_loss(ctx, family.study_code, pregnancy_id=other, actor=STAFF)

    life.undo_loss(ctx, family.study_code, because="a mistake", confirmations=2, actor=STAFF)

    assert [one.hold for one in rows(ctx, Pregnancy)] == [Hold.ILL, None]


def test_a_reason_with_characters_that_cannot_be_kept_is_refused_with_a_sentence(
    living: Living, ctx: Context, reviewer: int
) -> None:
    family = enrol_family(ctx)
    living.text("Hello")
    life.hold(ctx, family.study_code, why=Hold.ILL, actor=STAFF)
    caregivers.stop_by_staff(ctx, 1, actor=STAFF)
    odd = "a\x00b"

    with pytest.raises(InvalidInputError, match="cannot be kept"):
        life.release(ctx, family.study_code, because=odd, actor=STAFF)
    with pytest.raises(InvalidInputError, match="cannot be kept"):
        caregivers.start_by_staff(ctx, 1, because=odd, actor=STAFF)
    life.tell_loss(ctx, family.study_code, actor=STAFF)
    with pytest.raises(InvalidInputError, match="cannot be kept"):
        life.undo_loss(ctx, family.study_code, because=odd, confirmations=2, actor=STAFF)
    with pytest.raises(InvalidInputError, match="no phone can show"):
        comment.write(ctx, reply_id=1, reviewer_id=reviewer, text=odd, token="t1", knows_of_loss=True)
