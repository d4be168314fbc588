"""docs/faults.md and the tests name each other: no row claims what no test shows, no test of a fault is left out."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs/faults.md"
LINE = re.compile(r"\| (\d+) \| [^|]+ \| [^|]+ \| (tested|partly: [^|]+|not yet) \|((?: `test_\w+`,?)*) \|")
LAST, FIRST_OTHER = 86, 101
DELIVERY = {*range(1, 31), 36, *range(57, 63), *range(78, 83)}  # what a service that sends must never get wrong
APP = 57  # may wait until there is a webhook of the companion app


class Row(NamedTuple):
    """A row of the page."""

    state: str
    tests: frozenset[str]


@cache
def page() -> dict[int, Row]:
    """The rows by their numbers."""
    found: dict[int, Row] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if re.match(r"\| *\d", line):
            row = LINE.fullmatch(line)
            assert row, line
            assert int(row[1]) not in found, line
            found[int(row[1])] = Row(row[2], frozenset(re.findall(r"test_\w+", row[3])))
    return found


@cache
def functions() -> dict[str, set[int]]:
    """The rows that each test is marked with; a name that two tests share counts as one."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for file in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[node.name].update(marks(node))
    return found


def marks(function: ast.FunctionDef) -> Iterator[int]:
    for one in function.decorator_list:
        if isinstance(one, ast.Call) and ast.unparse(one.func) == "pytest.mark.fault":
            yield from (ast.literal_eval(row) for row in one.args)


def test_the_rows_are_numbered_without_a_gap() -> None:
    numbers = list(page())

    others = len(numbers) - LAST
    assert numbers == [*range(1, LAST + 1), *range(FIRST_OTHER, FIRST_OTHER + others)]


def test_a_row_that_is_shown_names_tests_and_one_that_is_not_yet_names_none() -> None:
    assert [number for number, row in page().items() if bool(row.tests) == (row.state == "not yet")] == []


def test_every_test_that_the_page_names_is_there() -> None:
    assert {name for row in page().values() for name in row.tests} - functions().keys() == set()


@pytest.mark.parametrize("number", page())
def test_a_row_names_the_tests_that_are_marked_with_it(number: int) -> None:
    marked = {name for name, rows in functions().items() if number in rows}

    assert page()[number].tests == marked


def test_no_test_is_marked_with_a_row_that_is_not_there() -> None:
    assert {row for rows in functions().values() for row in rows} - page().keys() == set()


def test_every_fault_of_delivery_has_a_test() -> None:
    missing = {number for number in DELIVERY if page()[number].state == "not yet"}

    assert missing <= {APP}
