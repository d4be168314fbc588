"""The content bank under ``content/``, as checked, frozen values."""

from babymind.library.bank import Library
from babymind.library.values import ContentKind, Finding, Item, Message, ParentUse, Signpost, Source

__all__ = ["ContentKind", "Finding", "Item", "Library", "Message", "ParentUse", "Signpost", "Source"]
