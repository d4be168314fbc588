"""Every number of the provider's becomes the right error, with words for staff."""

import pytest

from babymind.channels.codes import CodeClass, code, error_for
from babymind.domain.codes import LISTED
from babymind.errors import (
    ChannelConfigurationError,
    ChannelError,
    ChannelOptedOutError,
    ChannelRefusedError,
    ChannelThrottledError,
    ChannelUnknownError,
)

RAISED: dict[CodeClass, type[ChannelError]] = {
    CodeClass.PERMANENT: ChannelRefusedError,
    CodeClass.NO_SUCH_NUMBER: ChannelRefusedError,
    CodeClass.UNREACHABLE: ChannelError,
    CodeClass.BLOCKED: ChannelRefusedError,
    CodeClass.OPTED_OUT: ChannelOptedOutError,
    CodeClass.FILTERED: ChannelRefusedError,
    CodeClass.EXPIRED: ChannelRefusedError,
    CodeClass.TRANSIENT: ChannelError,
    CodeClass.THROTTLED: ChannelThrottledError,
    CodeClass.CONFIGURATION: ChannelConfigurationError,
    CodeClass.OURS: ChannelRefusedError,
    CodeClass.UNKNOWN: ChannelUnknownError,
}


@pytest.mark.parametrize("number", [listed.number for listed in LISTED])
def test_each_number_of_the_table_is_raised_as_its_class(number: int) -> None:
    error = error_for(number, 400)

    assert type(error) is RAISED[code(number).meaning]
    assert error.provider_code == number
    assert str(error).startswith(code(number).staff)
    assert str(number) in str(error)


@pytest.mark.fault(23)
@pytest.mark.parametrize(
    ("number", "status", "error"),
    [
        (None, 429, ChannelThrottledError),
        (21211, 429, ChannelThrottledError),
        (None, 500, ChannelUnknownError),
        (21211, 500, ChannelUnknownError),
        (None, 408, ChannelUnknownError),
        (None, 302, ChannelUnknownError),
        (None, 401, ChannelConfigurationError),
        (None, 403, ChannelConfigurationError),
        (29999, 403, ChannelConfigurationError),
        (None, 404, ChannelConfigurationError),
        (29999, 404, ChannelRefusedError),
        (None, 400, ChannelRefusedError),
        (29999, 400, ChannelRefusedError),
    ],
)
def test_without_a_number_that_we_know_the_status_decides(
    number: int | None, status: int, error: type[ChannelError]
) -> None:
    raised = error_for(number, status)

    assert type(raised) is error
    assert raised.provider_code == number
