"""Who runs: the processes of one installation, killed and started again, and each ended at the end."""

import multiprocessing
import signal
import socket
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random

from bench.soak.mortal import ARMED, DEATHS, FIRST, PLANNING, POINTS, Orders, live

ENDS_SECONDS = 15.0
BEGINS_SECONDS = 60.0
AT_RANDOM = "at random"

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["bench.soak.mortal"])


@dataclass(slots=True)
class Member:
    """One process that runs now."""

    orders: Orders
    process: BaseProcess


class Crew:
    """Starts workers and a web process, lets them die, and starts others in their place at once."""

    def __init__(self, orders: Orders, *, points: Collection[str], every: int, seed: int) -> None:
        """Prepare.

        Args:
            orders: What all of them are told.
            points: Where they die, beside the deaths at random.
            every: After how many messages one dies at a point that comes with each message, about.
            seed: Of who dies where.
        """
        self._orders, self._points, self._every = orders, points, every
        self._random = Random(seed)  # noqa: S311 - a plan, not a secret
        self._told = 0  # how many of the deaths that were written down are counted
        self.members: list[Member] = []
        self.deaths: Counter[str] = Counter()
        self.ended: list[str] = []  # who ended without being told or killed
        self.started = 0

    def begin(self, workers: int) -> None:
        """Start; first those that die while the day is being planned, where somebody is to die there."""
        if self._points:
            (self._orders.folder / ARMED).touch()
        for name in FIRST:
            if name not in self._points:
                continue
            # Both kinds of slots are written, and not committed.
            first = self._start("worker", name, nth=2 if name == PLANNING else 1)
            first.process.join(BEGINS_SECONDS)
            self.look(again=False)
        self._start("web")
        for _ in range(workers):
            self._start("worker")

    def unmet(self) -> set[str]:
        """Return the points at which nobody has died yet."""
        return {name for name in self._points if not self.deaths[name]}

    def look(self, *, again: bool = True) -> None:
        """See who has died, and start another in the place of each."""
        gone = [member for member in self.members if member.process.exitcode is not None]
        if not gone:
            return
        said = self._said()
        at_points, self._told = said[self._told :], len(said)
        killed = 0
        for member in gone:
            self.members.remove(member)
            member.process.join()
            if member.process.exitcode == -signal.SIGKILL:
                killed += 1
            else:
                self.ended.append(f"{member.orders.name} ended by itself with {member.process.exitcode}")
        self.deaths.update(at_points)
        self.deaths[AT_RANDOM] += killed - len(at_points)
        for member in gone if again else ():
            self._start(member.orders.role)

    def kill_one(self) -> None:
        """Kill one of them, whatever it is doing; `look` starts another."""
        member = self._random.choice(self.members)
        member.process.kill()
        member.process.join()
        self.look()

    def disarm(self) -> None:
        """Let nobody die at a point any more."""
        (self._orders.folder / ARMED).unlink(missing_ok=True)

    def stop(self) -> None:
        """End all of them: politely first, then surely."""
        self.disarm()
        self.look(again=False)
        for member in self.members:
            member.process.terminate()
        until = time.monotonic() + ENDS_SECONDS
        for member in self.members:
            member.process.join(max(0.0, until - time.monotonic()))
            if member.process.exitcode != 0:
                self.ended.append(f"{member.orders.name} was told to end, and gave {member.process.exitcode}")
        self.abandon()

    def abandon(self) -> None:
        """Kill whoever is left."""
        for member in self.members:
            member.process.kill()
            member.process.join()
        self.members.clear()

    def pids(self) -> set[int | None]:
        """Who runs."""
        return {member.process.pid for member in self.members}

    def _start(self, role: str, point: str | None = None, nth: int = 0) -> Member:
        if point is None and (self._orders.folder / ARMED).exists():
            point = self._next_point(role)
        if point is not None and not nth:
            nth = self._random.randint(1, 2 * self._every if POINTS[point].often else 2)
        self.started += 1
        orders = replace(self._orders, role=role, name=f"{role}-{self.started}", point=point, nth=nth)
        member = Member(orders, start(orders))
        self.members.append(member)
        return member

    def _next_point(self, role: str) -> str | None:
        """Return the point at which the fewest have died or are about to."""
        there = [name for name in self._points if POINTS[name].role == role and name not in FIRST]
        waited_for = Counter(member.orders.point for member in self.members)
        self._random.shuffle(there)
        return min(there, key=lambda name: self.deaths[name] + waited_for[name], default=None)

    def _said(self) -> list[str]:
        file = self._orders.folder / DEATHS
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def start(orders: Orders) -> BaseProcess:
    """Start a process."""
    process = _forks.Process(target=live, args=(orders,), daemon=True)
    process.start()
    return process


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until somebody listens on a port."""
    until = time.monotonic() + BEGINS_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def logs_with_errors(folder: Path) -> Mapping[str, int]:
    """Return how many errors each process has logged, of those that logged any."""
    found = {file.stem: file.read_text(encoding="utf-8").count('"level": "error"') for file in folder.glob("*.log")}
    return {name: count for name, count in found.items() if count}
