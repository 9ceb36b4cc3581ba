"""The sandbox's only source of time: seconds since the epoch, UTC, as Stripe gives them."""

import time


def now() -> int:
    """Whole seconds, as they stand in Stripe's objects."""
    return int(time.time())


def precise_now() -> float:
    """Fractions too, for queues and deadlines inside the sandbox."""
    return time.time()
