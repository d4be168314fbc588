"""Receive: keep what came, then make replies of it, tie them to their prompts, and fetch the pictures."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.orm import Session

from babymind.channels.base import InboundMessage
from babymind.clock import utc_now
from babymind.domain.contact import ChannelName
from babymind.domain.reply import Keyword, ReplyStatus
from babymind.domain.schedule import local_day
from babymind.domain.words import read_steering
from babymind.engine.base import Work
from babymind.errors import BabyMindError, InvalidInputError, MediaRefusedError, NotFoundError
from babymind.media.images import MAX_BYTES, clean
from babymind.services import measures, room
from babymind.services.context import Context
from babymind.store import deliveries, families, replies, ticks
from babymind.store.base import CALLER_SECONDS, new_token, wait_at_most
from babymind.store.replies import Inbound, InboundStatus, Media, MediaStatus, Reply

log = structlog.get_logger()

BATCH = 50
LISTEN_EVERY = timedelta(minutes=5)
LISTEN_AGAIN = timedelta(minutes=15)  # a list may lag behind
LISTEN_FIRST = timedelta(hours=1)
LISTEN_LONGEST = timedelta(days=7)  # after a long outage; the provider is asked for no more
ANSWER_DAYS = 3  # a reply answers the last prompt if it came within these
MOST_TRIES = 5
FETCH_AGAIN_SECONDS = (1, 3, 10, 60, 300, 900, 3600, 3600)  # a picture may be missing for its first seconds
FETCH_HOLD_SECONDS = 120  # longer than one fetch may take
# Twilio answers these itself, where the whole message is one of them.
# Source: Twilio, "Support for opt-out keywords" and "Advanced Opt-Out".
PROVIDER_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT",
                            "START", "UNSTOP", "YES", "HELP", "INFO"})  # fmt: skip
OPT_OUT = {"STOP": Keyword.STOP, "START": Keyword.START, "HELP": Keyword.HELP}


def keep(ctx: Context, provider_ref: str, form: Mapping[str, list[str]], *,
         received_at: datetime | None = None) -> bool:  # fmt: skip
    """Keep a message exactly as it was posted; False when it was here before. Nothing is made of it yet.

    Args:
        ctx: The installation.
        provider_ref: The provider's id of it.
        form: What was posted.
        received_at: When the provider got it; now, if it is not said.
    """
    payload = ctx.vault.seal(json.dumps(form))
    with ctx.sessions.begin() as session:
        wait_at_most(session, CALLER_SECONDS)
        new = replies.store_raw(
            session, provider=ctx.channel.provider, provider_ref=provider_ref, payload_sealed=payload,
            now=received_at or utc_now(),
            sender=ctx.vault.look_up(form.get("From", [""])[0].removeprefix("whatsapp:")),
        )  # fmt: skip
    ctx.engine.hint(Work.RECEIVE)
    if not new and received_at is None and _said_before(ctx, provider_ref) != form.get("Body"):
        log.error("a message came again with other words; the first is kept", provider_ref=provider_ref)
        measures.heard("changed")
    return new


def _said_before(ctx: Context, provider_ref: str) -> object:
    with ctx.readers.begin() as session:
        payload = replies.raw(session, ctx.channel.provider, provider_ref)
    return json.loads(ctx.vault.open(payload)).get("Body")


def listen(ctx: Context) -> int:
    """Find the messages whose webhook never came, by the provider's own list, and return how many there were.

    All processes together do this once in `LISTEN_EVERY`. What a listing that broke off has not seen is listed again.
    """
    now = utc_now()
    with ctx.sessions.begin() as session:
        if ticks.take_turn(session, "listen", now, every=LISTEN_EVERY) is None:
            return 0
        heard = ticks.last(session, "listened")
    since = max(heard - LISTEN_AGAIN if heard else now - LISTEN_FIRST, now - LISTEN_LONGEST)
    found = 0
    for form in ctx.channel.inbound_since(since):
        came_at = datetime.fromisoformat(form["DateCreated"])
        if keep(ctx, form["MessageSid"], {name: [value] for name, value in form.items()}, received_at=came_at):
            found += 1
            measures.heard("found")
    with ctx.sessions.begin() as session:
        ticks.mark(session, "listened", now)
    if found:
        log.warning("messages whose webhook never came", found=found)
    return found


def process_new(ctx: Context) -> int:
    """Make replies of the raw messages that have come, and return how many."""
    made = 0
    while True:
        with ctx.sessions.begin() as session:
            batch = replies.next_new(session, BATCH)
            for inbound in batch:
                made += _process(ctx, session, inbound)
        if len(batch) < BATCH:
            break
    if made:
        ctx.engine.hint(Work.FETCH_MEDIA)
    return made


def _process(ctx: Context, session: Session, inbound: Inbound) -> int:
    inbound.attempts += 1
    try:
        with session.begin_nested():
            form = {name: values[0] for name, values in json.loads(ctx.vault.open(inbound.payload_sealed)).items()}
            _make_reply(ctx, session, inbound, ctx.channel.read_inbound(form))
            inbound.status = InboundStatus.DONE
    except Exception:  # one odd message never holds up the others; it stays for a person after a few tries
        log.exception("a message could not be read", inbound_id=inbound.id)
        if inbound.attempts >= MOST_TRIES:
            inbound.status = InboundStatus.FAILED
        return 0
    return 1


def _make_reply(ctx: Context, session: Session, inbound: Inbound, message: InboundMessage) -> None:
    received_at = inbound.received_at
    address = families.address_at(session, message.channel, ctx.vault.look_up(message.from_number))
    caregiver = address.caregiver if address else None
    if address and (address.heard_at is None or address.heard_at < received_at):
        address.heard_at = received_at
    prompt = (
        deliveries.latest_prompt(session, caregiver.id, received_at, received_at - timedelta(days=ANSWER_DAYS))
        if caregiver
        else None
    )
    zone = ZoneInfo(caregiver.zone if caregiver else "UTC")
    steering = read_steering(message.text, ctx.library.keywords, today=local_day(received_at, zone))
    keyword = OPT_OUT.get(message.opt_out or "") or (steering.keyword if steering else None)
    handled = message.opt_out is not None or message.text.strip().upper() in PROVIDER_WORDS
    reply = Reply(
        inbound_id=inbound.id, caregiver_id=caregiver.id if caregiver else None,
        delivery_id=prompt.id if prompt and keyword in (None, Keyword.UNCLEAR) else None, received_at=received_at,
        text_sealed=ctx.vault.seal(message.text), n_chars=len(message.text), n_words=len(message.text.split()),
        n_media=len(message.media), keyword=keyword, status=ReplyStatus.NEW,
        # On WhatsApp nobody answers a STOP but we.
        provider_answered=handled and ctx.provider_answers and message.channel is ChannelName.SMS,
    )  # fmt: skip
    reply.media = [
        Media(token=new_token(), position=position, source_url=url[:500], told_type=told_type[:100],
              next_look_at=inbound.received_at)
        for position, (url, told_type) in enumerate(message.media, 1)
    ]  # fmt: skip
    session.add(reply)


def fetch_media(ctx: Context) -> int:
    """Fetch, clean and keep the pictures that wait, and return how many were kept."""
    kept = 0
    while True:
        if room.is_short(ctx):
            log.warning("pictures wait for room on the disk")
            return kept
        now = utc_now()
        with ctx.sessions.begin() as session:
            batch = replies.media_to_fetch(
                session, now, BATCH, hold_until=now + timedelta(seconds=FETCH_HOLD_SECONDS)
            )
        for media in batch:
            kept += _fetch(ctx, media)
        if len(batch) < BATCH or ctx.stopping.is_set():
            return kept


def _fetch(ctx: Context, media: Media) -> int:
    key = new_token()
    changes: dict[str, object]
    try:
        picture = clean(b"".join(ctx.channel.fetch_media(media.source_url, MAX_BYTES)))
        ctx.media.put(key, picture.data)
        changes = {
            "status": MediaStatus.STORED, "key": key, "content_type": picture.content_type,
            "n_bytes": len(picture.data), "width": picture.width, "height": picture.height,
            "sha256": hashlib.sha256(picture.data).hexdigest(), "note": None,
        }  # fmt: skip
    except MediaRefusedError as error:
        changes = {"status": MediaStatus.REFUSED, "note": str(error)}
    except (BabyMindError, OSError) as error:
        changes = _look_again(media, error, utc_now())
    with ctx.sessions.begin() as session:
        replies.update_media(session, media.id, changes)
    return int(changes.get("status") is MediaStatus.STORED)


def _look_again(media: Media, error: Exception, now: datetime) -> dict[str, object]:
    said = str(error) if isinstance(error, BabyMindError) else type(error).__name__
    if media.attempts > len(FETCH_AGAIN_SECONDS):
        return {"status": MediaStatus.LOST, "note": said}
    wait = FETCH_AGAIN_SECONDS[media.attempts - 1]
    return {"next_look_at": now + timedelta(seconds=wait), "note": said}


def picture(ctx: Context, token: str) -> tuple[bytes, str]:
    """Return a stored picture's bytes and type by its outside name."""
    with ctx.readers.begin() as session:
        media = replies.media_by_token(session, token)
        if media is None or media.key is None:
            raise NotFoundError("There is no such picture.")
        key, kind = media.key, media.content_type or "application/octet-stream"
    return ctx.media.get(key), kind


def require_message_id(form: Mapping[str, str]) -> str:
    """Return the provider's id of a posted message."""
    provider_ref = form.get("MessageSid", "")
    if not (provider_ref.isascii() and provider_ref.isalnum() and len(provider_ref) <= 64):
        raise InvalidInputError("The message has no MessageSid.")
    return provider_ref
