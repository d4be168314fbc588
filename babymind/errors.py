"""The error hierarchy: raised below, shown once at the edge. Every text is safe to show to a person."""


class BabyMindError(Exception):
    """Something went wrong in a way that we can explain; the text says what, and what to do."""

    code = "error"


class InvalidInputError(BabyMindError):
    """What somebody gave us cannot be right."""

    code = "invalid-input"


class ConfigurationError(BabyMindError):
    """A setting is missing or odd; the start is refused."""

    code = "configuration"


class NotFoundError(BabyMindError):
    """There is no such thing, or this person may not see it."""

    code = "not-found"


class ConflictError(BabyMindError):
    """Somebody else was first."""

    code = "conflict"


class NoRoomError(BabyMindError):
    """The disk is nearly full: what is large has to wait."""

    code = "no-room"


class ContentError(BabyMindError):
    """A text under content/ breaks its format; names the file and the line."""

    code = "content"


class ChannelError(BabyMindError):
    """The provider did not take a message; it is known not to have gone, and may be tried again.

    ``provider_code`` is the provider's own error number where there is one (Twilio: 5 digits).
    """

    code = "channel"

    def __init__(self, message: str, *, provider_code: int | None = None) -> None:
        super().__init__(message)
        self.provider_code = provider_code


class ChannelRefusedError(ChannelError):
    """The provider will never take this message."""

    code = "channel-refused"


class ChannelOptedOutError(ChannelRefusedError):
    """The provider holds a STOP of this number."""

    code = "channel-opted-out"


class ChannelThrottledError(ChannelError):
    """Too many at once: certainly not processed, so no attempt was used."""

    code = "channel-throttled"


class ChannelConfigurationError(ChannelError):
    """Our account or sender is set up wrongly: no family's fault, so nothing is failed for it."""

    code = "channel-configuration"


class ChannelUnknownError(ChannelError):
    """Nobody can say whether the message went (time-out, reset, 5xx); ask the provider before sending again."""

    code = "channel-unknown"


class MediaRefusedError(BabyMindError):
    """A file is not one we can show safely."""

    code = "media-refused"
