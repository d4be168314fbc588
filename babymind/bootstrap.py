"""From settings to a context: the one place that picks the database, channel, engine, media store and library."""

import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
from sqlalchemy import Engine as Database
from sqlalchemy import make_url

from babymind.channels.mail import SmtpMail
from babymind.channels.twilio import TwilioAccount, TwilioChannel
from babymind.clock import utc_now
from babymind.config import Settings
from babymind.domain.contact import ChannelName
from babymind.engine.base import Engine
from babymind.engine.inline import InlineEngine
from babymind.errors import ConfigurationError
from babymind.library.bank import Library
from babymind.library.commands import default_root
from babymind.media.files import ObjectMediaStore
from babymind.services.context import Context
from babymind.store import schema, senders
from babymind.store.base import database_now, make_engine, make_readers, make_sessions
from babymind.store.sealing import Vault
from babymind.store.senders import Configured


def build(settings: Settings, *, content: Path | None = None, need_schema: bool = True) -> Context:
    """Return the context of an installation.

    Args:
        settings: What differs between installations.
        content: The content folder; the project's own, if not said.
        need_schema: Refuse a database that is not at the revision of this code.

    Raises:
        ConfigurationError: Something cannot be used; the text names the setting or the command to run.
        ContentError: A file under content/ is bad.
    """
    database = make_engine(settings.database_url)
    if need_schema:
        _require_schema(database)
        _settle_senders(database, settings)
    return Context(
        database=database,
        sessions=make_sessions(database),
        readers=make_readers(database),
        vault=Vault(settings.data_keys),
        channel=TwilioChannel(
            TwilioAccount(
                account_sid=settings.twilio_account_sid,
                auth_token=settings.twilio_auth_token,
                public_url=settings.public_url,
                messaging_service_sid=settings.twilio_messaging_service_sid,
                from_numbers=settings.twilio_from,
                whatsapp_from=settings.twilio_whatsapp_from,
                api_base_url=settings.twilio_api_base_url,
                simulated=settings.channel == "simulator",
            ),
            answer_seconds=settings.answer_seconds,
        ),
        engine=_engine(settings),
        media=ObjectMediaStore(settings.media_url),
        library=Library.load(content or default_root(), utc_now().date()),
        senders=ThreadPoolExecutor(settings.send_threads, thread_name_prefix="send"),
        send_threads=settings.send_threads,
        provider_answers=settings.provider_answers,
        answer_seconds=settings.answer_seconds,
        whatsapp_template=settings.twilio_whatsapp_template_sid,
        lease_now=database_now if database.dialect.name == "postgresql" else lambda _session: utc_now(),
        alerts=_alerts(settings),
        stopping=threading.Event(),
    )


def _engine(settings: Settings) -> Engine:
    if settings.engine == "inline":
        return InlineEngine()
    try:
        from babymind.engine.dbos import DbosEngine  # an extra that few installations need
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"BABYMIND_ENGINE dbos needs the extra 'scale' ({missing.name} is missing); "
            "install it with: pip install 'babymind[scale]'"
        ) from None
    return DbosEngine(hints_url(settings.database_url))


def hints_url(database_url: str) -> str:
    """Return where hints are kept: in the same PostgreSQL, or beside an SQLite file, which has but one lock."""
    url = make_url(database_url)
    if url.get_backend_name() == "postgresql":
        url = url.update_query_dict({"connect_timeout": "3"} | dict(url.query))
    elif url.database in (None, "", ":memory:"):
        raise ConfigurationError("BABYMIND_ENGINE dbos needs a database that other processes can open; name a file.")
    else:
        file = Path(str(url.database))
        url = url.set(database=str(file.with_name(f"{file.stem}-hints{file.suffix}")))
    return url.render_as_string(hide_password=False)


def configured(settings: Settings) -> list[Configured]:
    """Return the senders that the settings name: the messaging service or else the numbers, and WhatsApp's."""
    texts = [settings.twilio_messaging_service_sid] if settings.twilio_messaging_service_sid else settings.twilio_from
    named = [(ChannelName.SMS, address) for address in texts]
    if settings.twilio_whatsapp_from:
        named.append((ChannelName.WHATSAPP, settings.twilio_whatsapp_from))
    return [
        Configured(channel=channel, address=address, segments_per_second=settings.pace) for channel, address in named
    ]


def _settle_senders(database: Database, settings: Settings) -> None:
    wanted = configured(settings)
    with make_readers(database).begin() as session:  # most starts, and every command, change nothing
        settled = senders.settled(session, wanted)
    if not settled:
        with make_sessions(database).begin() as session:
            senders.settle(session, wanted, utc_now())


def _alerts(settings: Settings) -> SmtpMail | None:
    if settings.smtp_url is None or settings.alert_email is None:
        return None
    return SmtpMail(settings.smtp_url, to=settings.alert_email)


def _require_schema(database: Database) -> None:
    try:
        at = schema.current(database)
    except Exception as error:
        raise ConfigurationError(
            f"BABYMIND_DATABASE_URL: the database does not answer ({type(error).__name__}); start it, or correct it."
        ) from error
    if at != schema.head():
        raise ConfigurationError(f"The database is at {schema.to_do_about(at)}")


# Where an error arose, without the values that were at hand there: they hold names and texts.
_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def set_up_logging(log_format: str) -> None:
    """Log events as JSON lines, or for a person at a terminal. Only ids are logged, never a name, number or text."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = (
        [_TRACEBACKS, structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Standard output is for what was asked; found anew each time, for it may be replaced.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries log numbers and addresses at the lower levels: the Twilio client, APScheduler, requests.
    logging.basicConfig(level=logging.WARNING)
