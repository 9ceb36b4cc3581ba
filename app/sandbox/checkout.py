"""Paying a Checkout Session: the one code behind the hosted page's form and the JSON control.

Everything that decides happens in one write transaction that begins by checking that the session is open. Two browsers
paying one session therefore make one charge, and a page that was left open on an expired session charges nothing.
"""

from dataclasses import dataclass

from app.sandbox.cards import (
    Decline,
    TestCard,
    authentication_failure,
    check_cvc,
    declined,
    find_card,
    read_expiry,
)
from app.sandbox.config import SandboxConfig
from app.sandbox.documents import Document
from app.sandbox.errors import CardDeclined, Refused
from app.sandbox.events import emit
from app.sandbox.purchase import Attempt, Purchase, begin_purchase, give_customer
from app.sandbox.resources.coupons import redeem
from app.sandbox.resources.disputes import open_dispute
from app.sandbox.resources.fraud_warnings import warn_of_fraud
from app.sandbox.resources.invoices import make_invoice
from app.sandbox.resources.payment_methods import (
    card_details,
    card_method,
    debit_details,
    debit_method,
    make_method,
)
from app.sandbox.resources.payments import (
    ask_for_authentication,
    book_failure,
    book_pending,
    book_success,
    make_charge,
    open_intent,
)
from app.sandbox.resources.promotion_codes import redeem_promotion_code
from app.sandbox.resources.sessions import bank_debit_type
from app.sandbox.store import Store, Transaction
from app.sandbox.timers import cancel_timers, set_timer

METHODS = ("card", "bank_debit", "bank_debit_fails")
_BANK_REFUSAL = Decline(
    "payment_intent_payment_attempt_failed",
    "insufficient_funds",
    "The bank account has insufficient funds for this payment.",
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an attempt ended: `complete`, `requires_action` or `declined`."""

    status: str
    session: Document
    redirect_url: str | None = None
    completed_event: str | None = None
    decline: CardDeclined | None = None


class SessionClosed(Exception):
    """The session is complete or expired (`session["status"]`): nothing was charged by this attempt."""

    def __init__(self, session: Document) -> None:
        super().__init__(session["status"])
        self.session = session


def require_open(session: Document) -> None:
    """The guard that makes a session payable once. Raises SessionClosed."""
    if session["status"] != "open":
        raise SessionClosed(session)


def success_url(session: Document) -> str:
    """Where the buyer goes after paying."""
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def pay(store: Store, config: SandboxConfig, session_id: str, attempt: Attempt) -> Outcome:
    """One try to pay. Raises LookupError (no such session), SessionClosed, CardDeclined (the form is not a card)."""
    with store.write() as transaction:
        session = transaction.get("checkout.session", session_id)
        require_open(session)
        purchase = begin_purchase(transaction, session, attempt)
        if session["amount_total"] == 0:
            give_customer(purchase, {})
            return _complete(purchase, "no_payment_required")
        if attempt.method != "card":
            return _pay_by_debit(purchase, config.async_seconds)
        card = find_card(attempt.number)
        month, year = read_expiry(attempt.expiry, transaction.now())
        check_cvc(attempt.cvc)
        intent = open_intent(transaction, session)
        method = make_method(transaction, purchase.details, card_method(card, month, year))
        if not card.asks_3ds:
            return _charge_card(purchase, intent, method, card, authenticated=False)
        url = f"{config.base_url}/c/pay/{session_id}/authenticate"
        ask_for_authentication(transaction, intent, method, url)
        _remember(transaction, session_id, attempt, method)
        return Outcome(status="requires_action", session=session, redirect_url=url)


def show_total(store: Store, session_id: str, attempt: Attempt) -> Document:
    """The session with its sums for the address typed so far. Raises LookupError and SessionClosed."""
    with store.write() as transaction:
        session = transaction.get("checkout.session", session_id)
        require_open(session)
        return begin_purchase(transaction, session, attempt).session


def authenticate(store: Store, session_id: str, *, passed: bool) -> Outcome:
    """The bank's verdict on 3-D Secure. Raises LookupError (nothing waits for it) and SessionClosed."""
    with store.write() as transaction:
        session = transaction.get("checkout.session", session_id)
        require_open(session)
        private = transaction.private(session_id)
        waiting = private.pop("waiting", None)
        if waiting is None:
            raise LookupError(f"{session_id} waits for no authentication")
        transaction.save_private(session_id, private)
        attempt = Attempt(**waiting["attempt"])
        intent = transaction.get("payment_intent", session["payment_intent"])
        method = transaction.get("payment_method", waiting["method"])
        if not passed:
            book_failure(transaction, intent, None, authentication_failure())
            return Outcome(status="declined", session=session, decline=declined(authentication_failure()))
        purchase = begin_purchase(transaction, session, attempt)
        return _charge_card(purchase, intent, method, find_card(attempt.number), authenticated=True)


def settle_payment(transaction: Transaction, intent_id: str, outcome: str) -> Document:
    """A bank debit's end: `succeeded` or `failed`. Raises Refused unless the payment is still processing."""
    intent = transaction.get("payment_intent", intent_id)
    if intent["status"] != "processing":
        raise Refused(f"Payment intent {intent_id} is not processing: {intent['status']}.")
    cancel_timers(transaction, intent_id)
    charge = transaction.get("charge", intent["latest_charge"])
    session = transaction.get("checkout.session", transaction.private(intent_id)["session"])
    if outcome == "succeeded":
        book_success(transaction, intent, charge)
        session["payment_status"] = "paid"
        if session["invoice_creation"]["enabled"]:
            make_invoice(transaction, session, intent)
        transaction.save(session)
        emit(transaction, "checkout.session.async_payment_succeeded", session)
    else:
        book_failure(transaction, intent, charge, _BANK_REFUSAL)
        emit(transaction, "checkout.session.async_payment_failed", session)
    return session


def _remember(transaction: Transaction, session_id: str, attempt: Attempt, method: Document) -> None:
    private = transaction.private(session_id)
    typed = {name: getattr(attempt, name) for name in Attempt.__dataclass_fields__ if name != "cvc"}
    transaction.save_private(session_id, private | {"waiting": {"attempt": typed, "method": method["id"]}})


def _charge_card(
    purchase: Purchase, intent: Document, method: Document, card: TestCard, *, authenticated: bool
) -> Outcome:
    transaction, session = purchase.transaction, purchase.session
    usage = card_details(method, authenticated=authenticated)
    if card.decline is not None:
        charge = make_charge(transaction, intent, method, usage, "failed")
        book_failure(transaction, intent, charge, card.decline)
        return Outcome(status="declined", session=session, decline=declined(card.decline, charge=charge["id"]))
    give_customer(purchase, intent)
    charge = make_charge(transaction, intent, method, usage, "succeeded")
    transaction.save_private(charge["id"], {"refund_fate": card.refund_fate})
    book_success(transaction, intent, charge)
    outcome = _complete(purchase, "paid")
    if card.dispute_reason:
        open_dispute(transaction, charge, reason=card.dispute_reason, is_inquiry=card.is_inquiry)
    if card.is_suspected:
        warn_of_fraud(transaction, charge)
    return outcome


def _pay_by_debit(purchase: Purchase, async_seconds: float) -> Outcome:
    transaction, session = purchase.transaction, purchase.session
    intent = open_intent(transaction, session)
    method = make_method(transaction, purchase.details, debit_method(bank_debit_type(session["currency"])))
    give_customer(purchase, intent)
    charge = make_charge(transaction, intent, method, debit_details(method), "pending")
    book_pending(transaction, intent, charge)
    outcome = "failed" if purchase.attempt.method == "bank_debit_fails" else "succeeded"
    due_at = transaction.precise_now() + async_seconds
    set_timer(transaction, "settle_payment", intent["id"], due_at=due_at, settings={"outcome": outcome})
    return _complete(purchase, "unpaid")


def _complete(purchase: Purchase, payment_status: str) -> Outcome:
    """Closes the session and tells of it."""
    transaction, session = purchase.transaction, purchase.session
    session |= {
        "status": "complete",
        "payment_status": payment_status,
        "url": None,
        "customer_details": purchase.details,
    }
    if wanted := session["consent_collection"]:
        choice = "opt_in" if purchase.attempt.wants_promotions else "opt_out"
        session["consent"] = {
            "promotions": choice if wanted["promotions"] == "auto" else None,
            "terms_of_service": "accepted" if wanted["terms_of_service"] == "required" else None,
        }
    if payment_status == "paid" and session["invoice_creation"]["enabled"]:
        make_invoice(transaction, session, transaction.get("payment_intent", session["payment_intent"]))
    transaction.save(session)
    cancel_timers(transaction, session["id"])
    private = transaction.private(session["id"])
    if private.get("coupon"):
        redeem(transaction, private["coupon"])
    if private.get("promotion_code"):
        redeem_promotion_code(transaction, private["promotion_code"])
    event = emit(transaction, "checkout.session.completed", session)
    return Outcome(status="complete", session=session, redirect_url=success_url(session), completed_event=event["id"])
