"""The staff pages: the queue, the thread, comments, families and the enrolment form."""

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from freezegun import freeze_time

from babymind.domain.delivery import DeliveryStatus, Kind, Reason
from babymind.services.context import Context
from babymind.services.enrol import Enrolled
from babymind.store.deliveries import Delivery
from babymind.store.families import Caregiver, Infant
from babymind.store.replies import Media, MediaStatus, Reply
from babymind.store.reviews import Comment, Review
from babymind.store.staff import AuditEvent
from tests.factories import change, rows
from tests.web.conftest import enrol_family, message, receive_reply, shown, store_picture, token_in

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(1)">\'"&amp;{{ 7*7 }}'


def comment_form(client: FlaskClient, reply_id: int) -> dict[str, str]:
    """Return the hidden fields of a thread's comment form."""
    page = client.get(f"/staff/replies/{reply_id}")
    token = re.search(r'name="token" value="([^"]+)"', page.text)
    assert token
    return {"csrf_token": token_in(page), "token": token.group(1)}


def test_the_queue_shows_who_waits_with_all_that_a_reviewer_needs(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    reply_id = receive_reply(ctx, "He looked at the light")
    picture = store_picture(ctx, reply_id)
    change(ctx, Reply, reply_id, received_at=datetime.now(UTC) - timedelta(hours=3))

    page = reviewer.get("/staff/replies")

    words = shown(page.text)
    for part in ("Sam", "father of Robin", "20 days old", "He looked at the light", "waits 3 hours"):
        assert part in words
    assert f"/staff/pictures/{picture}" in page.text


def test_the_queue_begins_with_who_has_waited_longest_and_turns_its_pages(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    first = [receive_reply(ctx, f"reply number {n} ends here") for n in range(55)]
    now = datetime.now(UTC)
    for minutes, reply_id in enumerate(first):
        change(ctx, Reply, reply_id, received_at=now - timedelta(minutes=100 - minutes))

    page = reviewer.get("/staff/replies")
    more = re.search(r'href="(/staff/replies\?[^"]+)">More replies', page.text)
    assert more
    second = reviewer.get(html.unescape(more.group(1)))

    numbers = [int(n) for n in re.findall(r"reply number (\d+) ends", page.text + second.text)]
    assert numbers == list(range(55))
    assert "More replies" not in second.text
    newest = reviewer.get("/staff/replies?show=all")
    assert [int(n) for n in re.findall(r"reply number (\d+) ends", newest.text)] == list(range(54, 4, -1))


def test_an_empty_queue_says_so(reviewer: FlaskClient) -> None:
    assert "Nobody waits." in reviewer.get("/staff/replies").text


@pytest.mark.fault(114)
def test_whoever_stopped_is_marked_and_cannot_be_written_to(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    reply_id = receive_reply(ctx, "He smiled")
    form = comment_form(reviewer, reply_id)
    receive_reply(ctx, "STOP")

    thread = reviewer.get(f"/staff/replies/{reply_id}")
    answer = reviewer.post(f"/staff/replies/{reply_id}/comments", data=form | {"text": "Lovely"})

    assert "has stopped messages" in reviewer.get("/staff/replies").text
    assert "Send the comment" not in thread.text
    assert answer.status_code == 409
    assert "has stopped messages" in answer.text
    assert rows(ctx, Comment) == []


def test_a_comment_becomes_a_delivery_and_its_state_is_shown(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    reply_id = receive_reply(ctx)

    answer = reviewer.post(
        f"/staff/replies/{reply_id}/comments",
        data=comment_form(reviewer, reply_id) | {"text": "Lovely!\r\nThank you"},
    )

    assert (answer.status_code, answer.location) == (303, f"/staff/replies/{reply_id}#comments")
    delivery = rows(ctx, Delivery, kind=Kind.COMMENT)[0]
    assert ctx.vault.open(delivery.text_sealed or "") == "Lovely!\nThank you"
    for status, said in (
        (DeliveryStatus.DELIVERED, "delivered"),
        (DeliveryStatus.FAILED, "not sent: refused by the provider"),
    ):
        reason = Reason.REFUSED if status is DeliveryStatus.FAILED else None
        change(ctx, Delivery, delivery.id, status=status, reason=reason)
        assert said in shown(reviewer.get(f"/staff/replies/{reply_id}").text)
    assert "Nobody waits." in reviewer.get("/staff/replies").text


def test_a_comment_in_the_night_says_when_it_goes(
    sign_in: Callable[..., FlaskClient], ctx: Context, family: Enrolled
) -> None:
    with freeze_time("2027-01-10T23:00Z"):
        reviewer = sign_in("reviewer")
        reply_id = receive_reply(ctx)
        reviewer.post(
            f"/staff/replies/{reply_id}/comments", data=comment_form(reviewer, reply_id) | {"text": "Night"}
        )

        page = reviewer.get(f"/staff/replies/{reply_id}")

    assert "goes at Mon 11 Jan, 08:00, their time" in shown(page.text)
    assert "It is 23:00 there now" in shown(page.text)


@pytest.mark.fault(113)
def test_a_form_sent_twice_is_one_comment(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    reply_id = receive_reply(ctx)
    form = comment_form(reviewer, reply_id) | {"text": "Once"}

    answers = [reviewer.post(f"/staff/replies/{reply_id}/comments", data=form).status_code for _ in range(2)]

    assert answers == [303, 303]
    assert len(rows(ctx, Comment)) == 1
    assert len(rows(ctx, Delivery, kind=Kind.COMMENT)) == 1


@pytest.mark.parametrize(("text", "said"), [("", "empty"), ("  \n ", "empty"), ("ä" * 481, "481 characters")])
def test_a_comment_that_cannot_be_sent_is_shown_again_with_the_reason(
    reviewer: FlaskClient, ctx: Context, family: Enrolled, text: str, said: str
) -> None:
    reply_id = receive_reply(ctx)
    form = comment_form(reviewer, reply_id)

    answer = reviewer.post(f"/staff/replies/{reply_id}/comments", data=form | {"text": text})

    assert answer.status_code == 422
    assert said in shown(answer.text)
    assert f">{text}</textarea>" in answer.text
    assert f'value="{form["token"]}"' in answer.text
    assert rows(ctx, Comment) == []


@pytest.mark.parametrize("token", ["", "a b", "\x00", "x" * 65])
def test_a_comment_without_its_forms_token_is_refused(
    reviewer: FlaskClient, ctx: Context, family: Enrolled, token: str
) -> None:
    reply_id = receive_reply(ctx)

    form = comment_form(reviewer, reply_id) | {"text": "Hello", "token": token}

    assert reviewer.post(f"/staff/replies/{reply_id}/comments", data=form).status_code == 422


@pytest.mark.fault(116)
def test_a_reply_that_needs_no_answer_leaves_the_queue_once(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    reply_id = receive_reply(ctx)
    form = comment_form(reviewer, reply_id)

    first = reviewer.post(f"/staff/replies/{reply_id}/close", data=form)
    second = reviewer.post(f"/staff/replies/{reply_id}/close", data=form)

    assert (first.status_code, first.location) == (303, "/staff/replies")
    assert second.status_code == 409
    assert "Somebody has dealt with this reply already." in second.text
    assert len(rows(ctx, Review)) == 1
    assert "Nobody waits." in reviewer.get("/staff/replies").text


def test_a_reply_from_an_unknown_number_can_only_be_closed(reviewer: FlaskClient, ctx: Context) -> None:
    reply_id = receive_reply(ctx, "Who is this?", "+447700900777")

    page = reviewer.get(f"/staff/replies/{reply_id}")

    assert "A number that we do not know" in page.text
    assert "+447700900777" not in page.text
    assert "Send the comment" not in page.text
    assert "No answer needed" in page.text


def test_the_diary_shows_what_came_before(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    earlier = receive_reply(ctx, "The day before")
    reviewer.post(
        f"/staff/replies/{earlier}/comments", data=comment_form(reviewer, earlier) | {"text": "Thank you Sam"}
    )
    reply_id = receive_reply(ctx, "And today")

    diary = reviewer.get(f"/staff/replies/{reply_id}").text.split("<aside")[1]

    assert "The day before" in diary
    assert "Thank you Sam" in diary
    assert "And today" not in diary


def test_looking_at_a_reply_and_at_a_family_is_recorded(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    reply_id = receive_reply(ctx)

    reviewer.get(f"/staff/replies/{reply_id}")
    reviewer.get(f"/staff/families/{family.study_code}")

    seen = [(event.subject, event.subject_id) for event in rows(ctx, AuditEvent, action="view")]
    assert seen == [("reply", reply_id), ("family", family.family_id)]


@pytest.mark.fault(44)
def test_a_picture_is_served_as_a_picture_and_kept_nowhere(
    reviewer: FlaskClient, ctx: Context, family: Enrolled
) -> None:
    token = store_picture(ctx, receive_reply(ctx))

    answer = reviewer.get(f"/staff/pictures/{token}")

    assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
    assert answer.data.startswith(b"\xff\xd8")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.fault(44)
@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/pdf"])
def test_nothing_but_a_picture_is_served(reviewer: FlaskClient, ctx: Context, family: Enrolled, kind: str) -> None:
    token = store_picture(ctx, receive_reply(ctx))
    change(ctx, Media, 1, content_type=kind)

    assert reviewer.get(f"/staff/pictures/{token}").status_code == 404


def test_a_picture_that_is_not_there_says_why(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    reply_id = receive_reply(ctx)
    token = store_picture(ctx, reply_id)
    change(ctx, Media, 1, status=MediaStatus.REFUSED, note="This is not a JPEG or PNG picture.")

    page = reviewer.get(f"/staff/replies/{reply_id}")

    assert "This is not a JPEG or PNG picture." in page.text
    assert token not in page.text


@pytest.mark.fault(49)
def test_hostile_words_are_shown_and_do_nothing(reviewer: FlaskClient, ctx: Context) -> None:
    enrolled = enrol_family(ctx, name=HOSTILE[:60], baby=HOSTILE[:60])
    reply_id = receive_reply(ctx, HOSTILE)
    delivery = rows(ctx, Delivery)[0]
    change(ctx, Delivery, delivery.id, text_sealed=ctx.vault.seal(HOSTILE))
    change(ctx, Reply, reply_id, delivery_id=delivery.id)
    change(ctx, Caregiver, enrolled.caregivers[0][0], name_sealed=ctx.vault.seal(HOSTILE))
    change(ctx, Infant, 1, name_sealed=ctx.vault.seal(HOSTILE))
    form = comment_form(reviewer, reply_id)
    reviewer.post(f"/staff/replies/{reply_id}/comments", data=form | {"text": HOSTILE})
    later = receive_reply(ctx, HOSTILE + " ")

    pages = ["/staff/", "/staff/replies?show=all", f"/staff/replies/{reply_id}", f"/staff/replies/{later}",
             "/staff/families", f"/staff/families/{enrolled.study_code}"]  # fmt: skip
    for path in pages:
        page = reviewer.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text, path
        assert "<img src=x" not in page.text, path
        assert "49" not in re.findall(r"&amp;amp;(\d+)", page.text), path
    typed = reviewer.post(f"/staff/replies/{later}/comments", data=form | {"text": HOSTILE * 9, "token": "other"})
    assert typed.status_code == 422
    assert "<script>alert" not in typed.text


@pytest.mark.fault(33)
def test_words_of_any_direction_stay_in_their_own_box(reviewer: FlaskClient, ctx: Context) -> None:
    enrol_family(ctx, name="نور")
    receive_reply(ctx, "\u202eabc")

    page = reviewer.get("/staff/replies").text

    assert '<bdi dir="auto">نور</bdi>' in page
    assert '<bdi dir="auto" class="words">\u202eabc</bdi>' in page


def test_today_counts_what_waits_and_what_was_not_sent(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    receive_reply(ctx)
    change(ctx, Delivery, 1, status=DeliveryStatus.SKIPPED, reason=Reason.STOPPED, local_day=datetime.now(UTC).date())

    words = shown(reviewer.get("/staff/").text)

    assert "1 reply waits for a person" in words
    assert "1 family" in words
    assert "welcome not sent: stopped by the caregiver 1" in words


def test_families_are_listed_without_their_numbers(reviewer: FlaskClient, ctx: Context, family: Enrolled) -> None:
    listed = reviewer.get("/staff/families").text
    page = reviewer.get(f"/staff/families/{family.study_code}").text

    for text in (listed, page):
        assert "Sam" in text
        assert "Robin" in text
        assert "20 days old" in text
        assert "+44" not in text
        assert "7700900001" not in text
    assert "***01" in page
    assert "Europe/London" in page
    assert "welcome" in page


def test_a_page_without_families_says_so(reviewer: FlaskClient) -> None:
    assert "No family is enrolled yet." in reviewer.get("/staff/families").text


@pytest.mark.fault(84)
def test_a_message_and_its_number_are_in_no_log(
    client: FlaskClient, ctx: Context, family: Enrolled, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.web.conftest import signed

    client.open(**signed("/webhooks/twilio/messages", message(body="the words of a family")))
    client.post("/webhooks/twilio/messages", data=message(body="the words of a family"))

    out = capsys.readouterr()
    assert "words of a family" not in out.out + out.err
    assert "7700900001" not in out.out + out.err
