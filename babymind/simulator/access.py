"""Who may talk to the simulator: this machine, and for REST whoever knows the account's token."""

import base64
import hmac
from functools import lru_cache
from urllib.parse import urlsplit

from babymind.simulator.config import SimulatorConfig, is_loopback


@lru_cache(maxsize=64)
def is_this_machine(host: str) -> bool:
    """Say whether a Host header names this machine; a name that only leads here could be a trap."""
    try:
        return is_loopback(urlsplit(f"//{host}").hostname)
    except ValueError:
        return False


def knows_token(config: SimulatorConfig, authorization: str | None) -> bool:
    """Say whether an Authorization header holds the account and its token."""
    scheme, _, given = (authorization or "").partition(" ")
    expected = base64.b64encode(f"{config.account_sid}:{config.auth_token}".encode())
    return scheme.lower() == "basic" and hmac.compare_digest(given.strip().encode(), expected)
