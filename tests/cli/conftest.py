"""Real purchases for the commands' tests."""

from tests.checkout.conftest import shop

__all__ = ["shop"]
