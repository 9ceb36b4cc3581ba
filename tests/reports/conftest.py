"""Real purchases for the reports' tests."""

from tests.checkout.conftest import shop

__all__ = ["shop"]
