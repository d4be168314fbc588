"""``babymind doctor`` says for each part whether it is right; and a worker shows its counts where it is told to."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.test_config_and_cli import document, environment, run  # noqa: F401 - a fixture


@pytest.mark.usefixtures("environment")
def test_an_installation_that_is_not_set_up_yet_is_told_what_to_do_part_by_part(sqlite_template: Path) -> None:
    found = {one["check"]: one for one in document("doctor")}

    assert set(found) == {"configuration", "database", "clock", "content", "keys", "storage", "provider", "webhooks",
                          "mail"}  # fmt: skip
    assert {name for name, one in found.items() if one["ok"]} == {"configuration", "storage", "mail"}
    assert found["database"]["message"].endswith("run: babymind db upgrade")
    assert "The provider could not be asked" in found["provider"]["message"]
    assert set(found["mail"]) == {"check", "ok", "message"}


@pytest.mark.usefixtures("environment")
def test_a_person_reads_a_line_for_each_part_and_the_exit_code_tells_a_program() -> None:
    ran = run("doctor")

    assert ran.exit_code == 1
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("ok      configuration  ")
    assert [line for line in lines if line.startswith("NOT OK  database")]


def test_settings_that_are_missing_are_the_first_thing_to_put_right(
    environment: dict[str, str],  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BABYMIND_TWILIO_AUTH_TOKEN")

    assert document("doctor") == [
        {"check": "configuration", "ok": False, "message": "BABYMIND_TWILIO_AUTH_TOKEN is not set."}
    ]
    assert run("doctor").exit_code == 1


def test_a_worker_shows_its_counts_on_the_port_of_the_settings(
    environment: dict[str, str],  # noqa: F811 - the fixture
    sqlite_template: Path,
    tmp_path: Path,
) -> None:
    shutil.copy(sqlite_template, tmp_path / "x.db")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    env = os.environ | {"BABYMIND_METRICS_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "babymind", "worker"], env=env)
    try:
        until = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
                    told = answer.read().decode()
                break
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
    assert "babymind_claimed_total" in told
