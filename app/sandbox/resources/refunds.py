"""Refunds: made by the shop or by a person on the dashboard; some cards' refunds settle or fail later."""

from app.sandbox.documents import Document, new_id
from app.sandbox.errors import InvalidRequest, Refused, missing_parameter, no_such, no_such_reference
from app.sandbox.events import changed, emit
from app.sandbox.listing import Filter, list_page
from app.sandbox.money import format_amount
from app.sandbox.parameters import Metadata, Range, Text, Whole, listing, merge_metadata, operation
from app.sandbox.resources.balance import move_money
from app.sandbox.resources.fraud_warnings import end_warnings
from app.sandbox.store import Transaction
from app.sandbox.timers import cancel_timers, set_timer

CREATE = operation(
    {
        "amount": Whole(1, 99_999_999_999),
        "charge": Text(),
        "metadata": Metadata(),
        "payment_intent": Text(),
        "reason": Text(choices=("duplicate", "fraudulent", "requested_by_customer")),
    },
    elsewhere="currency customer instructions_email origin refund_application_fee reverse_transfer",
)
UPDATE = operation({"metadata": Metadata()})
LIST = listing({"charge": Text(), "created": Range(), "payment_intent": Text()})
_FILTERS = (Filter("charge", "charge"), Filter("payment_intent", "payment_intent"))
# While the bank holds the money because of a dispute, a refund would pay it twice.
_BLOCKING_DISPUTES = ("needs_response", "under_review", "lost", "appeal_needs_response", "appeal_under_review")


def create_refund(async_seconds: float, transaction: Transaction, params: Document) -> Document:
    """Raises Refused where nothing was charged, all is refunded, too much is asked, or a dispute is in the way."""
    charge = _find_charge(transaction, params)
    left = charge["amount"] - charge["amount_refunded"]
    amount = params.get("amount", left)
    if any(each["status"] in _BLOCKING_DISPUTES for each in transaction.where("dispute", "charge", charge["id"])):
        raise Refused(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    if left == 0:
        raise Refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount > left:
        raise Refused(
            f"Refund amount ({format_amount(amount, charge['currency'])}) is greater than unrefunded amount on charge "
            f"({format_amount(left, charge['currency'])})",
            param="amount",
        )
    fate = transaction.private(charge["id"]).get("refund_fate", "succeeded")
    refund = _insert(transaction, charge, amount, params, is_pending=fate == "pending_succeeded")
    before = dict(charge)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    transaction.save(charge)
    emit(transaction, "refund.created", refund)
    emit(transaction, "charge.refunded", charge, changed(before, charge))
    if charge["refunded"]:
        end_warnings(transaction, charge["id"])
    if fate != "succeeded":
        outcome = "succeeded" if fate == "pending_succeeded" else "failed"
        due_at = transaction.precise_now() + async_seconds
        set_timer(transaction, "settle_refund", refund["id"], due_at=due_at, settings={"outcome": outcome})
    return refund


def _find_charge(transaction: Transaction, params: Document) -> Document:
    if "charge" in params:
        charge = transaction.find("charge", params["charge"])
        if charge is None:
            raise no_such_reference("charge", params["charge"], param="charge")
        if "payment_intent" in params and charge["payment_intent"] != params["payment_intent"]:
            raise InvalidRequest("The charge does not belong to the payment_intent.", param="charge")
    elif "payment_intent" in params:
        intent = transaction.find("payment_intent", params["payment_intent"])
        if intent is None:
            raise no_such_reference("payment_intent", params["payment_intent"], param="payment_intent")
        charge = transaction.find("charge", intent["latest_charge"] or "")
    else:
        raise missing_parameter("payment_intent")
    if charge is None or charge["status"] != "succeeded":
        named = params.get("payment_intent") or params.get("charge")
        raise Refused(f"This payment ({named}) does not have a successful charge to refund.", param="payment_intent")
    return charge


def _insert(transaction: Transaction, charge: Document, amount: int, params: Document, *, is_pending: bool) -> Document:
    is_card = charge["payment_method_details"]["type"] == "card"
    refund: Document = {
        "id": new_id("re" if is_card else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": transaction.now(),
        "currency": charge["currency"],
        "metadata": merge_metadata({}, params.get("metadata", {})),
        "payment_intent": charge["payment_intent"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if is_pending else "succeeded",
        "transfer_reversal": None,
    }
    if is_card:
        refund["destination_details"] = {
            "type": "card",
            "card": {
                "reference_status": "pending",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
        }
    if is_pending:
        refund["pending_reason"] = "processing"
    kind = "refund" if is_card else "payment_refund"
    movement = move_money(transaction, refund, kind, "refund", amount=-amount, description="REFUND FOR CHARGE")
    return transaction.insert({**refund, "balance_transaction": movement["id"]})


def settle_refund(transaction: Transaction, identifier: str, outcome: str) -> Document:
    """Ends a refund late: a pending one succeeds or is canceled, or one fails. Not succeeding brings the money back.

    Once only; what has ended already stays as it is.
    """
    refund = transaction.get("refund", identifier)
    cancel_timers(transaction, identifier)
    before = dict(refund)
    if outcome == "succeeded" and refund["status"] == "pending":
        refund["status"] = "succeeded"
        refund.pop("pending_reason", None)
        transaction.save(refund)
        _tell_update(transaction, before, refund)
    elif outcome == "failed" and refund["status"] in ("pending", "succeeded"):
        _give_back(transaction, before, refund, "failed")
    elif outcome == "canceled" and refund["status"] == "pending":
        _give_back(transaction, before, refund, "canceled")
    return refund


def _give_back(transaction: Transaction, before: Document, refund: Document, status: str) -> None:
    charge = transaction.get("charge", refund["charge"])
    back = move_money(
        transaction, refund, "refund_failure", "refund_failure", amount=refund["amount"], description="REFUND FAILURE"
    )
    refund |= {"status": status, "failure_balance_transaction": back["id"]}
    if status == "failed":
        refund["failure_reason"] = "lost_or_stolen_card"
    refund.pop("pending_reason", None)
    transaction.save(refund)
    former = dict(charge)
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    transaction.save(charge)
    emit(transaction, "charge.updated", charge, changed(former, charge))
    if status == "failed":
        emit(transaction, "refund.failed", refund)
    _tell_update(transaction, before, refund)


def _tell_update(transaction: Transaction, before: Document, refund: Document) -> None:
    previous = changed(before, refund)
    emit(transaction, "refund.updated", refund, previous)
    emit(transaction, "charge.refund.updated", refund, previous)


def retrieve_refund(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("refund", identifier)
    if found is None:
        raise no_such("refund", identifier, param="refund")
    return found


def update_refund(transaction: Transaction, params: Document, identifier: str) -> Document:
    before = retrieve_refund(transaction, params, identifier)
    if "metadata" not in params:
        return before
    after = before | {"metadata": merge_metadata(before["metadata"], params["metadata"])}
    if after != before:
        transaction.save(after)
        _tell_update(transaction, before, after)
    return after


def list_refunds(transaction: Transaction, params: Document) -> Document:
    return list_page(transaction, "refund", "/v1/refunds", params, _FILTERS)
