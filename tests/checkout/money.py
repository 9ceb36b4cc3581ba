"""What tests of money back look at, and how they make an order that was paid twice."""

from typing import Any

from sqlalchemy import select

from app import clock
from app.checkout.ledger import sum_entries
from app.checkout.models import CheckoutAttempt, Finding, LedgerEntry, Order, OrderItem, RefundRequest
from app.checkout.refund_orders import RefundOutcome, refund_order
from app.checkout.refund_plans import RefundScope
from app.checkout.services import StartedCheckout
from app.checkout.sessions import open_session
from app.db import db, transaction
from app.enrollment.models import Seat
from app.mail.models import Message
from tests.checkout.conftest import Shop
from tests.factories import make_course, make_user


def sums(order_id: int) -> tuple[int, int, int]:
    """(captured, refunded, net) of an order in minor units."""
    db.session.rollback()
    found = sum_entries(db.session.scalars(select(LedgerEntry).where(LedgerEntry.order_id == order_id)).all())
    return found.captured_amount, found.refunded_amount, found.net_amount


def payment_intent(shop: Shop, started: StartedCheckout) -> str:
    return str(shop.stripe(f"/v1/checkout/sessions/{started.stripe_checkout_session_id}")["payment_intent"])


def refunds(shop: Shop) -> list[int]:
    """The amounts of Stripe's refunds, oldest first."""
    return [refund["amount"] for refund in shop.stripe("/v1/refunds?limit=100")["data"]][::-1]


def seat_statuses() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Seat.status).order_by(Seat.order_item_id, Seat.position)))


def held() -> list[int]:
    db.session.rollback()
    return list(db.session.scalars(select(OrderItem.held_quantity).order_by(OrderItem.id)))


def open_findings() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Finding.kind).where(Finding.resolved_at.is_(None)).order_by(Finding.id)))


def findings() -> list[tuple[str, str, str | None]]:
    """(kind, detail, resolution) of every finding, oldest first."""
    db.session.rollback()
    return [
        (each.kind, each.detail, each.resolution) for each in db.session.scalars(select(Finding).order_by(Finding.id))
    ]


def mails(template: str) -> list[dict[str, Any]]:
    db.session.rollback()
    return list(db.session.scalars(select(Message.data).where(Message.template == template).order_by(Message.id)))


def give_back(started: StartedCheckout, *, key: str = "click-1", **scope: Any) -> RefundOutcome:
    """refund_order() with a reason."""
    return refund_order(
        order_public_id=started.order_public_id, request_key=key, scope=RefundScope(**scope), reason="Asked for it"
    )


def open_second_session(order_id: int) -> StartedCheckout:
    """Another payable session of an order, as two tabs had before one of them was closed."""
    with transaction() as session:
        order = session.get_one(Order, order_id)
        moment = clock.now()
        first = session.scalars(select(CheckoutAttempt).where(CheckoutAttempt.order_id == order_id)).one()
        session.add(
            CheckoutAttempt(
                order_id=order_id, number=2, idempotency_key=f"{order.public_id}:2", expires_at=first.expires_at,
                created_at=moment,
            )
        )  # fmt: skip
    attempt = open_session(order_id=order_id)
    return StartedCheckout(
        order_public_id=order.public_id,
        url=attempt.url,
        stripe_checkout_session_id=attempt.stripe_checkout_session_id,
        expires_at=attempt.expires_at,
        total_amount=order.total_amount,
        currency=order.currency,
        state="pending",
    )


def buy_seats(shop: Shop, *, quantity: int = 3, unit_amount: int = 3333, **values: Any) -> StartedCheckout:
    """A paid team order of a limited course; the buyer sits on the first seat."""
    currency = values.pop("currency", "usd")
    card = values.pop("card", "4242424242424242")
    course = make_course(unit_amount=unit_amount, currency=currency, capacity=10)
    started = shop.begin(course, user=make_user(), quantity=quantity, **values)
    shop.pay(started, card=card)
    shop.deliver_all()
    assert shop.order(started).state == "paid"
    return started


def list_requests() -> list[RefundRequest]:
    db.session.rollback()
    return list(db.session.scalars(select(RefundRequest).order_by(RefundRequest.id)))


def pull_refund_lever(shop: Shop, **lever: Any) -> None:
    status, answer = shop.control("/levers", {"path": "/v1/refunds", "method": "POST", **lever})
    assert status == 200, answer


def list_seat_ids() -> list[int]:
    return list(db.session.scalars(select(Seat.id).order_by(Seat.order_item_id, Seat.position)))
