"""What a store of media files is."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanImage:
    """A picture made anew from its pixels: upright, without place, camera or any other words in it."""

    data: bytes = field(repr=False)
    content_type: str
    width: int  # pixels
    height: int


class MediaStore(Protocol):
    """Keeps files under names that we choose."""

    folder: Path | None  # on this machine; None where the files are elsewhere

    def put(self, key: str, data: bytes) -> None:
        """Keep a file whole, or not at all."""
        ...

    def get(self, key: str) -> bytes:
        """Return a file.

        Raises:
            NotFoundError: There is none of that name.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove a file; nothing happens when there is none."""
        ...
