"""Balance transactions: every movement of money, with its fee. The account settles each currency in itself."""

from app.sandbox.clock import now
from app.sandbox.documents import Document, new_id
from app.sandbox.errors import no_such
from app.sandbox.listing import Filter, list_page
from app.sandbox.money import THREE_DECIMAL
from app.sandbox.parameters import Currency, Range, Text, listing, operation
from app.sandbox.store import Transaction

DAYS_UNTIL_AVAILABLE = 2
LIST = listing(
    {"created": Range(), "currency": Currency(), "source": Text(), "type": Text()},
    "payout",
)
RETRIEVE = operation()
_FILTERS = (Filter("currency", "currency"), Filter("source", "source"), Filter("type", "type"))


def charge_fee(amount: int, currency: str) -> int:
    """2.9 % and 30 cents (30 of the whole unit where there are no cents)."""
    fixed = 300 if currency in THREE_DECIMAL else 30
    return (amount * 29 + 500) // 1000 + fixed


def dispute_fee(currency: str) -> int:
    """15.00, or what stands for it without cents."""
    return 1500 * (10 if currency in THREE_DECIMAL else 1)


def move_money(
    transaction: Transaction,
    source: Document,
    kind: str,
    category: str,
    *,
    amount: int,
    fee: int = 0,
    description: str | None = None,
) -> Document:
    """One movement, caused by `source`. `amount` is negative where money leaves; `fee` lowers what is left."""
    at = now()
    details = {
        "amount": fee,
        "application": None,
        "currency": source["currency"],
        "description": "Stripe processing fees",
    }
    return transaction.insert(
        {
            "id": new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": at + DAYS_UNTIL_AVAILABLE * 86_400,
            "balance_type": "payments",
            "created": at,
            "currency": source["currency"],
            "description": description,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": [{**details, "type": "stripe_fee"}] if fee else [],
            "net": amount - fee,
            "reporting_category": category,
            "source": source["id"],
            "status": "pending",
            "type": kind,
        }
    )


def retrieve_balance_transaction(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("balance_transaction", identifier)
    if found is None:
        raise no_such("balance transaction", identifier, param="id")
    return found


def list_balance_transactions(transaction: Transaction, params: Document) -> Document:
    return list_page(transaction, "balance_transaction", "/v1/balance_transactions", params, _FILTERS)
