"""Settings stop the start with one sentence; commands say what they did, or what would have been right."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from babymind.bootstrap import build, configured, set_up_logging
from babymind.cli import cli
from babymind.config import Settings
from babymind.errors import BabyMindError, ConfigurationError
from babymind.store import schema, senders
from babymind.store.base import make_engine
from tests.conftest import DATABASES

KEYS = "PVnlZOCm0cpIkz0f6ZHh7KHy1Lz7KHgvC4mCsRKkmN4="
GOOD = {
    "DATABASE_URL": "sqlite:///x.db", "SECRET_KEY": "s" * 40, "DATA_KEYS": KEYS, "PUBLIC_URL": "http://127.0.0.1:8000",
    "CHANNEL": "simulator", "TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "t",
    "TWILIO_FROM": "+447700900999", "TWILIO_API_BASE_URL": "http://127.0.0.1:8001", "MEDIA_URL": "file:///tmp/x",
    "LOG_FORMAT": "console",
}  # fmt: skip


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """A good environment, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("BABYMIND_")]:
        monkeypatch.delenv(name)
    values = GOOD | {"MEDIA_URL": (tmp_path / "media").as_uri(), "DATABASE_URL": f"sqlite:///{tmp_path / 'x.db'}"}
    for name, value in values.items():
        monkeypatch.setenv(f"BABYMIND_{name}", value)
    return {f"BABYMIND_{name}": value for name, value in values.items()}


@pytest.mark.fault(120)
@pytest.mark.parametrize("name", ["DATABASE_URL", "SECRET_KEY", "DATA_KEYS", "PUBLIC_URL", "CHANNEL",
                                  "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"])  # fmt: skip
def test_a_missing_setting_is_named(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(f"BABYMIND_{name}")

    with pytest.raises(ConfigurationError, match=f"^BABYMIND_{name} is not set.$"):
        Settings.read()


@pytest.mark.fault(120)
@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SECRET_KEY", "short", "BABYMIND_SECRET_KEY is odd: give at least 32"),
        ("DATA_KEYS", " , ", "BABYMIND_DATA_KEYS is odd: give at least one key"),
        ("PUBLIC_URL", "babymind.org", "BABYMIND_PUBLIC_URL is odd: give an address such as https://"),
        ("CHANNEL", "pigeon", "BABYMIND_CHANNEL is odd"),
        ("CHANNEL", "twilio", "BABYMIND_PUBLIC_URL must begin with https://"),
        ("TWILIO_FROM", "", "BABYMIND_TWILIO_FROM or BABYMIND_TWILIO_MESSAGING_SERVICE_SID is needed"),
        ("ENGINE", "celery", "BABYMIND_ENGINE is odd"),
        ("SEND_THREADS", "0", "BABYMIND_SEND_THREADS is odd"),
        ("TWILIO_FROM", "+447700900999, 0770", "BABYMIND_TWILIO_FROM is odd: give a number such as +44"),
        ("TWILIO_MESSAGING_SERVICE_SID", "MG12", "BABYMIND_TWILIO_MESSAGING_SERVICE_SID is odd: give its id"),
        ("TWILIO_WHATSAPP_FROM", "our number", "BABYMIND_TWILIO_WHATSAPP_FROM is odd: give the number of your"),
        ("TWILIO_WHATSAPP_TEMPLATE_SID", "HX12", "BABYMIND_TWILIO_WHATSAPP_TEMPLATE_SID is odd: give its id"),
        ("TWILIO_WHATSAPP_TEMPLATE_SID", "HX" + "0" * 32, "_TEMPLATE_SID needs BABYMIND_TWILIO_WHATSAPP_FROM too"),
        ("SEGMENTS_PER_SECOND", "0", "BABYMIND_SEGMENTS_PER_SECOND is odd"),
        ("SEGMENTS_PER_SECOND", "fast", "BABYMIND_SEGMENTS_PER_SECOND is odd"),
        ("ANSWER_SECONDS", "0", "BABYMIND_ANSWER_SECONDS is odd"),
    ],
)
def test_an_odd_setting_is_named_with_what_would_be_right(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(f"BABYMIND_{name}", value)

    with pytest.raises(ConfigurationError, match=re.escape(says)):
        Settings.read()


def test_the_senders_are_read_from_the_settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def configured_with(**values: str) -> list[tuple[str, str, int | None]]:
        for name, value in values.items():
            monkeypatch.setenv(f"BABYMIND_{name}", value)
        return [(one.channel.value, one.address, one.segments_per_second) for one in configured(Settings.read())]

    one, other, third, service = "+447700900991", "+447700900992", "+447700900993", "MG" + "a" * 32
    assert configured_with(TWILIO_FROM=f" {one},{other} , {one}") == [("sms", one, None), ("sms", other, None)]
    assert configured_with(SEGMENTS_PER_SECOND="3") == [("sms", one, 3), ("sms", other, 3)]
    assert configured_with(TWILIO_WHATSAPP_FROM=f"whatsapp:{third}")[2:] == [("whatsapp", third, 3)]
    assert configured_with(TWILIO_MESSAGING_SERVICE_SID=service) == [("sms", service, 3), ("whatsapp", third, 3)]
    monkeypatch.delenv("BABYMIND_SEGMENTS_PER_SECOND")
    real = configured_with(CHANNEL="twilio", PUBLIC_URL="https://babymind.example.org")
    assert {rate for _, _, rate in real} == {10}


def test_a_start_writes_the_senders_into_the_database(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, sqlite_template: Path
) -> None:
    Path("x.db").write_bytes(sqlite_template.read_bytes())
    monkeypatch.setenv("BABYMIND_ANSWER_SECONDS", "7.5")
    monkeypatch.setenv("BABYMIND_TWILIO_WHATSAPP_FROM", "+447700900998")
    monkeypatch.setenv("BABYMIND_TWILIO_WHATSAPP_TEMPLATE_SID", "HX" + "a" * 32)

    def live() -> list[str]:
        ctx = build(Settings.read())
        with ctx.readers.begin() as session:
            found = [f"{one.channel} {one.address}" for one in senders.live(session)]
        assert ctx.answer_seconds == 7.5
        assert ctx.whatsapp_template == "HX" + "a" * 32
        ctx.senders.shutdown()
        ctx.database.dispose()
        return found

    assert live() == live() == ["sms +447700900999", "whatsapp +447700900998"]
    monkeypatch.setenv("BABYMIND_TWILIO_FROM", "+447700900991")
    assert live() == ["whatsapp +447700900998", "sms +447700900991"]


@pytest.mark.fault(84)
def test_no_secret_is_shown_when_settings_are_printed(environment: dict[str, str]) -> None:
    shown = repr(Settings.read())

    assert KEYS not in shown
    assert "s" * 40 not in shown
    assert "auth_token" not in shown


@pytest.mark.fault(85)
def test_what_is_logged_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json")

    structlog.get_logger().warning("an odd word", told='sent\r\n{"event": "all is well"}\x1b[31m\u2028\x00')

    line = capsys.readouterr().err
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    assert json.loads(line)["event"] == "an odd word"


@pytest.mark.fault(120)
@pytest.mark.parametrize("missing", ["BABYMIND_SECRET_KEY", "BABYMIND_DATABASE_URL"])
def test_serve_stops_with_one_sentence_that_names_the_setting(environment: dict[str, str], missing: str) -> None:
    env = {name: value for name, value in os.environ.items() if name != missing}

    ended = subprocess.run([sys.executable, "-m", "babymind", "serve"], env=env, capture_output=True, text=True,
                           timeout=60, check=False)  # fmt: skip

    assert (ended.returncode, ended.stderr.strip(), ended.stdout) == (1, f"babymind: {missing} is not set.", "")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


def document(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


@pytest.fixture(params=DATABASES)
def installation(
    request: pytest.FixtureRequest, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database brought up by the commands themselves, on SQLite and on PostgreSQL."""
    if request.param == "postgresql":
        from tests.conftest import fresh_postgres

        url = fresh_postgres(request.getfixturevalue("postgres"), template="template1")
        monkeypatch.setenv("BABYMIND_DATABASE_URL", url)
    assert f"revision {schema.head()}" in run("db", "upgrade").output
    assert document("content", "load")["new"] > 1000
    assert run("study", "add", "demo").exit_code == 0


ENROL = ("enrol", "--study", "demo", "--phone", "+447700900123", "--caregiver", "Sam", "--baby", "Robin",
         "--birth-date", "2026-02-01")  # fmt: skip


@pytest.mark.usefixtures("installation")
def test_the_whole_path_by_hand() -> None:
    enrolled = document(*ENROL)
    assert set(enrolled) == {"study_code", "caregivers"}
    assert enrolled["caregivers"][0]["phone"] == "+447700900123"

    assert document("plan", "--at", "2026-12-01T00:05:00Z", "--dry-run")["planned"] == 2
    assert document("plan", "--at", "2026-12-01T00:05:00Z") == {"planned": 2, "skipped": {}}
    assert document("plan", "--at", "2026-12-01T00:05:00Z") == {"planned": 0, "skipped": {}}
    due = document("deliver", "--at", "2026-12-01T09:00:00Z", "--dry-run")
    assert due["outcomes"]["sending"] >= 1
    out = Path("out")
    manifest = document("export", "demo", "--out", str(out))
    assert manifest["rows"]["participants"] == 1
    assert "tables are as they should be" in run("db", "check").output


@pytest.mark.usefixtures("installation")
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"--phone": "12"}, "international telephone number"),
        ({"--birth-date": "2999-01-01"}, "in the future"),
        ({"--timezone": "Mars"}, "not a time zone"),
        ({"--gestation": "39+9"}, "write weeks"),
        ({"--fact-time": "03:00"}, "quiet hours"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(changes: dict[str, str], says: str) -> None:
    arguments = list(ENROL)
    for name, value in changes.items():
        arguments += [name, value] if name not in arguments else []
        if name in ENROL:
            arguments[arguments.index(name) + 1] = value

    with pytest.raises(BabyMindError, match=says):
        run(*arguments)
    assert document("plan", "--at", "2026-12-01T00:05:00Z") == {"planned": 0, "skipped": {}}


def test_wrong_usage_is_exit_2_and_help_has_an_example(environment: dict[str, str]) -> None:
    assert run("plan", "--at", "yesterday").exit_code == 2
    assert run("plan", "--at", "2026-01-01T00:00:00").exit_code == 2
    assert run("enrol", "--study", "x", "--birth-date", "01/02/2026").exit_code == 2
    for path in (("enrol",), ("plan",), ("deliver",), ("export",), ("serve",), ("demo",), ("content", "load"),
                 ("db", "upgrade"), ("staff", "add"), ("study", "add")):  # fmt: skip
        assert "Example:" in run(*path, "--help").output


@pytest.mark.fault(81)
def test_a_database_of_another_version_is_refused_with_the_command_to_run(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="babymind db upgrade"):
        run("plan")
    engine = make_engine(environment["BABYMIND_DATABASE_URL"])
    assert schema.current(engine) is None
    engine.dispose()


def test_keys_are_made_for_a_new_installation(environment: dict[str, str]) -> None:
    made = dict(line.split("=", 1) for line in run("keys").output.splitlines())

    assert len(made["BABYMIND_SECRET_KEY"]) >= 32
    assert len(made["BABYMIND_DATA_KEYS"]) == 44


@pytest.mark.fault(101)
def test_serve_answers_and_ends_within_ten_seconds_of_sigterm(
    environment: dict[str, str], sqlite_template: Path
) -> None:
    Path("x.db").write_bytes(sqlite_template.read_bytes())
    port = "8731"
    process = subprocess.Popen([sys.executable, "-m", "babymind", "serve", "--port", port], stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        until = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
                    assert json.load(answer)["schema"]["at"] == schema.head()
                break
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
