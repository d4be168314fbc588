"""From a provider's error number to the exception that says what it means for us; the table is in `domain.codes`."""

from babymind.domain.codes import Code, CodeClass, code
from babymind.errors import (
    ChannelConfigurationError,
    ChannelError,
    ChannelOptedOutError,
    ChannelRefusedError,
    ChannelThrottledError,
    ChannelUnknownError,
)

__all__ = ["Code", "CodeClass", "code", "error_for"]

_RAISED: dict[CodeClass, type[ChannelError]] = {
    CodeClass.OPTED_OUT: ChannelOptedOutError,
    CodeClass.THROTTLED: ChannelThrottledError,
    CodeClass.CONFIGURATION: ChannelConfigurationError,
    CodeClass.UNKNOWN: ChannelUnknownError,
}


def error_for(number: int | None, http_status: int) -> ChannelError:
    """Return the error to raise for a provider's answer; its text is the code's words for staff."""
    meant = code(number, http_status)
    raised = _RAISED.get(meant.meaning) or (ChannelError if meant.retry else ChannelRefusedError)
    told = f"error {number}" if number is not None else f"status {http_status}"
    return raised(f"{meant.staff} ({told}: {meant.log})", provider_code=number)
