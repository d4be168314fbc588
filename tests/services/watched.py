"""Deliveries in the states that somebody who watches the service comes upon."""

from datetime import datetime, timedelta
from typing import Any

from babymind.domain.contact import ChannelName
from babymind.domain.delivery import DeliveryStatus, Kind
from babymind.services.context import Context
from babymind.store.deliveries import Attempt, Delivery, new_delivery
from babymind.store.senders import Sender
from tests.factories import utc

NOW = utc("2026-03-08T09:30")
NOT_SAID = "Twilio could not say whether it has this message."


def delivery(ctx: Context, caregiver_id: int, *, now: datetime = NOW, kind: Kind = Kind.NOTICE, attempts: int = 1,
             note: str | None = None, **values: Any) -> int:  # fmt: skip
    """Add a delivery outside the slots, due an hour ago and good until this evening, with its attempts; its id."""
    with ctx.sessions.begin() as session:
        number = session.query(Delivery.id).count()
        row = new_delivery(
            caregiver_id, kind, f"watched:{number}", local_day=now.date(), due_at=now - timedelta(hours=1),
            window_ends_at=now + timedelta(hours=8), text_sealed=ctx.vault.seal("Guess who?"),
        )  # fmt: skip
        row.attempts = attempts
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)
        session.flush()
        for each in range(1, attempts + 1):
            began = now - timedelta(minutes=50 - each)
            session.add(Attempt(delivery_id=row.id, number=each, started_at=began, outcome="unknown", note=note))
        return row.id


def park(ctx: Context, caregiver_id: int, **values: Any) -> int:
    """Add a delivery of which nobody can tell whether it went; its id."""
    fields: dict[str, Any] = {"status": DeliveryStatus.UNKNOWN, "looks": 8} | values
    return delivery(ctx, caregiver_id, note=NOT_SAID, **fields)


def stop_sender(ctx: Context, *, until: datetime = NOW + timedelta(minutes=5), code: int = 21606,
                address: str = "+447700900990") -> int:  # fmt: skip
    """Add a sender that the provider says is set up wrongly; its id."""
    with ctx.sessions.begin() as session:
        row = Sender(channel=ChannelName.WHATSAPP, address=address, stopped_until=until, stopped_code=code)
        session.add(row)
        session.flush()
        return row.id
