"""Real purchases for the back-office's tests."""

from tests.checkout.conftest import shop

__all__ = ["shop"]
