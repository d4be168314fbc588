"""The demo: everything in one process, with sample families at telling ages and a phone to answer on."""

import json
import logging
import os
import secrets
import shutil
import signal
import socket
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from cryptography.fernet import Fernet

from babymind import bootstrap
from babymind.app import create_app
from babymind.clock import utc_now
from babymind.config import Settings
from babymind.errors import BabyMindError, ConfigurationError
from babymind.services import accounts, content, enrol
from babymind.services.context import Context
from babymind.services.enrol import NewCaregiver, NewFamily
from babymind.simulator.config import SimulatorConfig
from babymind.simulator.faults import named_plan
from babymind.simulator.server import SimulatorServer
from babymind.simulator.state import Exchange
from babymind.store import schema
from babymind.store.base import make_engine
from babymind.web.auth import hash_password
from babymind.web.server import WebServer
from babymind.worker import Worker

STUDY = "demo"
FOLDER = Path("var/demo")
EMAIL = "team@example.org"
SENDER = "+447700900999"
# Where it is day somewhere in this list, whatever the hour: a demo in the evening still has something to read, and
# the quiet hours stay what they are.
ZONES = ("Europe/London", "America/New_York", "Asia/Kolkata", "Australia/Sydney", "Pacific/Auckland",
         "America/Los_Angeles", "Asia/Tokyo", "Europe/Istanbul")  # fmt: skip
DAY_FROM, DAY_UNTIL = 9, 20  # hours
WAIT_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A made-up family; days count from today, back for a birth and ahead for a due date."""

    caregivers: tuple[tuple[str, str], ...]  # (name, role)
    babies: tuple[str, ...] = ("",)
    due_in: int | None = None
    born_ago: int | None = None
    gestation_days: int | None = None
    says: str = ""  # what it has answered already
    picture: bool = False


SAMPLES = (
    Sample(caregivers=(("Sam", "mother"),), babies=("Robin",), due_in=84),
    Sample(caregivers=(("Priya", "mother"),), due_in=25, says="I imagine a quiet one who likes music, like my dad"),
    Sample(caregivers=(("Tom", "father"),), babies=("Bean",), due_in=-5),
    Sample(caregivers=(("Grace", "mother"),), babies=("Ada",), born_ago=1),
    Sample(caregivers=(("Finlay", "father"),), babies=("Isla",), born_ago=20, picture=True,
           says="She went still when I came in. I think she was working out whose voice it was"),
    Sample(caregivers=(("Mina", "mother"),), babies=("Noor",), born_ago=21, gestation_days=217),
    Sample(caregivers=(("Alex", "mother"),), babies=("Ivy", "Ben"), born_ago=70, picture=True,
           says="Ivy watches the mobile, Ben watches Ivy"),
    Sample(caregivers=(("Ellie", "mother"), ("Joe", "partner")), babies=("Leo",), born_ago=183,
           says="He looks for the cat before he looks for me!"),
    Sample(caregivers=(("Hana", "mother"),), babies=("Yuki",), born_ago=185, gestation_days=217),
    Sample(caregivers=(("Rose", "grandparent"),), babies=("Kit",), born_ago=275),
    Sample(caregivers=(("Dee", "foster_carer"),), born_ago=150),
    Sample(caregivers=(("Marcus", "father"),), babies=("Maya",), born_ago=350),
)  # fmt: skip


def run(*, port: int, fresh: bool, faults: str = "none") -> None:
    """Start the demo and stay until it is stopped.

    Args:
        port: Of the pages; the phone simulator takes the next.
        fresh: Forget the last demo.
        faults: What goes wrong at the simulated provider, by its name; see `simulator.faults`.
    """
    _require_ports(port, port + 1)
    folder = FOLDER.resolve()
    if fresh and folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    secret = _secrets(folder)
    settings = _settings(folder, port, secret)
    bootstrap.set_up_logging("console")
    logging.getLogger("waitress").setLevel(logging.ERROR)
    click.echo("Preparing the database…")
    schema.upgrade(make_engine(settings.database_url))
    ctx = bootstrap.build(settings)
    click.echo("Loading the texts…")
    content.load(ctx)
    first_time = _study_and_staff(ctx, secret["password"])
    exchange = Exchange(
        SimulatorConfig(
            account_sid=settings.twilio_account_sid, auth_token=settings.twilio_auth_token, number=SENDER,
            messages_webhook_url=f"{settings.public_url}/webhooks/twilio/messages",
        ),
        str(folder / "phones.db"),
    )  # fmt: skip
    exchange.faults.set(named_plan(faults))
    answers = _enrol_samples(ctx, exchange) if first_time else []
    _serve(ctx, settings, exchange, answers, port, secret["password"])


def _require_ports(*ports: int) -> None:
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise ConfigurationError(
                    f"Port {port} is taken; choose another with: babymind demo --port {port + 100}"
                ) from None


def _secrets(folder: Path) -> dict[str, str]:
    file = folder / "secrets.json"
    if not file.exists():
        made = {
            "secret_key": secrets.token_urlsafe(48),
            "data_key": Fernet.generate_key().decode(),
            "account_sid": f"AC{secrets.token_hex(16)}",
            "auth_token": secrets.token_hex(16),
            "password": "-".join(secrets.token_hex(2) for _ in range(4)),
        }
        file.touch(mode=0o600)
        file.write_text(json.dumps(made), encoding="utf-8")
    kept: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return kept


def _settings(folder: Path, port: int, secret: dict[str, str]) -> Settings:
    return Settings(
        database_url=f"sqlite:///{folder / 'babymind.db'}",
        secret_key=secret["secret_key"],
        data_keys=(secret["data_key"],),
        public_url=f"http://127.0.0.1:{port}",
        channel="simulator",
        twilio_account_sid=secret["account_sid"],
        twilio_auth_token=secret["auth_token"],
        twilio_from=SENDER,
        twilio_api_base_url=f"http://127.0.0.1:{port + 1}",
        media_url=(folder / "media").as_uri(),
        log_format="console",
    )


def _study_and_staff(ctx: Context, password: str) -> bool:
    try:
        enrol.add_study(ctx, STUDY, "BabyMind demo")
    except BabyMindError:
        return False
    accounts.add_staff(ctx, EMAIL, password, roles=["admin", "reviewer"], name="Demo team",
                       hash_password=hash_password)  # fmt: skip
    return True


def awake_zones(now: datetime) -> list[str]:
    """Return the zones of the list in which it is day."""
    return [zone for zone in ZONES if DAY_FROM <= now.astimezone(ZoneInfo(zone)).hour < DAY_UNTIL]


def _enrol_samples(ctx: Context, exchange: Exchange) -> list[tuple[str, Sample]]:
    now = utc_now()
    zones = awake_zones(now)[:2]
    answers = []
    for place, sample in enumerate(SAMPLES):
        zone = zones[1 if len(zones) > 1 and place % 4 == 3 else 0]
        local = now.astimezone(ZoneInfo(zone))
        # The fact and the prompt of today are due already, so that there is something to read; at the same minute,
        # for of two that are late together only the newer one goes.
        at = f"{local - timedelta(minutes=5):%H:%M}"
        people = []
        for number, (name, role) in enumerate(sample.caregivers):
            phone = f"+4477009001{place:02d}" if number == 0 else f"+4477009002{place:02d}"
            people.append(NewCaregiver(name=name, phone=phone, role=role, zone=zone, fact_time=at,
                                       prompt_time=at, research_consent=True))  # fmt: skip
            exchange.add_phone(phone, _label(name, role, sample), zone)
        enrol.enrol(ctx, _family(sample, people, local, now), actor="demo")
        if sample.says:
            answers.append((people[0].phone, sample))
    return answers


def _family(sample: Sample, people: list[NewCaregiver], local: datetime, now: datetime) -> NewFamily:
    today = local.date()
    born_on = today - timedelta(days=sample.born_ago) if sample.born_ago is not None else None
    due_on = today + timedelta(days=sample.due_in) if sample.due_in is not None else None
    return NewFamily(study=STUDY, caregivers=people, babies=sample.babies, due_on=due_on, born_on=born_on,
                     gestation_days=sample.gestation_days, starts_at=now - timedelta(days=1), how="demo")  # fmt: skip


def _label(name: str, role: str, sample: Sample) -> str:
    babies = " and ".join(baby for baby in sample.babies if baby)
    return f"{name}, {babies}'s {role}" if babies else f"{name}, {role.replace('_', ' ')}"


def _serve(ctx: Context, settings: Settings, exchange: Exchange, answers: list[tuple[str, Sample]], port: int,
           password: str) -> None:  # fmt: skip
    done = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: done.set())
    worker = Worker(ctx)
    with exchange, SimulatorServer(exchange, port=port + 1), WebServer(create_app(ctx, settings), port=port):
        worker.start()
        for phone, sample in answers:
            _answer(exchange, phone, sample)
        click.echo(_greeting(port, password))
        if faults := exchange.faults.report():
            click.echo(f"  Faults    {', '.join(one['name'] for one in faults)}: every so many messages or calls\n")
        while not done.wait(1):
            pass
        click.echo("Stopping…")
        worker.stop()
    ctx.database.dispose()


def _answer(exchange: Exchange, phone: str, sample: Sample) -> None:
    """Let a sample family answer once its prompt is on the phone."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        if len(exchange.thread(phone)) >= 3:  # welcome, fact, prompt
            break
        time.sleep(0.1)
    media = [("image/jpeg", drawing(len(sample.babies)))] if sample.picture else []
    exchange.receive(phone, SENDER, sample.says, media)


def drawing(babies: int) -> bytes:
    """Return a drawn picture as a JPEG: no photo of a real child is ever used."""
    import io

    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (1000, 750), "#f3e3cf")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 520, 1000, 750), fill="#a9c6b4")
    for number in range(babies):
        left = 330 - 170 * (babies - 1) + 340 * number
        pen.ellipse((left, 200, left + 340, 540), fill="#e8b98f")
        for eye in (100, 210):
            pen.ellipse((left + eye, 320, left + eye + 30, 360), fill="#3b2f2a")
        pen.arc((left + 110, 370, left + 230, 450), 10, 170, fill="#8c4a3c", width=8)
        pen.arc((left + 140, 170, left + 200, 230), 150, 360, fill="#6b4a33", width=9)
        pen.rounded_rectangle((left + 10, 500, left + 330, 720), 80, fill="#7a93c2" if number % 2 else "#d9897c")
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return out.getvalue()


def _greeting(port: int, password: str) -> str:
    return f"""
BabyMind is running. Everything stays on this machine.

  Phones    http://127.0.0.1:{port + 1}/         read today's texts and answer as a parent
  App team  http://127.0.0.1:{port}/staff/   sign in as {EMAIL}
                                          password     {password}

  Data      {os.path.relpath(FOLDER)}   (start over with: babymind demo --fresh)
  Stop      Ctrl+C
"""
