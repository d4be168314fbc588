"""What changed in the bank since a revision, for those who review it."""

import io
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from babymind.errors import InvalidInputError
from babymind.library.parts import Parts, read_parts
from babymind.library.values import Item, Message, Signpost

Text = Item | Message | Signpost
# What a family would notice, or a reviewer has to look at again.
FIELDS = (
    "text",
    "say",
    "contact",
    "day",
    "fits",
    "sources",
    "evidence",
    "themes",
    "stage",
    "spare",
    "sensitive",
    "checked_on",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One text that changed: which way, and each field before and after."""

    what: str  # added, changed, withdrawn, removed
    key: str
    file: str
    line: int
    fields: dict[str, tuple[str, str]]

    def document(self) -> dict[str, object]:
        """Return the change as ``--json`` prints it."""
        fields = {name: {"before": before, "after": after} for name, (before, after) in self.fields.items()}
        return {"change": self.what, "item": self.key, "file": self.file, "line": self.line, "fields": fields}

    def __str__(self) -> str:
        lines = [f"{self.what}: {self.key} ({self.file}:{self.line})"]
        for name, (before, after) in self.fields.items():
            lines += [f"  - {name}: {before}"] * bool(before) + [f"  + {name}: {after}"] * bool(after)
        return "\n".join(lines)


def diff(root: Path, revision: str) -> list[Change]:
    """Return what changed between a git revision and the content folder as it is.

    Raises:
        ContentError: The folder as it is cannot be read; what is unreadable would pass for removed.
        InvalidInputError: git does not know the revision, or the folder was not there yet.
    """
    now = read_parts(root)
    now.require_whole()
    with tempfile.TemporaryDirectory() as scratch:
        then = Path(scratch) / root.name
        then.mkdir()
        with tarfile.open(fileobj=io.BytesIO(_archived(root, revision))) as archive:
            archive.extractall(then, filter="data")
        return compare(read_parts(then), now)


def compare(before: Parts, after: Parts) -> list[Change]:
    """Return what changed between two readings of a bank, in the order of files and lines."""
    old, new = _texts(before), _texts(after)
    changes = [_change(old.get(place), text) for place, text in new.items()]
    gone = [
        Change(what="removed", key=text.key, file=text.file, line=text.line, fields=_fields(text, None))
        for place, text in old.items()
        if place not in new
    ]
    found = [*(change for change in changes if change is not None), *gone]
    return sorted(found, key=lambda change: (change.file, change.line))


def _change(old: Text | None, new: Text) -> Change | None:
    fields = _fields(old, new)
    withdrawn = isinstance(new, Item) and new.withdrawn
    was_withdrawn = isinstance(old, Item) and old.withdrawn
    if old is None:
        what = "added"
    elif withdrawn and not was_withdrawn:
        what = "withdrawn"
    elif fields or withdrawn != was_withdrawn:
        what = "changed"
    else:
        return None
    return Change(what=what, key=new.key, file=new.file, line=new.line, fields=fields)


def _fields(old: Text | None, new: Text | None) -> dict[str, tuple[str, str]]:
    pairs = {name: (_said(old, name), _said(new, name)) for name in FIELDS}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _said(text: Text | None, name: str) -> str:
    value = getattr(text, name, None)
    if value is None or value is False:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _texts(parts: Parts) -> dict[tuple[str, str, str], Text]:
    texts: dict[tuple[str, str, str], Text] = {}
    for item in parts.items:
        texts[Item.__name__, item.key, item.locale] = item
    for message in parts.messages:
        texts[Message.__name__, message.key, message.locale] = message
    for signpost in parts.signposts:
        texts[Signpost.__name__, signpost.key, ""] = signpost
    return texts


def _archived(root: Path, revision: str) -> bytes:
    """The content folder at a revision, as a tar file."""
    git = shutil.which("git")
    if git is None:
        raise InvalidInputError("git is not installed; install it to compare with an earlier revision.")
    if revision.startswith("-"):
        raise InvalidInputError(f"'{revision}' is not a revision; give one such as HEAD~1, a tag or a branch.")
    asked = [git, "-C", str(root), "archive", "--format=tar", revision]
    done = subprocess.run(asked, capture_output=True, check=False)  # noqa: S603 - a list, no shell; the revision is no option
    if done.returncode != 0:
        why = done.stderr.decode(errors="replace").strip().splitlines()[:1]
        raise InvalidInputError(
            f"git cannot show {root.name}/ at '{revision}' ({''.join(why)}); give a revision such as HEAD~1."
        )
    return done.stdout
