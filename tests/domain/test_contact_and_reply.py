"""Numbers that belong to nobody, and words that steer."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babymind.domain.contact import ChannelName, is_fiction, masked, read_address, require_reachable, told_address
from babymind.domain.reply import Keyword, folded, read_keyword
from babymind.errors import InvalidInputError

WORDS = {folded(word): "stop" for word in ("stop", "stop all", "unsubscribe", "opt out", "stopio")} | {"help": "help"}


@pytest.mark.parametrize("number", ["+447700900000", "+447700900999", "+12025550100", "+19175550199"])
def test_numbers_reserved_for_fiction_are_known(number: str) -> None:
    assert is_fiction(number)


@pytest.mark.parametrize(
    "number", ["+447700901000", "+447911123456", "+12025550200", "+1202555010", "+4477009000001"]
)
def test_all_others_are_real(number: str) -> None:
    assert not is_fiction(number)


def test_the_simulator_takes_fiction_only_and_a_real_channel_never() -> None:
    with pytest.raises(InvalidInputError, match="only numbers reserved for fiction"):
        require_reachable("+447911123456", simulated=True)
    with pytest.raises(InvalidInputError, match="reserved for fiction"):
        require_reachable("+447700900123", simulated=False)
    assert masked("+447700900123") == "***23"


def test_a_number_on_whatsapp_is_told_and_read_back_with_its_channel() -> None:
    for channel, told in ((ChannelName.SMS, "+447700900123"), (ChannelName.WHATSAPP, "whatsapp:+447700900123")):
        assert told_address(channel, "+447700900123") == told
        assert read_address(told) == (channel, "+447700900123")


@pytest.mark.fault(34)
@pytest.mark.parametrize(
    "text",
    ["STOP", "stop", " Stop. ", "\u200bSTOP", "ＳＴＯＰ", "ЅТОР", "S\u200dTOP", "stop!!!", "STOP\n",
     "Stop all", "OPT-OUT", "stopio"],
)  # fmt: skip
def test_stop_is_read_however_it_is_written(text: str) -> None:
    assert read_keyword(text, WORDS) is Keyword.STOP


@pytest.mark.fault(34)
@pytest.mark.parametrize(
    "text", ["don't stop", "she can't stop smiling", "stopped", "st op it now", "", "🛑", "please"]
)
def test_other_words_are_no_stop(text: str) -> None:
    assert read_keyword(text, WORDS) is None


@given(st.text(max_size=500))
def test_any_text_can_be_read(text: str) -> None:
    read_keyword(text, WORDS)
    assert folded(folded(text)) == folded(text) or len(text) > 100


def test_a_keyword_with_more_said_far_behind_it_is_none() -> None:
    assert read_keyword("STOP" + " " * 500, WORDS) is Keyword.STOP
    assert read_keyword("STOP" + "🛑" * 500, WORDS) is Keyword.STOP
    assert read_keyword("stop" + " " * 500 + "is what the cat heard", WORDS) is None
    assert read_keyword("...", WORDS | {"": "stop"}) is None


@pytest.mark.fault(35)
def test_a_very_long_message_costs_nothing() -> None:
    began = time.perf_counter()

    assert read_keyword("stop " * 200_000, WORDS) is None
    assert time.perf_counter() - began < 0.5
