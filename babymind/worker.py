"""The clock, and what its ticks and the engine's hints call. Any number of clocks is harmless."""

from collections.abc import Callable

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from babymind.engine.base import Work
from babymind.services import deliver, ledger, plan, receive, triage
from babymind.services.context import Context

log = structlog.get_logger()

LOOK_SECONDS = 15  # between two looks at what is due
PLAN_SECONDS = 60
LEDGER_SECONDS = 3600
PLAN_AGAIN_SECONDS = 3600  # everything once more: finds what nobody mentioned


class Worker:
    """Clock and engine of one process."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._clock = BackgroundScheduler(
            timezone="UTC",
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self) -> None:
        """Start the engine's handlers and the ticks."""
        ctx = self._ctx
        ctx.engine.start(
            {
                Work.DELIVER: self._deliver,
                Work.RECEIVE: self._receive,
                Work.FETCH_MEDIA: self._fetch,
            }
        )
        self._every(PLAN_SECONDS, "plan", self._plan)
        self._every(PLAN_AGAIN_SECONDS, "plan again", lambda: self._plan(everything=True), at_once=False)
        self._every(LOOK_SECONDS, "look", self._look)
        self._every(LEDGER_SECONDS, "ledger", lambda: ledger.check(ctx), at_once=False)
        self._clock.start()

    def stop(self) -> None:
        """Drain: nothing new is begun, what is under way is finished."""
        self._ctx.stopping.set()
        if self._clock.running:
            self._clock.shutdown(wait=True)
        self._ctx.engine.stop()
        self._ctx.senders.shutdown(wait=True, cancel_futures=False)

    def _every(self, seconds: int, name: str, tick: Callable[[], object], *, at_once: bool = True) -> None:
        def quietly() -> None:
            try:
                tick()
            except Exception:  # the clock goes on; the next tick tries again
                log.exception("tick failed", tick=name)

        self._clock.add_job(quietly, "interval", seconds=seconds, id=name)
        if at_once:
            self._clock.add_job(quietly, id=f"{name} at once")

    def _look(self) -> None:
        deliver.sweep(self._ctx)
        for work in Work:
            self._ctx.engine.hint(work)

    def _plan(self, *, everything: bool = False) -> None:
        planned = plan.plan_due(self._ctx, everything=everything)
        if planned.total():
            log.info("planned", to_send=planned[None], not_sent=planned.total() - planned[None])
            self._ctx.engine.hint(Work.DELIVER)

    def _deliver(self) -> None:
        outcomes = deliver.deliver_due(self._ctx)
        if outcomes:
            log.info("delivered", **{status.value: count for status, count in outcomes.items()})

    def _receive(self) -> None:
        receive.process_new(self._ctx)
        triage.triage_new(self._ctx)

    def _fetch(self) -> None:
        receive.fetch_media(self._ctx)
