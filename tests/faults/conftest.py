"""The fault catalogue, group by group (docs/faults.md says which test stands for which number)."""

from collections.abc import Callable
from functools import cache

import pytest

import app.checkout.events as events_module
import app.checkout.settle as settle_module
from tests.checkout.conftest import shop

__all__ = ["shop"]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.001)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.002)


@pytest.fixture
def stand_still(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it once Stripe has done all it will do: from then on each of its objects is read once only."""

    def remember() -> None:
        readers = (
            (settle_module, "get_checkout_session"),
            (settle_module, "get_payment"),
            (events_module, "get_payment_metadata"),
        )
        for module, name in readers:
            monkeypatch.setattr(module, name, cache(getattr(module, name)))

    return remember
