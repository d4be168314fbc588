"""Doctor: each part of an installation looked at once, with what to do where something is wrong."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from babymind.channels.mail import SmtpMail
from babymind.clock import utc_now
from babymind.errors import BabyMindError, ChannelConfigurationError, ChannelError
from babymind.library.bank import gap_told, gaps, in_runs
from babymind.services import health, room
from babymind.services.context import Context
from babymind.store import content, schema, watching
from babymind.store.base import database_now, new_token
from babymind.store.ticks import every

ANSWER_SECONDS = 10.0
LARGEST_DRIFT = timedelta(seconds=5)
MOST_TOLD = 3  # gaps named one by one
THE_DATABASE_FIRST = "This was not looked at: the database has to be right first."


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and what to do if it is not right."""

    check: str
    ok: bool
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the parts of an installation are, as the settings have it."""

    public_url: str
    smtp_url: str | None = field(default=None, repr=False)
    alert_email: str | None = None


class NotRightError(BabyMindError):
    """Something is not right; the text says what to do."""


def examine(ctx: Context, place: Place) -> Iterator[Finding]:
    """Look at every part, and yield what was found of each as it is known."""
    yield Finding("configuration", True, "The settings are complete, and what they name can be used.")
    database = _find("database", lambda: _database(ctx))
    yield database
    for check, look in (
        ("clock", lambda: _clock(ctx)),
        ("content", lambda: _content(ctx)),
        ("keys", lambda: _keys(ctx)),
    ):
        yield _find(check, look) if database.ok else Finding(check, False, THE_DATABASE_FIRST)
    yield _find("storage", lambda: _storage(ctx))
    yield _find("provider", lambda: _provider(ctx))
    yield _find("webhooks", lambda: _webhooks(place))
    yield _find("mail", lambda: _mail(place))


def _find(check: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(check, True, look())
    except BabyMindError as error:
        return Finding(check, False, str(error))
    except Exception as error:  # whatever it was, the other parts are looked at all the same
        return Finding(check, False, f"It could not be looked at ({type(error).__name__}); the log of the service "
                                     "may say more.")  # fmt: skip


def _database(ctx: Context) -> str:
    try:
        at, needed = schema.current(ctx.database), health.needed_revision()
    except Exception as error:
        raise NotRightError(
            f"BABYMIND_DATABASE_URL: the database does not answer ({type(error).__name__}); start it, or correct it."
        ) from error
    if at != needed:
        raise NotRightError(f"It is at {schema.to_do_about(at)}")
    lax = watching.not_durable(ctx.database)
    if lax:
        told = ", ".join(f"{name} = {value}" for name, value in sorted(lax.items()))
        raise NotRightError(
            f"What was committed could be lost when the power fails ({told}); set these back to the default."
        )
    with ctx.readers.begin() as session:
        parked = watching.count_parked(session)
    waits = f" {parked} deliveries wait for a decision on the page Deliveries." if parked else ""
    return f"{ctx.database.dialect.name} at revision {at}; what is committed is on the disk.{waits}"


def _clock(ctx: Context) -> str:
    now = utc_now()
    with ctx.readers.begin() as session:
        ticks = every(session)
        if ctx.database.dialect.name == "postgresql":
            drift = abs(utc_now() - database_now(session))
            if drift > LARGEST_DRIFT:
                raise NotRightError(
                    f"The clocks of this machine and of the database differ by {drift.total_seconds():.0f} seconds; "
                    "let both follow a time server."
                )
    silent = list(health.silences(ticks, now))
    if silent:
        raise NotRightError(" ".join(silent))
    return f"It last looked at {ticks[f'{health.CLOCK}look'].at:%Y-%m-%d %H:%M:%S} UTC."


def _content(ctx: Context) -> str:
    given = {(item.key, item.locale): item.text for item in ctx.library.items if not item.withdrawn}
    given |= {(message.key, message.locale): message.text for message in ctx.library.messages}
    with ctx.readers.begin() as session:
        held = {key: one.text for key, one in content.current_wordings(session).items() if not one.withdrawn}
        locales = watching.locales_in_use(session)
    if held != given:
        differ = sum(held.get(key) != given.get(key) for key in held.keys() | given.keys())
        raise NotRightError(
            f"{differ} of {len(given)} texts differ from the folder content/; run: babymind content load"
        )
    missing = [gap_told(first, last) for first, last in in_runs(gaps(ctx.library, locales))]
    if missing:
        told = _some(missing)
        raise NotRightError(
            f"Families will get nothing on some days: {told}. Add texts under content/, then load them."
        )
    return f"{len(given)} texts are loaded, and no day is without its fact and its prompt."


def _some(missing: list[str]) -> str:
    more = len(missing) - MOST_TOLD
    return "; ".join(missing[:MOST_TOLD]) + (f"; and {more} more" if more > 0 else "")


def _keys(ctx: Context) -> str:
    with ctx.readers.begin() as session:
        samples = watching.sealed_samples(session)
    for sealed, look_up in samples:
        if ctx.vault.look_up(ctx.vault.open(sealed)) != look_up:
            raise NotRightError(
                "The last of BABYMIND_DATA_KEYS is not the one that numbers are looked up by: put the oldest key "
                "back at the end. Until then no reply finds its family."
            )
    return "The oldest and the newest number open with them." if samples else "Nothing is sealed yet."


def _storage(ctx: Context) -> str:
    key, words = f"doctor-{new_token()}", new_token().encode()
    try:
        ctx.media.put(key, words)
        try:
            same = ctx.media.get(key) == words
        finally:
            ctx.media.delete(key)
    except Exception as error:
        raise NotRightError(
            f"BABYMIND_MEDIA_URL: a file could not be kept there ({type(error).__name__}); let this account write "
            "there, or name another place."
        ) from error
    if not same:
        raise NotRightError("BABYMIND_MEDIA_URL: a file came back changed; name another place.")
    for one in room.left(ctx):
        if one.short:
            raise NotRightError(str(one))
    return "A file was written, read and removed."


def _provider(ctx: Context) -> str:
    """List what came to our numbers of late: it needs the account, its token, and a sender that is there."""
    try:
        next(iter(ctx.channel.inbound_since(utc_now())), None)
    except ChannelConfigurationError as error:
        raise NotRightError(f"The provider does not let us in: {error}") from error
    except ChannelError as error:
        raise NotRightError(f"The provider could not be asked: {error}") from error
    simulated = " It is the phone simulator: nobody real is written to." if ctx.channel.simulated else ""
    return f"The provider knows the account and lists its messages.{simulated}"


def _webhooks(place: Place) -> str:
    address = f"{place.public_url}/readyz"
    began = time.monotonic()
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - the settings say http
            good = answer.status == 200 and b'"ready"' in answer.read(1000)
    except (OSError, ValueError) as error:
        status = f"status {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
        raise NotRightError(
            f"{address} does not answer as it should ({status}): is the web server running, and does the proxy hand "
            "on to it? The provider reaches us there and nowhere else."
        ) from error
    if not good:
        raise NotRightError(f"{address} answers, but it is not BabyMind: correct BABYMIND_PUBLIC_URL, or the proxy.")
    seconds = time.monotonic() - began
    return (
        f"{place.public_url} answers, in {seconds:.1f} seconds. The provider has to reach it from outside, which was "
        "not tried."
    )


class _MailServer(SmtpMail):
    """A mail server that is greeted and signed in to, and given nothing to send."""

    def greet(self) -> None:
        """Sign in and leave."""
        with self._connect() as server:
            if self._user:
                server.login(self._user, self._password)
            server.noop()


def _mail(place: Place) -> str:
    if place.smtp_url is None or place.alert_email is None:
        return (
            "None is set, so alerts are only in the log and under Tasks; set BABYMIND_SMTP_URL and "
            "BABYMIND_ALERT_EMAIL to be written to."
        )
    try:
        _MailServer(place.smtp_url, to=place.alert_email).greet()
    except OSError as error:  # smtplib's own errors too
        raise NotRightError(
            f"BABYMIND_SMTP_URL: the mail server does not let us in ({type(error).__name__}); correct the address, "
            "the user or the password."
        ) from error
    return "The mail server lets us in; nothing was sent."
