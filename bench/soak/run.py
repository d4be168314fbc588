"""One run: start everything, let it be killed and failed, wait until all is done, and ask the oracle."""

import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import requests
from sqlalchemy.exc import OperationalError

from babymind.clock import utc_now
from bench.parts import KEY, databases, installation
from bench.soak import load as loads
from bench.soak.cases import LATENCY, Case
from bench.soak.crew import Crew, free_port, logs_with_errors, start, wait_for
from bench.soak.load import picture
from bench.soak.mortal import SENDER, Orders
from bench.soak.oracle import DOUBLED, Finding, Oracle, Phones
from bench.soak.outage import Caller, take_away

ACCOUNT, TOKEN = "AC" + "0" * 32, "soak-token"
STEP_SECONDS, ASK_SECONDS = 0.05, 0.5
IDLE_SECONDS = 3.0  # nobody is spared for longer, even where nothing moves
GROW_SECONDS, FEW = 0.2, 10  # where so little is left to do and somebody is still to be killed, more is added
SEND_THREADS = 4
LOGS = Path("var/soak")  # of runs that broke a promise

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the application and the provider listen."""

    web_port: int
    provider_port: int

    @property
    def web(self) -> str:
        """The address of the application."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def provider(self) -> str:
        """The address of the provider."""
        return f"http://127.0.0.1:{self.provider_port}"


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to."""

    findings: list[Finding]
    deaths: Counter[str]
    seconds: float
    errors: Mapping[str, int] = field(default_factory=dict)  # how many each process logged

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not any(one.violations for one in self.findings)


def soak(case: Case, say: Say = lambda _: None, *, seed: int = 1) -> Report:
    """Run a case from an empty database to its findings."""
    began = time.monotonic()
    with databases(case.database) as (url, folder), installation(url, folder) as ctx:
        load = loads.add(ctx, case.messages, utc_now())
        ports = Ports(free_port(), free_port())
        orders = Orders(role="", name="", folder=folder, environment=_environment(case, url, folder, ports),
                        port=ports.web_port, reconciles=case.reconciles)  # fmt: skip
        provider = start(replace(orders, role="provider", name="provider", port=ports.provider_port))
        crew = Crew(orders, points=case.points if case.kills else (), every=case.every, seed=seed)
        try:
            wait_for(ports.provider_port)
            with contextlib.closing(Phones(folder / "phones.db")) as phones:
                findings = _Run(case, crew, Oracle(ctx, load, phones), ports, folder, say).go()
        finally:
            crew.abandon()
            provider.kill()
            provider.join()
        report = Report(findings, crew.deaths, time.monotonic() - began, logs_with_errors(folder))
        if not report.kept:
            _keep_logs(folder, LOGS / case.name)
        return report


def _environment(case: Case, url: str, folder: Path, ports: Ports) -> dict[str, str]:
    values = {
        "DATABASE_URL": url, "SECRET_KEY": "s" * 40, "DATA_KEYS": KEY, "PUBLIC_URL": ports.web,
        "CHANNEL": "simulator", "TWILIO_API_BASE_URL": ports.provider, "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_FROM": SENDER, "MEDIA_URL": (folder / "media").as_uri(),
        "ENGINE": case.engine, "SEND_THREADS": str(SEND_THREADS), "ANSWER_SECONDS": f"{case.answer_seconds:g}",
    }  # fmt: skip
    return {f"BABYMIND_{name}": value for name, value in values.items()}


def _keep_logs(folder: Path, kept: Path) -> None:
    """Keep what the processes of a run have logged; it holds ids only."""
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, kept)


class _Run:
    """The loop: whoever has died is replaced, somebody is killed, somebody answers, until nothing is left to do."""

    def __init__(self, case: Case, crew: Crew, oracle: Oracle, ports: Ports, folder: Path, say: Say) -> None:
        self.case, self.crew, self.oracle, self.ports, self.folder, self.say = case, crew, oracle, ports, folder, say
        self.answered = self.taken = 0
        self.open: Counter[str] = Counter({"everything": FEW})
        self.grew_at = self.killed_at = time.monotonic()
        self.taken_at_kill = 0
        self.findings: list[Finding] = []

    def go(self) -> list[Finding]:
        """Run to the end, or to the deadline."""
        until = time.monotonic() + self.case.deadline_seconds
        self.set_up()
        asked_at, away = 0.0, self.case.database_away_seconds > 0
        while time.monotonic() < until and (self.open or self.dying or away):
            self.crew.look()
            if away and self.taken >= self.case.messages // 5:
                away = False
                self.take_database_away()
            self.kill()
            self.answer()
            few = self.open.total() < FEW and time.monotonic() - self.grew_at >= GROW_SECONDS
            if few and self.dying:
                self.oracle.grow()
                self.grew_at = time.monotonic()
            if time.monotonic() - asked_at >= ASK_SECONDS:
                self.ask()
                asked_at = time.monotonic()
            time.sleep(STEP_SECONDS)
        self.crew.stop()
        return self.judge()

    @property
    def dying(self) -> bool:
        """Whether there are still some to be killed; meanwhile the load goes on."""
        return self.case.kills > 0 and (self.crew.deaths.total() < self.case.kills or bool(self.crew.unmet()))

    def set_up(self) -> None:
        """Set the faults, put those who will answer on the list of phones, and start."""
        with requests.Session() as session:
            plan = {"faults": [*self.case.faults, LATENCY], "seed": 1}
            session.post(f"{self.ports.provider}/simulator/faults", json=plan, timeout=30).raise_for_status()
            for phone in self.oracle.load.phones.values():
                session.post(f"{self.ports.provider}/phones", {"number": phone, "label": phone},
                             allow_redirects=False, timeout=30).raise_for_status()  # fmt: skip
        self.crew.begin(self.case.workers)
        wait_for(self.ports.web_port)

    def kill(self) -> None:
        """Kill somebody at random, in step with the messages, but never wait for long."""
        if not self.dying:
            self.crew.disarm()
            return
        idle = time.monotonic() - self.killed_at >= IDLE_SECONDS
        if idle or self.taken - self.taken_at_kill >= 2 * self.case.every:  # the other half die at their points
            self.crew.kill_one()
            self.killed_at, self.taken_at_kill = time.monotonic(), self.taken

    def answer(self) -> None:
        """Let caregivers answer, in step with the messages."""
        replies = self.oracle.load.replies
        due = len(replies) * min(self.taken, self.case.messages) // self.case.messages
        for said in replies[self.answered : due]:
            photos = [("photos", (f"{n}.jpg", picture(n), "image/jpeg")) for n in range(said.pictures)]
            requests.post(f"{self.ports.provider}/phones/{said.phone[1:]}/messages", {"body": said.text},
                          files=photos or None, allow_redirects=False, timeout=30).raise_for_status()  # fmt: skip
        self.answered = max(self.answered, due)

    def ask(self) -> None:
        """Ask where things stand, and tell it."""
        self.taken = self.oracle.phones.taken()
        with contextlib.suppress(OperationalError):  # the database is away, or just busy
            self.open = self.oracle.open()
        still = ", ".join(f"{name} {count}" for name, count in sorted(self.open.items()))
        self.say(f"{self.taken} taken, {self.crew.deaths.total()} killed, {self.answered} answers; {still or 'done'}")

    def take_database_away(self) -> None:
        """Stop the database and start it again, while everything else goes on."""
        caller = Caller(self.ports.web, ACCOUNT, TOKEN, self.oracle.load.phones[1], SENDER)
        who = self.crew.pids()
        found, posted = take_away(self.folder, self.case.database_away_seconds, caller, self.crew.look)
        self.oracle.posted |= posted
        again = len(who - self.crew.pids())
        self.findings += [*found, Finding.of("nobody has to be started again", len(who), {"ended": again})]

    def judge(self) -> list[Finding]:
        """Ask the oracle, after the end."""
        found = self.oracle.findings(refuses=self.case.refuses)
        if not self.case.reconciles:
            doubled = next(one for one in found if one.name == DOUBLED)
            return [Finding("without asking the provider, some come twice", doubled.checked,
                            int(not doubled.violations), (f"{doubled.violations} came twice",))]  # fmt: skip
        ended = Counter(self.crew.ended)
        return [
            *found,
            Finding.of("all is done in time", self.oracle.load.expected.total(), self.open),
            Finding.of("nobody ends without being told or killed", self.crew.started, ended),
            *self.findings,
        ]
