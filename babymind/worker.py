"""The clock, and what its ticks and the engine's hints call. Any number of clocks is harmless."""

import threading
from collections.abc import Callable
from datetime import timedelta

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from babymind.clock import utc_now
from babymind.engine.base import Work
from babymind.errors import ChannelError
from babymind.services import alerts, deliver, health, ledger, plan, receive, reconcile, triage
from babymind.services.context import Context

log = structlog.get_logger()

LOOK_SECONDS = 15  # between two looks at what is due
PLAN_SECONDS = 60
DRAIN_SECONDS = 8.0  # whoever stops us waits ten, and then kills
LISTEN_SECONDS = 60
ALERT_SECONDS = 60
LEDGER_SECONDS = 3600
PLAN_AGAIN_SECONDS = 3600  # everything once more: finds what nobody mentioned
MONTHS_SECONDS = 86_400


class Clock(BackgroundScheduler):  # type: ignore[misc]  # APScheduler has no types
    """Ticks that go on though somebody sets the clock of the machine.

    Left alone, APScheduler would stand still for as long as the clock was set back, and make up a list of every tick
    between 1970 and today where a machine began with the clock at nought.
    """

    def _process_jobs(self) -> float | None:
        now = utc_now()
        for job in self.get_jobs():
            every = getattr(job.trigger, "interval", timedelta.max)
            if abs(job.next_run_time - now) > every:  # it is neither late nor early by more than a turn
                job.modify(next_run_time=now)
        wait_seconds: float | None = super()._process_jobs()
        return wait_seconds


class Worker:
    """Clock and engine of one process."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._clock = Clock(
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
                Work.RECONCILE: self._reconcile,
            }
        )
        self._every(MONTHS_SECONDS, "months", self._months)
        self._every(PLAN_SECONDS, "plan", self._plan)
        self._every(PLAN_AGAIN_SECONDS, "plan again", lambda: self._plan(everything=True), at_once=False)
        self._every(LOOK_SECONDS, "look", self._look)
        self._every(LISTEN_SECONDS, "listen", self._listen, at_once=False)
        self._every(ALERT_SECONDS, "alerts", lambda: alerts.mail_new(ctx), at_once=False)
        self._every(LEDGER_SECONDS, "ledger", lambda: ledger.check(ctx), at_once=False)
        self._clock.start()

    def stop(self) -> bool:
        """Drain: nothing new is begun, what is under way is finished if it takes no longer than `DRAIN_SECONDS`.

        Returns:
            False if something is still under way, such as a call that the provider does not answer. Whoever is
            running asks the provider what became of it once its lease has ended.
        """
        self._ctx.stopping.set()
        draining = threading.Thread(target=self._drain, name="drain", daemon=True)
        draining.start()
        draining.join(DRAIN_SECONDS)
        return not draining.is_alive()

    def _drain(self) -> None:
        if self._clock.running:
            self._clock.shutdown(wait=True)
        self._ctx.engine.stop(DRAIN_SECONDS)
        self._ctx.senders.shutdown(wait=True, cancel_futures=False)

    def _every(self, seconds: int, name: str, tick: Callable[[], object], *, at_once: bool = True) -> None:
        def quietly() -> None:
            self._tick(name, tick)

        self._clock.add_job(quietly, "interval", seconds=seconds, id=name)
        if at_once:
            self._clock.add_job(quietly, id=f"{name} at once")

    def _tick(self, name: str, tick: Callable[[], object]) -> None:
        """Do something, and note that it was done to its end: a clock that nobody hears is an alarm."""
        try:
            tick()
            health.ticked(self._ctx, name)
        except Exception:  # the clock goes on; the next tick tries again
            log.exception("tick failed", tick=name)

    def _look(self) -> None:
        deliver.sweep(self._ctx)
        for work in Work:
            self._ctx.engine.hint(work)

    def _plan(self, *, everything: bool = False) -> None:
        planned = plan.plan_due(self._ctx, everything=everything)
        if planned.total():
            log.info("planned", to_send=planned[None], not_sent=planned.total() - planned[None])
            self._ctx.engine.hint(Work.DELIVER)

    def _months(self) -> None:
        made = plan.make_months(self._ctx.sessions)
        if made:
            log.info("months of the ledger made", made=made)

    def _deliver(self) -> None:
        outcomes = deliver.deliver_due(self._ctx)
        if outcomes:
            log.info("delivered", **{status.value: count for status, count in outcomes.items()})

    def _receive(self) -> None:
        receive.process_new(self._ctx)
        triage.triage_new(self._ctx)

    def _fetch(self) -> None:
        receive.fetch_media(self._ctx)

    def _listen(self) -> None:
        try:
            receive.listen(self._ctx)
        except ChannelError as error:  # the next one begins where this one did
            log.warning("the provider's list could not be read", why=type(error).__name__)

    def _reconcile(self) -> None:
        reconcile.ask_about_unknown(self._ctx)
