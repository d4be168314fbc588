"""Media files through obstore: a local folder by default, S3, GCS or Azure by address."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.exceptions import NotFoundError as MissingError
from obstore.store import LocalStore, from_url

from babymind.errors import ConfigurationError, NotFoundError


class ObjectMediaStore:
    """A store at ``file:///…``, ``s3://…``, ``gs://…`` or ``az://…``."""

    def __init__(self, url: str) -> None:
        self.folder: Path | None = None
        try:
            if urlsplit(url).scheme == "file":
                self.folder = Path(unquote(urlsplit(url).path))
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._store = LocalStore(self.folder)
            else:
                self._store = from_url(url)  # type: ignore[assignment]  # one call, several kinds of store
        except (BaseError, OSError, ValueError) as error:
            raise ConfigurationError(
                f"BABYMIND_MEDIA_URL cannot be used; set it to file:///path or s3://bucket. {type(error).__name__}"
            ) from None

    def put(self, key: str, data: bytes) -> None:
        """Keep a file whole, or not at all: obstore writes beside it and renames."""
        obstore.put(self._store, key, data)

    def get(self, key: str) -> bytes:
        """Return a file."""
        try:
            return bytes(obstore.get(self._store, key).bytes())
        except (MissingError, FileNotFoundError):
            raise NotFoundError("This picture is not in the store.") from None

    def delete(self, key: str) -> None:
        """Remove a file."""
        try:
            obstore.delete(self._store, key)
        except (MissingError, FileNotFoundError):
            return
