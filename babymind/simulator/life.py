"""What becomes of a message after it is accepted: its statuses, callbacks, and the webhook for what comes in."""

import logging
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from babymind.simulator.addresses import OptOut, bare_number, country, is_whatsapp
from babymind.simulator.config import SimulatorConfig
from babymind.simulator.faults import FaultName, FaultPlan
from babymind.simulator.records import WAITING, Media, Message, Status
from babymind.simulator.refusals import TEXTS
from babymind.simulator.storage import Storage
from babymind.simulator.tasks import Tasks
from babymind.simulator.webhooks import Poster, WebhookFailedError

log = logging.getLogger(__name__)

API_VERSION = "2010-04-01"
_FOUND_OUT_BY_CARRIER = frozenset(range(30003, 30010)) | {30017, 30410}  # after `sent`: undelivered, not failed
_VALIDITY_EXPIRED = 30036
_OUTSIDE_WINDOW = 63016
_WINDOW = timedelta(hours=24)


class Life:
    """Moves messages on in the background. Callbacks that fail are tried again a few times, then given up."""

    def __init__(
        self, config: SimulatorConfig, storage: Storage, faults: FaultPlan, now: Callable[[], datetime]
    ) -> None:
        self._config = config
        self._storage = storage
        self._faults = faults
        self._now = now
        self._tasks = Tasks(config.workers)
        self._poster = Poster(config)

    def begin(self, message: Message) -> None:
        """Send a message on its way, or on the rest of its way after a restart."""
        if message.status is Status.SENT:
            self._later(lambda: self._arrive(message.sid, None, None))
            return
        wait = self._config.callback_delay_seconds
        if message.send_at is not None:
            wait = max(0.0, (message.send_at - self._now()) / timedelta(seconds=1))
        late = self._faults.take(FaultName.QUEUE_LATE, number=message.phone)
        if late is not None:
            wait += late.seconds
        self._tasks.run(wait, lambda: self._leave(message))

    def announce(self, message: Message, fields: Mapping[str, str]) -> None:
        """Post the webhook for an incoming message: once, and once more if that fails; then never again."""
        if self._faults.take(FaultName.WEBHOOK_LOST, number=message.phone):
            return
        posts = 2 if self._faults.take(FaultName.WEBHOOK_DUPLICATE, number=message.phone) else 1
        token = _token()
        for _ in range(posts):
            self._tasks.run(0, lambda: self._post_incoming(message.sid, fields, token, tries_left=2))

    def settle(self, timeout_seconds: float) -> bool:
        """Wait until everything has arrived and been called back; False where the time ran out first."""
        return self._tasks.settle(timeout_seconds)

    def close(self) -> None:
        """Stop; what was on its way goes on after the next start."""
        self._tasks.close()
        self._poster.close()

    def _later(self, work: Callable[[], None]) -> None:
        self._tasks.run(self._config.callback_delay_seconds, work)

    def _leave(self, message: Message) -> None:
        now, phone = self._now(), message.phone
        error = self._faults.take(FaultName.NUMBER_ERROR, number=phone)
        code = error.code if error else None
        expires_at = (message.send_at or message.created_at) + timedelta(seconds=message.validity_seconds)
        if now > expires_at:
            code = _VALIDITY_EXPIRED
        if code is None and self._is_outside_window(message, now):
            code = _OUTSIDE_WINDOW
        if code is not None and code not in _FOUND_OUT_BY_CARRIER:
            changes = {"status": Status.FAILED, "error_code": code}
            failed = self._storage.update(message.sid, now=now, only_from=WAITING, **changes)
            if failed is not None:
                self._call_back(failed)
            return
        sender = message.from_ or self._config.sender_to(message.to)
        sent = self._storage.update(
            message.sid, now=now, only_from=WAITING, status=Status.SENT, sent_at=now, from_=sender
        )
        if sent is None:  # cancelled or deleted meanwhile
            return
        held = sent if self._faults.take(FaultName.CALLBACK_REORDER, number=phone) else None
        if held is None:
            self._call_back(sent)
        self._later(lambda: self._arrive(message.sid, code, held))

    def _is_outside_window(self, message: Message, now: datetime) -> bool:
        """Say whether WhatsApp refuses a text: our own words, to somebody who has not written for a day."""
        if not is_whatsapp(message.to) or message.content_sid is not None:
            return False
        heard_at = self._storage.heard_at(message.to, message.from_ or self._config.sender_to(message.to))
        return heard_at is None or now >= heard_at + _WINDOW

    def _arrive(self, sid: str, code: int | None, held: Message | None) -> None:
        status = Status.DELIVERED if code is None else Status.UNDELIVERED
        changes = {"status": status, "error_code": code}
        arrived = self._storage.update(sid, now=self._now(), only_from={Status.SENT}, **changes)
        if arrived is not None:
            self._call_back(arrived)
        if held is not None:
            self._call_back(held)

    def _call_back(self, message: Message) -> None:
        if message.status_callback is None:
            return
        if self._faults.take(FaultName.CALLBACK_LOST, number=message.phone):
            return
        fields = status_fields(message)
        if self._faults.take(FaultName.CALLBACK_FORGED, number=message.phone):
            lie = {**fields, "MessageStatus": "failed", "SmsStatus": "failed", "ErrorCode": "30005"}
            self._post_status(message.status_callback, lie, _token(), tries_left=1, forged=True)
        posts = 2 if self._faults.take(FaultName.CALLBACK_DUPLICATE, number=message.phone) else 1
        token = _token()
        for _ in range(posts):
            self._post_status(message.status_callback, fields, token, self._config.callback_attempts)

    def _post_status(
        self, url: str, fields: Mapping[str, str], token: str, tries_left: int, *, forged: bool = False
    ) -> None:
        if self._succeeds(url, fields, token, forged=forged)[0] or tries_left <= 1:
            return
        self._later(lambda: self._post_status(url, fields, token, tries_left - 1))

    def _post_incoming(self, sid: str, fields: Mapping[str, str], token: str, tries_left: int) -> None:
        done, status = self._succeeds(self._config.messages_webhook_url, fields, token)
        self._storage.update(sid, now=self._now(), webhook_status=status)
        if not done and tries_left > 1:
            self._later(lambda: self._post_incoming(sid, fields, token, tries_left - 1))

    def _succeeds(self, url: str, fields: Mapping[str, str], token: str, *, forged: bool = False) -> tuple[bool, int]:
        """Post once; says whether there is no reason to try again, and the HTTP status (0 for no answer)."""
        try:
            status = self._poster.post(url, fields, token=token, forged=forged)
        except WebhookFailedError as error:
            log.warning("webhook of %s: %s", fields["MessageSid"], error)
            return False, 0
        if status >= 400:
            log.warning("webhook of %s answered %d", fields["MessageSid"], status)
        return status < 500, status


def status_fields(message: Message) -> dict[str, str]:
    """Return the form of a status callback."""
    fields = {
        "ApiVersion": API_VERSION,
        "AccountSid": message.account_sid,
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "MessageStatus": message.status.value,
        "SmsStatus": message.status.value,
        "To": message.to,
        "From": message.from_ or "",
    }
    if message.messaging_service_sid is not None:
        fields["MessagingServiceSid"] = message.messaging_service_sid
    if message.error_code is not None:
        fields["ErrorCode"] = str(message.error_code)
        fields["ErrorMessage"] = TEXTS.get(message.error_code, "Unknown error")
    if message.status in {Status.DELIVERED, Status.UNDELIVERED}:
        fields["RawDlrDoneDate"] = message.updated_at.strftime("%y%m%d%H%M")
    return fields


def incoming_fields(
    message: Message, media: list[Media], *, base_url: str, label: str, opt_out: OptOut | None
) -> dict[str, str]:
    """Return the form of the webhook for an incoming message."""
    sender = message.from_ or ""
    fields = {
        "ApiVersion": API_VERSION,
        "AccountSid": message.account_sid,
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "SmsMessageSid": message.sid,
        "SmsStatus": "received",
        "From": sender,
        "To": message.to,
        "Body": message.body,
        "NumMedia": str(len(media)),
        "NumSegments": str(message.num_segments),
    }
    for side, address in (("From", sender), ("To", message.to)):
        fields |= {f"{side}City": "", f"{side}State": "", f"{side}Zip": "", f"{side}Country": country(address)}
    for index, file in enumerate(media):
        path = f"/{API_VERSION}/Accounts/{message.account_sid}/Messages/{message.sid}/Media/{file.sid}"
        fields |= {f"MediaUrl{index}": base_url + path, f"MediaContentType{index}": file.content_type}
    if message.messaging_service_sid is not None:
        fields["MessagingServiceSid"] = message.messaging_service_sid
    if is_whatsapp(sender):
        fields |= {"ProfileName": label, "WaId": bare_number(sender).removeprefix("+")}
    if opt_out is not None:
        fields["OptOutType"] = opt_out.value
    return fields


def _token() -> str:
    return secrets.token_hex(16)
