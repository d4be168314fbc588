"""The engine of one process: hints wake handlers, an error ends nothing, stopping drains."""

import threading

import pytest

from babymind.engine.base import Work
from babymind.engine.inline import InlineEngine

SOON = 5.0


def test_a_hint_wakes_its_handler_and_no_other() -> None:
    engine, delivered, received = InlineEngine(), threading.Event(), threading.Event()
    engine.start({Work.DELIVER: delivered.set, Work.RECEIVE: received.set})

    engine.hint(Work.DELIVER)

    assert delivered.wait(SOON)
    assert not received.is_set()
    engine.stop()


def test_hints_that_come_during_a_look_are_one_more_look() -> None:
    engine, entered, go_on, looks = InlineEngine(), threading.Event(), threading.Event(), []

    def look() -> None:
        looks.append(1)
        entered.set()
        assert go_on.wait(SOON)

    engine.start({Work.DELIVER: look})
    engine.hint(Work.DELIVER)
    assert entered.wait(SOON)
    for _ in range(100):
        engine.hint(Work.DELIVER)
    go_on.set()
    while len(looks) < 2:
        assert entered.wait(SOON)
    engine.stop()

    assert len(looks) == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_handler_that_fails_is_called_again_at_the_next_hint(capsys: pytest.CaptureFixture[str]) -> None:
    engine, second, calls = InlineEngine(), threading.Event(), []

    def handler() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("broken once")
        second.set()

    engine.start({Work.DELIVER: handler})
    engine.hint(Work.DELIVER)
    while not engine.health()["failures"]:
        pass
    engine.hint(Work.DELIVER)

    assert second.wait(SOON)
    engine.stop()
    captured = capsys.readouterr()
    assert "broken once" in captured.out + captured.err  # where depends on how logging is set up


@pytest.mark.fault(101)
def test_stopping_lets_a_look_finish() -> None:
    engine, entered, done = InlineEngine(), threading.Event(), threading.Event()

    def look() -> None:
        entered.set()
        threading.Event().wait(0.1)
        done.set()

    engine.start({Work.DELIVER: look})
    engine.hint(Work.DELIVER)
    assert entered.wait(SOON)
    engine.stop()

    assert done.is_set()
    assert engine.health()["alive"] == {}
