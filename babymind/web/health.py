"""For the machines that watch this one: open to everybody, and without a name, number or text."""

from collections.abc import Iterator

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from babymind.services import health as service
from babymind.services import measures
from babymind.services.health import Figure
from babymind.web.current import context

health = Blueprint("health", __name__)


@health.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Tell how this installation is: 200 when it is well, else 503 with the reasons."""
    found = service.state(context())
    return {"ok": found.ok, "reasons": list(found.reasons), **found.facts}, 200 if found.ok else 503


@health.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Answer 200 when the database answers; 503 comes of the error that it raises."""
    service.ready(context())
    return {"ready": True}


@health.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Show counts in the format that Prometheus reads; what this process did even while the database is away."""
    registry = CollectorRegistry()
    try:
        figures = service.figures(context())
    except Exception as error:
        if not service.is_unavailable(error):
            raise
        figures = []
    registry.register(_Figures([Figure("babymind_database_up", "Whether the database answers", bool(figures)),
                                *figures]))  # fmt: skip
    return Response(generate_latest(registry) + measures.exposition(), content_type=CONTENT_TYPE_LATEST)


class _Figures(Collector):
    """Hands figures to the library that writes the format."""

    def __init__(self, figures: list[Figure]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield a family for each name."""
        families: dict[str, GaugeMetricFamily] = {}
        for one in self._figures:
            if one.name not in families:
                families[one.name] = GaugeMetricFamily(one.name, one.means, labels=list(one.labels))
            families[one.name].add_metric(list(one.labels.values()), one.value)
        yield from families.values()
