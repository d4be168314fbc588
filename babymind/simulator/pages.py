"""The page on which a person reads the texts and answers as a parent, without any account."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zlib import crc32
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from babymind.domain.contact import ChannelName, told_address
from babymind.errors import InvalidInputError
from babymind.simulator.addresses import OptOut
from babymind.simulator.current import exchange
from babymind.simulator.records import Direction, Media, Message, Phone, Status
from babymind.simulator.refusals import TEXTS, RefusedError

pages = Blueprint("pages", __name__)

_SHOWN_AT_FIRST = 100
_SHOWN_AT_MOST = 5000
_SHOWN_AS_PICTURE = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_SHOWN_AS_VIDEO = frozenset({"video/mp4", "video/webm"})
_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_STATES = {
    Status.ACCEPTED: "On its way",
    Status.SCHEDULED: "Scheduled",
    Status.QUEUED: "On its way",
    Status.SENT: "On its way",
    Status.DELIVERED: "Delivered",
    Status.UNDELIVERED: "Not delivered",
    Status.FAILED: "Not sent",
    Status.CANCELED: "Cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubble:
    """One message as the phone shows it."""

    sid: str
    kind: str  # of whom: mine, theirs, or the provider's own
    by: str  # the channel, where it is not a text message
    body: str
    links: list[str]
    pictures: list[Media]
    videos: list[Media]
    files: list[Media]
    written_at: datetime  # by the phone's own clock
    day: str | None  # a line above it, where a day begins
    state: str
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One phone in the list."""

    phone: Phone
    key: str
    last: str
    last_at: datetime | None
    last_day: str
    chosen: bool


@pages.after_request
def protect(response: Response) -> Response:
    """Let a page load nothing but what is ours, and be kept nowhere."""
    response.headers.setdefault("Content-Security-Policy", _CONTENT_POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@pages.app_template_filter("as_number")
def as_number(number: str) -> str:
    """Write a number as people do: +44 7700 900001."""
    if number.startswith("+44"):
        return f"+44 {number[3:7]} {number[7:]}"
    return f"+1 {number[2:5]} {number[5:8]} {number[8:]}"


@pages.app_template_filter("initial")
def initial(phone: Phone) -> str:
    """Return the letter that stands for a phone."""
    return next((char for char in phone.label if char.isalpha()), "#").upper()


@pages.app_template_filter("face_colour")
def face_colour(phone: Phone) -> int:
    """Return which of six colours a phone has; it keeps it while it keeps its label."""
    return crc32(phone.label.encode()) % 6


@pages.get("/")
def index() -> ResponseReturnValue:
    """Show all phones."""
    return _page(None)


@pages.post("/phones")
def add() -> ResponseReturnValue:
    """Put one more phone on the page."""
    number = request.form.get("number", "").replace(" ", "").replace("-", "")
    try:
        phone = exchange().add_phone(number, request.form.get("label", "").strip() or number)
    except InvalidInputError as error:
        return _page(None, adding_error=str(error)), 422
    return redirect(_address(phone), 303)


@pages.get("/phones")
def phone_list() -> ResponseReturnValue:
    """Show the list of phones alone, for the script that keeps it fresh."""
    return _fresh(lambda: render_template("simulator/_list.html", entries=_entries(request.args.get("chosen"))))


@pages.get("/phones/<digits>")
def conversation(digits: str) -> ResponseReturnValue:
    """Show one phone."""
    return _page(_phone(digits))


@pages.get("/phones/<digits>/thread")
def thread(digits: str) -> ResponseReturnValue:
    """Show the bubbles of one phone alone, for the script that keeps them fresh."""
    phone = _phone(digits)
    return _fresh(lambda: _thread(phone))


@pages.post("/phones/<digits>/messages")
def write(digits: str) -> ResponseReturnValue:
    """Send a text from a phone; a script gets the bubbles back, a form the page."""
    phone, for_script = _phone(digits), "X-Fragment" in request.headers
    quick = request.form.get("quick")
    body = quick if quick in set(OptOut) else request.form.get("body", "")
    try:
        media = [
            (file.mimetype or "application/octet-stream", file.read())
            for file in request.files.getlist("photos")
            if file.filename
        ]
        sender = told_address(_channel(phone), phone.number)
        exchange().receive(sender, None, body.replace("\r\n", "\n"), media)
    except InvalidInputError as error:
        return (str(error) if for_script else _page(phone, error=str(error), draft=body)), 422
    return _thread(phone) if for_script else redirect(f"{_address(phone)}#end", 303)


@pages.get("/phones/<digits>/media/<sid>")
def media(digits: str, sid: str) -> ResponseReturnValue:
    """Show a file of this phone; what could act like a page of ours is only given as a download."""
    phone = _phone(digits)
    file, content = exchange().media(sid)
    if exchange().message(file.message_sid).phone != phone.number:
        raise RefusedError(20404)
    shown = file.content_type in _SHOWN_AS_PICTURE | _SHOWN_AS_VIDEO
    headers = {
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Content-Disposition": "inline" if shown else "attachment",
        "Cache-Control": "private, max-age=3600",
    }
    return Response(content, 200, headers, content_type=file.content_type)


@pages.errorhandler(RefusedError)
def not_there(error: RefusedError) -> ResponseReturnValue:
    """Say that there is no such phone or file."""
    return _page(None, error="There is no such phone or picture."), error.status


@pages.errorhandler(RequestEntityTooLarge)
def too_large(error: HTTPException) -> ResponseReturnValue:
    """Say that the pictures are too large together."""
    text = "That was more than 32 MB. Send fewer or smaller pictures."
    return (text if "X-Fragment" in request.headers else _page(None, error=text)), 413


def _channel(phone: Phone) -> ChannelName:
    """Return by what a person writes: what they chose, else as they were last written to."""
    chosen = request.form.get("channel")
    if chosen in (ChannelName.SMS, ChannelName.WHATSAPP):
        return ChannelName(chosen)
    last = exchange().thread(phone.number, limit=1)
    return ChannelName.WHATSAPP if last and last[0][0].by_whatsapp else ChannelName.SMS


def _phone(digits: str) -> Phone:
    phone = exchange().phone(f"+{digits}")
    if phone is None:
        raise RefusedError(20404)
    return phone


def _address(phone: Phone) -> str:
    return url_for("pages.conversation", digits=phone.number.removeprefix("+"))


def _page(phone: Phone | None, *, error: str | None = None, adding_error: str | None = None, draft: str = "") -> str:
    bubbles, more = _bubbles(phone) if phone else ([], False)
    chosen = phone.number.removeprefix("+") if phone else None
    return render_template(
        "simulator/phones.html",
        phone=phone,
        entries=_entries(chosen),
        chosen=chosen,
        bubbles=bubbles,
        more=more,
        shown=_shown(),
        opted_out=phone is not None and exchange().is_opted_out(phone.number),
        error=error,
        adding_error=adding_error,
        draft=draft,
        words=list(OptOut),
        channels={ChannelName.SMS: "Text message", ChannelName.WHATSAPP: "WhatsApp"},
        channel=_channel(phone) if phone else None,
    )


def _thread(phone: Phone) -> str:
    bubbles, more = _bubbles(phone)
    return render_template(
        "simulator/_thread.html",
        chosen=phone.number.removeprefix("+"),
        bubbles=bubbles,
        more=more,
        shown=_shown(),
        opted_out=exchange().is_opted_out(phone.number),
    )


def _fresh(render: Callable[[], str]) -> Response:
    """Answer with what was rendered, or 304 without rendering where nothing changed since."""
    answer = Response(content_type="text/html; charset=utf-8")
    answer.set_etag(exchange().version)
    answer.headers["Cache-Control"] = "no-cache"
    answer.make_conditional(request.environ)
    if answer.status_code != 304:
        answer.set_data(render())
    return answer


def _shown() -> int:
    text = request.args.get("show", "")
    return min(int(text), _SHOWN_AT_MOST) if text.isascii() and text.isdecimal() else _SHOWN_AT_FIRST


def _bubbles(phone: Phone) -> tuple[list[Bubble], bool]:
    """Return what a phone shows, and whether there is more before it."""
    shown, zone = _shown(), ZoneInfo(phone.time_zone)
    messages = exchange().thread(phone.number, limit=shown + 1)
    bubbles: list[Bubble] = []
    now = exchange().now().astimezone(zone)
    for message, media in messages[-shown:]:
        at = message.created_at.astimezone(zone)
        begins = not bubbles or bubbles[-1].written_at.date() != at.date()
        bubbles.append(_bubble(message, media, at, _day(at, now) if begins else None))
    return bubbles, len(messages) > shown


def _bubble(message: Message, media: list[Media], at: datetime, day: str | None) -> Bubble:
    kind = {Direction.INBOUND: "mine", Direction.OUTBOUND_REPLY: "provider"}.get(message.direction, "theirs")
    pictures = [file for file in media if file.content_type in _SHOWN_AS_PICTURE]
    videos = [file for file in media if file.content_type in _SHOWN_AS_VIDEO]
    state, failed = _state(message)
    return Bubble(
        sid=message.sid,
        kind=kind,
        by=("WhatsApp template" if message.content_sid else "WhatsApp") if message.by_whatsapp else "",
        body=message.body,
        links=message.links.splitlines(),
        pictures=pictures,
        videos=videos,
        files=[file for file in media if file not in pictures and file not in videos],
        written_at=at,
        day=day,
        state=state,
        failed=failed,
    )


def _state(message: Message) -> tuple[str, bool]:
    """Return how far a message came, in words, and whether that is a failure."""
    if message.direction is Direction.INBOUND:
        match message.webhook_status:
            case None:
                return "Sent", False
            case 0:
                return "BabyMind did not answer", True
            case status if status >= 400:
                return f"BabyMind refused it ({status})", True
            case _:
                return "Received", False
    text = _STATES[message.status]
    if message.error_code is None:
        return text, False
    return f"{text}: {TEXTS.get(message.error_code, 'unknown error').lower()} ({message.error_code})", True


def _entries(chosen: str | None) -> list[Entry]:
    entries = []
    for phone, last in exchange().phones():
        zone, key = ZoneInfo(phone.time_zone), phone.number.removeprefix("+")
        at = last.created_at.astimezone(zone) if last else None
        text = "" if last is None else last.body or ("Photo" if last.num_media == 1 else f"{last.num_media} photos")
        entries.append(
            Entry(
                phone=phone,
                key=key,
                last=" ".join(text.split())[:90],
                last_at=at,
                last_day=_short_day(at, exchange().now().astimezone(zone)) if at else "",
                chosen=key == chosen,
            )
        )
    return entries


def _day(at: datetime, now: datetime) -> str:
    days_ago = (now.date() - at.date()).days
    if days_ago in {0, 1}:
        return ("Today", "Yesterday")[days_ago]
    return f"{at:%A} {at.day} {at:%B}" + ("" if at.year == now.year else f" {at.year}")


def _short_day(at: datetime, now: datetime) -> str:
    days_ago = (now.date() - at.date()).days
    if days_ago == 0:
        return f"{at:%H:%M}"
    return f"{at:%A}"[:3] if 0 < days_ago < 7 else f"{at.day} {at:%b}"
