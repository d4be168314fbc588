"""The provider itself: takes messages both ways, and remembers them."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from babymind.clock import utc_now
from babymind.errors import InvalidInputError
from babymind.simulator.addresses import OptOut, bare_number, is_fiction, is_whatsapp, keyword, segments
from babymind.simulator.config import SimulatorConfig
from babymind.simulator.faults import FaultName, FaultPlan
from babymind.simulator.life import Life, incoming_fields
from babymind.simulator.records import (
    UNFINISHED,
    Came,
    Direction,
    Media,
    Message,
    NewMessage,
    Phone,
    Status,
    new_sid,
)
from babymind.simulator.refusals import RefusedError
from babymind.simulator.storage import Search, Storage

BODY_LIMIT = 1600
MEDIA_LIMIT = 10
_CONTENT_TYPE = re.compile(r"[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64}")

REPLIES = {
    OptOut.STOP: "You have successfully been unsubscribed. You will not receive any more messages from this"
    " number. Reply START to resubscribe.",
    OptOut.START: "You have successfully been re-subscribed to messages from this number. Reply HELP for help."
    " Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
    OptOut.HELP: "Reply STOP to unsubscribe. Msg&Data Rates May Apply.",
}


class Exchange:
    """The state and the life of a simulated provider account; safe to use from any thread.

    With a file as its database it forgets nothing over a restart, and takes up what was on its way. ``base_url``
    is where the provider answers; the server sets it. ``faults`` is the plan of what goes wrong.
    """

    def __init__(
        self, config: SimulatorConfig, database: str = ":memory:", *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self.config = config
        self.faults = FaultPlan()
        self.base_url = "http://127.0.0.1"
        self._now = now
        self._born = new_sid("")
        self._storage = Storage(database)
        self._numbers = self._storage.numbers()
        self._life = Life(config, self._storage, self.faults, now)
        for message in self._storage.unfinished():
            self._life.begin(message)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Stop the background work and close the file."""
        self.faults.interrupt()
        self._life.close()
        self._storage.close()

    def settle(self, timeout_seconds: float = 10.0) -> bool:
        """Wait until all messages have arrived and all webhooks were called; False if the time ran out first."""
        return self._life.settle(timeout_seconds)

    @property
    def version(self) -> str:
        """What differs after every change, so that a page can tell that nothing is new."""
        return f"{self._born}-{self._storage.revision}"

    def now(self) -> datetime:
        """Return the present instant, by the clock that this provider was given."""
        return self._now()

    # What the application does, over REST

    def send(self, new: NewMessage) -> Message:
        """Take a message for sending; it travels in the background.

        Raises:
            RefusedError: As the provider would, with its error number.
        """
        self._check(new)
        now = self._now()
        if new.send_at is not None:
            status = Status.SCHEDULED
        else:
            status = Status.ACCEPTED if new.messaging_service_sid else Status.QUEUED
        message = Message(
            sid=new_sid("SM"),
            account_sid=self.config.account_sid,
            from_=new.from_,
            to=new.to,
            body=new.body,
            direction=Direction.OUTBOUND_API,
            status=status,
            created_at=now,
            updated_at=now,
            num_segments=1 if is_whatsapp(new.to) else segments(new.body),
            status_callback=new.status_callback,
            messaging_service_sid=new.messaging_service_sid,
            validity_seconds=new.validity_seconds,
            send_at=new.send_at,
            links="\n".join(new.links),
            content_sid=new.content_sid,
        )
        self._know(message.phone)
        self._storage.add(message)
        self._life.begin(message)
        return message

    def message(self, sid: str) -> Message:
        """Return a message.

        Raises:
            RefusedError: There is none (20404).
        """
        message = self._storage.message(sid)
        if message is None or message.direction is Direction.OUTBOUND_REPLY:
            raise RefusedError(20404, f"The requested resource {sid} was not found")
        return message

    def messages(
        self, search: Search | None = None, *, limit: int = 50, before: int | None = None, after: int | None = None
    ) -> list[Message]:
        """Return messages, newest first; ``before`` and ``after`` are positions to go on from."""
        return self._storage.page(search or Search(), limit=limit, before=before, after=after)

    def redact(self, sid: str) -> Message:
        """Empty the text of a finished message."""
        self._finished(sid)
        self._storage.update(sid, now=self._now(), body="")
        return self.message(sid)

    def cancel(self, sid: str) -> Message:
        """Cancel a scheduled message; nothing else can be cancelled."""
        self.message(sid)
        only_from = {Status.SCHEDULED}
        cancelled = self._storage.update(sid, now=self._now(), only_from=only_from, status=Status.CANCELED)
        if cancelled is None:
            raise RefusedError(30409, "This message cannot be canceled")
        return cancelled

    def delete(self, sid: str) -> None:
        """Delete a finished message with its files."""
        self._finished(sid)
        self._storage.delete(sid)

    def media_of(self, message_sid: str) -> list[Media]:
        """Return the files of a message, in order."""
        self.message(message_sid)
        return self._storage.media_of([message_sid])

    def media(self, sid: str, *, message_sid: str | None = None) -> tuple[Media, bytes]:
        """Return a file with its bytes; of this message, where one is named.

        Raises:
            RefusedError: There is none (20404).
        """
        found = self._storage.media(sid)
        if found is None or message_sid not in {None, found[0].message_sid}:
            raise RefusedError(20404, f"The requested resource {sid} was not found")
        return found

    def delete_media(self, sid: str, *, message_sid: str) -> None:
        """Delete a file of a message."""
        if not self._storage.delete_media(sid, message_sid=message_sid):
            raise RefusedError(20404, f"The requested resource {sid} was not found")

    # What people with phones do

    def receive(self, from_: str, to: str | None, body: str, media: Sequence[tuple[str, bytes]] = ()) -> Message:
        """Take a text from a phone, and call the messages webhook in the background.

        Args:
            from_: The phone: a number reserved for fiction, with ``whatsapp:`` before it or not.
            to: The provider's number; None is the one that last wrote to this phone, or else the account's own.
            body: The text; may be empty where there are files.
            media: Content type and bytes of each file.

        Raises:
            InvalidInputError: No such phone or sender can be, or there is too much or nothing to send.

        Returns:
            The message; of an album that came in parts, the last.
        """
        if not is_fiction(from_):
            raise InvalidInputError("A simulated phone has a number reserved for fiction")
        to = to or self._last_sender(from_) or self.config.sender_to(from_)
        if is_whatsapp(to) != is_whatsapp(from_) or not self.config.is_ours(to):
            raise InvalidInputError("Nobody listens at that number")
        if len(body) > BODY_LIMIT or len(media) > MEDIA_LIMIT or not (body.strip() or media):
            raise InvalidInputError(
                f"A text has up to {BODY_LIMIT} characters and {MEDIA_LIMIT} pictures, and at least one of either"
            )
        parts: list[tuple[str, Sequence[tuple[str, bytes]]]] = [(body, media)]
        if len(media) > 1 and self.faults.take(FaultName.WEBHOOK_ALBUM, number=from_):
            parts = [("", [file]) for file in media] + ([(body, ())] if body.strip() else [])
        stored = [self._store_incoming(from_, to, text, files) for text, files in parts]
        for message, fields in stored:
            self._life.announce(message, fields)
        return stored[-1][0]

    def _store_incoming(
        self, from_: str, to: str, body: str, media: Sequence[tuple[str, bytes]]
    ) -> tuple[Message, dict[str, str]]:
        """Keep a message from a phone; returns it with the form of its webhook."""
        now, sid = self._now(), new_sid("MM" if media else "SM")
        files = [
            (Media(sid=new_sid("ME"), message_sid=sid, content_type=_content_type(kind), created_at=now), content)
            for kind, content in media
        ]
        message = Message(
            sid=sid,
            account_sid=self.config.account_sid,
            from_=from_,
            to=to,
            body=body,
            direction=Direction.INBOUND,
            status=Status.RECEIVED,
            created_at=now,
            updated_at=now,
            sent_at=now,
            num_media=len(files),
            num_segments=segments(body),
            messaging_service_sid=self.config.messaging_service_sid,
        )
        self._know(message.phone)
        self._storage.add(message, files)
        if is_whatsapp(from_):
            self._storage.hear(from_, to, now)
        opt_out = None if is_whatsapp(from_) else self._mind_keyword(message)  # WhatsApp has no such block
        phone = self._storage.phone(message.phone)
        fields = incoming_fields(
            message,
            [file for file, _ in files],
            base_url=self.base_url,
            label=phone.label if phone else message.phone,
            opt_out=opt_out,
        )
        return message, fields

    def add_phone(self, number: str, label: str, time_zone: str = "Europe/London") -> Phone:
        """Put a phone on the page, or give it another label.

        Raises:
            InvalidInputError: The number is not one reserved for fiction, or the zone does not exist.
        """
        if not is_fiction(number) or is_whatsapp(number):
            raise InvalidInputError(
                "Only numbers reserved for fiction are simulated: +447700900000 to +447700900999,"
                " or 555-0100 to 555-0199 in the United States (+1, area code, 55501, two digits)"
            )
        if not 0 < len(label) <= 80:
            raise InvalidInputError("A phone has a label of up to 80 characters")
        try:
            ZoneInfo(time_zone)
        except (OSError, ValueError, KeyError):
            raise InvalidInputError(f"There is no time zone {time_zone}") from None
        phone = Phone(number=number, label=label, time_zone=time_zone)
        self._storage.add_phone(phone)
        self._numbers.add(number)
        return phone

    def phone(self, number: str) -> Phone | None:
        """Return a phone."""
        return self._storage.phone(number)

    def phones(self, *, limit: int = 200) -> list[tuple[Phone, Message | None]]:
        """Return phones, each with its last message; the liveliest first."""
        return self._storage.phones(limit=limit)

    def thread(self, number: str, *, limit: int = 100) -> list[tuple[Message, list[Media]]]:
        """Return what a phone shows, oldest first, with the files of each message."""
        messages = self._storage.thread(number, limit=limit)
        media = self._storage.media_of(m.sid for m in messages if m.num_media)
        return [(m, [file for file in media if file.message_sid == m.sid]) for m in messages]

    def is_opted_out(self, number: str) -> bool:
        """Say whether the provider holds a STOP of this number."""
        return any(self._storage.opted_out(bare_number(number), sender) for sender in self.config.numbers)

    def came(self, since: datetime | None = None) -> list[Came]:
        """Return when how many segments came from each sender, the first first."""
        return self._storage.came(since)

    def _check(self, new: NewMessage) -> None:
        """Refuse what the provider would refuse at once."""
        if not is_fiction(new.to):
            raise RefusedError(
                21211,
                f"Invalid 'To' Phone Number: {new.to}. The simulator texts numbers reserved for fiction only:"
                " it never stands in for a real phone",
            )
        if new.from_ is None and new.messaging_service_sid is None:
            raise RefusedError(21603, "A 'From' phone number is required")
        if new.from_ is not None and is_whatsapp(new.from_) != is_whatsapp(new.to):
            raise RefusedError(21910, "Invalid 'From' and 'To' pair: they are not of the same channel")
        if new.from_ is not None and not self.config.is_ours(new.from_):
            raise RefusedError(
                21606,
                f"The 'From' phone number {new.from_} is not a valid, message-capable number for this account",
            )
        if new.messaging_service_sid not in {None, self.config.messaging_service_sid}:
            raise RefusedError(21701, "The Messaging Service does not exist")
        if len(new.body) > BODY_LIMIT:
            raise RefusedError(21617, f"The concatenated message body exceeds the {BODY_LIMIT} character limit")
        if not new.body and not new.links:
            raise RefusedError(21602, "Message body is required")
        if new.status_callback is not None and not self.config.can_reach(new.status_callback):
            raise RefusedError(21609, "Invalid 'StatusCallback' URL: the simulator calls this machine only")
        if not 1 <= new.validity_seconds <= 36000:
            raise RefusedError(90007, "'ValidityPeriod' is a number of seconds from 1 to 36000")
        if new.send_at is not None:
            ahead = new.send_at - self._now()
            if not timedelta(seconds=300) <= ahead <= timedelta(days=35):
                raise RefusedError(35114, "'SendAt' is from 300 seconds to 35 days ahead")
        senders = self.config.numbers if new.from_ is None else (new.from_,)
        if any(self._storage.opted_out(new.to, sender) for sender in senders):
            raise RefusedError(21610)
        error = self.faults.take(FaultName.NUMBER_REFUSED, number=new.to)
        if error is not None:
            raise RefusedError(error.code)

    def _mind_keyword(self, message: Message) -> OptOut | None:
        """Keep or lift a STOP, answer as the provider does, and say what was understood."""
        sender = message.to
        word = keyword(message.body, opted_out=self.is_opted_out(message.phone))
        match word:
            case OptOut.STOP:
                changed = self._storage.opt_out(message.phone, sender)
            case OptOut.START:
                changed = self._storage.opt_in(message.phone, sender)
            case _:
                changed = word is not None
        # The provider confirms a change once; somebody who had stopped already hears nothing more.
        if word is not None and changed and self.config.provider_answers_optout:
            self._storage.add(
                Message(
                    sid=new_sid("SM"),
                    account_sid=self.config.account_sid,
                    from_=sender,
                    to=message.phone,
                    body=REPLIES[word],
                    direction=Direction.OUTBOUND_REPLY,
                    status=Status.DELIVERED,
                    created_at=message.created_at,
                    updated_at=message.created_at,
                    sent_at=message.created_at,
                    num_segments=segments(REPLIES[word]),
                )
            )
        return word

    def _last_sender(self, phone: str) -> str | None:
        sender = self._storage.last_sender(phone)
        return sender if sender is not None and self.config.is_ours(sender) else None

    def _finished(self, sid: str) -> None:
        if self.message(sid).status in UNFINISHED:
            raise RefusedError(20009, "The message is not complete: it can be changed once it was delivered")

    def _know(self, number: str) -> None:
        """Give a number that was never seen a phone of its own, so that its texts can be read."""
        if number not in self._numbers:
            self.add_phone(number, number)


def _content_type(named: str) -> str:
    """Return a content type as it may stand in a header: what a phone named, or plain bytes."""
    kind = named.partition(";")[0].strip().lower()
    return kind if _CONTENT_TYPE.fullmatch(kind) else "application/octet-stream"
