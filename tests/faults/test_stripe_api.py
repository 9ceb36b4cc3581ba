"""Stripe late, wrong, silent or with a revoked key: one session, nothing lost, and it heals by itself (F40-F48)."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from app.catalog.models import Product
from app.checkout.errors import AlreadyEnrolled
from app.checkout.models import CheckoutAttempt, LedgerEntry, Order
from app.checkout.sessions import find_session_of_order
from app.checkout.settle import settle
from app.db import db, transaction
from app.enrollment.services import list_open_course_ids
from app.payments.gateway import PaymentUnavailable
from app.payments.gateway import init_app as init_gateway
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import get_price, make_course, make_user
from tests.faults.worlds import ask, effects, event_states, find_event, payment_intent, pull
from tests.ops.conftest import post_to_stripe
from tests.running import find_free_port

SESSIONS = "/v1/checkout/sessions"
PRICE = 9700
BROWSER = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin"}


def list_sessions(shop: Shop) -> list[str]:
    return [each["id"] for each in shop.stripe(f"{SESSIONS}?limit=100")["data"]]


def press_enroll(shop: Shop, price_public_id: str) -> Any:
    """POST /checkout as a browser does; its first purchase is sent around once for a cookie."""
    answer = shop.client.post("/checkout", data={"price_id": price_public_id}, headers=BROWSER)
    if answer.status_code == 307:
        answer = shop.client.post(answer.headers["Location"], data={"price_id": price_public_id}, headers=BROWSER)
    return answer


def taken_seats() -> int:
    db.session.rollback()
    return db.session.scalars(select(Product.taken_seats)).one()


# F42: whatever Stripe answers, a friendly page; the hold is kept for the next click and ends with the order


@pytest.mark.parametrize(
    "lever",
    [
        {"kind": "api_error", "status": 429, "when": "before", "stored": False},
        {"kind": "api_error", "status": 409, "when": "before", "stored": False},
        {"kind": "api_error", "status": 500, "when": "before"},
        {"kind": "api_error", "status": 502, "when": "after"},
        {"kind": "api_error", "status": 401, "when": "before", "stored": False},
        {"kind": "api_error", "status": 403, "when": "before", "stored": False},
        {"kind": "api_close", "when": "before"},
        {"kind": "api_close", "when": "after"},
        {"kind": "api_garbage", "body": "html"},
        {"kind": "api_garbage", "body": "truncated"},
    ],
    ids=lambda lever: "-".join(str(each) for each in lever.values()),
)
def test_buyer_reads_what_happened_and_no_hold_is_left_behind(
    shop: Shop, moving_clock: MovableClock, lever: dict[str, Any]
) -> None:
    course = make_course(unit_amount=PRICE, capacity=1)
    ask(shop, "/levers", path="/v1/*", **lever)

    answer = press_enroll(shop, get_price(course).public_id)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "Nothing was charged" in answer.text
    assert taken_seats() == 1
    shop.remove_levers()
    moving_clock.advance(hours=3)
    shop.work()
    assert taken_seats() == 0
    assert [order.state for order in db.session.scalars(select(Order))] == ["expired"]


def test_refused_connection_is_told_in_the_same_words(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    course = make_course(unit_amount=PRICE)
    with monkeypatch.context() as patch:
        patch.setitem(shop.app.extensions, "stripe_client", None)
        init_gateway(shop.app, replace(shop.settings, stripe_api_base=f"http://127.0.0.1:{find_free_port()}"))

        answer = press_enroll(shop, get_price(course).public_id)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "Nothing was charged" in answer.text
    assert press_enroll(shop, get_price(course).public_id).status_code == 303
    assert len(list_sessions(shop)) == 1


# F40, F41, F44: the answer is lost, and then the key too


@pytest.mark.parametrize(
    "lever",
    [
        {"kind": "api_close", "when": "after"},
        {"kind": "api_error", "status": 500, "when": "after"},
        {"kind": "api_garbage", "body": "truncated"},
    ],
    ids=lambda lever: lever["kind"],
)
@pytest.mark.parametrize("is_forgotten", [False, True])
def test_session_whose_answer_and_key_are_lost_stays_the_only_one(
    shop: Shop, lever: dict[str, Any], *, is_forgotten: bool
) -> None:
    user, course = make_user(), make_course(unit_amount=PRICE)
    ask(shop, "/levers", path=SESSIONS, method="POST", **lever)
    # The look-up that would find it fails in that moment too.
    pull(shop, "api_error", status=500, path=SESSIONS, method="GET", stored=False)
    with pytest.raises(PaymentUnavailable):
        shop.begin(course, user=user)
    assert len(list_sessions_by_hand(shop)) == 1
    shop.remove_levers()
    if is_forgotten:
        pull(shop, "forget_idempotency_keys")

    started = shop.begin(course, user=user)

    assert list_sessions(shop) == [started.stripe_checkout_session_id]
    shop.pay(started)
    shop.deliver_all()
    assert (effects().state, effects().sums[0], effects().number) == ("paid", PRICE, 1001)


def list_sessions_by_hand(shop: Shop) -> list[Any]:
    """What the sandbox keeps, past its levers."""
    with shop.sandbox.sandbox.store.read() as transaction_:
        return list(transaction_.where("checkout.session", "mode", "payment"))


# F46: the handler's own looks


@pytest.mark.parametrize("path", ["/v1/payment_intents/*", "/v1/charges", "/v1/refunds", "/v1/disputes"])
@pytest.mark.parametrize("status", [404, 403, 500])
def test_event_waits_while_any_of_its_looks_at_stripe_fails(
    shop: Shop, moving_clock: MovableClock, path: str, status: int
) -> None:
    user, course = make_user(), make_course(unit_amount=PRICE)
    started = shop.begin(course, user=user)
    shop.pay(started)
    event = find_event(shop, "checkout.session.completed")
    pull(shop, "api_error", status=status, path=path, method="GET", stored=False)

    assert shop.send(event) == 200
    shop.work()
    assert event_states() == {event["id"]: "received"}
    assert (effects().state, effects().entries, effects().live_grants) == ("pending", 0, 0)

    shop.remove_levers()
    moving_clock.advance(minutes=1)
    shop.work()
    assert event_states() == {event["id"]: "handled"}
    assert list_open_course_ids(user_id=user.id) == {course.id}


# F47: the key is revoked


def test_revoked_key_alarms_loses_nothing_and_heals(shop: Shop, moving_clock: MovableClock) -> None:
    first, second = make_user(), make_user()
    paid_course, wanted = make_course(unit_amount=PRICE, capacity=1), make_course(unit_amount=PRICE)
    started = shop.begin(paid_course, user=first)
    shop.pay(started)
    events = shop.events()
    pull(shop, "api_error", status=401, path="/v1/*", stored=False)

    with capture_logs() as logs:
        assert [shop.send(event) for event in events] == [200] * len(events)
        shop.work()
        with pytest.raises(PaymentUnavailable):
            shop.begin(wanted, user=second)
        # The checkout's end passes while nobody can ask Stripe: nothing is given up for it.
        for _ in range(4):
            moving_clock.advance(hours=1)
            shop.work()

    assert {log["log_level"] for log in logs if log["event"] == "stripe_key_refused"} == {"critical"}
    assert any(log["event"] == "events_overdue" for log in logs)
    assert shop.order(started).state == "pending"
    db.session.rollback()
    assert db.session.scalars(select(Product.taken_seats).where(Product.capacity == 1)).one() == 1

    shop.remove_levers()
    moving_clock.advance(hours=2)
    shop.work()
    assert shop.order(started).state == "paid"
    assert list_open_course_ids(user_id=first.id) == {paid_course.id}
    assert set(event_states().values()) == {"handled", "ignored"}
    assert shop.begin(wanted, user=second).url is not None


# F48: more than a page


@pytest.mark.slow
def test_two_hundred_and_fifty_refunds_are_all_read(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=PRICE), user=make_user())
    intent = payment_intent(shop, started)
    for _ in range(250):
        shop.sandbox.sandbox.actions.refund(intent, 3)

    settle(order_id=shop.order(started).id)

    end = effects()
    assert (end.state, end.sums, end.live_grants) == ("partially_refunded", (PRICE, 750, 0, 0), 1)
    assert len(db.session.scalars(select(LedgerEntry).where(LedgerEntry.kind == "refund")).all()) == 250


def test_lost_session_is_found_behind_a_hundred_others(shop: Shop) -> None:
    user, course = make_user(), make_course(unit_amount=PRICE)
    started = shop.begin(course, user=user)
    for _ in range(105):
        post_to_stripe(
            shop,
            SESSIONS,
            **{
                "mode": "payment",
                "success_url": "http://localhost/thanks",
                "line_items[0][price_data][currency]": "usd",
                "line_items[0][price_data][product_data][name]": "Something else",
                "line_items[0][price_data][unit_amount]": 100,
                "line_items[0][quantity]": 1,
            },
        )
    with transaction() as session:
        attempt = session.scalars(select(CheckoutAttempt)).one()
        attempt.stripe_checkout_session_id = None

    found = find_session_of_order(shop.order(started), shop.attempts(started)[0])

    assert found is not None
    assert found.id == started.stripe_checkout_session_id
    shop.pay(started)
    with pytest.raises(AlreadyEnrolled):
        shop.begin(course, user=user)
    assert effects().state == "paid"
