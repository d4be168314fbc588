"""The provider's error numbers: each has a meaning, words for staff, and a consequence."""

from collections import Counter

import pytest

from babymind.domain import codes
from babymind.domain.codes import LISTED, Code, CodeClass, code

DEFAULTS = [code(29999), code(None), code(None, 400), code(None, 401), code(None, 429), code(None, 500)]


@pytest.mark.parametrize("one", [*LISTED, *DEFAULTS], ids=lambda one: f"{one.number}-{one.log}")
def test_every_code_has_plain_words_for_staff_and_for_the_log(one: Code) -> None:
    assert 20 < len(one.staff) < 160
    assert one.staff.endswith(".")
    assert one.staff[0].isupper()
    assert one.staff == one.staff.strip()
    assert "\n" not in one.staff
    assert one.staff.isascii()
    assert 3 < len(one.log) < 60
    assert one.log == one.log.lower()


def test_no_number_and_no_words_come_twice() -> None:
    everything = [*LISTED, *DEFAULTS]

    assert len(codes.TABLE) == len(LISTED)
    assert [words for words, times in Counter(one.staff for one in everything).items() if times > 1] == []
    assert [words for words, times in Counter(one.log for one in LISTED).items() if times > 1] == []


def test_every_class_has_a_code() -> None:
    assert {one.meaning for one in LISTED} == set(CodeClass)


@pytest.mark.parametrize(
    ("meaning", "numbers"),
    [
        (CodeClass.NO_SUCH_NUMBER, [21211, 21217, 21604, 21612, 21614, 30005, 30006, 63003, 63024]),
        (CodeClass.UNREACHABLE, [30003]),
        (CodeClass.BLOCKED, [30004, 63033]),
        (CodeClass.OPTED_OUT, [21610]),
        (CodeClass.FILTERED, [30007]),
        (CodeClass.EXPIRED, [30036]),
        (CodeClass.PERMANENT, [30011, 63016, 63032, 63049]),
        (CodeClass.TRANSIENT, [30008, 30017, 30410]),
        (CodeClass.THROTTLED, [20429, 21611, 30001, 30022, 30023, 30027, 63017, 63018]),
        (
            CodeClass.CONFIGURATION,
            [20003, 20005, 21212, 21408, 21603, 21606, 21703, 21704, 21705, 30002, 30018, 30024, 30032, 30034, 63015],
        ),
        (CodeClass.OURS, [21617, 21620, 21623, 21655, 21656, 35114, 35115, 63019]),
        (CodeClass.UNKNOWN, [20500, 20503]),
    ],
)
def test_the_codes_that_matter_mean_what_they_should(meaning: CodeClass, numbers: list[int]) -> None:
    assert {number: code(number).meaning for number in numbers} == dict.fromkeys(numbers, meaning)


def test_only_what_may_pass_is_tried_again() -> None:
    retried = {one.meaning for one in LISTED if one.retry}

    assert retried == {
        CodeClass.UNREACHABLE, CodeClass.TRANSIENT, CodeClass.THROTTLED, CodeClass.CONFIGURATION, CodeClass.UNKNOWN,
    }  # fmt: skip
    assert all(one.retry for one in LISTED if one.meaning in retried)


def test_an_address_is_given_up_only_for_what_is_wrong_with_it() -> None:
    closing = {one.meaning: one.closes_address for one in LISTED if one.closes_address is not None}

    assert closing == {CodeClass.NO_SUCH_NUMBER: 1, CodeClass.BLOCKED: 1, CodeClass.UNREACHABLE: 14}


def test_people_hear_of_what_is_more_than_one_familys_matter() -> None:
    assert {one.meaning for one in LISTED if one.alert} == {CodeClass.CONFIGURATION, CodeClass.OURS}
    assert code(29999).alert
    assert not code(30003).alert


def test_what_is_wrong_for_one_country_does_not_stop_the_others() -> None:
    assert all(code(number).stops_all for number in (20003, 20005, 21212, 21704, 30002))
    assert code(None, 401).stops_all
    assert not any(code(number).stops_all for number in (21408, 21608, 30018, 30034))
    assert {code(number).meaning for number in codes._OF_SOME} == {CodeClass.CONFIGURATION}
    assert not any(one.stops_all for one in LISTED if one.meaning is not CodeClass.CONFIGURATION)


@pytest.mark.fault(23)
@pytest.mark.parametrize(
    ("number", "status", "meaning", "retry"),
    [
        (29999, None, CodeClass.PERMANENT, False),  # told by a receipt
        (None, None, CodeClass.PERMANENT, False),
        (29999, 400, CodeClass.PERMANENT, False),
        (None, 422, CodeClass.PERMANENT, False),
        (None, 401, CodeClass.CONFIGURATION, True),
        (29999, 403, CodeClass.CONFIGURATION, True),
        (None, 404, CodeClass.CONFIGURATION, True),
        (None, 429, CodeClass.THROTTLED, True),
        (63038, 429, CodeClass.THROTTLED, True),
        (29999, 503, CodeClass.UNKNOWN, True),
        (20500, 500, CodeClass.UNKNOWN, True),
        (21211, 502, CodeClass.UNKNOWN, True),  # a status of 5xx outweighs any number
        (None, 307, CodeClass.UNKNOWN, True),
    ],
)
def test_a_number_that_is_not_listed_has_a_safe_default(
    number: int | None, status: int | None, meaning: CodeClass, retry: bool
) -> None:
    judged = code(number, status)

    assert (judged.number, judged.meaning, judged.retry) == (number, meaning, retry)
    assert judged.closes_address is None


def test_a_listed_number_is_known_and_another_is_not() -> None:
    assert code(21211, 400).known
    assert code(20500, 500).known
    assert not code(29999, 400).known
    assert not code(21211, 502).known
