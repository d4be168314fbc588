"""A small content bank to break: the real rules and schemas, a source or two, and the texts of one test."""

import shutil
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from babymind.library import Library
from babymind.library.check import check
from babymind.library.commands import default_root
from babymind.library.values import Finding

TODAY = date(2026, 11, 25)
GOOD_FACT = "Some studies found that newborns turn to a voice they know. To {baby}, yours may be an old friend."
GOOD_PROMPT = "What do you think {baby} {is|are} making of that rain on the window?"
EXPECTED_IN_A_SMALL_BANK = {"day-missing", "message-missing"}


def source(
    key: str, *, ages: tuple[int, int] = (0, 30), use: str = "hedge", replication: str = "replicated"
) -> dict[str, Any]:
    """Return a source of the bibliography."""
    return {
        "id": key,
        "authors": "Somebody A",
        "year": 1999,
        "title": "A study",
        "journal": "A journal",
        "kind": "article",
        "ages_days": {"from": ages[0], "to": ages[1]},
        "finding": "Babies turned to a voice they knew.",
        "replication": replication,
        "parent_use": use,
        "tags": ["voice"],
        "confidence": "verified",
    }


SOURCES = [
    source("hedged1999"),
    source("plain1999", use="fact"),
    source("team1999", use="background"),
    source("open1999", replication="contested"),
    source("later1999", ages=(200, 230)),
]


@dataclass
class Bank:
    """Builds a content folder; every file is written when it is read."""

    root: Path
    items: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    signposts: list[dict[str, Any]] = field(default_factory=list)
    keywords: list[dict[str, Any]] = field(default_factory=list)
    review_by: str = "2027-11-25"
    age: str | None = None  # which age the days count, where not the right one

    def add(self, kind: str, stage: str = "infant", **fields: Any) -> None:
        """Add a fact or a prompt; a field given as None is left out."""
        entries = self.items.setdefault((kind, stage), [])
        day = fields.get("day", 10)
        entry = {
            "id": f"{kind}-{stage}-text-{len(entries)}",
            "day": day,
            "fits": [day, day],
            "themes": ["voice"],
            "text": GOOD_FACT if kind == "fact" else GOOD_PROMPT,
        }
        if kind == "fact":
            entry |= {"sources": ["hedged1999"], "evidence": "Newborns turned to a known voice."}
        entries.append({name: value for name, value in (entry | fields).items() if value is not None})

    def fact(self, **fields: Any) -> None:
        """Add a fact."""
        self.add("fact", **fields)

    def prompt(self, **fields: Any) -> None:
        """Add a prompt."""
        self.add("prompt", **fields)

    def message(self, key: str = "note", text: str = "Your messages are paused.", **fields: Any) -> None:
        """Add a message."""
        self.messages.append({"id": key, "text": text, "sensitive": False, "values": []} | fields)

    def write(self) -> Path:
        """Write the files and return the folder."""
        for (kind, stage), items in self.items.items():
            age = self.age or ("chronological" if stage == "early" else "corrected")
            head = {"kind": kind, "locale": "en-GB", "stage": stage, "age": age}
            self.put(f"{kind}s/en-GB/{stage}.yaml", head | self._reviewed() | {"items": items})
        if self.messages:
            head = {"locale": "en-GB"} | self._reviewed()
            self.put("messages/en-GB.yaml", head | {"messages": self.messages})
        self.put("sources.yaml", {"sources": SOURCES})
        self.put("signposts.yaml", {"signposts": self.signposts})
        self.put("triage/keywords.yaml", {"keywords": self.keywords})
        return self.root

    def put(self, name: str, document: object) -> Path:
        """Write one file, and return it."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
        return path

    def findings(self, today: date = TODAY) -> list[Finding]:
        """Return what the check says, but for what every small bank lacks."""
        found = check(self.write(), today).findings
        return [finding for finding in found if finding.rule not in EXPECTED_IN_A_SMALL_BANK]

    def rules(self, today: date = TODAY) -> set[str]:
        """Return the names of the rules that are broken."""
        return {finding.rule for finding in self.findings(today)}

    def library(self, today: date = TODAY) -> Library:
        """Return the bank as loaded."""
        return Library.load(self.write(), today)

    def _reviewed(self) -> dict[str, str]:
        return {"reviewer": "content-editors", "review_by": self.review_by}


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    """Return an empty bank with the real rules and schemas."""
    root = tmp_path / "content"
    root.mkdir()
    shutil.copy(default_root() / "rules.yaml", root)
    shutil.copytree(default_root() / "schema", root / "schema")
    return Bank(root)
