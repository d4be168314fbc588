"""Why a slot is not sent: one reason each, the gravest first."""

from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babymind.domain.age import Span, Stage
from babymind.domain.delivery import Hold, Kind, Messaging, Reason
from babymind.domain.slot import Phone, Slot, messaging_on, reason_for

MONDAY = date(2026, 3, 9)
SENDING = Span(stage=Stage.INFANT, first=date(2026, 3, 1), last=date(2026, 6, 1), zero=date(2026, 3, 1))
SENT = Slot(
    kind=Kind.FACT, day=MONDAY, span=SENDING, lost=False, hold=None, messaging=Messaging.ACTIVE, gets_facts=True,
    gets_prompts=True, weekdays=0b1111111, wants=True, phone=Phone.OWN, daily_cap=1, has_item=True, sent_before=False,
)  # fmt: skip
# What is against a slot, the gravest first.
AGAINST: list[tuple[Reason, dict[str, Any]]] = [
    (Reason.LOSS, {"lost": True}),
    (Reason.IN_CARE, {"hold": Hold.IN_CARE}),
    (Reason.STOPPED, {"messaging": Messaging.STOPPED}),
    (Reason.CONTROL_ARM, {"gets_facts": False, "gets_prompts": False}),
    (Reason.FREQUENCY, {"weekdays": 0b1111110}),
    (Reason.SLOT_OFF, {"wants": False}),
    (Reason.WAITING, {"span": replace(SENDING, stage=Stage.WAITING)}),
    (Reason.CHANNEL_CLOSED, {"phone": Phone.NONE}),
    (Reason.CONTENT_MISSING, {"has_item": False}),
    (Reason.ALREADY_SENT, {"sent_before": True}),
]


def test_with_nothing_against_it_a_slot_is_sent() -> None:
    assert reason_for(SENT) is None
    assert reason_for(replace(SENT, kind=Kind.PROMPT)) is None


@pytest.mark.fault(111)
@pytest.mark.parametrize(("reason", "against"), AGAINST)
def test_each_thing_against_a_slot_has_its_reason(reason: Reason, against: dict[str, Any]) -> None:
    assert reason_for(replace(SENT, **against)) is reason


@given(st.sets(st.integers(0, len(AGAINST) - 1), min_size=1))
def test_of_several_reasons_the_gravest_is_told(which: set[int]) -> None:
    slot = SENT
    for index in sorted(which):
        slot = replace(slot, **AGAINST[index][1])

    assert reason_for(slot) is AGAINST[min(which)][0]


@pytest.mark.parametrize("hold", list(Hold))
def test_every_hold_is_a_reason_of_the_same_name(hold: Hold) -> None:
    assert (reason_for(replace(SENT, hold=hold)) or Reason.LOSS).value == hold.value


@pytest.mark.parametrize("messaging", [one for one in Messaging if one is not Messaging.ACTIVE])
def test_whoever_is_not_written_to_is_told_why(messaging: Messaging) -> None:
    assert (reason_for(replace(SENT, messaging=messaging)) or Reason.LOSS).value == messaging.value


@pytest.mark.parametrize(
    ("kind", "gets_facts", "gets_prompts", "reason"),
    [(Kind.FACT, True, False, None), (Kind.FACT, False, True, Reason.NOT_IN_ARM), (Kind.PROMPT, False, True, None),
     (Kind.PROMPT, True, False, Reason.NOT_IN_ARM), (Kind.PROMPT, False, False, Reason.CONTROL_ARM)],
)  # fmt: skip
def test_an_arm_may_get_facts_only_or_prompts_only_or_nothing(
    kind: Kind, gets_facts: bool, gets_prompts: bool, reason: Reason | None
) -> None:
    assert reason_for(replace(SENT, kind=kind, gets_facts=gets_facts, gets_prompts=gets_prompts)) is reason


@pytest.mark.parametrize(
    ("weekdays", "days"), [(0b0010101, "MWF"), (0b0000001, "M"), (0b1111111, "MTWTFSS"), (0b1000000, "S")]
)
def test_a_study_may_write_on_some_weekdays_only(weekdays: int, days: str) -> None:
    said = "".join(
        name
        for name, offset in zip("MTWTFSS", range(7), strict=True)
        if reason_for(replace(SENT, weekdays=weekdays, day=MONDAY + timedelta(days=offset))) is None
    )

    assert said == days


def test_a_shared_phone_gets_nothing_of_its_own_whoevers_turn_it_is() -> None:
    not_mine = replace(SENDING, turns=2, turn=(MONDAY.toordinal() + 1) % 2)

    assert reason_for(replace(SENT, phone=Phone.SHARED)) is Reason.SHARED_PHONE
    assert reason_for(replace(SENT, phone=Phone.SHARED, span=not_mine)) is Reason.SHARED_PHONE
    assert reason_for(replace(SENT, span=not_mine)) is Reason.DAILY_CAP
    assert reason_for(replace(SENT, span=not_mine, daily_cap=2)) is None


def test_a_stage_past_the_last_overdue_day_waits_for_a_person() -> None:
    assert reason_for(replace(SENT, span=replace(SENDING, stage=Stage.HELD))) is Reason.HELD


@given(st.sampled_from(Messaging), st.none() | st.integers(-3, 3))
def test_a_pause_ends_on_its_day_and_nothing_else_ends_by_itself(messaging: Messaging, offset: int | None) -> None:
    until = None if offset is None else MONDAY + timedelta(days=offset)

    told = messaging_on(messaging, until, MONDAY)

    over = messaging is Messaging.PAUSED and offset is not None and offset <= 0
    assert told is (Messaging.ACTIVE if over else messaging)


def test_the_cases_above_leave_nothing_out_that_decides() -> None:
    decides = {name for _, against in AGAINST for name in against} | {"kind", "day", "daily_cap", "gets_prompts"}

    assert decides == {field.name for field in fields(Slot)}
