"""The steps of one strand, from the order to the open course. Sentences name amounts only to those who paid them."""

from datetime import datetime

from app.checkout.ledger import sum_entries
from app.checkout.models import LedgerEntry, Order
from app.checkout.numbers import format_order_number
from app.enrollment.models import Grant
from app.formatting import date_long, mask_email, money
from app.reports.access_mails import list_claim_steps, list_mail_steps
from app.reports.access_shape import AccessStep, StepState
from app.reports.access_strands import Strand, make_step

# Stripe's documentation of SEPA Direct Debit (read 2026-11): "up to 14 business days"; the other debits are quicker.
LONGEST_BANK_DAYS = 14
UNPAID_STATES = ("pending", "processing", "failed", "expired")
LATE_PAYMENT = "late_payment"
MISMATCH = "amount_mismatch"
REVIEWED_KINDS = (MISMATCH,)


def list_steps(strand: Strand) -> list[AccessStep]:
    """The chain of one strand in the order of causes; never empty."""
    if strand.order is None:
        return [*_opened_steps(strand), *_ended_steps(strand)]
    steps = [_order_step(strand, strand.order), *_payment_steps(strand, strand.order)]
    if strand.order.state in UNPAID_STATES:
        return steps
    mails = [] if strand.is_former else [*list_mail_steps(strand), *list_claim_steps(strand)]
    opened = [*_seat_steps(strand), *mails, *_opened_steps(strand)]
    moved_back = [*_refund_steps(strand), *_dispute_steps(strand)]
    return [*steps, *opened, *moved_back, *_closed_seat_steps(strand), *_ended_steps(strand)]


def find_review(strand: Strand) -> datetime | None:
    """Since when a person looks at the payment because it does not match the order; None when nobody has to."""
    finding = strand.find_finding(*REVIEWED_KINDS)
    return finding.created_at if finding is not None and finding.resolved_at is None else None


def _order_step(strand: Strand, order: Order) -> AccessStep:
    ids = {"order": order.public_id, "number": format_order_number(order.number), "order_state": order.state}
    if strand.is_buyer:
        ids["email"] = order.email or ""
    sentence = "Order placed" if strand.is_buyer else "A seat was ordered for you"
    return make_step(strand, "order", "ok", sentence, order.created_at, **ids)


def _payment_steps(strand: Strand, order: Order) -> list[AccessStep]:
    payments = [entry for entry in order.entries if entry.kind == "payment"]
    if payments:
        return [
            _payment_step(strand, entry) for entry in sorted(payments, key=_by_time)[: None if strand.is_buyer else 1]
        ]
    ids = {"payment_intent": order.stripe_payment_intent_id or ""}
    review = find_review(strand)
    if review is not None:
        sentence = "The amount paid doesn’t match the order, so a person is looking at it"
        return [make_step(strand, "payment", "waiting", sentence, review, **ids)]
    state: StepState = "broken"
    if order.state == "pending":
        state, sentence, at = "missing", "The checkout was begun and isn’t paid yet", None
    elif order.state == "processing":
        state, sentence, at = "waiting", f"The bank confirms the payment within {LONGEST_BANK_DAYS} business days", None
    elif order.state == "failed":
        reason = f": {order.failure_reason.rstrip('.')}" if order.failure_reason else ""
        sentence, at = f"The payment failed{reason}", order.expired_at
    else:
        sentence, at = "The checkout ended before it was paid", order.expired_at
    return [make_step(strand, "payment", state, sentence, at, **ids)]


def _payment_step(strand: Strand, entry: LedgerEntry) -> AccessStep:
    if not strand.is_buyer:
        sentence = "The seat was paid for"
    elif entry.amount == 0:
        sentence = "Nothing to pay"
    else:
        sentence = f"{money(entry.amount, entry.currency)} paid"
    return make_step(strand, "payment", "ok", sentence, entry.occurred_at, **_entry_ids(strand, entry))


def _refund_steps(strand: Strand) -> list[AccessStep]:
    steps = []
    seat_requests = {each.id for each in strand.requests if each.seat_id is not None and each.seat_id == strand.seat_id}
    entries = [entry for entry in strand.seat_entries if entry.kind in {"refund", "refund_failed"}]
    undone = {entry.stripe_object_id for entry in entries if entry.kind == "refund_failed"}
    sums = sum_entries(entries)
    is_all = strand.order is not None and strand.order.state == "refunded" and sums.refunded_amount > 0
    for entry in sorted(entries, key=_by_time):
        is_of_seat = entry.refund_request_id in seat_requests
        if not strand.is_buyer and not (is_of_seat or is_all):
            continue
        closes = (is_of_seat or is_all) and entry.kind == "refund" and entry.stripe_object_id not in undone
        sentence = _refund_sentence(strand, entry, is_of_seat=is_of_seat)
        state: StepState = "broken" if closes else "ok"
        steps.append(make_step(strand, "refund", state, sentence, entry.occurred_at, **_entry_ids(strand, entry)))
    return [*steps, *_refund_request_steps(strand)]


def _refund_sentence(strand: Strand, entry: LedgerEntry, *, is_of_seat: bool) -> str:
    failed = entry.kind == "refund_failed"
    if not strand.is_buyer:
        return "A refund failed, so the seat stayed paid" if failed else "The money for the seat went back to its buyer"
    amount = money(entry.amount, entry.currency)
    if failed:
        return f"The refund of {amount} failed and came back to us"
    return f"{amount} refunded for this seat" if is_of_seat else f"{amount} refunded"


def _refund_request_steps(strand: Strand) -> list[AccessStep]:
    """Refunds that are wished for and not in the ledger yet, or that Stripe refused."""
    if not strand.is_buyer or strand.order is None:
        return []
    known = {entry.stripe_object_id for entry in strand.order.entries}
    steps = []
    for each in strand.requests:
        if each.stripe_refund_id in known or each.seat_id not in {None, strand.seat_id}:
            continue
        ids = {"refund_request": each.public_id, "charge": each.stripe_charge_id, "reason": each.reason}
        amount = money(each.amount, each.currency)
        if each.error is None:
            steps.append(make_step(strand, "refund", "waiting", f"{amount} is on its way back", each.created_at, **ids))
        else:
            sentence = f"The refund of {amount} was refused, so a person is looking at it"
            steps.append(make_step(strand, "refund", "ok", sentence, each.created_at, **ids, error=each.error))
    return steps


def _dispute_steps(strand: Strand) -> list[AccessStep]:
    if strand.order is None:
        return []
    kinds: dict[str, set[str]] = {}
    for entry in strand.order.entries:
        kinds.setdefault(entry.stripe_object_id, set()).add(entry.kind)
    payer = "Your bank" if strand.is_buyer else "The buyer’s bank"
    sentences = {
        "dispute_opened": f"{payer} opened a dispute about the payment",
        "dispute_won": "The dispute was closed in favor of the payment",
        "dispute_lost": "The dispute returned the payment to you"
        if strand.is_buyer
        else "The dispute returned the payment to the buyer",
    }
    steps = []
    # Of one moment, what opened comes before what closed.
    for entry in sorted(strand.order.entries, key=lambda each: (each.occurred_at, each.id)):
        if entry.kind not in sentences:
            continue
        own = kinds[entry.stripe_object_id]
        state: StepState = "ok" if "dispute_won" in own else "broken" if "dispute_lost" in own else "waiting"
        steps.append(
            make_step(strand, "dispute", state, sentences[entry.kind], entry.occurred_at, **_entry_ids(strand, entry))
        )
    return steps


def _seat_steps(strand: Strand) -> list[AccessStep]:
    seat, item = strand.seat, strand.item
    if seat is None:
        if strand.role == "manager":
            return [
                make_step(
                    strand, "seat", "missing", "The seats are yours to give out, and none is set aside for you", None
                )
            ]
        if strand.has_finding(LATE_PAYMENT):
            return [make_step(strand, "seat", "broken", "Every seat was taken before the payment arrived", None)]
        return [make_step(strand, "seat", "broken", "No seat was made for this payment", None)]
    ids = {"seat": seat.public_id, "seat_status": seat.status}
    if strand.is_former:
        return []
    ids["invited"] = seat.invited_email or ""
    address = mask_email(seat.invited_email) if seat.invited_email is not None else ""
    of_how_many = f"Seat {seat.position} of {item.quantity}" if item is not None and item.quantity > 1 else "A seat"
    steps = []
    if seat.claimed_by_id is None and seat.invited_email is None:
        steps.append(
            make_step(strand, "seat", "missing", f"{of_how_many} is free and nobody is invited to it", None, **ids)
        )
    elif strand.is_reassigned:
        steps.append(make_step(strand, "seat", "broken", f"The seat was given to {address}", seat.invited_at, **ids))
    elif seat.invited_email is not None and (seat.claimed_by_id is None or strand.seat_mails):
        steps.append(
            make_step(strand, "seat", "ok", f"{of_how_many} was set aside for {address}", seat.invited_at, **ids)
        )
    else:
        steps.append(make_step(strand, "seat", "ok", f"{of_how_many} was set aside", seat.created_at, **ids))
    return steps


def _closed_seat_steps(strand: Strand) -> list[AccessStep]:
    """That the seat is somebody else's now, or closed with its money."""
    if strand.seat is None:
        return []
    ids = {"seat": strand.seat.public_id, "seat_status": strand.seat.status}
    if strand.is_former:
        return [make_step(strand, "seat", "broken", "The seat was given to somebody else", None, **ids)]
    if strand.seat.status == "revoked":
        return [make_step(strand, "seat", "broken", "The seat was closed", _closed_at(strand), **ids)]
    if strand.seat.status == "suspended":
        sentence = "The seat is on hold until the bank decides"
        return [make_step(strand, "seat", "waiting", sentence, _closed_at(strand), **ids)]
    return []


def _closed_at(strand: Strand) -> datetime | None:
    """When the seat was closed or put on hold: its grants say so; an unused seat has none, its ledger does."""
    for grant in strand.shown_grants:
        if grant.revoked_at or grant.suspended_at:
            return grant.revoked_at or grant.suspended_at
    moved = [entry.occurred_at for entry in strand.seat_entries if entry.kind.startswith(("refund", "dispute"))]
    return max(moved, default=None)


def _opened_steps(strand: Strand) -> list[AccessStep]:
    """That the course was opened; for a seat that was taken and opened none, that this is missing."""
    steps = []
    for grant in strand.shown_grants:
        until = f" until {date_long(grant.expires_at)}" if grant.expires_at is not None else ""
        sentence = f"Course opened{_by_whom(strand, grant, membership='by')}{until}"
        steps.append(make_step(strand, "grant", "ok", sentence, grant.granted_at, **_grant_ids(strand, grant)))
    if not steps and strand.seat is not None and strand.seat.claimed_by_id is not None:
        steps.append(make_step(strand, "grant", "broken", "The seat was taken, but it opened no course", None))
    return steps


def _ended_steps(strand: Strand) -> list[AccessStep]:
    steps = []
    for grant in strand.shown_grants:
        ids = _grant_ids(strand, grant)
        if grant.revoked_at is not None:
            sentence = f"Access closed{_by_whom(strand, grant, membership='with')}"
            steps.append(make_step(strand, "grant", "broken", sentence, grant.revoked_at, **ids))
        elif grant.suspended_at is not None:
            sentence = f"Access put on hold{_by_whom(strand, grant, membership='with')}"
            steps.append(make_step(strand, "grant", "waiting", sentence, grant.suspended_at, **ids))
        elif grant.expires_at is not None and grant.expires_at <= strand.moment:
            sentence = "The time of the access ran out"
            steps.append(make_step(strand, "grant", "broken", sentence, grant.expires_at, **ids))
    return steps


def _by_whom(strand: Strand, grant: Grant, *, membership: str) -> str:
    """Who did it, where no payment of this strand did; membership is the word that stands before one."""
    if strand.membership is not None:
        return f" {membership} your membership"
    return " by our team" if strand.order is None and grant.seat_id is None else ""


def _grant_ids(strand: Strand, grant: Grant) -> dict[str, str]:
    membership = strand.membership.public_id if strand.membership is not None else ""
    return {"grant": str(grant.id), "user": str(grant.user_id), "reason": grant.reason, "membership": membership}


def _entry_ids(strand: Strand, entry: LedgerEntry) -> dict[str, str]:
    return {
        "ledger_entry": str(entry.id),
        "stripe": entry.stripe_object_id,
        "amount": f"{entry.amount} {entry.currency}",
        "order": strand.order.public_id if strand.order is not None else "",
    }


def _by_time(entry: LedgerEntry) -> tuple[datetime, int]:
    return entry.occurred_at, entry.id
