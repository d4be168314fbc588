"""The front door: open to everybody, and leads to the staff pages."""

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

front = Blueprint("front", __name__)


@front.get("/")
def door() -> ResponseReturnValue:
    """Lead to the staff pages."""
    return redirect(url_for("admin.today"))
