"""Events that concern no order of this shop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.simulation.world import World


@dataclass(frozen=True)
class Noise:
    """An event that concerns no order of this shop: foreign, unknown, thin, or naming an order that nobody knows."""

    kind: str
    number: int

    def run(self, world: World) -> None:
        event = _NOISE[self.kind](self.number)
        if self.kind == "unknown_order":
            world.unknown_orders.add(event["id"])
        world.deliveries.add(event)


def _event(number: int, kind: str, document: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"evt_noise{number}",
        "object": "event",
        "type": kind,
        "api_version": "2026-01-01",
        "livemode": False,
        "created": 1,
        "data": {"object": document},
    }


def _session(number: int, metadata: dict[str, str] | None) -> dict[str, Any]:
    return {"id": f"cs_test_noise{number}", "object": "checkout.session", "payment_intent": None, "metadata": metadata}


_NOISE: dict[str, Callable[[int], dict[str, Any]]] = {
    "foreign": lambda number: _event(
        number, "checkout.session.completed", _session(number, {"app_id": "another_shop", "order": "ord_1"})
    ),
    "bare": lambda number: _event(number, "checkout.session.completed", _session(number, None)),
    "unknown_type": lambda number: _event(number, "terminal.reader.action_failed", {"id": f"tmr_{number}"}),
    "thin": lambda number: {"id": f"evt_noise{number}", "object": "v2.core.event", "type": "v1.billing.meter.error"},
    "unknown_order": lambda number: _event(
        number,
        "checkout.session.completed",
        _session(number, {"app_id": "tuition_simulation", "order": f"ord_nobody{number}", "attempt": "1"}),
    ),
}
NOISES = tuple(_NOISE)
