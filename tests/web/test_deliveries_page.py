"""The page Deliveries: a day at a glance, and for what waits a decision that is made with one press."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from babymind.domain.codes import code
from babymind.domain.delivery import DeliveryStatus, Reason
from babymind.services import parked
from babymind.services.context import Context
from babymind.services.enrol import Enrolled
from babymind.store.deliveries import Delivery
from babymind.web.deliveries import CHANNELS, SAID
from tests.factories import change, rows
from tests.services import watched
from tests.web.conftest import shown, token_in

PAGE = "/staff/deliveries"


@pytest.fixture
def sam(family: Enrolled) -> int:
    """The caregiver of an enrolled family."""
    return family.caregivers[0][0]


def now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


def press(client: FlaskClient, action: str, **query: str) -> tuple[int, str]:
    """Press a button of the page; the code of the answer and the words of the page that follows."""
    token = token_in(client.get(PAGE))
    answer = client.post(f"{PAGE}/{action}", data={"csrf_token": token}, query_string=query)
    if answer.status_code == 303:
        return 303, shown(client.get(answer.location).text)
    return answer.status_code, shown(answer.text)


def buttons(client: FlaskClient) -> list[str]:
    """What can be pressed on the page, as it is read out."""
    return re.findall(r'<button[^>]*aria-label="([^"]+)"', client.get(PAGE).text)


def test_a_quiet_day_says_so(reviewer: FlaskClient) -> None:
    words = shown(reviewer.get(PAGE).text)

    assert "Nothing: of every message it is known" in words
    assert "Nothing is planned for this day." in words
    assert "None did." in words
    assert "Nothing leaves from here" not in words
    assert buttons(reviewer) == []


def test_what_is_parked_tells_since_when_and_why_and_what_can_be_done(
    reviewer: FlaskClient, ctx: Context, sam: int, family: Enrolled
) -> None:
    watched.park(ctx, sam, now=now(), attempts=2)

    page = reviewer.get(PAGE)

    words = shown(page.text)
    assert f"Notice for {family.study_code}" in words
    assert "since 48 minutes" in words
    assert "2 attempts, asked about 8 times since" in words
    assert words.count(watched.NOT_SAID) == 2
    about = f"notice for {family.study_code}"
    assert buttons(reviewer) == [
        f"Ask the provider again: {about}", f"It did not arrive: send it again: {about}", f"Give up: {about}"
    ]  # fmt: skip
    assert f'href="/staff/families/{family.study_code}"' in page.text
    assert not any(word in page.text for word in ("Robin", "7700", "Guess"))


def test_each_decision_is_carried_out_and_told(reviewer: FlaskClient, ctx: Context, sam: int) -> None:
    one, two, three = (watched.park(ctx, sam, now=now()) for _ in range(3))

    assert "asked again within a minute" in press(reviewer, f"{one}/ask")[1]
    assert "goes within a minute" in press(reviewer, f"{two}/send")[1]
    assert "given up" in press(reviewer, f"{three}/give-up")[1]

    found = {row.id: row.status for row in rows(ctx, Delivery)}
    assert [found[each] for each in (one, two, three)] == [
        DeliveryStatus.UNKNOWN, DeliveryStatus.PLANNED, DeliveryStatus.FAILED
    ]  # fmt: skip
    assert buttons(reviewer) == []


def test_what_can_no_longer_be_done_is_refused_with_the_reason_and_not_offered(
    reviewer: FlaskClient, ctx: Context, sam: int
) -> None:
    late = watched.park(ctx, sam, now=now(), window_ends_at=now() - timedelta(minutes=1))

    status, words = press(reviewer, f"{late}/send")

    assert status == 409
    assert "The time of this message is over" in words
    assert "Its time is over, so it cannot be sent any more." in words
    assert not [one for one in buttons(reviewer) if "send it again" in one]
    assert press(reviewer, "999/give-up")[0] == 404


def test_what_could_not_be_sent_is_listed_and_can_be_sent_again(
    reviewer: FlaskClient, ctx: Context, sam: int, family: Enrolled
) -> None:
    one = watched.delivery(ctx, sam, now=now(), status=DeliveryStatus.FAILED, reason=Reason.REFUSED, error_code=21617)

    words = shown(reviewer.get(PAGE).text)
    assert "not sent: refused by the provider" in words
    assert words.count(f"{code(21617).staff} Error 21617") == 2  # as a cause, and at the delivery
    assert buttons(reviewer) == [f"Send it again: notice for {family.study_code}"]
    assert press(reviewer, f"{one}/send")[0] == 303
    assert "None did." in shown(reviewer.get(PAGE).text)


def test_the_day_is_told_by_kind_and_by_state(reviewer: FlaskClient, ctx: Context, sam: int) -> None:
    for status in DeliveryStatus:
        watched.delivery(ctx, sam, now=now(), status=status)
    watched.delivery(ctx, sam, now=now(), status=DeliveryStatus.READ)

    words = shown(reviewer.get(PAGE).text)

    for status in DeliveryStatus:
        assert f"{2 if status is DeliveryStatus.READ else 1} {SAID[status]}" in words


def test_the_days_lead_to_each_other_and_keep_to_their_day(reviewer: FlaskClient, ctx: Context, sam: int) -> None:
    yesterday = (now() - timedelta(days=1)).date()
    watched.delivery(ctx, sam, now=now(), status=DeliveryStatus.FAILED, reason=Reason.GAVE_UP, local_day=yesterday)
    assert f'href="{PAGE}?day={yesterday}"' in reviewer.get(PAGE).text
    assert buttons(reviewer) == []

    page = reviewer.get(f"{PAGE}?day={yesterday}")

    assert "1 failed" in shown(page.text)
    (action,) = re.findall(r'action="(/staff/deliveries/[0-9]+/send[^"]*)"', page.text)
    assert action.endswith(f"?day={yesterday}")
    answer = reviewer.post(action, data={"csrf_token": token_in(page)})
    assert (answer.status_code, answer.location) == (303, f"{PAGE}?day={yesterday}")


def test_many_are_shown_page_by_page(reviewer: FlaskClient, ctx: Context, sam: int) -> None:
    ids = [watched.park(ctx, sam, now=now()) for _ in range(parked.PAGE + 1)]

    first = reviewer.get(PAGE)
    (more,) = re.findall(r'href="([^"]*parked_after=[0-9]+[^"]*)"', first.text)
    second = reviewer.get(more)

    assert f"Waits for a decision {parked.PAGE + 1}" in shown(first.text)
    assert f"{PAGE}/{ids[-1]}/ask" in second.text
    assert f"{PAGE}/{ids[0]}/ask" not in second.text
    assert "To the first parked ones" in shown(second.text)


def test_a_sender_that_is_stopped_stands_first_and_can_be_tried(reviewer: FlaskClient, ctx: Context) -> None:
    one = watched.stop_sender(ctx, until=now() + timedelta(minutes=5))

    words = shown(reviewer.get(PAGE).text)
    assert words.index("Nothing leaves from here just now") < words.index("Waits for a decision")
    assert f"+447700900990 ({CHANNELS['whatsapp']})" in words
    assert code(21606).staff in words
    assert buttons(reviewer) == ["Try again now: +447700900990"]
    status, words = press(reviewer, f"senders/{one}/try")

    assert status == 303
    assert "It sends again" in words
    assert buttons(reviewer) == []
    assert press(reviewer, f"senders/{one}/try")[0] == 409
    assert press(reviewer, "senders/999/try")[0] == 404


def test_whoever_may_not_see_families_sees_what_waits_and_can_press_nothing(
    sign_in: Callable[..., FlaskClient], ctx: Context, sam: int, family: Enrolled
) -> None:
    watched.park(ctx, sam, now=now())
    watched.stop_sender(ctx, until=now() + timedelta(minutes=5))
    researcher = sign_in("researcher")

    page = researcher.get(PAGE)

    assert f"Notice for {family.study_code}" in shown(page.text)
    assert buttons(researcher) == []
    assert "/staff/families" not in page.text


@pytest.mark.parametrize("query", [
    "day=yesterday", "day=0001-01-01", "parked_after=x", "parked_after=-1", "stuck_after=%00",
    "stuck_after=99999999999999999999", "parked_after=9223372036854775808",
])  # fmt: skip
def test_an_odd_address_is_no_page(reviewer: FlaskClient, query: str) -> None:
    assert reviewer.get(f"{PAGE}?{query}").status_code == 404


def test_every_state_and_channel_has_its_words() -> None:
    from babymind.domain.contact import ChannelName

    assert set(SAID) == set(DeliveryStatus)
    assert set(CHANNELS) == {one.value for one in ChannelName}


def test_the_page_answers_while_somebody_writes(reviewer: FlaskClient, ctx: Context, sam: int) -> None:
    watched.park(ctx, sam, now=now())
    with ctx.sessions.begin() as session:
        session.get(Delivery, 1)

        assert reviewer.get(PAGE).status_code == 200


def test_a_second_press_changes_nothing(reviewer: FlaskClient, ctx: Context, sam: int) -> None:
    one = watched.park(ctx, sam, now=now())
    press(reviewer, f"{one}/send")
    change(ctx, Delivery, one, status=DeliveryStatus.ACCEPTED)

    status, words = press(reviewer, f"{one}/send")

    assert status == 409
    assert "Something has become of this message meanwhile" in words
    assert rows(ctx, Delivery, id=one)[0].status is DeliveryStatus.ACCEPTED
