"""Reading YAML strictly, and remembering on which line everything stands."""

import re
from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import yaml

from babymind.errors import ContentError
from babymind.library.values import Finding

_WHOLE = re.compile(r"-?\d{1,9}")
_E = TypeVar("_E", bound=StrEnum)


class FormatError(ContentError):
    """A file breaks its format at one place."""

    def __init__(self, file: str, line: int, problem: str, item: str = "") -> None:
        super().__init__(f"{file}:{line}: {problem}")
        self.finding = Finding(file=file, line=line, item=item, rule="format", message=problem)


class Fields:
    """One mapping of a file. Every field is asked for by name and type; `done` refuses what nobody asked for."""

    def __init__(self, node: yaml.Node, file: str, kind: str) -> None:
        self.file = file
        self.line = node.start_mark.line + 1
        self._kind = kind
        self._asked: set[str] = set()
        self._nodes: dict[str, yaml.Node] = {}
        self.name = ""
        if not isinstance(node, yaml.MappingNode):
            raise self.error(f"Expected {kind}, written as 'name: value' lines.")
        for key, value in node.value:
            if key.value in self._nodes:
                raise self.error(f"'{key.value}' is written twice in {kind}; keep one of them.", key)
            self._nodes[key.value] = value
        if "id" in self._nodes:
            self.name = str(self._nodes["id"].value)

    def error(self, problem: str, node: yaml.Node | None = None) -> FormatError:
        """Return the error to raise about this mapping, or about one of its values."""
        line = self.line if node is None else node.start_mark.line + 1
        return FormatError(self.file, line, problem, self.name)

    def has(self, key: str) -> bool:
        """Tell whether a field is written at all."""
        self._asked.add(key)
        return key in self._nodes

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text that is not empty, or the default where the field is not written."""
        node = self._optional(key, default)
        if node is None:
            return default or ""
        return self._string(key, node)

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Return a list of texts."""
        node = self._optional(key, default)
        if node is None:
            return default or ()
        return tuple(self._string(key, each) for each in self._sequence(key, node))

    def whole(self, key: str, default: int | None = None) -> int:
        """Return a whole number."""
        node = self._optional(key, default)
        if node is None:
            return default or 0
        return self._whole(key, node)

    def span(self, key: str) -> tuple[int, int]:
        """Return two whole numbers, the first not after the second: ``[0, 20]`` or ``{from: 0, to: 20}``."""
        node = self._required(key)
        if isinstance(node, yaml.MappingNode):
            ends = Fields(node, self.file, f"the span '{key}'")
            first, last = ends.whole("from"), ends.whole("to")
            ends.done()
        else:
            numbers = [self._whole(key, each) for each in self._sequence(key, node)]
            if len(numbers) != 2:
                raise self.error(f"'{key}' needs two day numbers, such as [0, 20].", node)
            first, last = numbers
        if first > last:
            raise self.error(f"'{key}' ends before it starts; write the earlier day first.", node)
        return first, last

    def flag(self, key: str, default: bool | None = None) -> bool:
        """Return true or false."""
        node = self._optional(key, default)
        if node is None:
            return bool(default)
        if node.value not in ("true", "false"):
            raise self.error(f"'{key}' is either true or false.", node)
        return bool(node.value == "true")

    def day(self, key: str) -> date:
        """Return a calendar day."""
        written = self._scalar(key)
        try:
            return date.fromisoformat(written.value)
        except ValueError:
            raise self.error(f"'{key}' is a day, written like 2027-11-25.", written) from None

    def choice(self, key: str, options: type[_E]) -> _E:
        """Return one of the words of an enum."""
        written = self._scalar(key)
        try:
            return options(written.value)
        except ValueError:
            known = ", ".join(option.value for option in options)
            raise self.error(f"'{key}' is '{written.value}', which is none of: {known}.", written) from None

    def each(self, key: str, kind: str) -> Iterator["Fields | FormatError"]:
        """Yield the mappings of a list, or, where one is no mapping, the error about it."""
        node = self._required(key)
        for entry in self._sequence(key, node):
            try:
                yield Fields(entry, self.file, kind)
            except FormatError as error:
                yield error

    def inside(self, key: str, kind: str) -> "Fields":
        """Return the mapping that a field holds."""
        node = self._required(key)
        return Fields(node, self.file, kind)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all fields, for a mapping whose names are data."""
        return tuple(self._nodes)

    def done(self) -> None:
        """Refuse fields that nothing asked for."""
        for key, node in self._nodes.items():
            if key not in self._asked:
                known = ", ".join(sorted(self._asked))
                raise self.error(f"'{key}' is not a field of {self._kind}; it has: {known}.", node)

    def _required(self, key: str) -> yaml.Node:
        self._asked.add(key)
        if key not in self._nodes:
            raise self.error(f"'{key}' is missing in {self._kind}.")
        return self._nodes[key]

    def _optional(self, key: str, default: object) -> yaml.Node | None:
        self._asked.add(key)
        return self._required(key) if default is None else self._nodes.get(key)

    def _scalar(self, key: str) -> yaml.ScalarNode:
        node = self._required(key)
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(f"'{key}' is one value, not a list.", node)
        return node

    def _sequence(self, key: str, node: yaml.Node) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(f"'{key}' is a list: one line each with '- ', or [a, b].", node)
        return list(node.value)

    def _string(self, key: str, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self.error(f"'{key}' is text, not a list.", node)
        if node.tag != "tag:yaml.org,2002:str":
            raise self.error(f"'{key}' reads as {node.value or 'nothing'}, not as text; write it in quotes.", node)
        said = str(node.value).strip()
        if not said:
            raise self.error(f"'{key}' is empty.", node)
        return said

    def _whole(self, key: str, node: yaml.Node) -> int:
        if not isinstance(node, yaml.ScalarNode) or not _WHOLE.fullmatch(node.value):
            raise self.error(f"'{key}' is a whole number of days or the like, without quotes.", node)
        return int(node.value)


def read(path: Path, root: Path) -> Fields:
    """Return the top mapping of a YAML file.

    Raises:
        FormatError: The file is missing, is no UTF-8 or is no YAML; names the line.
    """
    file = named(path, root)
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except FileNotFoundError:
        raise FormatError(file, 1, "The file is missing; restore it.") from None
    except UnicodeDecodeError:
        raise FormatError(file, 1, "The file is not UTF-8; save it as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise FormatError(file, line, f"This is not YAML: {error.problem}.") from None
    except yaml.YAMLError as error:
        raise FormatError(file, 1, f"This is not YAML: {error}.") from None
    if node is None:
        raise FormatError(file, 1, "The file is empty.")
    return Fields(node, file, "the file")


def named(path: Path, root: Path) -> str:
    """Return a file's name as people see it: from the content folder on."""
    return (Path(root.name) / path.relative_to(root)).as_posix()
