"""What the mails of an order say, to the last field, and what its page is made of."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.catalog.promotion_codes import create_code
from app.checkout.choices import GiftWish
from app.checkout.models import Order
from app.checkout.orders import OrderLine, OrderView, find_order_by_public_id, list_timeline
from app.checkout.resend import resend_receipt
from app.db import db
from app.errors import NotFound
from app.mail.models import Message
from tests.checkout.conftest import Shop
from tests.checkout.money import give_back, payment_intent
from tests.conftest import MovableClock
from tests.factories import get_price, make_course, make_user


def outbox(template: str) -> list[tuple[str, str, dict[str, Any]]]:
    """(key, address, data) of each mail of this kind, oldest first."""
    db.session.rollback()
    query = select(Message).where(Message.template == template).order_by(Message.id)
    return [(each.key, each.to_address, each.data) for each in db.session.scalars(query)]


def page(path: str) -> dict[str, str]:
    return {"path": path, "purpose": "", "value": ""}


def order_link(order: Order) -> dict[str, str]:
    return {"path": "/orders/{token}", "purpose": "order", "value": order.public_id}


def test_receipt_of_a_learner_leads_to_the_course(shop: Shop) -> None:
    user, course = make_user(email="maya@example.org"), make_course(unit_amount=9700)
    started = shop.buy(course, user=user, name="Maya Okafor")

    order = shop.order(started)
    assert order.paid_at is not None
    [(key, address, data)] = outbox("receipt")
    assert (key, address) == (f"receipt:{order.public_id}", "maya@example.org")
    assert data.pop("access_url")["path"] == "/access/{token}"
    assert data == {
        "order_number": "NSL-1001",
        "order_public_id": order.public_id,
        "customer_name": order.customer_name,
        "items": [{"title": course.title, "quantity": 1, "total_amount": 9700}],
        "subtotal_amount": 9700,
        "discount_amount": 0,
        "discount_code": "",
        "tax_amount": 0,
        "is_tax_included": False,
        "total_amount": 9700,
        "currency": "usd",
        "paid_at": order.paid_at.isoformat(),
        "payment_method_label": "Visa ending 4242",
        "refund_until": (order.paid_at + timedelta(days=14)).isoformat(),
        "is_guest": False,
        "takes_seat": True,
        "free_seats": 0,
        "gift_recipient": "",
        "gift_on": "",
        "order_url": order_link(order),
        "button_label": "Start learning",
        "button_url": page("/account/courses"),
    }


def test_receipt_of_a_guests_team_leads_to_the_order_with_its_seats_and_code(shop: Shop) -> None:
    create_code("LAUNCH20", percent_off=20)
    started = shop.begin(make_course(unit_amount=1000), quantity=3, code="LAUNCH20", purpose="team")
    shop.pay(started, email="lead@example.org")
    shop.deliver_all()

    [(_, address, data)] = outbox("receipt")
    assert address == "lead@example.org"
    assert (data["subtotal_amount"], data["discount_amount"], data["total_amount"]) == (3000, 600, 2400)
    assert (data["discount_code"], data["is_guest"], data["takes_seat"], data["free_seats"]) == (
        "LAUNCH20",
        True,
        True,
        2,
    )
    assert (data["button_label"], data["button_url"]) == ("View your order", order_link(shop.order(started)))


@pytest.mark.parametrize(("name", "shown"), [("Nia Example", "Nia Example"), ("", "nia@example.org")])
def test_receipt_of_a_gift_names_whom_and_when_and_opens_nothing(
    shop: Shop, moving_clock: MovableClock, name: str, shown: str
) -> None:
    moving_clock.freeze(clock.now().replace(microsecond=0))
    day = clock.now() + timedelta(days=3)
    gift = GiftWish(recipient_email="nia@example.org", recipient_name=name, send_at=day)
    started = shop.begin(make_course(unit_amount=9700), user=make_user(), purpose="gift", gift=gift)
    shop.pay(started)
    shop.deliver_all()

    order = shop.order(started)
    [(_, _, data)] = outbox("receipt")
    assert (data["gift_recipient"], data["gift_on"]) == (shown, day.isoformat())
    assert (data["takes_seat"], data["free_seats"], data["is_guest"]) == (False, 0, False)
    assert (data["button_label"], data["button_url"]) == ("View your order", order_link(order))
    view = find_order_by_public_id(order.public_id)
    assert view is not None
    assert (view.gift_recipient_name, view.gift_recipient_email, view.gift_on) == (name, "nia@example.org", day)


def test_refunds_are_told_with_their_seat_their_line_or_their_amount(shop: Shop) -> None:
    course = make_course(unit_amount=1000)
    started = shop.begin(course, user=make_user(email="maya@example.org"), quantity=3)
    shop.pay(started)
    shop.deliver_all()
    common = {"order_number": "NSL-1001", "currency": "usd", "access_closed": False, "access_paused": False}

    give_back(started, key="seat", seats=(2,))
    shop.control(f"/refund/{payment_intent(shop, started)}", {"amount": 500})
    shop.deliver_all()
    give_back(started, key="line", line=1)

    stripe_ids = [each["id"] for each in shop.stripe("/v1/refunds")["data"]][::-1]
    assert outbox("order_refunded") == [
        (f"refund:{stripe_id}", "maya@example.org", {**common, **data})
        for stripe_id, data in zip(
            stripe_ids,
            [
                {
                    "amount": 1000,
                    "target": "seat",
                    "title": course.title,
                    "seat_position": 2,
                    "seat_count": 3,
                    "seat_email": "",
                },
                {"amount": 500, "target": "amount"},
                {"amount": 1500, "target": "line", "title": course.title, "access_closed": True},
            ],
            strict=True,
        )
    ]


def test_refund_that_failed_is_taken_back_in_a_mail(shop: Shop) -> None:
    started = shop.buy(make_course(), user=make_user(email="maya@example.org"), card="4000000000005126")
    shop.control(f"/refund/{payment_intent(shop, started)}")
    shop.deliver_all()
    shop.control("/tick", {"seconds": 3600})
    shop.deliver_all()

    stripe_id = shop.stripe("/v1/refunds")["data"][0]["id"]
    assert outbox("refund_failed") == [
        (
            f"refund-failed:{stripe_id}",
            "maya@example.org",
            {"order_number": "NSL-1001", "amount": 9700, "currency": "usd", "access_open": True},
        )
    ]


def test_payment_that_did_not_come_is_told_with_the_way_back(shop: Shop) -> None:
    course = make_course()
    started = shop.begin(course, user=make_user(email="maya@example.org"))
    shop.pay(started, method="bank_debit")
    shop.deliver_all()
    shop.control(f"/settle/{started.stripe_checkout_session_id}", {"outcome": "failed"})
    shop.deliver_all()

    order = shop.order(started)
    assert order.failure_reason
    assert outbox("payment_failed") == [
        (
            f"payment-failed:{order.public_id}",
            "maya@example.org",
            {"titles": [course.title], "reason": order.failure_reason, "course_url": page(f"/courses/{course.slug}")},
        )
    ]


def test_receipt_of_an_order_that_is_not_there_is_not_sent_again(shop: Shop) -> None:
    with pytest.raises(NotFound):
        resend_receipt(order_public_id="ord_none")


def test_page_of_an_order_is_made_of_what_was_bought(shop: Shop) -> None:
    user = make_user(email="maya@example.org")
    course = make_course(unit_amount=9700)
    create_code("LAUNCH20", percent_off=20)
    started = shop.begin(course, user=user, code="LAUNCH20")
    shop.pay(started)
    shop.deliver_all()
    shop.control(f"/refund/{payment_intent(shop, started)}", {"amount": 500})
    shop.deliver_all()

    order = shop.order(started)
    assert order.paid_at is not None
    assert find_order_by_public_id(order.public_id) == OrderView(
        id=order.id,
        public_id=order.public_id,
        user_id=user.id,
        number="NSL-1001",
        state="partially_refunded",
        email="maya@example.org",
        customer_name=order.customer_name,
        purpose="self",
        takes_seat=True,
        items=(
            OrderLine(title=course.title, quantity=1, subtotal_amount=9700, total_amount=7760, course_ids=(course.id,)),
        ),
        subtotal_amount=9700,
        discount_amount=1940,
        discount_code="LAUNCH20",
        tax_amount=0,
        is_tax_included=False,
        total_amount=7760,
        refunded_amount=500,
        currency="usd",
        created_at=order.created_at,
        paid_at=order.paid_at,
        payment_method_label="Visa ending 4242",
        failure_reason=None,
        refund_until=order.paid_at + timedelta(days=14),
        price_public_id=get_price(course).public_id,
        has_invoice=False,
        gift_recipient_name="",
        gift_recipient_email="",
        gift_on=None,
        link_version=1,
    )
    timeline = list_timeline(order_id=order.id, currency="usd")
    assert [fact[:3] for fact in timeline] == [
        ("refunded", "$5.00 refunded", ""),
        ("paid", "$77.60 paid", ""),
        ("created", "Order placed", ""),
    ]
    assert timeline[-1][3] == order.created_at
