"""The JSON Schemas beside the content: what editors show while somebody types is what the check says."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from babymind.library.reading import named
from babymind.library.values import Finding

_SCHEMAS = {"facts": "items", "prompts": "items", "messages": "messages", "triage": "keywords"}
_LONGEST_REASON = 160


class _Loader(yaml.CSafeLoader):
    """Reads days as text, as JSON has them."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way to leave a type out
        start: [(tag, shape) for tag, shape in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for start, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


def against_schemas(root: Path, skip: Iterable[str]) -> Iterator[Finding]:
    """Yield what breaks a schema, in every file of a content folder but those to skip."""
    skipped = {*skip}
    validators: dict[str, Draft202012Validator] = {}
    for path in sorted(root.rglob("*.yaml")):
        file, name = named(path, root), _SCHEMAS.get(path.relative_to(root).parts[0], path.stem)
        schema = root / "schema" / f"{name}.schema.json"
        if file in skipped:
            continue
        if not schema.exists():
            told = f"There is no schema/{schema.name} for this file; move the file or restore the schema."
            yield Finding(file=file, line=1, item="", rule="schema", message=told)
            continue
        if name not in validators:
            validators[name] = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
        yield from _breaches(path, file, validators[name])


def _breaches(path: Path, file: str, validator: Draft202012Validator) -> Iterator[Finding]:
    loader = _Loader(path.read_text(encoding="utf-8"))
    try:
        node = loader.get_single_node()
        data = loader.construct_document(node)
    finally:
        loader.dispose()
    if node is None:
        return
    for error in validator.iter_errors(data):
        where = list(error.absolute_path)
        reason = error.message if len(error.message) <= _LONGEST_REASON else f"{error.message[:_LONGEST_REASON]}..."
        yield Finding(
            file=file,
            line=_line(node, where),
            item=_item(data, where),
            rule="schema",
            message=f"{'.'.join(map(str, where[2:])) or 'This'} is not as the schema asks: {reason}.",
        )


def _line(node: yaml.Node, where: list[str | int]) -> int:
    for step in where:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == step), node)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
    return int(node.start_mark.line) + 1


def _item(data: Any, where: list[str | int]) -> str:
    """The id of the entry in which a breach lies."""
    if len(where) < 2:
        return ""
    entry = data[where[0]][where[1]]
    return str(entry.get("id", entry.get("keyword", ""))) if isinstance(entry, dict) else ""
