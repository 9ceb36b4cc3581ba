"""Balance transactions: every movement of money, with its fee. The account settles each currency in itself."""

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
BALANCE = operation()
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
    at = transaction.now()
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
    return as_of_now(transaction, found)


def list_balance_transactions(transaction: Transaction, params: Document) -> Document:
    page = list_page(transaction, "balance_transaction", "/v1/balance_transactions", params, _FILTERS)
    return page | {"data": [as_of_now(transaction, each) for each in page["data"]]}


def as_of_now(transaction: Transaction, movement: Document) -> Document:
    """Money becomes available by itself, two days after it moved."""
    is_available = movement["available_on"] <= transaction.now()
    return movement | {"status": "available" if is_available else "pending"}


def retrieve_balance(transaction: Transaction, _params: Document) -> Document:
    """What the account holds in each currency that ever moved."""
    found = transaction.rows(
        "SELECT json_extract(json, '$.currency') AS currency,"
        " SUM(json_extract(json, '$.net') * (json_extract(json, '$.available_on') <= ?)) AS ready,"
        " SUM(json_extract(json, '$.net')) AS whole"
        " FROM objects WHERE object = 'balance_transaction' GROUP BY 1 ORDER BY 1",
        transaction.now(),
    )
    return {
        "object": "balance",
        "available": [_amount(row["ready"], row["currency"]) for row in found],
        "livemode": False,
        "pending": [_amount(row["whole"] - row["ready"], row["currency"]) for row in found],
    }


def _amount(amount: int, currency: str) -> Document:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}
