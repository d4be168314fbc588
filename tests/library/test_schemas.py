"""The JSON Schemas beside the content: editors find them, every file keeps them, the reader reads the same."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from babymind.domain.age import AgeBasis
from babymind.domain.reply import Keyword
from babymind.library.commands import default_root
from babymind.library.parts import read_parts
from babymind.library.schemas import against_schemas
from babymind.library.values import DAILY, STAGE_DAYS, THEMES, ParentUse

from .conftest import Bank, source
from .test_messages import KEYWORD, SIGNPOST

ROOT = default_root()
FILES = sorted(ROOT.rglob("*.yaml"))
FIRST_LINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")

# schema, a file that keeps it, and the list that the file holds
KINDS = [
    ("items", "facts/en-GB/infant.yaml", "items"),
    ("messages", "messages/en-GB.yaml", "messages"),
    ("signposts", "signposts.yaml", "signposts"),
    ("sources", "sources.yaml", "sources"),
    ("keywords", "triage/keywords.yaml", "keywords"),
]
kinds = pytest.mark.parametrize(("name", "file", "key"), KINDS)


def schema(name: str) -> dict[str, Any]:
    """Return a schema as it is checked in."""
    found: dict[str, Any] = json.loads((ROOT / "schema" / f"{name}.schema.json").read_text(encoding="utf-8"))
    return found


def as_json(value: object) -> object:
    """Return what YAML read, with days as text, as JSON has them."""
    if isinstance(value, dict):
        return {name: as_json(each) for name, each in value.items()}
    if isinstance(value, list):
        return [as_json(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_file_names_on_its_first_line_a_schema_that_it_keeps(path: Path) -> None:
    written = path.read_text(encoding="utf-8")

    named = FIRST_LINE.match(written)

    assert named, "the first line is no '# yaml-language-server: $schema=...'"
    document = json.loads((path.parent / named.group(1)).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(document)
    Draft202012Validator(document).validate(as_json(yaml.safe_load(written)))


def test_the_check_holds_every_file_against_its_schema_too() -> None:
    assert list(against_schemas(ROOT, skip=[])) == []


def test_the_schemas_know_the_words_that_the_code_knows() -> None:
    top = schema("items")["properties"]
    item = top["items"]["items"]["properties"]
    keyword = schema("keywords")["properties"]["keywords"]["items"]["properties"]
    parent_use = schema("sources")["properties"]["sources"]["items"]["properties"]["parent_use"]

    assert {*top["kind"]["enum"]} == {*DAILY}
    assert {*top["stage"]["enum"]} == {*STAGE_DAYS}
    assert {*top["age"]["enum"]} == {*AgeBasis}
    assert {*item["themes"]["items"]["enum"]} == THEMES
    assert item["day"]["minimum"] == min(first for first, _ in STAGE_DAYS.values())
    assert item["day"]["maximum"] == max(last for _, last in STAGE_DAYS.values())
    assert {*keyword["keyword"]["enum"]} == {*Keyword} - {Keyword.UNCLEAR}
    assert {*parent_use["enum"]} == {*ParentUse}


@pytest.fixture
def whole(bank: Bank) -> Bank:
    """Return a bank that has each kind of file."""
    bank.fact()
    bank.message()
    bank.signposts = [SIGNPOST]
    bank.keywords = [KEYWORD]
    bank.write()
    bank.put("sources.yaml", {"sources": [source("hedged1999")]})
    return bank


def problems(bank: Bank, file: str, document: object) -> list[str]:
    """Return what the reader says of a bank in which one file holds a document."""
    bank.put(file, document)
    return [problem.message for problem in read_parts(bank.root).problems]


def fields_that_it_has(told: list[str]) -> set[str]:
    """Return the fields that the reader names when it refuses one that does not exist."""
    assert len(told) == 1
    found = re.fullmatch(r"'colour' is not a field of .*; it has: (.*)\.", told[0])
    assert found, told[0]
    return {*found.group(1).split(", ")}


@kinds
def test_a_schema_has_the_fields_that_the_reader_reads(whole: Bank, name: str, file: str, key: str) -> None:
    document = yaml.safe_load((whole.root / file).read_text(encoding="utf-8"))
    entry = document[key][0]
    properties = schema(name)["properties"]

    of_top = fields_that_it_has(problems(whole, file, document | {"colour": "red"}))
    of_entry = fields_that_it_has(problems(whole, file, document | {key: [entry | {"colour": "red"}]}))

    assert of_top == {*properties}
    assert of_entry == {*properties[key]["items"]["properties"]}


@kinds
def test_a_schema_asks_for_the_fields_that_the_reader_asks_for(whole: Bank, name: str, file: str, key: str) -> None:
    document = yaml.safe_load((whole.root / file).read_text(encoding="utf-8"))
    entry = document[key][0]
    of_entry = schema(name)["properties"][key]["items"]

    asked = {
        field
        for field in of_entry["properties"]
        if problems(whole, file, document | {key: [{each: entry[each] for each in entry if each != field}]})
    }
    # A signpost has a day of its check or is marked unchecked, which "required" cannot say.
    assert asked - {"checked_on", "checked_by"} == {*of_entry["required"]}
