"""An answer is complete within its time-out or it is none, straight or through a proxy."""

import time

import pytest
import requests

from babymind.channels.bounded import bound
from babymind.simulator.faults import Fault, FaultName
from babymind.simulator.state import Exchange

from .conftest import SID, TOKEN


@pytest.mark.fault(11)
@pytest.mark.parametrize("through_proxy", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_that_drips_is_given_up_when_its_time_is_over(
    exchange: Exchange, through_proxy: bool, streamed: bool
) -> None:
    exchange.faults.set([Fault(name=FaultName.DRIP, times=None, seconds=30, any_request=True)])
    path = f"/2010-04-01/Accounts/{SID}/Messages.json"
    began_at = time.monotonic()

    with bound(requests.Session()) as session:
        session.trust_env = False
        if through_proxy:  # the simulator takes a request for itself whatever came before the path
            session.proxies = {"http": exchange.base_url}
        with (
            pytest.raises(requests.RequestException),
            session.get(exchange.base_url + path, auth=(SID, TOKEN), timeout=0.3, stream=streamed) as answer,
        ):
            answer.raw.read()

    assert 0.3 <= time.monotonic() - began_at < 3
    assert exchange.faults.struck(FaultName.DRIP) == 1


def test_answers_in_time_come_one_after_another(exchange: Exchange) -> None:
    with bound(requests.Session()) as session:
        answers = [
            session.get(f"{exchange.base_url}/2010-04-01/Accounts/{SID}.json", auth=(SID, TOKEN), timeout=5)
            for _ in range(3)
        ]

    assert [answer.json()["status"] for answer in answers] == ["active"] * 3
