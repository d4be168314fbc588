"""What the pages say and ask where care is needed: a hold, a loss written down wrongly, a comment that did not go."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from babymind.domain.delivery import DeliveryStatus, Hold, Kind
from babymind.services import caregivers, comment, content, enrol, enrolments, life
from babymind.services.context import Context
from babymind.services.enrol import Enrolled, NewCaregiver, NewFamily
from babymind.store.deliveries import Delivery
from babymind.store.families import Infant, LossReason
from babymind.store.reviews import Comment
from babymind.store.studies import DataChoice
from babymind.web.show import LOSSES
from tests.factories import rows
from tests.web.conftest import receive_reply, shown, token_in
from tests.web.test_family_life import of, send, told
from tests.web.test_tasks_and_ledger import write


@pytest.fixture
def twins(ctx: Context, family: Enrolled) -> Enrolled:
    """A family with twins of seventy days."""
    born_on: date = datetime.now(UTC).date() - timedelta(days=70)
    caregiver = NewCaregiver(name="Alex", phone="+447700900003", role="mother")
    return enrol.enrol(ctx, NewFamily(study="demo", caregivers=[caregiver], babies=["Ivy", "Ben"], born_on=born_on))


def comment_tomorrow(ctx: Context, family: Enrolled) -> int:
    """A parent has written, and a comment is planned that has not left; the reply's id."""
    reply_id = receive_reply(ctx)
    comment.write(ctx, reply_id=reply_id, reviewer_id=1, text="What a giggler!", token="a" * 20)
    return reply_id


@pytest.mark.parametrize("reason", list(LossReason))
def test_what_happened_is_corrected_on_a_page_and_reads_the_same_afterwards(
    reviewer: FlaskClient, ctx: Context, family: Enrolled, reason: LossReason
) -> None:
    before = LossReason.DEATH if reason is LossReason.NOT_SAID else LossReason.NOT_SAID
    life.tell_loss(ctx, family.study_code, reason=before, actor="command")
    page = reviewer.get(of(family, "loss-reason")).text
    assert re.search(f'checked[^>]*value="{before.value}"', page)  # what is on record stands in the form

    status, words = send(reviewer, of(family, "loss-reason"), babies="1-1", reason=reason.value)

    assert status == 303
    assert "What happened is corrected." in words
    said = LOSSES[reason.value]
    assert f"Loss · Robin {said[0].upper()}{said[1:]}. Nothing goes out about this baby." in words
    assert f"Robin : what happened corrected: {said}" in words
    assert rows(ctx, Infant)[0].loss_reason is reason
    assert told(ctx, "loss_reason") == {"pregnancy_id": 1, "babies": [1], "reason": reason.value}


def test_what_happened_is_corrected_for_the_twin_who_died(
    reviewer: FlaskClient, ctx: Context, twins: Enrolled
) -> None:
    life.tell_loss(ctx, twins.study_code, babies=[2], reason=LossReason.DEATH, actor="command")
    page = reviewer.get(of(twins, "loss-reason")).text
    assert "Ben" in page
    assert 'value="2-1"' not in page

    refused = send(reviewer, of(twins, "loss-reason"), babies="2-2", reason="death")
    status, _ = send(reviewer, of(twins, "loss-reason"), babies="2-2", reason="stillbirth")

    assert refused[0] == 409
    assert "That is what is on record already." in refused[1]
    assert status == 303
    assert [one.loss_reason for one in rows(ctx, Infant, pregnancy_id=2)] == [None, LossReason.STILLBIRTH]


def test_a_hold_says_that_a_comment_was_taken_back_and_the_thread_says_why(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    reply_id = comment_tomorrow(ctx, family)
    later = receive_reply(ctx, "And she waved")

    status, words = send(reviewer, of(family, "hold"), pregnancy=1, why="in_care")

    assert status == 303
    assert "A comment that had not left was taken back." in words
    assert "Comments that had not left were taken back" in words
    assert "not sent: baby in care" in words.split("Last deliveries")[-1]
    for page in (reply_id, later):  # beside the reply, and in the diary beside the next one
        assert "What a giggler! not sent: baby in care" in shown(reviewer.get(f"/staff/replies/{page}").text)


def test_a_comment_during_a_hold_needs_a_word_that_one_knows(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    reply_id = receive_reply(ctx)
    life.hold(ctx, family.study_code, why=Hold.ILL, actor="command")

    page = reviewer.get(f"/staff/replies/{reply_id}")
    refused = write(reviewer, reply_id, text="Well done!")
    unsaid = rows(ctx, Comment)
    sent = write(reviewer, reply_id, text="We think of you.", knows_of_hold="yes")

    assert "on hold: the baby is seriously ill." in shown(page.text)
    assert "I know that messages are on hold, and why" in shown(page.text)
    assert refused.status_code == 409
    assert "Messages about a baby of this family are on hold. Read why" in shown(refused.text)
    assert ">Well done!</textarea>" in refused.text
    assert unsaid == []
    assert sent.status_code == 303
    assert [row.status for row in rows(ctx, Delivery, kind=Kind.COMMENT)] == [DeliveryStatus.PLANNED]


def test_a_comment_that_nobody_would_get_is_refused_and_what_was_typed_stays(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    reply_id = receive_reply(ctx)
    enrolments.withdraw(ctx, family.study_code, data=DataChoice.KEEP, actor="command")

    refused = write(reviewer, reply_id, text="Well done!")

    assert refused.status_code == 409
    assert "so a comment cannot be sent" in shown(refused.text)
    assert 'role="alert"' in refused.text
    assert ">Well done!</textarea>" in refused.text
    assert rows(ctx, Comment) == []


def test_the_history_says_that_the_provider_told_of_a_stop(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    with ctx.sessions.begin() as session:
        caregivers.opted_out_at_provider(session, 1, datetime.now(UTC))

    words = shown(reviewer.get(f"/staff/families/{family.study_code}").text)

    assert "Sam : messages stopped by the provider" in words
    assert "Stopped · Sam" in words


def test_only_the_team_corrects_what_happened(
    sign_in: Callable[..., FlaskClient], ctx: Context, family: Enrolled
) -> None:
    life.tell_loss(ctx, family.study_code, actor="command")
    researcher = sign_in("researcher")

    answer = researcher.post(
        of(family, "loss-reason"),
        data={"csrf_token": token_in(researcher.get("/staff/")), "babies": "1-1", "reason": "death"},
    )

    assert answer.status_code == 403
    assert rows(ctx, Infant)[0].loss_reason is LossReason.NOT_SAID


def test_the_days_of_a_held_child_are_one_row_though_the_other_child_has_days_between(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    content.load(ctx)
    other = life.add_pregnancy(
        ctx, family.study_code, babies=["Wren"], due_on=datetime.now(UTC).date() + timedelta(days=30), actor="command"
    )
    life.hold(ctx, family.study_code, why=Hold.ILL, pregnancy_id=other, actor="command")

    calendar = reviewer.get(f"/staff/families/{family.study_code}").text.split('id="calendar"')[1].split("<h2")[0]

    foretold = [one for one in calendar.split("<tr")[1:] if "foretold" in one]
    assert len([one for one in foretold if "Wren" in one]) == 1
    assert len([one for one in foretold if "Robin" in one]) == 14
