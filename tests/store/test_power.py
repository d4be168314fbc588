"""Power that fails on SQLite: wherever its log breaks off, what is found is what had been committed by then."""

import sqlite3
from pathlib import Path

import pytest

from babymind.store.base import make_engine

COMMITS = 12


@pytest.mark.fault(7)
def test_a_log_that_breaks_off_anywhere_holds_each_commit_whole_or_not_at_all(tmp_path: Path) -> None:
    live, copy = tmp_path / "live.db", tmp_path / "copy.db"
    engine = make_engine(f"sqlite:///{live}")
    lengths = []  # of the log, when each commit had returned
    with engine.connect() as connection:
        for number in range(COMMITS + 1):
            if number == 0:
                connection.exec_driver_sql("CREATE TABLE said (id INTEGER PRIMARY KEY, half INTEGER, words TEXT)")
            for half in (1, 2) if number else ():
                row = (number * 2 + half, half, "x" * 3000)
                connection.exec_driver_sql("INSERT INTO said VALUES (?, ?, ?)", row)
            connection.commit()
            lengths.append(Path(f"{live}-wal").stat().st_size)
        main, log = live.read_bytes(), Path(f"{live}-wal").read_bytes()
    engine.dispose()

    for cut in sorted({*lengths, *(length - 1 for length in lengths), *range(0, len(log), 1777)}):
        Path(f"{copy}-shm").unlink(missing_ok=True)
        copy.write_bytes(main)
        Path(f"{copy}-wal").write_bytes(log[:cut])
        found = sqlite3.connect(copy)
        committed = sum(length <= cut for length in lengths)
        if committed:
            rows = found.execute("SELECT count(*), sum(half = 2) FROM said").fetchone()
            assert rows == ((committed - 1) * 2, committed - 1 or rows[1]), cut
            assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        else:
            assert found.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        found.close()
