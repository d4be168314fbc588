"""What an installation is run with: the files of ``deploy/``, and the drill of docs/operations.md as it stands."""

import itertools
import os
import re
import runpy
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml
from freezegun import freeze_time
from sqlalchemy import make_url, text

from babymind.bootstrap import build
from babymind.channels.memory import MemoryChannel
from babymind.cli import cli
from babymind.config import PREFIX, Settings
from babymind.domain.delivery import DeliveryStatus, Kind, Messaging, Reason
from babymind.services import deliver, plan, receive, reconcile, triage
from babymind.services.claim import claim
from babymind.services.context import Context
from babymind.store.base import make_engine
from babymind.store.deliveries import Delivery, Told, apply_receipt
from babymind.store.families import Caregiver, Family, Pregnancy
from babymind.store.replies import Inbound
from babymind.worker import DRAIN_SECONDS
from tests.conftest import address_of
from tests.factories import JO, SAM, enrol_family, rows, utc

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
BACKUP = DEPLOY / "backup.py"
UNITS = sorted(DEPLOY.glob("*.service"))
KEY = "PVnlZOCm0cpIkz0f6ZHh7KHy1Lz7KHgvC4mCsRKkmN4="


def documented(heading: str, first_word: str, language: str = "console") -> str:
    """The block under a heading of operations.md that begins with a word, as it stands there."""
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    under = re.split(r"^#+ ", page.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    blocks = [
        re.sub(r"^ +(?=\S)", "", block, flags=re.MULTILINE)
        for block in re.findall(rf"```{language}\n(.*?)```", under, re.DOTALL)
    ]
    return next(block for block in blocks if block.startswith(first_word))


@pytest.fixture
def installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """The environment of an installation in a folder of the test."""

    def set_up(database_url: str) -> dict[str, str]:
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            monkeypatch.delenv(name)
        values = {
            "DATABASE_URL": database_url, "MEDIA_URL": (tmp_path / "lib/media").as_uri(), "SECRET_KEY": "s" * 40,
            "DATA_KEYS": KEY, "PUBLIC_URL": "http://127.0.0.1:8000", "CHANNEL": "simulator",
            "TWILIO_API_BASE_URL": "http://127.0.0.1:9", "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
            "TWILIO_AUTH_TOKEN": "t", "TWILIO_FROM": "+447700900999",
        }  # fmt: skip
        for name, value in values.items():
            monkeypatch.setenv(f"{PREFIX}{name}", value)
        return {**os.environ, "PYTHONPATH": str(ROOT)}

    return set_up


def run(block: str, env: dict[str, str], folder: Path, **replaced: str) -> str:
    """Run a documented block in the folder of the project, its two folders being the test's."""
    replaced |= {
        "/var/lib/babymind": str(folder / "lib"), "/var/backups/babymind": str(folder / "backups"),
        ".venv/bin/python": sys.executable,
    }  # fmt: skip
    for told, here in replaced.items():
        block = block.replace(told, here)
    # No service runs here, and no user of that name is on the machine of whoever tests.
    block = f'systemctl() {{ :; }}\nchown() {{ :; }}\nbabymind() {{ {sys.executable} -m babymind "$@"; }}\n{block}'
    done = subprocess.run(["sh", "-ec", block], cwd=ROOT, env=env, check=False, capture_output=True, text=True)  # noqa: S603, S607
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def busy(installation: Callable[[str], dict[str, str]]) -> Iterator[Callable[[str], "Busy"]]:
    """An installation in which families join without end."""
    started: list[Busy] = []

    def start(database_url: str) -> Busy:
        started.append(Busy(database_url, installation(database_url)))
        return started[-1]

    yield start
    for one in started:
        one.stop()


class Busy:
    """Families that join, one after another, until it is stopped."""

    def __init__(self, database_url: str, env: dict[str, str]) -> None:
        self.env, self._url, self._over = env, database_url, threading.Event()
        self.enrolled, self.errors = 0, list[Exception]()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        ctx = build(Settings.read())
        try:
            for number in itertools.count():
                if self._over.is_set() or number > 890:  # there are no more numbers for fiction
                    break
                enrol_family(ctx, phone=f"+447700900{number + 100:03}")
                self.enrolled += 1
        except Exception as error:
            self.errors.append(error)
        finally:
            ctx.senders.shutdown()
            ctx.database.dispose()

    def wait_for(self, families: int) -> int:
        """Return how many have joined, when there are so many."""
        while self.enrolled < families and self._thread.is_alive():
            self._over.wait(0.01)
        return self.enrolled

    def stop(self) -> None:
        """End."""
        self._over.set()
        self._thread.join()


def whole(database_url: str, at_least: int, at_most: int) -> None:
    """Assert that a restored database holds families, each as it was committed, and opens with the keys."""
    ctx = build(Settings.read())
    try:
        families, caregivers = rows(ctx, Family), rows(ctx, Caregiver)
        assert at_least <= len(families) <= at_most
        assert (
            len(families)
            == len(caregivers)
            == len(rows(ctx, Pregnancy))
            == len(rows(ctx, Delivery, kind=Kind.WELCOME))
        )
        assert {ctx.vault.open_optional(one.name_sealed) for one in caregivers} == {"Sam"}
    finally:
        ctx.senders.shutdown()
        ctx.database.dispose()


def copies(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("babymind-*"))


def by_hand(ctx: Context, statement: str) -> None:
    """Run a statement as somebody types it."""
    with ctx.sessions.begin() as session:
        session.connection().exec_driver_sql(statement)


# The drill


@pytest.mark.fault(82)
def test_a_copy_made_while_families_join_is_restored_as_documented(
    busy: Callable[[str], Busy], sqlite_template: Path, tmp_path: Path
) -> None:
    (tmp_path / "lib").mkdir()
    file = tmp_path / "lib/babymind.db"
    file.write_bytes(sqlite_template.read_bytes())
    joining = busy(f"sqlite:///{file}")
    before = joining.wait_for(5)
    (tmp_path / "lib/media").mkdir(exist_ok=True)
    (tmp_path / "lib/media/picture").write_bytes(b"seen by the parents")

    run(documented("Making a copy", ".venv/bin/python deploy/backup.py"), joining.env, tmp_path)

    after = joining.enrolled
    joining.wait_for(after + 1)  # it goes on, and no writer was turned away
    log = file.with_name("babymind.db-wal")
    newest = log.read_bytes()
    joining.stop()
    assert joining.errors == []
    [copy] = copies(tmp_path / "backups")
    file.write_bytes(b"a disk that broke")
    log.write_bytes(newest)  # the log of a database that is gone must not get into the copy
    (tmp_path / "lib/media/picture").unlink()
    run(documented("Restoring", "systemctl stop"), joining.env, tmp_path, **{"babymind-20261125T033000Z.db": copy})
    whole(f"sqlite:///{file}", before, after + 1)
    assert (tmp_path / "lib/media/picture").read_bytes() == b"seen by the parents"


@pytest.mark.fault(82)
def test_a_dump_made_while_families_join_is_restored_as_documented(
    busy: Callable[[str], Busy], postgres: str, tmp_path: Path
) -> None:
    admin, url = make_engine(postgres), address_of(postgres, "babymind")
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as server:
        server.execute(text("CREATE ROLE babymind"))
        server.execute(text("CREATE DATABASE babymind TEMPLATE template_babymind OWNER babymind"))
        programs = server.scalar(text("SELECT setting FROM pg_config WHERE name = 'BINDIR'"))
    try:
        joining = busy(url)
        joining.env |= {
            "PATH": f"{programs}{os.pathsep}{joining.env['PATH']}", "PGUSER": "postgres",
            "PGHOST": str(make_url(postgres).query["host"]),
        }  # fmt: skip
        before = joining.wait_for(5)

        run(documented("Making a copy", ".venv/bin/python deploy/backup.py"), joining.env, tmp_path)

        after = joining.enrolled
        joining.wait_for(after + 1)
        joining.stop()
        assert joining.errors == []
        [copy] = copies(tmp_path / "backups")
        block = documented("Restoring", "psql")
        run(block, joining.env, tmp_path, **{"babymind-20261125T033000Z.dump": copy})
        whole(url, before, after + 1)
    finally:
        for name in ("babymind", "babymind_before"):
            with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as server:
                server.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as server:
            server.execute(text("DROP ROLE babymind"))
        admin.dispose()


@pytest.mark.fault(82)
def test_after_an_older_copy_nothing_that_may_have_gone_goes_again(ctx: Context, channel: MemoryChannel) -> None:
    with freeze_time("2026-03-08T07:00Z"):  # the copy is of this moment
        enrol_family(ctx)
        plan.plan_due(ctx)
    with freeze_time("2026-03-08T14:00Z"):  # and it is restored at this one
        highest = max(row.id for row in rows(ctx, Delivery))
        if ctx.database.dialect.name == "postgresql":
            by_hand(ctx, documented("After restoring an older copy", "SELECT setval", "sql"))
            highest += 1_000_000
        statement = documented("After restoring an older copy", "UPDATE", "sql")
        by_hand(ctx, statement.replace("2026-11-25 14:10", "2026-03-08 14:10"))

        assert deliver.deliver_due(ctx).total() == 0
        assert {(row.kind, row.status, row.reason) for row in rows(ctx, Delivery)} == {
            (Kind.WELCOME, DeliveryStatus.EXPIRED, Reason.TOO_LATE),
            (Kind.FACT, DeliveryStatus.EXPIRED, Reason.TOO_LATE),
            (Kind.PROMPT, DeliveryStatus.PLANNED, None),
        }
        [fact] = rows(ctx, Delivery, kind=Kind.FACT)
        with ctx.sessions.begin() as session:
            told = Told(delivery_id=fact.id, provider_ref="SM1", told="delivered", status=DeliveryStatus.DELIVERED,
                        error_code=None, received_at=utc("2026-03-08T14:00"))  # fmt: skip
            assert apply_receipt(session, told).raised  # it had gone, and now that is known
    with freeze_time("2026-03-08T17:00:30Z"):
        deliver.deliver_due(ctx)
        enrol_family(ctx, phone="+447700900103")
    assert len(channel.sent) == 1
    # A late receipt of a message that is in no copy finds no other's delivery.
    assert max(row.id for row in rows(ctx, Delivery)) > highest


@pytest.mark.fault(82)
def test_what_an_older_copy_lacks_is_asked_of_the_provider(ctx: Context, channel: MemoryChannel) -> None:
    with freeze_time("2026-03-08T08:00Z"):  # the copy is of this moment: one message is under way, one was listed
        enrol_family(ctx)
        enrol_family(ctx, phone=JO)
        receive.listen(ctx)
        welcomes = claim(ctx, lease="gone", size=10).ready
        taken = {one.claim.id: channel.send(one.message) for one in welcomes}
        channel.sent.clear()
    said = {"MessageSid": "SM1", "From": SAM, "Body": "STOP", "NumMedia": "0"}
    channel.inbound = [(utc("2026-03-08T09:30"), said), (utc("2026-03-08T10:00"), said | {"MessageSid": "SM2"})]
    statement = documented("After restoring an older copy", "UPDATE", "sql")
    by_hand(ctx, statement.replace("2026-11-25 14:10", "2026-03-08 14:10"))

    for minute in range(10):  # and it is restored six hours later
        with freeze_time(f"2026-03-08T14:{minute:02}Z"):
            receive.listen(ctx)
            receive.process_new(ctx)
            triage.triage_new(ctx)
            deliver.sweep(ctx)
            reconcile.ask_about_unknown(ctx)
            deliver.deliver_due(ctx)

    assert {row.id: row.provider_ref for row in rows(ctx, Delivery) if row.id in taken} == taken
    assert not channel.sent
    assert [(row.provider_ref, row.received_at) for row in rows(ctx, Inbound)] == [
        ("SM2", utc("2026-03-08T10:00")), ("SM1", utc("2026-03-08T09:30")),
    ]  # fmt: skip
    stopped = {row.id: row.messaging for row in rows(ctx, Caregiver)}
    assert stopped == {1: Messaging.STOPPED, 2: Messaging.ACTIVE}


# Copies


def backed_up(env: dict[str, str], folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BACKUP), str(folder / "backups"), *more]
    return subprocess.run(command, env=env, cwd=folder, check=False, capture_output=True, text=True)  # noqa: S603


def test_a_damaged_database_gives_no_copy(installation: Callable[[str], dict[str, str]], tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 8000)

    done = backed_up(installation(f"sqlite:///{tmp_path / 'bad.db'}"), tmp_path)

    assert (done.returncode, done.stderr.startswith("backup: "), copies(tmp_path / "backups")) == (1, True, [])


def test_a_database_that_is_not_there_is_said_and_not_made(
    installation: Callable[[str], dict[str, str]], tmp_path: Path
) -> None:
    done = backed_up(installation(f"sqlite:///{tmp_path / 'none.db'}"), tmp_path)

    assert (done.returncode, (tmp_path / "none.db").exists()) == (1, False)


def test_old_copies_go_and_what_is_not_ours_stays(
    installation: Callable[[str], dict[str, str]], sqlite_template: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    days = {days: f"babymind-{datetime.now(UTC) - timedelta(days=days):%Y%m%dT%H%M%SZ}.db" for days in (2, 4)}
    for name in (*days.values(), "babymind-before-the-move.db", "notes.txt"):
        (folder / name).touch()

    done = backed_up(installation(f"sqlite:///{sqlite_template}"), tmp_path, "--keep", "3")

    made = Path(done.stdout.splitlines()[0])
    assert {path.name for path in folder.iterdir() if path.is_file()} == {
        made.name, days[2], "babymind-before-the-move.db", "notes.txt",
    }  # fmt: skip
    assert made.stat().st_mode & 0o077 == 0  # for nobody else to read


# The files


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def settings_named(path: Path) -> set[str]:
    return set(re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")))


def test_every_setting_that_the_files_name_exists() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {"BABYMIND_UPSTREAM"}  # the proxy's own

    named = {path.name: settings_named(path) - known for path in DEPLOY.iterdir() if path.is_file()}

    assert {name: odd for name, odd in named.items() if odd} == {}


def test_the_example_of_settings_starts_once_its_blanks_are_filled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    example = (DEPLOY / "babymind.env.example").read_text(encoding="utf-8")
    blanks = {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "t", "TWILIO_FROM": "+447700900999"}
    for name, value in blanks.items():
        assert f"\n#{PREFIX}{name}=\n" in example
        example = example.replace(f"\n#{PREFIX}{name}=\n", f"\n{PREFIX}{name}={value}\n")
    (tmp_path / ".env").write_text(f"{example}{PREFIX}SECRET_KEY={'s' * 40}\n{PREFIX}DATA_KEYS={KEY}\n")
    monkeypatch.chdir(tmp_path)

    settings = Settings.read()

    assert (settings.channel, settings.database_url) == ("twilio", "sqlite:////var/lib/babymind/babymind.db")


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command that a unit or a container runs, by the name of its file or service."""
    for unit in UNITS:
        for line in re.findall(
            r"^Exec(?:Start|StartPre|StartPost)=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE
        ):
            yield unit.name, line.removeprefix("/opt/babymind/.venv/bin/").split()
    for name, service in compose()["services"].items():
        if service["image"] == "babymind":
            given = service["command"]
            parts = given[2].split(" && ") if given[:2] == ["sh", "-c"] else [" ".join(given)]
            yield from ((name, part.split()) for part in parts)
    image = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    yield "Containerfile", yaml.safe_load(image.partition("\nCMD ")[2])


def test_every_command_that_the_files_run_exists() -> None:
    asked = list(commands())

    assert {name for name, _ in asked} >= {unit.name for unit in UNITS} | {
        "web",
        "worker",
        "upgrade",
        "Containerfile",
    }
    for name, (program, *words) in asked:
        match program:
            case "babymind":
                found: Any = cli
                for word in itertools.takewhile(lambda word: not word.startswith("-"), words):
                    assert word in found.commands, f"{name}: babymind {' '.join(words)}"
                    found = found.commands[word]
                known = {option for parameter in found.params for option in parameter.opts}
                assert {word for word in words if word.startswith("-")} <= known, name
            case "gunicorn":
                assert words == ["-c", "deploy/gunicorn.conf.py", "wsgi:app"], name
                assert '"gunicorn>=' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
            case "python":
                assert (ROOT / words[0]).is_file(), name
            case _:
                pytest.fail(f"{name} runs {program}, which nothing here installs")


def test_a_service_is_given_the_time_to_drain() -> None:
    for unit in ("babymind.service", "babymind-worker@.service"):
        [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", (DEPLOY / unit).read_text(encoding="utf-8"), re.MULTILINE)
        assert int(seconds) > DRAIN_SECONDS + 2
    assert float(compose()["services"]["worker"]["stop_grace_period"].removesuffix("s")) > DRAIN_SECONDS + 2


def test_the_image_is_made_of_what_is_there() -> None:
    image = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    sources = [source for line in re.findall(r"^COPY (.*)$", image, re.MULTILINE) for source in line.split()[:-1]]

    assert [source for source in sources if not (ROOT / source).exists()] == []
    # What the program reads beside itself has to be in it.
    assert {"babymind", "content", "migrations", "wsgi.py", "deploy"} <= set(sources)


def test_processes_share_no_connection_and_each_setting_of_gunicorn_is_one() -> None:
    values = {
        name: value for name, value in runpy.run_path(str(DEPLOY / "gunicorn.conf.py")).items() if name[0] != "_"
    }

    assert (values["preload_app"], values["bind"]) == (False, os.environ.get("BIND", "127.0.0.1:8000"))
    config = pytest.importorskip("gunicorn.config")
    assert values.keys() - {setting.name for setting in config.KNOWN_SETTINGS} == {"os", "Any"}


def test_the_files_hold_no_secret_and_no_host_of_anybody() -> None:
    for path in DEPLOY.iterdir():
        if not path.is_file():
            continue
        content = path.read_text(encoding="utf-8")
        assert not re.search(r"\b(AC|SK|MG|HX)[0-9a-f]{32}\b|[A-Za-z0-9_-]{43}=|\+[1-9]\d{6,}", content), path.name
        code = re.sub(r"^\s*# .*$", "", content, flags=re.MULTILINE)
        for host in re.findall(r"(?:://(?:[^/\s@]*@)?|^\s*server(?:_name)? )([\w.-]+)", code, re.MULTILINE):
            place = host.partition(":")[0]
            private = place.replace(".", "").isdigit() and ip_address(place).is_private
            assert private or place in ("db", "babymind", "babymind-media") or place.endswith("example.org"), (
                f"{path.name}: {place}"
            )


def test_whatever_the_pages_say_of_deploy_is_there() -> None:
    for page in ("docs/operations.md", "docs/scaling.md", "docs/architecture.md"):
        for name in re.findall(r"\bdeploy/[\w.@-]*\w", (ROOT / page).read_text(encoding="utf-8")):
            assert (ROOT / name).exists(), f"{page}: {name}"


@pytest.mark.fault(86)
@pytest.mark.parametrize("name", ["run", "dev"])
def test_every_package_is_taken_by_its_hash_and_from_no_named_host(name: str) -> None:
    listed = (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8")

    packages = [one for one in re.split(r"\n(?=\S)", listed) if not one.startswith("#")]
    assert len(packages) > 30
    pinned = re.compile(r"[\w.\[\],-]+==\S+( ;.*)? \\\n    --hash=sha256:\w{64}")
    assert [one for one in packages if not pinned.match(one)] == []
    assert "://" not in listed
