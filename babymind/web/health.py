"""For the machines that watch this one: open to everybody, and without a name, number or text."""

from collections.abc import Iterator

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from babymind.services import health as service
from babymind.services.health import Figure
from babymind.web.current import context

health = Blueprint("health", __name__)


@health.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Tell how this installation is."""
    return dict(service.state(context()))


@health.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Answer 200 when the database answers; 503 comes of the error that it raises."""
    service.ready(context())
    return {"ready": True}


@health.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Show counts in the format that Prometheus reads; never a name, a number or a text."""
    registry = CollectorRegistry()
    registry.register(_Figures(service.figures(context())))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


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
