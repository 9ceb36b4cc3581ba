"""A buyer at an open session: what was typed, who that makes of them, and what it comes to with tax."""

from dataclasses import dataclass, field

from app.sandbox.documents import Document
from app.sandbox.resources.customers import ADDRESS_FIELDS, create_customer, update_customer
from app.sandbox.resources.sessions import contact
from app.sandbox.store import Transaction
from app.sandbox.taxes import clean_tax_id, kind_of_tax_id, quote_tax


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What a buyer typed on the hosted page."""

    email: str = ""
    method: str = "card"
    number: str = ""
    expiry: str = ""
    cvc: str = ""
    name: str = ""
    phone: str = ""
    tax_id: str = ""
    address: Document = field(default_factory=dict)
    accepts_terms: bool = False
    wants_promotions: bool = False


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """An attempt on an open session, inside its transaction."""

    transaction: Transaction
    session: Document
    attempt: Attempt
    details: Document


def begin_purchase(transaction: Transaction, session: Document, attempt: Attempt) -> Purchase:
    """Puts the attempt's buyer and, with automatic tax, the sums at their address into the session's books."""
    known = session["customer_details"] or {}
    address = _address(transaction, session, attempt)
    details = contact(
        known.get("email") or attempt.email,
        name=attempt.name or known.get("name"),
        address=address,
        tax_ids=_tax_ids(session, attempt, address),
        phone=attempt.phone or None,
    )
    if session["automatic_tax"]["enabled"]:
        _tax(transaction, session, address, details["tax_ids"])
    return Purchase(transaction=transaction, session=session, attempt=attempt, details=details)


def give_customer(purchase: Purchase, intent: Document) -> None:
    """Makes a customer of a guest where the session says so or an invoice needs one; updates one that is known."""
    transaction, session, details = purchase.transaction, purchase.session, purchase.details
    given = {name: details[name] for name in ("email", "name", "phone", "address") if details[name]}
    is_wanted = session["customer_creation"] == "always" or session["invoice_creation"]["enabled"]
    if session["customer"] is None and is_wanted:
        session["customer"] = create_customer(transaction, given)["id"]
    elif session["customer"] is not None:
        update = transaction.private(session["id"]).get("customer_update", {})
        chosen: Document = {name: value for name, value in given.items() if update.get(name) == "auto"}
        if chosen and transaction.find("customer", session["customer"]):
            update_customer(transaction, chosen, session["customer"])
    intent["customer"] = session["customer"]


def _address(transaction: Transaction, session: Document, attempt: Attempt) -> Document:
    """What was typed, else the customer's; the United States where nothing is known."""
    customer = transaction.find("customer", session["customer"] or "") or {}
    given = attempt.address if attempt.address.get("country") else customer.get("address") or attempt.address
    return {name: given.get(name) or ("US" if name == "country" else None) for name in ADDRESS_FIELDS}


def _tax_ids(session: Document, attempt: Attempt, address: Document) -> list[Document]:
    if not attempt.tax_id or not session["tax_id_collection"]["enabled"]:
        return []
    value = clean_tax_id(attempt.tax_id)
    return [{"type": kind_of_tax_id(value, address["country"]), "value": value}]


def _tax(transaction: Transaction, session: Document, address: Document, tax_ids: list[Document]) -> None:
    """Taxes the session's lines for this buyer. Safe to repeat: it always begins from the untaxed sums."""
    private = transaction.private(session["id"])
    quote = quote_tax(transaction, private["line_items"], address, tax_ids)
    session |= {
        "amount_total": quote.total,
        "automatic_tax": session["automatic_tax"] | {"status": "complete"},
        "total_details": session["total_details"] | {"amount_tax": quote.tax},
    }
    transaction.save(session)
    private |= {"line_items": quote.items, "tax_amounts": quote.breakdown}
    transaction.save_private(session["id"], private)
