"""The sandbox's only source of time: seconds since the epoch, UTC, as Stripe gives them.

Each sandbox has a clock of its own. It follows the machine's and can be moved forward; there it stays, because the
distance is kept in the sandbox's file (see app.sandbox.store). Only what the world outside measures by itself uses the
machine's time: webhook signatures, which a shop compares with its own clock, and waiting.
"""

import time


class Clock:
    """The machine's time and what was skipped of it. Reading is safe from any thread; the store does the moving."""

    def __init__(self) -> None:
        self.offset_seconds = 0.0

    def now(self) -> int:
        """Whole seconds, as they stand in Stripe's objects."""
        return int(self.precise_now())

    def precise_now(self) -> float:
        """Fractions too, for queues and deadlines inside the sandbox."""
        return time.time() + self.offset_seconds


def machine_now() -> int:
    """What the machine's own clock says, however far the sandbox's was moved."""
    return int(time.time())
