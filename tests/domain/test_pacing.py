"""A sender keeps to its rate: evenly, in order, never faster, and with nothing left over while there is work."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babymind.domain.pacing import LONGEST_SEGMENTS, ask_again_at, pace

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
Left = list[tuple[datetime, int]]  # when each message left, and its segments

rates = st.sampled_from([1, 2, 3, 10, 30, 77, 100, 400, 1000])
ones = st.just(1)
counts = st.integers(1, LONGEST_SEGMENTS)


def run(rate: int, asked: list[tuple[float, list[int]]], horizon: float) -> Left:
    """Ask again and again, each time so many seconds after the last; what did not fit is not asked for again."""
    next_at, now, left = None, NOW, []
    for pause, segments in asked:
        now += timedelta(seconds=pause)
        got = pace(next_at, now, rate, segments, horizon)
        left += list(zip(got.leave_at, segments, strict=False))
        next_at = got.next_at
    return left


def most_in_a_second(left: Left) -> int:
    """The most segments within one second, wherever it begins, if a message's segments all come at its instant."""
    return max((sum(n for at, n in left if first <= at < first + SECOND) for first, _ in left), default=0)


def spread(left: Left, rate: int) -> Left:
    """The same with the segments of a message one after another, as the networks take them."""
    return [(at + SECOND * k / rate, 1) for at, n in left for k in range(n)]


def asking(of: st.SearchStrategy[int]) -> st.SearchStrategy[list[tuple[float, list[int]]]]:
    return st.lists(st.tuples(st.floats(0, 1.5), st.lists(of, max_size=40)), max_size=12)


@given(rates, asking(ones), st.floats(0.1, 3))
def test_no_second_ever_holds_more_than_the_rate(
    rate: int, asked: list[tuple[float, list[int]]], horizon: float
) -> None:
    assert most_in_a_second(run(rate, asked, horizon)) <= rate


@given(rates, asking(counts), st.floats(0.1, 3))
def test_a_long_message_takes_the_time_of_all_its_segments(
    rate: int, asked: list[tuple[float, list[int]]], horizon: float
) -> None:
    left = run(rate, asked, horizon)

    assert most_in_a_second(spread(left, rate)) <= rate
    assert most_in_a_second(left) < rate + max((n for _, n in left), default=1)


@given(rates, asking(counts), st.floats(0.1, 3))
def test_messages_leave_in_their_order_none_before_it_was_asked_for_or_beyond_the_horizon(
    rate: int, asked: list[tuple[float, list[int]]], horizon: float
) -> None:
    next_at, now, last = None, NOW, NOW
    for pause, segments in asked:
        now += timedelta(seconds=pause)
        got = pace(next_at, now, rate, segments, horizon)

        assert len(got.leave_at) <= len(segments)
        assert all(now <= at < now + timedelta(seconds=horizon) for at in got.leave_at)
        assert all(one < other for one, other in pairwise(got.leave_at))
        assert not got.leave_at or last <= got.leave_at[0]
        next_at, last = got.next_at, max([last, *got.leave_at])


@pytest.mark.parametrize("rate", [1, 3, 10, 80, 100, 400, 5000])
@pytest.mark.parametrize("segments", [1, 2])
def test_with_always_something_to_send_nearly_all_of_the_rate_is_used_and_never_more(
    rate: int, segments: int
) -> None:
    horizon, minute = 2.0, NOW + timedelta(seconds=60)
    next_at, now, sent = None, NOW, 0
    while now < minute:
        got = pace(next_at, now, rate, [segments] * (3 * rate + 3), horizon)
        next_at = got.next_at
        sent += segments * sum(at < minute for at in got.leave_at)
        now += timedelta(seconds=1.7)

    assert 0.97 * 60 * rate <= sent <= 60 * rate + segments - 1


def test_a_pause_earns_nothing() -> None:
    first = pace(None, NOW, 10, [1], 1)

    later = pace(first.next_at, NOW + timedelta(hours=1), 10, [1] * 100, 1)

    assert len(later.leave_at) == 10
    assert later.leave_at[0] == NOW + timedelta(hours=1)


def test_what_does_not_fit_is_told_when_to_ask_again() -> None:
    got = pace(None, NOW, 1, [1, 3, 1], 2)
    assert len(got.leave_at) == 2

    again_at = ask_again_at(got.next_at, NOW, 1, 2)

    assert again_at is not None
    assert pace(got.next_at, again_at, 1, [1], 2).leave_at == ()
    assert len(pace(got.next_at, again_at + timedelta(milliseconds=1), 1, [1], 2).leave_at) == 1
    assert ask_again_at(got.next_at, again_at + timedelta(milliseconds=1), 1, 2) is None
    assert ask_again_at(None, NOW, 1, 2) is None


def test_nothing_to_send_changes_nothing() -> None:
    assert pace(NOW, NOW, 10, [], 1).next_at == NOW
    assert pace(None, NOW, 10, [], 1).next_at is None
    full = NOW + timedelta(seconds=5)
    assert pace(full, NOW, 10, [1], 1) == pace(full, NOW, 10, [], 1)


@pytest.mark.fault(62)
def test_a_clock_that_was_a_day_ahead_does_not_silence_a_sender() -> None:
    got = pace(NOW + timedelta(days=1), NOW, 10, [1], 2)

    assert got.leave_at == (NOW,)
    assert ask_again_at(NOW + timedelta(days=1), NOW, 10, 2) is None


@given(rates, st.lists(counts, min_size=1, max_size=5), st.floats(0.1, 3))
def test_what_others_have_given_away_is_never_taken_for_a_wrong_clock(
    rate: int, segments: list[int], horizon: float
) -> None:
    next_at = None
    for _ in range(3):
        got = pace(next_at, NOW, rate, segments, horizon)
        assert next_at is None or all(at >= next_at for at in got.leave_at)
        next_at = got.next_at
