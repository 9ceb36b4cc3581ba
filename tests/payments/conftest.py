"""The shop with the sandbox as Stripe."""

from tests.checkout.conftest import shop

__all__ = ["shop"]
