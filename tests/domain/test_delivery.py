"""What decides whether a delivery goes, and how receipts raise its state."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babymind.domain import delivery as rules
from babymind.domain.delivery import SEND, DeliveryStatus, Kind, Messaging, Reason, Standing, raised, verdict

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)
FINE = {"kind": Kind.PROMPT, "due_at": NOON, "window_ends_at": NOON + timedelta(hours=9), "lost": False,
        "hold": None, "superseded": False,
        "messaging": Messaging.ACTIVE, "enrolled": True, "address_open": True, "quiet_until": None}  # fmt: skip


def standing(**changes: object) -> Standing:
    return Standing(**{**FINE, **changes})  # type: ignore[arg-type]  # the test's own names


def test_what_is_due_and_allowed_goes() -> None:
    assert verdict(standing(), NOON) == SEND


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"lost": True}, DeliveryStatus.CANCELLED, Reason.LOSS),
        ({"messaging": Messaging.STOPPED}, DeliveryStatus.CANCELLED, Reason.STOPPED),
        ({"messaging": Messaging.PAUSED}, DeliveryStatus.CANCELLED, Reason.PAUSED),
        ({"messaging": Messaging.NO_CONSENT}, DeliveryStatus.CANCELLED, Reason.NO_CONSENT),
        ({"enrolled": False}, DeliveryStatus.CANCELLED, Reason.ENROLMENT_ENDED),
        ({"address_open": False}, DeliveryStatus.CANCELLED, Reason.CHANNEL_CLOSED),
        ({"window_ends_at": NOON}, DeliveryStatus.EXPIRED, Reason.TOO_LATE),
        ({"quiet_until": NOON + timedelta(hours=10)}, DeliveryStatus.EXPIRED, Reason.TOO_LATE),
    ],
)
def test_what_may_not_go_ends_with_its_reason(
    changes: dict[str, object], status: DeliveryStatus, reason: Reason
) -> None:
    judged = verdict(standing(**changes), NOON)

    assert (judged.status, judged.reason) == (status, reason)


@pytest.mark.fault(69)
@pytest.mark.parametrize("kind", [Kind.FACT, Kind.PROMPT, Kind.WELCOME, Kind.COMMENT])
def test_a_loss_silences_everything_that_we_start(kind: Kind) -> None:
    assert verdict(standing(kind=kind, lost=True), NOON).reason is Reason.LOSS


def test_a_comment_in_the_quiet_hours_is_put_off() -> None:
    morning = NOON + timedelta(hours=5)

    judged = verdict(standing(kind=Kind.COMMENT, quiet_until=morning), NOON)

    assert (judged.status, judged.due_at) == (None, morning)


@pytest.mark.fault(106)
def test_the_answer_to_a_stop_goes_at_once_even_at_night() -> None:
    night = standing(kind=Kind.ANSWER, messaging=Messaging.STOPPED, quiet_until=NOON + timedelta(hours=8))

    assert verdict(night, NOON) == SEND


@pytest.mark.fault(20)
def test_receipts_in_any_order_end_in_the_same_state() -> None:
    told = [DeliveryStatus.ACCEPTED, DeliveryStatus.SENT, DeliveryStatus.UNDELIVERED, DeliveryStatus.DELIVERED]

    for order in permutations(told):
        state = DeliveryStatus.SENDING
        for one in order:
            state = raised(state, one)
        assert state is DeliveryStatus.DELIVERED


@pytest.mark.fault(20)
@given(current=st.sampled_from(DeliveryStatus), told=st.sampled_from(DeliveryStatus))
def test_a_receipt_never_lowers_the_rank(current: DeliveryStatus, told: DeliveryStatus) -> None:
    assert rules.RANK[raised(current, told)] == max(rules.RANK[current], rules.RANK[told])


def test_trying_again_waits_longer_and_ends() -> None:
    waits = [rules.again_after(failures, "7") for failures in range(1, rules.MOST_FAILURES + 1)]

    assert waits[-1] is None
    assert all(
        seconds * 0.75 <= one.total_seconds() <= seconds * 1.25
        for seconds, one in zip((30, 120, 300, 900), filter(None, waits), strict=True)
    )


def test_what_failed_together_does_not_come_back_together() -> None:
    waits = {rules.again_after(1, str(number)) for number in range(100)}

    assert len(waits) > 90
