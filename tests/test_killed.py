"""Real processes that die in the middle of what an operator runs: it is undone, and done whole the next time."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect

from babymind.services import export
from babymind.services.context import Context
from babymind.store import schema
from babymind.store.base import make_engine
from tests.factories import enrol_family

ROOT = Path(__file__).parents[1]


def killed(what: str, url: str, folder: Path, number: int) -> bool:
    """Run a process until it dies; False when it lived to its end."""
    command = [sys.executable, "-m", "tests.doomed", what, url, str(folder), str(number)]
    ended = subprocess.run(command, cwd=ROOT, check=False, timeout=60, capture_output=True, text=True)  # noqa: S603
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
    return ended.returncode != 0


@pytest.mark.fault(6)
def test_a_migration_that_is_killed_is_undone_and_the_next_one_ends_well(empty_url: str, tmp_path: Path) -> None:
    engine = make_engine(empty_url)
    for statements in (2, 40, 90):
        assert killed("migrate", empty_url, tmp_path, statements)

        at = schema.current(engine)
        with engine.connect() as connection:
            there = set(inspect(connection).get_table_names()) - {"alembic_version"}
        assert bool(there) == bool(at)  # all of a revision, or nothing

    schema.upgrade(engine)

    assert schema.current(engine) == schema.head()
    assert schema.differences(engine) == []
    engine.dispose()


@pytest.mark.fault(6)
def test_an_export_that_is_killed_shows_nothing_and_the_next_one_clears_up(
    ctx: Context, database_url: str, tmp_path: Path
) -> None:
    enrol_family(ctx)
    folder = tmp_path / "exports"
    folder.mkdir()
    for tables in (1, 4):
        assert killed("export_study", database_url, folder, tables)
        assert not (folder / "out").exists()

    manifest = export.export(ctx, "demo", folder / "out")

    assert json.loads((folder / "out/manifest.json").read_text()) == manifest
    assert [path.name for path in folder.iterdir() if path.name != "media"] == ["out"]
