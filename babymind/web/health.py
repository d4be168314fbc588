"""For the machines that watch this one: open to everybody, and without a name, number or text."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from babymind.services import health as service
from babymind.web.current import context

health = Blueprint("health", __name__)


@health.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Tell how this installation is."""
    return dict(service.state(context()))


@health.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Answer 200 when the database answers; 503 comes of the error that it raises."""
    service.ready(context())
    return {"ready": True}
