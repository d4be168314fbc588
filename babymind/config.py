"""Settings: what differs between installations, read once from ``BABYMIND_…`` and ``.env``, passed on as values."""

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from babymind.errors import ConfigurationError

PREFIX = "BABYMIND_"
SHORTEST_SECRET = 32
TWILIO_SEGMENTS_PER_SECOND = 10  # what most numbers outside the United States may send
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}|[1-9][0-9]{2,7}")  # E.164, or a short code
_SIDS = {"twilio_messaging_service_sid": "MG", "twilio_whatsapp_template_sid": "HX"}


class Settings(BaseSettings):
    """One installation. A missing or odd value stops the start with a sentence that names the setting."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    database_url: str
    secret_key: str = Field(repr=False)
    data_keys: Annotated[tuple[str, ...], NoDecode] = Field(repr=False)
    public_url: str
    channel: Literal["simulator", "twilio"]
    twilio_account_sid: str
    twilio_auth_token: str = Field(repr=False)
    twilio_messaging_service_sid: str | None = None
    twilio_from: Annotated[tuple[str, ...], NoDecode] = ()
    twilio_whatsapp_from: str | None = None
    twilio_whatsapp_template_sid: str | None = None  # approved, with one blank: the text
    twilio_api_base_url: str | None = None
    segments_per_second: int | None = Field(default=None, ge=1, le=5000)  # of each sender; see `pace`
    answer_seconds: float = Field(default=20.0, ge=1, le=60)  # how long the provider may take to answer
    provider_answers: bool = True  # the provider itself answers STOP, START and HELP, so we must not
    media_url: str = "file:///var/lib/babymind/media"
    engine: Literal["inline", "dbos"] = "inline"
    send_threads: int = Field(default=8, ge=1, le=64)
    trusted_proxies: int = Field(default=0, ge=0, le=5)  # in front of us, each adding to X-Forwarded-For
    smtp_url: str | None = Field(default=None, repr=False)  # where alerts go out, with alert_email
    alert_email: str | None = None  # who is written to when something does not add up
    metrics_port: int | None = Field(default=None, ge=1, le=65535)  # of a worker, which has no pages of its own
    log_format: Literal["json", "console"] = "json"

    @property
    def pace(self) -> int | None:
        """The segments per second of each sender; None: as fast as the provider takes them."""
        if self.segments_per_second is None and self.channel == "twilio":
            return TWILIO_SEGMENTS_PER_SECOND
        return self.segments_per_second

    @field_validator("data_keys", "twilio_from", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        parts = dict.fromkeys(part.strip() for part in value.split(",")) if isinstance(value, str) else None
        return value if parts is None else tuple(part for part in parts if part)

    @field_validator("data_keys")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("give at least one key, made by 'babymind keys'")
        return value

    @field_validator("twilio_from")
    @classmethod
    def _numbers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(_NUMBER.fullmatch, value)):
            raise ValueError("give a number such as +447911123456, or several of them with commas between")
        return value

    @field_validator("twilio_whatsapp_from")
    @classmethod
    def _whatsapp(cls, value: str | None) -> str | None:
        number = (value or "").strip().removeprefix("whatsapp:")
        if number and not _NUMBER.fullmatch(number):
            raise ValueError("give the number of your WhatsApp sender, such as +447911123456")
        return number or None

    @field_validator(*_SIDS)
    @classmethod
    def _sid(cls, value: str | None, info: ValidationInfo) -> str | None:
        letters = _SIDS[info.field_name or ""]
        if value and not re.fullmatch(rf"{letters}[0-9a-fA-F]{{32}}", value):
            raise ValueError(f"give its id at Twilio: {letters} and 32 hexadecimal digits")
        return value or None

    @field_validator("secret_key")
    @classmethod
    def _long(cls, value: str) -> str:
        if len(value) < SHORTEST_SECRET:
            raise ValueError(f"give at least {SHORTEST_SECRET} random characters, such as 'babymind keys' makes")
        return value

    @field_validator("public_url", "twilio_api_base_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("give an address such as https://babymind.example.org")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _together(self) -> Self:
        if not (self.twilio_from or self.twilio_messaging_service_sid):
            raise ValueError(f"{PREFIX}TWILIO_FROM or {PREFIX}TWILIO_MESSAGING_SERVICE_SID is needed to send")
        if self.twilio_whatsapp_template_sid and not self.twilio_whatsapp_from:
            raise ValueError(f"{PREFIX}TWILIO_WHATSAPP_TEMPLATE_SID needs {PREFIX}TWILIO_WHATSAPP_FROM too")
        if self.channel == "twilio" and not self.public_url.startswith("https://"):
            raise ValueError(f"{PREFIX}PUBLIC_URL must begin with https:// where real families are written to")
        if self.channel == "simulator" and not self.twilio_api_base_url:
            raise ValueError(
                f"{PREFIX}TWILIO_API_BASE_URL must be the simulator's address with the channel simulator"
            )
        if bool(self.smtp_url) != bool(self.alert_email):
            raise ValueError(f"{PREFIX}SMTP_URL and {PREFIX}ALERT_EMAIL go together; set both or neither")
        if self.smtp_url and urlsplit(self.smtp_url).scheme not in ("smtp", "smtps"):
            raise ValueError(f"{PREFIX}SMTP_URL must be such as smtps://user:password@mail.example.org")
        return self

    @classmethod
    def read(cls) -> Self:
        """Read the environment and ``.env``.

        Raises:
            ConfigurationError: One sentence that names the first setting that is missing or odd.
        """
        try:
            return cls()
        except ValidationError as error:
            raise ConfigurationError(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    what = str(first["msg"]).removeprefix("Value error, ")
    if not first["loc"]:
        return f"{what}."
    name = f"{PREFIX}{str(first['loc'][0]).upper()}"
    return f"{name} is not set." if first["type"] == "missing" else f"{name} is odd: {what}."
