"""By which way a message goes to somebody on WhatsApp, whatever was true when it was planned (fault row 78)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babymind.domain.codes import TABLE
from babymind.domain.contact import ChannelName
from babymind.domain.ways import ANOTHER_WAY, OUTSIDE_WINDOW, Way, way

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
DAY = timedelta(hours=24)
REJECTED, PAUSED, NOBODY_THERE = 63040, 63041, 63003


def on_whatsapp(
    heard_ago: timedelta | None, *told: int, has_template: bool = True, has_sms: bool = True, now: datetime = NOW
) -> Way:
    heard_at = None if heard_ago is None else now - heard_ago
    return way(ChannelName.WHATSAPP, heard_at, now, has_template=has_template, has_sms=has_sms, told=told)


@pytest.mark.parametrize("heard_ago", [timedelta(seconds=-30), timedelta(0), timedelta(hours=23, minutes=54)])
def test_within_a_day_of_a_parents_message_they_get_our_own_words(heard_ago: timedelta) -> None:
    assert on_whatsapp(heard_ago) is Way.WHATSAPP


@pytest.mark.fault(78)
@pytest.mark.parametrize("heard_ago", [DAY - timedelta(minutes=5), DAY, timedelta(days=30), None])
def test_row_78_a_window_that_closed_between_plan_and_send_means_the_template(heard_ago: timedelta | None) -> None:
    assert on_whatsapp(heard_ago) is Way.TEMPLATE


def test_row_78_without_a_template_it_goes_as_a_text_message() -> None:
    assert on_whatsapp(DAY, has_template=False) is Way.SMS


def test_row_78_with_neither_it_is_not_sent_and_says_why() -> None:
    assert on_whatsapp(DAY, has_template=False, has_sms=False) is Way.CLOSED
    assert str(Way.CLOSED) == "window_closed"


@pytest.mark.fault(78)
def test_row_78_told_that_the_window_is_closed_it_goes_by_the_template_once_and_then_as_a_text_message() -> None:
    assert on_whatsapp(timedelta(hours=1), OUTSIDE_WINDOW) is Way.TEMPLATE
    assert on_whatsapp(timedelta(hours=1), OUTSIDE_WINDOW, OUTSIDE_WINDOW) is Way.SMS
    assert on_whatsapp(DAY, OUTSIDE_WINDOW, OUTSIDE_WINDOW, has_sms=False) is Way.CLOSED


@pytest.mark.parametrize("code", [REJECTED, PAUSED])
def test_row_78_a_template_that_was_rejected_or_paused_means_a_text_message(code: int) -> None:
    assert on_whatsapp(DAY, code) is Way.SMS
    assert on_whatsapp(DAY, code, has_sms=False) is Way.CLOSED


def test_a_parent_who_writes_meanwhile_gets_our_own_words_though_the_template_is_paused() -> None:
    assert on_whatsapp(timedelta(minutes=1), PAUSED) is Way.WHATSAPP


def test_a_number_that_is_not_on_whatsapp_gets_a_text_message() -> None:
    assert on_whatsapp(timedelta(hours=1), NOBODY_THERE) is Way.SMS
    assert on_whatsapp(DAY, NOBODY_THERE, has_sms=False) is Way.CLOSED


@pytest.mark.parametrize("channel", [ChannelName.SMS, ChannelName.APP])
def test_whoever_is_not_on_whatsapp_gets_a_text_message_or_nothing(channel: ChannelName) -> None:
    assert way(channel, NOW, NOW, has_template=True, has_sms=True) is Way.SMS
    assert way(channel, NOW, NOW, has_template=True, has_sms=False) is Way.CLOSED


@pytest.mark.fault(78)
@given(
    heard_ago=st.none() | st.timedeltas(timedelta(days=-1), timedelta(days=3)),
    told=st.lists(st.sampled_from(sorted(ANOTHER_WAY)), min_size=4, max_size=6),
    has_template=st.booleans(),
    pauses=st.lists(st.timedeltas(timedelta(0), timedelta(hours=1)), min_size=6, max_size=6),
)
def test_row_78_whatever_is_told_there_is_an_end(
    heard_ago: timedelta | None, told: list[int], has_template: bool, pauses: list[timedelta]
) -> None:
    """After three tries on WhatsApp at most, whatever the parent writes meanwhile, it is a text message."""
    now, heard_at, tried = NOW, None if heard_ago is None else NOW - heard_ago, []
    for number, pause in enumerate(pauses):
        now += pause
        chosen = way(ChannelName.WHATSAPP, heard_at, now, has_template=has_template, has_sms=True, told=told[:number])
        if chosen is Way.SMS:
            break
        tried.append(chosen)

    assert chosen is Way.SMS
    assert len(tried) <= 3


def test_every_code_that_asks_for_another_way_is_one_that_staff_are_told_of() -> None:
    assert set(TABLE) >= ANOTHER_WAY
