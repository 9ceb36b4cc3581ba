"""The account itself."""

from app.sandbox.documents import Document
from app.sandbox.parameters import operation
from app.sandbox.store import Transaction

RETRIEVE = operation()


def retrieve_account(transaction: Transaction, _params: Document) -> Document:
    """The one account of this sandbox; its id stays the same until the file is deleted."""
    return {
        "id": transaction.setting("account_id"),
        "object": "account",
        "business_type": "company",
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": "owner@example.org",
        "payouts_enabled": True,
        "type": "standard",
    }
