"""Disputes: opened by a test card or by a person, closed by accepting, by evidence or by a person."""

from app.sandbox.documents import Document, new_id, words
from app.sandbox.errors import InvalidRequest, Refused, no_such
from app.sandbox.events import changed, emit
from app.sandbox.listing import Filter, list_page
from app.sandbox.parameters import Flag, Metadata, Range, Record, Text, listing, merge_metadata, operation
from app.sandbox.resources.balance import dispute_fee, move_money
from app.sandbox.resources.fraud_warnings import end_warnings
from app.sandbox.store import Transaction
from app.sandbox.timers import cancel_timers, set_timer

REASONS = words(
    "bank_cannot_process check_returned credit_not_processed customer_initiated debit_not_authorized duplicate "
    "fraudulent general incorrect_account_details insufficient_funds noncompliant product_not_received "
    "product_unacceptable subscription_canceled unrecognized"
)
_FILES = frozenset(
    words(
        "cancellation_policy customer_communication customer_signature duplicate_charge_documentation receipt "
        "refund_policy service_documentation shipping_documentation uncategorized_file"
    )
)
_TEXTS = words(
    "access_activity_log billing_address cancellation_policy_disclosure cancellation_rebuttal "
    "customer_email_address customer_name customer_purchase_ip duplicate_charge_explanation duplicate_charge_id "
    "product_description refund_policy_disclosure refund_refusal_explanation service_date shipping_address "
    "shipping_carrier shipping_date shipping_tracking_number uncategorized_text"
)
UPDATE = operation(
    {
        "evidence": Record({name: Text(20_000) for name in _TEXTS}, elsewhere=_FILES | {"enhanced_evidence"}),
        "metadata": Metadata(),
        "submit": Flag(),
    },
    elsewhere="intended_submission_method",
)
LIST = listing({"charge": Text(), "created": Range(), "payment_intent": Text()})
_FILTERS = (Filter("charge", "charge"), Filter("payment_intent", "payment_intent"))
_WAITING = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")
OUTCOMES = ("won", "lost", "warning_closed", "prevented")
DAYS_TO_ANSWER = 9
DAYS_OF_AN_INQUIRY = 120  # then the bank lets it rest


def open_dispute(
    transaction: Transaction, charge: Document, *, reason: str = "fraudulent", is_inquiry: bool = False, amount: int = 0
) -> Document:
    """The bank takes the money back (or, with an inquiry, only asks). `amount` 0: what is not refunded yet.

    Raises Refused: nothing was charged, nothing is left, or another dispute is open.
    """
    if charge["status"] != "succeeded":
        raise Refused(f"Charge {charge['id']} did not succeed; it cannot be disputed.")
    if any(each["status"] in _WAITING for each in transaction.where("dispute", "charge", charge["id"])):
        raise Refused(f"Charge {charge['id']} is disputed already.")
    disputed = amount or charge["amount"] - charge["amount_refunded"]
    if not 0 < disputed <= charge["amount"]:
        raise Refused(f"Charge {charge['id']} has nothing left to dispute.")
    details = charge["payment_method_details"]
    brand = details.get("card", {}).get("brand")
    dispute: Document = {
        "id": new_id("du" if brand else "dp"),
        "object": "dispute",
        "amount": disputed,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": transaction.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": _evidence(charge),
        "evidence_details": {
            "due_by": transaction.now() + DAYS_TO_ANSWER * 86_400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": is_inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": "warning_needs_response" if is_inquiry else "needs_response",
    }
    if brand:
        dispute["payment_method_details"] = {
            "type": "card",
            "card": {
                "brand": brand,
                "case_type": "inquiry" if is_inquiry else "chargeback",
                "network": brand,
                "network_reason_code": "10.4",
            },
        }
    if not is_inquiry:
        dispute["balance_transactions"] = [_withdraw(transaction, dispute)]
    transaction.insert(dispute)
    _set_deadline(transaction, dispute)
    before = dict(charge)
    charge["disputed"] = True
    transaction.save(charge)
    emit(transaction, "charge.dispute.created", dispute)
    end_warnings(transaction, charge["id"])
    if not is_inquiry:
        emit(transaction, "charge.dispute.funds_withdrawn", dispute)
    if changed(before, charge):
        emit(transaction, "charge.updated", charge, changed(before, charge))
    return dispute


def _withdraw(transaction: Transaction, dispute: Document) -> Document:
    """The bank takes the money, and the fee with it."""
    return move_money(
        transaction,
        dispute,
        "adjustment",
        "dispute",
        amount=-dispute["amount"],
        fee=dispute_fee(dispute["currency"]),
        description=f"Chargeback withdrawal for {dispute['charge']}",
    )


def _evidence(charge: Document) -> Document:
    nothing: Document = dict.fromkeys([*_TEXTS, *sorted(_FILES)])
    billing = charge["billing_details"]
    return nothing | {
        "customer_email_address": billing["email"],
        "customer_name": billing["name"],
        "enhanced_evidence": {},
    }


def close_dispute(transaction: Transaction, dispute: Document, outcome: str) -> Document:
    """Decides an open dispute: won or lost, or (an inquiry) warning_closed; prevented ends either.

    What was withdrawn comes back unless it is lost. Raises Refused if it cannot end so.
    """
    is_inquiry = dispute["status"].startswith("warning_")
    if dispute["status"] not in _WAITING:
        raise Refused(f"Dispute {dispute['id']} is closed already: {dispute['status']}.")
    fitting = ("warning_closed", "prevented") if is_inquiry else ("won", "lost", "prevented")
    if outcome not in fitting:
        raise Refused(f"Dispute {dispute['id']} can only end as {' or '.join(fitting)}.")
    cancel_timers(transaction, dispute["id"])
    dispute["status"] = outcome
    dispute["is_charge_refundable"] = outcome != "lost"
    is_reinstated = outcome != "lost" and bool(dispute["balance_transactions"])
    if is_reinstated:
        back = move_money(
            transaction,
            dispute,
            "adjustment",
            "dispute_reversal",
            amount=dispute["amount"],
            fee=-dispute_fee(dispute["currency"]),
            description=f"Chargeback reversal for {dispute['charge']}",
        )
        dispute["balance_transactions"] = [*dispute["balance_transactions"], back]
    transaction.save(dispute)
    if is_reinstated:
        emit(transaction, "charge.dispute.funds_reinstated", dispute)
    emit(transaction, "charge.dispute.closed", dispute)
    return dispute


def _set_deadline(transaction: Transaction, dispute: Document) -> None:
    is_inquiry = dispute["status"].startswith("warning_")
    days = DAYS_OF_AN_INQUIRY if is_inquiry else DAYS_TO_ANSWER
    set_timer(transaction, "end_dispute", dispute["id"], due_at=transaction.precise_now() + days * 86_400)


def let_lapse(transaction: Transaction, identifier: str) -> None:
    """The deadline has passed: an inquiry is closed, a dispute that nobody answered is lost. One under review waits."""
    dispute = transaction.get("dispute", identifier)
    if dispute["status"].startswith("warning_"):
        close_dispute(transaction, dispute, "warning_closed")
    elif dispute["status"] == "needs_response":
        dispute["evidence_details"] = dispute["evidence_details"] | {"past_due": True}
        close_dispute(transaction, dispute, "lost")


def escalate_inquiry(transaction: Transaction, dispute: Document) -> Document:
    """An inquiry becomes a chargeback: now the money goes. Raises Refused if it is none."""
    if dispute["status"] not in ("warning_needs_response", "warning_under_review"):
        raise Refused(f"Dispute {dispute['id']} is no open inquiry: {dispute['status']}.")
    before = dict(dispute)
    cancel_timers(transaction, dispute["id"])
    taken = _withdraw(transaction, dispute)
    details = dispute["evidence_details"] | {"due_by": transaction.now() + DAYS_TO_ANSWER * 86_400}
    dispute |= {
        "status": "needs_response",
        "is_charge_refundable": False,
        "balance_transactions": [taken],
        "evidence_details": details,
    }
    if card := dispute.get("payment_method_details", {}).get("card"):
        dispute["payment_method_details"] = {"type": "card", "card": card | {"case_type": "chargeback"}}
    transaction.save(dispute)
    _set_deadline(transaction, dispute)
    emit(transaction, "charge.dispute.updated", dispute, changed(before, dispute))
    emit(transaction, "charge.dispute.funds_withdrawn", dispute)
    return dispute


def retrieve_dispute(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("dispute", identifier)
    if found is None:
        raise no_such("dispute", identifier, param="dispute")
    return found


def update_dispute(transaction: Transaction, params: Document, identifier: str) -> Document:
    """Adds evidence. Submitted, Stripe's test words decide: `winning_evidence` or `losing_evidence`."""
    before = retrieve_dispute(transaction, params, identifier)
    dispute = dict(before)
    if "evidence" in params:
        if dispute["status"] not in _WAITING:
            raise Refused("This dispute is already closed; no evidence can be added.")
        dispute["evidence"] = dispute["evidence"] | params["evidence"]
        dispute["evidence_details"] = dispute["evidence_details"] | {"has_evidence": True}
    if "metadata" in params:
        dispute["metadata"] = merge_metadata(dispute["metadata"], params["metadata"])
    submitted = "evidence" in params and params.get("submit", True)
    if submitted:
        details = dispute["evidence_details"]
        dispute["evidence_details"] = details | {
            "submission_count": details["submission_count"] + 1,
            "submission_method": "manual",
        }
        dispute["status"] = dispute["status"].replace("needs_response", "under_review")
    if dispute != before:
        transaction.save(dispute)
        emit(transaction, "charge.dispute.updated", dispute, changed(before, dispute))
    text = dispute["evidence"]["uncategorized_text"] if submitted else None
    if text in ("winning_evidence", "losing_evidence"):
        outcome = "won" if text == "winning_evidence" else "lost"
        is_inquiry = dispute["status"].startswith("warning_")
        return close_dispute(transaction, dispute, "warning_closed" if is_inquiry else outcome)
    return dispute


def accept_dispute(transaction: Transaction, params: Document, identifier: str) -> Document:
    """The shop gives in: a dispute is lost, an inquiry is closed."""
    dispute = retrieve_dispute(transaction, params, identifier)
    is_inquiry = dispute["status"].startswith("warning_")
    return close_dispute(transaction, dispute, "warning_closed" if is_inquiry else "lost")


def list_disputes(transaction: Transaction, params: Document) -> Document:
    return list_page(transaction, "dispute", "/v1/disputes", params, _FILTERS)


def check_reason(reason: str) -> str:
    """Raises InvalidRequest for a reason that Stripe does not have."""
    if reason not in REASONS:
        raise InvalidRequest(f"Invalid reason: must be one of {', '.join(REASONS)}", param="reason")
    return reason
