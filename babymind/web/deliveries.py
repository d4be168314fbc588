"""The page Deliveries: what a day came to, what failed and why, and what waits for a person's decision."""

from collections.abc import Mapping
from datetime import timedelta

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from babymind.clock import utc_now
from babymind.domain.delivery import DeliveryStatus, Kind
from babymind.errors import ConflictError
from babymind.services import parked
from babymind.web.access import ALL_STAFF, TEAM, open_to
from babymind.web.current import context, staff_id
from babymind.web.errors import status_of
from babymind.web.keys import LARGEST_KEY
from babymind.web.ledger import parse_day

# Where a delivery stands, each state apart: a day's counts tell more than the word for a family's page does.
SAID = {
    DeliveryStatus.PLANNED: "to be sent",
    DeliveryStatus.SENDING: "going now",
    DeliveryStatus.ACCEPTED: "handed to the provider",
    DeliveryStatus.SENT: "sent",
    DeliveryStatus.UNDELIVERED: "not delivered",
    DeliveryStatus.FAILED: "failed",
    DeliveryStatus.DELIVERED: "delivered",
    DeliveryStatus.READ: "read",
    DeliveryStatus.EXPIRED: "too late",
    DeliveryStatus.CANCELLED: "called off",
    DeliveryStatus.SKIPPED: "not to be sent",
    DeliveryStatus.UNKNOWN: "not known yet",
}
CHANNELS = {"sms": "text messages", "whatsapp": "WhatsApp", "app": "the app"}

deliveries = Blueprint("deliveries", __name__, url_prefix="/deliveries")  # behind the door of the staff pages


@deliveries.get("")
@open_to(ALL_STAFF)
def page() -> ResponseReturnValue:
    """Show the page. Only study codes and counts: anybody of the team may see it."""
    return _show()


@deliveries.post("/<key:delivery_id>/ask")
@open_to(TEAM)
def ask_again(delivery_id: int) -> ResponseReturnValue:
    """Ask the provider again what became of a message."""
    try:
        parked.ask_again(context(), delivery_id, _actor())
    except ConflictError as error:
        return _show(error), status_of(error)
    return _done("The provider is asked again within a minute; what it says shows here.")


@deliveries.post("/<key:delivery_id>/send")
@open_to(TEAM)
def send_again(delivery_id: int) -> ResponseReturnValue:
    """Send a message again that did not arrive."""
    try:
        parked.send_again(context(), delivery_id, _actor())
    except ConflictError as error:
        return _show(error), status_of(error)
    return _done("The message goes within a minute, unless the family has paused or stopped meanwhile.")


@deliveries.post("/<key:delivery_id>/give-up")
@open_to(TEAM)
def give_up(delivery_id: int) -> ResponseReturnValue:
    """Do nothing more about a message."""
    try:
        parked.give_up(context(), delivery_id, _actor())
    except ConflictError as error:
        return _show(error), status_of(error)
    return _done("The message is given up; it counts as not sent.")


@deliveries.post("/senders/<key:sender_id>/try")
@open_to(TEAM)
def try_sender(sender_id: int) -> ResponseReturnValue:
    """Send from a number again that was stopped."""
    try:
        parked.try_sender(context(), sender_id, _actor())
    except ConflictError as error:
        return _show(error), status_of(error)
    return _done("It sends again; if the provider still says no, it is stopped again and shown here.")


def _show(error: ConflictError | None = None) -> str:
    today = utc_now().date()
    on = parse_day(request.args["day"]) if request.args.get("day") else today
    if on is None:
        abort(404)
    after = {name: _key(request.args.get(name)) for name in ("parked_after", "stuck_after")}
    view = parked.overview(context(), on, **after)
    return render_template(
        "deliveries.html",
        view=view,
        counts=_table(view.counts),
        SAID=SAID,
        CHANNELS=CHANNELS,
        on=on,
        today=today,
        before=on - timedelta(days=1),
        following=on + timedelta(days=1) if on <= today else None,  # in the east it may be tomorrow already
        after=after,
        error=error,
    )


def _table(counts: Mapping[tuple[Kind, DeliveryStatus], int]) -> list[tuple[Kind, list[tuple[DeliveryStatus, int]]]]:
    """Return the counts by kind, in the order in which things happen."""
    return [
        (kind, [(status, counts[kind, status]) for status in DeliveryStatus if counts.get((kind, status))])
        for kind in Kind
        if any(which is kind for which, _ in counts)
    ]


def _key(text: str | None) -> int:
    if text is None:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= LARGEST_KEY):
        abort(404)
    return int(text)


def _done(said: str) -> ResponseReturnValue:
    flash(said)
    return redirect(url_for("admin.deliveries.page", day=request.args.get("day")), 303)


def _actor() -> str:
    return f"staff:{staff_id()}"
