"""Identities and words at rest: encrypted, with a keyed hash to look a number up by."""

import hashlib
import hmac
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from babymind.errors import ConfigurationError


class Vault:
    """Seals text with the newest of the data keys and opens it with any of them.

    Args:
        data_keys: Fernet keys (32 bytes, url-safe base64), newest first. The look-up hash uses a key derived
            from the oldest, so that adding a key in front leaves every look-up as it was.
    """

    def __init__(self, data_keys: Sequence[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in data_keys])
        except ValueError:
            raise ConfigurationError(
                "BABYMIND_DATA_KEYS is not a list of keys; set it to one or more keys made by 'babymind keys', "
                "separated by commas, newest first."
            ) from None
        self._look_up_key = hashlib.sha256(b"babymind look-up " + data_keys[-1].encode()).digest()

    def __repr__(self) -> str:
        return "Vault()"

    def seal(self, text: str) -> str:
        """Return text encrypted and authenticated (Fernet)."""
        return self._fernet.encrypt(text.encode("utf-8", "surrogatepass")).decode("ascii")

    def open(self, sealed: str) -> str:
        """Return the text that was sealed."""
        try:
            return self._fernet.decrypt(sealed).decode("utf-8", "surrogatepass")
        except InvalidToken:
            raise ConfigurationError(
                "Data were sealed with a key that BABYMIND_DATA_KEYS no longer holds; add that key at its end."
            ) from None

    def seal_optional(self, text: str | None) -> str | None:
        """Return sealed text, or None for none."""
        return None if text is None else self.seal(text)

    def open_optional(self, sealed: str | None) -> str | None:
        """Return the text that was sealed, or None for none."""
        return None if sealed is None else self.open(sealed)

    def look_up(self, value: str) -> str:
        """Return the keyed hash (HMAC-SHA256, hex) by which an address is found without being readable."""
        return hmac.new(self._look_up_key, value.encode(), hashlib.sha256).hexdigest()
