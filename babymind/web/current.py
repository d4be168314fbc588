"""The context of the installation, and the member of staff, of the present request."""

from flask import current_app
from flask_security import current_user

from babymind.services.context import Context

EXTENSION = "babymind"


def context() -> Context:
    """Return the parts of this installation."""
    ctx: Context = current_app.extensions[EXTENSION]
    return ctx


def staff_id() -> int:
    """Return who is signed in; only for views that nobody enters without."""
    return int(current_user.id)
