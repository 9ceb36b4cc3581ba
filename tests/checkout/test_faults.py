"""Stripe answers late, wrongly, twice or not at all: one order, one session, nothing lost."""

from typing import Any

import pytest
from sqlalchemy import func, select

import app.checkout.settle as settle_module
from app.catalog.models import Product
from app.checkout.models import CheckoutAttempt, Order, OrderItem
from app.db import db, transaction
from app.enrollment.services import list_open_course_ids
from app.payments.gateway import PaymentUnavailable
from app.payments.models import StripeEvent
from tests.checkout.conftest import Shop
from tests.checkout.money import findings
from tests.factories import make_course, make_user

SESSIONS = "/v1/checkout/sessions"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.001)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.002)


def pull(shop: Shop, **lever: Any) -> None:
    status, answer = shop.control("/levers", lever)
    assert status == 200, answer


def sessions(shop: Shop) -> list[dict[str, Any]]:
    return shop.stripe(SESSIONS)["data"]


def orders() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(Order)) or 0


@pytest.mark.parametrize(
    "lever",
    [
        {"kind": "api_error", "status": 500, "when": "before"},
        {"kind": "api_error", "status": 429, "when": "before"},
        {"kind": "api_error", "status": 503, "when": "before"},
        {"kind": "api_error", "status": 401, "when": "before"},
        {"kind": "api_close", "when": "before"},
    ],
)
def test_session_that_could_not_be_made_is_made_by_the_next_click(shop: Shop, lever: dict[str, Any]) -> None:
    user, course = make_user(), make_course(capacity=1)
    pull(shop, **lever, path=SESSIONS, method="POST", count=3, **({"stored": False} if "status" in lever else {}))

    with pytest.raises(PaymentUnavailable):
        shop.begin(course, user=user)
    assert (orders(), len(sessions(shop))) == (1, 0)
    shop.remove_levers()
    started = shop.begin(course, user=user)

    assert started.url is not None
    assert (orders(), len(sessions(shop))) == (1, 1)
    assert db.session.scalars(select(Product.taken_seats)).one() == 1


@pytest.mark.parametrize(
    "lever",
    [
        {"kind": "api_error", "status": 500, "when": "after"},
        {"kind": "api_close", "when": "after"},
        {"kind": "api_garbage", "body": "html"},
        {"kind": "api_garbage", "body": "truncated"},
    ],
)
def test_session_whose_answer_was_lost_is_found_again(shop: Shop, lever: dict[str, Any]) -> None:
    user, course = make_user(), make_course()
    pull(shop, **lever, path=SESSIONS, method="POST", count=2)

    started = shop.begin(course, user=user)

    assert [session["id"] for session in sessions(shop)] == [started.stripe_checkout_session_id]
    assert shop.begin(course, user=user) == started
    shop.pay(started)
    shop.deliver_all()
    assert shop.order(started).state == "paid"


def test_changed_parameters_take_a_new_attempt_not_a_dead_order(shop: Shop) -> None:
    user, course = make_user(), make_course()
    # Stripe keeps its error with the first parameters, and made no session that could be found.
    pull(shop, kind="api_error", status=500, when="before", path=SESSIONS, method="POST", count=2)
    with pytest.raises(PaymentUnavailable):
        shop.begin(course, user=user)
    with transaction() as session:
        session.scalars(select(Order)).one().email = "moved@example.org"

    started = shop.begin(course, user=user)

    assert [attempt.number for attempt in shop.attempts(started)] == [1, 2]
    assert orders() == 1
    assert started.url is not None


def test_forgotten_keys_do_not_make_a_second_session(shop: Shop) -> None:
    user, course = make_user(), make_course()
    started = shop.begin(course, user=user)
    pull(shop, kind="forget_idempotency_keys")

    assert shop.begin(course, user=user) == started
    assert len(sessions(shop)) == 1


@pytest.mark.parametrize("status", [404, 403, 500])
def test_event_whose_own_look_at_stripe_fails_stays_until_it_succeeds(
    shop: Shop, moving_clock: Any, status: int
) -> None:
    user, course = make_user(), make_course()
    started = shop.begin(course, user=user)
    shop.pay(started)
    pull(shop, kind="api_error", status=status, path=SESSIONS + "/*", method="GET", count=40, stored=False)
    completed = next(event for event in shop.events() if event["type"] == "checkout.session.completed")
    shop.send(completed)
    shop.work()
    assert db.session.get_one(StripeEvent, completed["id"]).state == "received"
    assert list_open_course_ids(user_id=user.id) == set()

    shop.remove_levers()
    moving_clock.advance(minutes=10)
    shop.work()

    assert db.session.get_one(StripeEvent, completed["id"]).state == "handled"
    assert list_open_course_ids(user_id=user.id) == {course.id}


def test_refund_that_timed_out_is_sent_again_under_its_key(shop: Shop, moving_clock: Any) -> None:
    user, course = make_user(), make_course(unit_amount=9700, capacity=1)
    started = shop.begin(course, user=user)
    with transaction() as session:
        session.scalars(select(OrderItem)).one().held_quantity = 0
    shop.pay(started)
    pull(shop, kind="api_close", when="after", path="/v1/refunds", method="POST", count=2)

    shop.deliver_all()
    shop.work()
    moving_clock.advance(minutes=2)
    shop.work()
    shop.deliver_all()

    assert [refund["amount"] for refund in shop.stripe("/v1/refunds")["data"]] == [9700]
    assert shop.order(started).state == "refunded"


def test_order_without_any_session_expires_after_stripe_was_asked(shop: Shop, moving_clock: Any) -> None:
    user, course = make_user(), make_course(capacity=1)
    pull(shop, kind="api_error", status=500, when="before", path=SESSIONS, method="POST", count=4, stored=False)
    with pytest.raises(PaymentUnavailable):
        shop.begin(course, user=user)
    shop.remove_levers()

    moving_clock.advance(hours=2)
    shop.work()

    db.session.rollback()
    assert db.session.scalars(select(Order.state)).one() == "expired"
    assert db.session.scalars(select(Product.taken_seats)).one() == 0
    assert db.session.scalars(select(CheckoutAttempt.stripe_checkout_session_id)).one() is None


def test_reading_that_began_before_the_last_applied_one_is_dropped(shop: Shop) -> None:
    user, course = make_user(), make_course()
    started = shop.begin(course, user=user)
    order_id = shop.order(started).id
    old = settle_module.read_stripe(settle_module._load_order(order_id), None)
    shop.pay(started)
    settle_module.settle(order_id=order_id)

    settle_module._save_reading(order_id, old)

    assert shop.order(started).state == "paid"


def test_refund_that_stripe_refuses_becomes_a_finding_and_is_not_asked_again(shop: Shop, moving_clock: Any) -> None:
    user, course = make_user(), make_course(unit_amount=9700, capacity=1)
    started = shop.begin(course, user=user)
    with transaction() as session:
        session.scalars(select(OrderItem)).one().held_quantity = 0
    shop.pay(started)
    pull(shop, kind="api_error", status=400, when="before", path="/v1/refunds", method="POST", count=1)

    shop.deliver_all()
    moving_clock.advance(hours=3)
    shop.work()

    assert findings() == [
        ("late_payment", "Paid after the last seat was gone; the money goes back by itself.", None),
        ("refund_refused", "Stripe refused to return the money; look at the payment in its dashboard.", None),
    ]
    assert shop.stripe("/v1/refunds")["data"] == []
