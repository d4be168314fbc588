"""What the provider says no to, with its own error numbers."""

from babymind.errors import BabyMindError

_STATUS = {20003: 401, 20404: 404, 20429: 429, 20500: 500, 20503: 503, 20009: 409, 30409: 409}

TEXTS = {
    20003: "Authenticate",
    20429: "Too Many Requests",
    20500: "An internal server error has occurred",
    20503: "Service is temporarily unavailable",
    21408: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number",
    21610: "Attempt to send to unsubscribed recipient",
    21611: "This 'From' number has exceeded the maximum number of queued messages",
    21612: "Message cannot be sent with the current combination of 'To' and/or 'From' parameters",
    21614: "'To' number is not a valid mobile number",
    30001: "Queue overflow",
    30002: "Account suspended",
    30003: "Unreachable destination handset",
    30004: "Message blocked",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
    30036: "Validity period expired",
    63003: "Channel could not find To address",
    63016: "Failed to send freeform message because you are outside the allowed window",
    63040: "Template rejected",
    63041: "Template paused",
}


class RefusedError(BabyMindError):
    """The provider refuses a request; the text is what its answer says."""

    code = "simulator-refused"

    def __init__(self, number: int, message: str | None = None) -> None:
        super().__init__(message or TEXTS.get(number, "The request was refused"))
        self.number = number
        self.status = _STATUS.get(number, 400)
