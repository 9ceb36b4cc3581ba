"""What Stripe says, in values of ours, read from plain dicts of its objects: absent fields never crash it (F14)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Metadata = dict[str, str]
StripeObject = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckoutFacts:
    """A Checkout Session. Amounts in minor units of currency; payment_status is Stripe's word."""

    id: str
    url: str | None
    status: str
    payment_status: str
    mode: str
    livemode: bool
    currency: str
    amount_subtotal: int
    amount_discount: int
    amount_tax: int
    amount_total: int
    email: str | None
    customer_name: str
    country: str | None
    stripe_customer_id: str | None
    stripe_payment_intent_id: str | None
    stripe_invoice_id: str | None
    client_reference_id: str | None
    metadata: Metadata
    expires_at: datetime
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ChargeFacts:
    """A charge that succeeded; booked_at is when its money came to the balance."""

    id: str
    amount: int
    currency: str
    method_label: str
    created_at: datetime
    booked_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundFacts:
    """A refund; status is Stripe's word (pending, requires_action, succeeded, failed, canceled).

    booked_at is when its money left the balance, undone_at when it came back because the refund failed.
    """

    id: str
    charge_id: str | None
    amount: int
    currency: str
    status: str
    metadata: Metadata
    created_at: datetime
    booked_at: datetime
    undone_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DisputeFacts:
    """A dispute; withdrawn and reinstated are what really moved, fees apart, and when."""

    id: str
    charge_id: str | None
    amount: int
    currency: str
    status: str
    withdrawn_amount: int
    withdrawn_at: datetime
    reinstated_amount: int
    reinstated_at: datetime
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class FeeFacts:
    """What Stripe kept of one movement, in minor units of the currency it pays out in; negative when given back."""

    stripe_balance_transaction_id: str
    stripe_object_id: str
    amount: int
    currency: str
    occurred_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentFacts:
    """A PaymentIntent with everything that moved money on it, and what Stripe kept of that as far as it is booked."""

    id: str
    status: str
    failure_reason: str | None
    metadata: Metadata
    charges: tuple[ChargeFacts, ...]
    refunds: tuple[RefundFacts, ...]
    disputes: tuple[DisputeFacts, ...]
    fees: tuple[FeeFacts, ...] = ()


def read_session(session: StripeObject) -> CheckoutFacts:
    """Raises KeyError, TypeError or ValueError when the object lacks what a session cannot be without."""
    totals = _mapping(session.get("total_details"))
    customer = _mapping(session.get("customer_details"))
    return CheckoutFacts(
        id=str(session["id"]),
        url=session.get("url"),
        status=str(session.get("status") or ""),
        payment_status=str(session.get("payment_status") or ""),
        mode=str(session.get("mode") or ""),
        livemode=session.get("livemode") is True,
        currency=str(session.get("currency") or "").lower(),
        amount_subtotal=_amount(session.get("amount_subtotal")),
        amount_discount=_amount(totals.get("amount_discount")),
        amount_tax=_amount(totals.get("amount_tax")),
        amount_total=_amount(session.get("amount_total")),
        email=customer.get("email") or session.get("customer_email"),
        customer_name=str(customer.get("name") or ""),
        country=_country(_mapping(customer.get("address")).get("country")),
        stripe_customer_id=object_id(session.get("customer")),
        stripe_payment_intent_id=object_id(session.get("payment_intent")),
        stripe_invoice_id=object_id(session.get("invoice")),
        client_reference_id=session.get("client_reference_id"),
        metadata=_metadata(session.get("metadata")),
        expires_at=_time(session.get("expires_at") or session["created"]),
        created_at=_time(session["created"]),
    )


def read_payment(
    intent: StripeObject,
    *,
    charges: Sequence[StripeObject],
    refunds: Sequence[RefundFacts],
    disputes: Sequence[DisputeFacts],
    fees: Sequence[FeeFacts] = (),
) -> PaymentFacts:
    """A PaymentIntent and what belongs to it; charges that did not take money are left out."""
    failure = _mapping(intent.get("last_payment_error")).get("message")
    return PaymentFacts(
        id=str(intent["id"]),
        status=str(intent.get("status") or ""),
        failure_reason=str(failure)[:300] if failure else None,
        metadata=_metadata(intent.get("metadata")),
        charges=tuple(_read_charge(each) for each in charges if _took_money(each)),
        refunds=tuple(refunds),
        disputes=tuple(disputes),
        fees=tuple(fees),
    )


def list_fees(movers: Iterable[StripeObject]) -> list[FeeFacts]:
    """The fees of charges, refunds and disputes whose balance transactions are expanded; nothing of mere ids.

    A charge's is among them also when it is 0: then it is known that Stripe kept nothing.
    """
    fees = []
    for mover in movers:
        moves = [mover.get("balance_transaction"), mover.get("failure_balance_transaction")]
        for move in map(_mapping, [*moves, *(mover.get("balance_transactions") or [])]):
            is_charge = mover.get("object") == "charge" and _took_money(mover)
            if isinstance(move.get("id"), str) and (_amount(move.get("fee")) or is_charge):
                fees.append(
                    FeeFacts(
                        stripe_balance_transaction_id=str(move["id"]),
                        stripe_object_id=str(mover["id"]),
                        amount=_amount(move.get("fee")),
                        currency=str(move.get("currency") or mover["currency"]).lower(),
                        occurred_at=_time(move["created"]),
                    )
                )
    return fees


def read_refund(refund: StripeObject) -> RefundFacts:
    """A refund as Stripe lists it, its balance transactions expanded or not."""
    created_at = _time(refund["created"])
    return RefundFacts(
        id=str(refund["id"]),
        charge_id=object_id(refund.get("charge")),
        amount=_amount(refund["amount"]),
        currency=str(refund["currency"]).lower(),
        status=str(refund.get("status") or ""),
        metadata=_metadata(refund.get("metadata")),
        created_at=created_at,
        booked_at=_booking_time(refund.get("balance_transaction")) or created_at,
        undone_at=_booking_time(refund.get("failure_balance_transaction")),
    )


def read_dispute(dispute: StripeObject) -> DisputeFacts:
    """A dispute; its balance transactions say what moved: negative amounts were withdrawn, positive reinstated."""
    amount = _amount(dispute["amount"])
    currency = str(dispute["currency"]).lower()
    created_at = _time(dispute["created"])
    moves = [_mapping(each) for each in dispute.get("balance_transactions") or []]
    # Balance transactions are in the currency of the payout; where that differs, the dispute's own amount moved.
    withdrawn = [
        -_amount(move.get("amount")) if move.get("currency") == currency else amount
        for move in moves
        if _amount(move.get("amount")) < 0
    ]
    reinstated = [
        _amount(move.get("amount")) if move.get("currency") == currency else amount
        for move in moves
        if _amount(move.get("amount")) > 0
    ]
    return DisputeFacts(
        id=str(dispute["id"]),
        charge_id=object_id(dispute.get("charge")),
        amount=amount,
        currency=currency,
        status=str(dispute.get("status") or ""),
        withdrawn_amount=sum(withdrawn),
        withdrawn_at=_first_time(moves, sign=-1) or created_at,
        reinstated_amount=sum(reinstated),
        reinstated_at=_first_time(moves, sign=1) or created_at,
        created_at=created_at,
    )


def object_id(value: object) -> str | None:
    """The id of a reference that may be an id or an expanded object; None when there is neither."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, Mapping) and isinstance(value.get("id"), str):
        return str(value["id"])
    return None


def _read_charge(charge: StripeObject) -> ChargeFacts:
    details = _mapping(charge.get("payment_method_details"))
    card = _mapping(details.get("card"))
    label = str(details.get("type") or "").replace("_", " ").capitalize()
    if card.get("last4"):
        label = f"{str(card.get('brand') or 'card').capitalize()} ending {card['last4']}"
    return ChargeFacts(
        id=str(charge["id"]),
        amount=_amount(charge.get("amount_captured") or charge["amount"]),
        currency=str(charge["currency"]).lower(),
        method_label=label[:80],
        created_at=_time(charge["created"]),
        booked_at=_booking_time(charge.get("balance_transaction")) or _time(charge["created"]),
    )


def _booking_time(balance_transaction: object) -> datetime | None:
    """When an expanded balance transaction moved the money; None for a mere id, or where nothing moved."""
    created = _mapping(balance_transaction).get("created")
    return None if created is None else _time(created)


def _first_time(moves: Sequence[StripeObject], *, sign: int) -> datetime | None:
    times = [_booking_time(move) for move in moves if _amount(move.get("amount")) * sign > 0]
    return min((moment for moment in times if moment is not None), default=None)


def _took_money(charge: StripeObject) -> bool:
    return charge.get("status") == "succeeded" and charge.get("paid") is True and charge.get("captured") is not False


def _mapping(value: object) -> StripeObject:
    return value if isinstance(value, Mapping) else {}


def _metadata(value: object) -> Metadata:
    return {str(key): str(text) for key, text in _mapping(value).items()}


def _country(value: object) -> str | None:
    code = str(value or "").upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() else None  # noqa: PLR2004 - ISO 3166 alpha-2


def _amount(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("an amount is an integer of minor units")
    return value


def _time(value: object) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("a time is an integer of seconds")
    return datetime.fromtimestamp(value, UTC)
