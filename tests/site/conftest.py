"""Real purchases for the pages' tests."""

from tests.checkout.conftest import shop

__all__ = ["shop"]
