"""Which provider the running application shows."""

from typing import cast

from flask import current_app

from babymind.simulator.state import Exchange


def exchange() -> Exchange:
    """Return the provider of the current request."""
    return cast("Exchange", current_app.extensions["exchange"])
