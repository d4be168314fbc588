"""A figure: what was measured, the limit that was measured beside it, and the goal for their ratio."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One promise. ``ratio`` is better when larger; ``goal`` is what it must reach."""

    name: str
    value: float
    unit: str
    limit: float
    ratio: float
    at_least: float

    @property
    def goal(self) -> str:
        """The goal as it is printed."""
        return f">= {self.at_least}"

    @property
    def ok(self) -> bool:
        """Whether the promise is kept."""
        return self.ratio >= self.at_least

    def row(self) -> dict[str, object]:
        """The figure as it stands in the file of results."""
        return {"name": self.name, "value": round(self.value, 3), "unit": self.unit, "limit": round(self.limit, 3),
                "ratio": round(self.ratio, 3), "goal": self.goal, "ok": self.ok}  # fmt: skip


def alternately(ours: Callable[[], float], limit: Callable[[], float], rounds: int = ROUNDS) -> tuple[float, float]:
    """Measure two things in turn, so that a busy moment hits both, and return the median of each."""
    pairs = [(ours(), limit()) for _ in range(rounds)]
    return statistics.median(one for one, _ in pairs), statistics.median(other for _, other in pairs)
