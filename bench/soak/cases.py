"""What is soaked: each case is an installation, a load, and what goes wrong meanwhile."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from babymind.simulator.faults import FaultName
from bench.soak.mortal import ACCEPTED, POINTS

Fault = Mapping[str, object]

ANSWER_SECONDS = 2  # how long the provider may take; leases and looks follow
TOO_LONG = ANSWER_SECONDS * 1.5
LATENCY: Fault = {"name": "accept-late", "times": None, "seconds": 0.1}  # the ordinary one, after all others
UNCLEAR: Fault = {"name": "accept-drop", "times": None, "share": 0.1}  # so that there is something to look up


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run."""

    name: str
    database: str
    engine: str
    messages: int = 500
    kills: int = 20
    workers: int = 4
    points: Collection[str] = tuple(POINTS)  # where processes die, beside the deaths at random
    faults: Sequence[Fault] = ()
    answer_seconds: float = ANSWER_SECONDS
    deadline_seconds: float = 900
    reconciles: bool = True  # without it doubles have to appear: the run can fail
    refuses: bool = False  # the provider refuses some messages for good: those are not lost
    database_away_seconds: float = 0.0

    @property
    def every(self) -> int:
        """After how many messages somebody dies, about."""
        return max(1, self.messages // max(1, self.kills))


def _fault(name: FaultName, *, share: float = 0.1) -> list[Fault]:
    """Return how often and how a fault strikes, with what makes it matter."""
    fault: dict[str, object] = {"name": name.value, "times": None, "share": share}
    match name:
        case FaultName.ACCEPT_LATE | FaultName.DRIP | FaultName.HANG:
            return [fault | {"seconds": TOO_LONG}]
        case FaultName.QUEUE_LATE | FaultName.LIST_LATE:
            return [fault | {"seconds": 2 * ANSWER_SECONDS, "share": 5 * share}, UNCLEAR]
        case FaultName.NUMBER_REFUSED:
            return [fault | {"code": 21211}]
        case FaultName.NUMBER_ERROR:
            return [fault | {"code": 30003}, fault | {"code": 30005}]
        case FaultName.CALLBACK_LOST:
            return [fault | {"share": min(1.0, 10 * share)}, UNCLEAR]
        case FaultName.WEBHOOK_ALBUM:
            return [fault | {"share": min(1.0, 10 * share)}]
        case _:
            return [fault | {"share": 2 * share}] if name.startswith(("callback", "webhook", "media")) else [fault]


REFUSALS = frozenset({FaultName.NUMBER_REFUSED, FaultName.NUMBER_ERROR})
EVERYTHING: Sequence[Fault] = [fault for name in FaultName for fault in _fault(name, share=0.03)]
UNASKABLE: Sequence[Fault] = [
    {"name": "bad-gateway", "times": None, "share": 0.3, "any_request": True},
    UNCLEAR,
]
INSTALLATIONS = [(database, engine) for database in ("sqlite", "postgresql") for engine in ("inline", "dbos")]


def _all() -> list[Case]:
    kills = [
        Case(name=f"kill-{database}-{engine}", database=database, engine=engine, messages=5000, kills=200,
             deadline_seconds=3600)
        for database, engine in INSTALLATIONS
    ]  # fmt: skip
    single = [
        Case(name=f"fault-{name}", database=INSTALLATIONS[number % 4][0], engine=INSTALLATIONS[number % 4][1],
             faults=_fault(name), refuses=name in REFUSALS)
        for number, name in enumerate(FaultName)
    ]  # fmt: skip
    every = [
        Case(name=f"faults-all-{database}-{engine}", database=database, engine=engine, messages=1000, kills=40,
             faults=EVERYTHING, refuses=True, deadline_seconds=1800)
        for database, engine in INSTALLATIONS
    ]  # fmt: skip
    return [
        *kills,
        *single,
        Case(name="fault-look-ups-fail", database="postgresql", engine="inline", faults=UNASKABLE),
        *every,
        *[
            Case(name=f"database-away-{engine}", database="postgresql", engine=engine, messages=3000, kills=0,
                 database_away_seconds=60, deadline_seconds=1800)
            for engine in ("inline", "dbos")
        ],
        *[
            Case(name=f"control-{database}", database=database, engine="inline", messages=200, kills=20,
                 points=[ACCEPTED], faults=[{"name": "callback-lost", "times": None}], reconciles=False)
            for database in ("sqlite", "postgresql")
        ],
    ]  # fmt: skip


CASES: Mapping[str, Case] = {case.name: case for case in _all()}
