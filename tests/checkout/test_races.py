"""Everybody at once: real threads, each with its own context and connection, start together on the suite's database.

Each race has a control beside it: the same race with the database's decision replaced by a check in Python before the
write. A barrier holds every thread between its check and its write, so the control goes wrong every time.
"""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm.attributes import set_committed_value

import app.checkout.apply as apply_module
import app.checkout.beginning as beginning_module
import app.checkout.events as events_module
import app.checkout.refunds as refunds_module
import app.checkout.services as services_module
import app.checkout.settle as settle_module
import app.enrollment.seats as seats_module
from app import clock
from app.accounts.models import User
from app.catalog.models import Product
from app.checkout.errors import SoldOut
from app.checkout.events import handle_event
from app.checkout.models import InvoiceCounter, LedgerEntry, Order, OrderItem, RefundRequest
from app.checkout.reconcile import check_order
from app.checkout.refunds import plan_refund, send_refund
from app.checkout.services import StartedCheckout
from app.checkout.settle import settle
from app.checkout.tasks import send_refund_task
from app.db import db, transaction
from app.enrollment.models import Enrollment, Grant, Seat
from app.enrollment.seats import CLAIM_PURPOSE, SeatTaken, claim_seat
from app.mail.models import Message
from app.payments.events import ParsedEvent, parse_event, record_event
from app.payments.gateway import PaymentUnavailable
from app.payments.models import StripeEvent
from app.signing import sign_link
from tests.checkout.conftest import Shop
from tests.factories import get_price, make_course, make_user
from tests.races import Pause, kinds, run_at_once

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.02)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.05)


@pytest.fixture
def shop_without_unique_open_orders(shop: Shop) -> Iterator[Shop]:
    """The index that makes a second open order impossible is gone, for one test."""
    index = next(index for index in Order.__table__.indexes if index.name == "uq_orders_open")
    db.session.rollback()
    with transaction() as session:
        session.execute(text("DROP INDEX uq_orders_open"))
    yield shop
    db.session.rollback()
    with transaction() as session:
        # The orders that should not be there stand in the way of the index.
        session.execute(update(Order).values(state="expired"))
        index.create(session.connection())


def count(model: type) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def receipts() -> int:
    return db.session.scalar(select(func.count()).where(Message.key.startswith("receipt:"))) or 0


def sessions(shop: Shop) -> list[dict[str, Any]]:
    return shop.stripe("/v1/checkout/sessions?limit=100")["data"]


def last_number() -> int:
    db.session.rollback()
    return db.session.scalars(select(InvoiceCounter.last_number)).one()


# Double click


@pytest.mark.parametrize("capacity", [None, 1])
def test_ten_clicks_at_once_are_one_order_and_one_session(shop: Shop, capacity: int | None) -> None:
    user, course = make_user(), make_course(capacity=capacity)

    outcomes = run_at_once(shop.app, *[lambda: shop.begin(course, user=user)] * 10)

    assert kinds(outcomes) == {"StartedCheckout": 10}, outcomes
    assert len({(each.order_public_id, each.url) for each in outcomes}) == 1
    assert count(Order) == 1
    assert [each["id"] for each in sessions(shop)] == [outcomes[0].stripe_checkout_session_id]
    assert db.session.scalars(select(Product.taken_seats)).one() == 1


def test_control_without_the_index_and_the_lock_two_clicks_are_two_orders(
    shop_without_unique_open_orders: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_without_unique_open_orders
    user, course = make_user(), make_course()
    pause, real = Pause(2), services_module.find_open_order

    def check_early(*arguments: Any) -> Order | None:
        if hasattr(pause.seen, "order"):
            return pause.seen.order
        pause.seen.order = real(*arguments)
        pause.wait()
        return pause.seen.order

    monkeypatch.setattr(services_module, "find_open_order", check_early)
    monkeypatch.setattr(beginning_module, "find_open_order", check_early)

    outcomes = run_at_once(shop.app, *[lambda: shop.begin(course, user=user)] * 2)

    assert kinds(outcomes) == {"StartedCheckout": 2}, outcomes
    assert (count(Order), len(sessions(shop))) == (2, 2)


# Last seat


def buy_last_seat_at_once(shop: Shop, buyers: int) -> list[Any]:
    course = make_course(capacity=1)
    return run_at_once(
        shop.app, *[lambda name=f"b{number}": shop.begin(course, browser=name) for number in range(buyers)]
    )


def test_last_seat_is_held_for_one_of_eight(shop: Shop) -> None:
    outcomes = buy_last_seat_at_once(shop, 8)

    assert kinds(outcomes) == {"StartedCheckout": 1, "SoldOut": 7}, outcomes
    assert count(Order) == 1
    assert db.session.scalars(select(Product.taken_seats)).one() == 1
    assert len(sessions(shop)) == 1


def test_control_a_check_before_the_write_sells_the_last_seat_four_times(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause, real = Pause(4), services_module.find_ownership

    def check_early(choice: Any, buyer: Any) -> Any:
        owned = real(choice, buyer)
        product = db.session.get_one(Product, choice.product.id, populate_existing=True)
        if product.capacity is not None and product.taken_seats >= product.capacity:
            raise SoldOut
        pause.seen.taken_seats = product.taken_seats
        pause.wait()
        return owned

    def write_anyway(item: OrderItem, *, wanted: int) -> bool:
        taken_seats = pause.seen.taken_seats + wanted
        db.session.execute(update(Product).where(Product.id == item.product_id).values(taken_seats=taken_seats))
        return True

    monkeypatch.setattr(services_module, "find_ownership", check_early)
    monkeypatch.setattr(beginning_module, "hold_seats", write_anyway)

    outcomes = buy_last_seat_at_once(shop, 4)

    # The lost update even hides it: four people pay for a seat of which the row says one is taken.
    assert kinds(outcomes) == {"StartedCheckout": 4}, outcomes
    assert (count(Order), db.session.scalars(select(Product.taken_seats)).one()) == (4, 1)


# One event, many deliveries and workers


def prepare_paid_event(shop: Shop) -> dict[str, Any]:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    return next(event for event in shop.events() if event["type"] == "checkout.session.completed")


def count_settles(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []

    def note(*, order_id: int, session_id: str | None = None) -> None:
        calls.append(order_id)
        settle(order_id=order_id, session_id=session_id)

    monkeypatch.setattr(events_module, "settle", note)
    return calls


def test_same_event_twenty_times_at_once_is_stored_and_handled_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = prepare_paid_event(shop)
    settles = count_settles(monkeypatch)

    def deliver_and_handle() -> int:
        status = Shop(shop.app, shop.settings, shop.app.test_client(), shop.sandbox).send(event)
        handle_event(event["id"])
        return status

    outcomes = run_at_once(shop.app, *[deliver_and_handle] * 20)
    shop.work()

    assert outcomes == [200] * 20
    stored = db.session.scalars(select(StripeEvent).execution_options(populate_existing=True)).one()
    assert (stored.state, stored.delivery_count) == ("handled", 20)
    assert (count(Grant), count(LedgerEntry), count(Enrollment), receipts(), last_number()) == (1, 1, 1, 1, 1001)
    # A redelivery arms an event that is not handled yet, so it may be tried more than once; never more than delivered.
    assert 1 <= len(settles) <= 20


def test_eight_workers_with_one_stored_event_handle_it_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    event = prepare_paid_event(shop)
    shop.send(event)
    settles = count_settles(monkeypatch)

    run_at_once(shop.app, *[lambda: handle_event(event["id"])] * 8)

    assert len(settles) == 1
    assert (count(Grant), receipts()) == (1, 1)


def test_control_a_check_before_the_claim_lets_every_worker_handle_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = prepare_paid_event(shop)
    shop.send(event)
    settles = count_settles(monkeypatch)
    pause = Pause(4)

    def claim_early(event_id: str) -> StripeEvent | None:
        found = db.session.get_one(StripeEvent, event_id, populate_existing=True)
        if found.state != "received" or found.next_attempt_at > clock.now():
            return None
        pause.wait()
        with transaction() as session:
            session.execute(
                update(StripeEvent).values(attempt_count=StripeEvent.attempt_count + 1, next_attempt_at=clock.now())
            )
            return session.get_one(StripeEvent, event_id, populate_existing=True)

    monkeypatch.setattr(events_module, "claim_event", claim_early)

    run_at_once(shop.app, *[lambda: handle_event(event["id"])] * 4)

    assert len(settles) == 4


def test_control_a_check_before_the_insert_makes_deliveries_crash(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = b'{"id": "evt_1", "type": "customer.created"}'
    pause = Pause(4)

    def check_early(body: bytes) -> ParsedEvent:
        event = parse_event(body)
        assert db.session.get(StripeEvent, event.id) is None
        pause.wait()
        return event

    def insert_anyway(model: type, values: dict[str, Any], *, unique: list[str]) -> Any:
        db.session.add(model(**values))
        db.session.flush()
        return values["id"]

    monkeypatch.setattr("app.payments.events.parse_event", check_early)
    monkeypatch.setattr("app.payments.events.insert_once", insert_anyway)

    outcomes = run_at_once(shop.app, *[lambda: record_event(payload=payload)] * 4)

    assert kinds(outcomes) == {"NoneType": 1, "IntegrityError": 3}, outcomes


# One order, many settlers


def prepare_paid_order(shop: Shop, **course: Any) -> tuple[StartedCheckout, int]:
    started = shop.begin(make_course(**course), user=make_user())
    shop.pay(started)
    return started, shop.order(started).id


def test_eight_settles_at_once_grant_once(shop: Shop) -> None:
    started, order_id = prepare_paid_order(shop)

    outcomes = run_at_once(shop.app, *[lambda: settle(order_id=order_id)] * 8)

    assert outcomes == [None] * 8
    assert (shop.order(started).state, shop.order(started).number, last_number()) == ("paid", 1001, 1001)
    assert (count(Seat), count(Grant), count(Enrollment), count(LedgerEntry), receipts()) == (1, 1, 1, 1, 1)


def test_webhook_return_page_and_reconciler_at_once_grant_once(shop: Shop, moving_clock: Any) -> None:
    started, order_id = prepare_paid_order(shop)
    for event in shop.events():
        shop.send(event)
    moving_clock.advance(seconds=shop.settings.reconcile_interval_seconds + 1)
    events = [
        event["id"] for event in shop.events() if event["type"] in {"checkout.session.completed", "charge.succeeded"}
    ]

    outcomes = run_at_once(
        shop.app,
        *[lambda: check_order(order_id)] * 2,
        *[lambda: settle(order_id=order_id, session_id=started.stripe_checkout_session_id)] * 2,
        *[lambda each=each: handle_event(each) for each in events * 2],
    )

    assert outcomes == [None] * len(outcomes)
    assert (shop.order(started).state, last_number()) == ("paid", 1001)
    assert (count(Seat), count(Grant), count(LedgerEntry), receipts()) == (1, 1, 1, 1)


def test_control_an_order_read_before_the_lock_takes_a_number_for_every_settler(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, order_id = prepare_paid_order(shop)
    pause = Pause(4)
    real_apply, real_lock = settle_module._save_reading, settle_module.lock_order

    def read_early(order_id: int, reading: Any) -> None:
        pause.seen.number = db.session.get_one(Order, order_id, populate_existing=True).number
        pause.wait()
        real_apply(order_id, reading)

    def lock_but_believe_the_earlier_read(order_id: int) -> Order:
        order = real_lock(order_id)
        set_committed_value(order, "number", pause.seen.number)
        set_committed_value(order, "read_started_at", None)
        return order

    monkeypatch.setattr(settle_module, "_save_reading", read_early)
    monkeypatch.setattr(settle_module, "lock_order", lock_but_believe_the_earlier_read)

    run_at_once(shop.app, *[lambda: settle(order_id=order_id)] * 4)

    assert last_number() == 1004


# Invoice numbers


def pay_many(shop: Shop, orders: int) -> list[int]:
    course = make_course()
    ids = []
    for number in range(orders):
        started = shop.begin(course, browser=f"b{number}")
        shop.pay(started, email=f"buyer{number}@example.org")
        ids.append(shop.order(started).id)
    return ids


def test_invoice_numbers_of_orders_paid_in_parallel_are_unique_and_gapless(shop: Shop) -> None:
    ids = pay_many(shop, 8)

    outcomes = run_at_once(shop.app, *[lambda each=each: settle(order_id=each) for each in ids])

    assert outcomes == [None] * 8
    assert sorted(db.session.scalars(select(Order.number))) == list(range(1001, 1009))
    assert (last_number(), receipts()) == (1008, 8)


def test_control_a_number_read_before_the_update_is_given_out_twice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = pay_many(shop, 4)
    pause, real_apply = Pause(4), settle_module._save_reading

    class StaleUpdate:
        """What update(InvoiceCounter) would be if the next number were counted in Python."""

        def where(self, *_: Any) -> "StaleUpdate":
            return self

        def values(self, **_: Any) -> "StaleUpdate":
            return self

        def returning(self, column: Any) -> Any:
            return update(InvoiceCounter).values(last_number=pause.seen.number + 1).returning(column)

    def read_early(order_id: int, reading: Any) -> None:
        pause.seen.number = db.session.scalars(select(InvoiceCounter.last_number)).one()
        pause.wait()
        real_apply(order_id, reading)

    monkeypatch.setattr(settle_module, "_save_reading", read_early)
    monkeypatch.setattr(
        apply_module, "update", lambda model: StaleUpdate() if model is InvoiceCounter else update(model)
    )

    outcomes = run_at_once(shop.app, *[lambda each=each: settle(order_id=each) for each in ids])

    # The unique column stops the second use of the number, and three buyers who paid stand there with nothing.
    assert kinds(outcomes) == {"NoneType": 1, "IntegrityError": 3}, outcomes
    assert sum(number is not None for number in db.session.scalars(select(Order.number))) == 1


# Claiming a seat


def prepare_seat(shop: Shop) -> str:
    started = shop.begin(make_course(), browser="b1")
    shop.pay(started, email="guest@example.org")
    shop.deliver_all()
    seat = db.session.scalars(select(Seat)).one()
    return sign_link(CLAIM_PURPOSE, [seat.public_id, seat.claim_version])


def test_one_claim_link_opened_eight_times_at_once_makes_one_account_with_one_grant(shop: Shop) -> None:
    token = prepare_seat(shop)

    outcomes = run_at_once(shop.app, *[lambda: claim_seat(token)] * 8)

    assert kinds(outcomes) == {"User": 1, "SeatTaken": 7}, outcomes
    assert db.session.scalars(select(User.email)).all() == ["guest@example.org"]
    assert (count(Grant), count(Enrollment)) == (1, 1)


def test_control_a_check_before_the_write_gives_the_seat_to_everybody(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = prepare_seat(shop)
    pause, real = Pause(4), seats_module.get_seat_offer

    def check_early(token: str) -> Any:
        offer = real(token)
        pause.wait()
        return offer

    def write_anyway(*, seat_id: int, user_id: int) -> bool:
        db.session.execute(update(Seat).where(Seat.id == seat_id).values(claimed_by_id=user_id, claimed_at=clock.now()))
        return True

    monkeypatch.setattr(seats_module, "get_seat_offer", check_early)
    monkeypatch.setattr(seats_module, "seat_user", write_anyway)

    outcomes = run_at_once(shop.app, *[lambda: claim_seat(token)] * 4)

    assert kinds(outcomes) == {"User": 4}, outcomes
    assert not any(isinstance(outcome, SeatTaken) for outcome in outcomes)


# Refunds


def wish_refund(shop: Shop, request_key: str = "click-1", amount: int = 1000) -> int | None:
    with transaction():
        order = settle_module.lock_order(db.session.scalars(select(Order.id)).one())
        return plan_refund(order, request_key=request_key, amount=amount, reason="")


def refunds(shop: Shop) -> list[int]:
    return [refund["amount"] for refund in shop.stripe("/v1/refunds")["data"]]


def test_one_refund_wish_sent_by_four_workers_is_one_refund(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    request_id = wish_refund(shop)
    assert request_id is not None

    outcomes = run_at_once(shop.app, *[lambda: send_refund_task(request_id)] * 4)
    shop.work()

    # A worker whose key is just being used by another hears so and leaves the row for the sweeper.
    assert all(outcome is None or isinstance(outcome, PaymentUnavailable) for outcome in outcomes), outcomes
    assert refunds(shop) == [1000]
    assert shop.order(started).state == "partially_refunded"
    assert db.session.scalars(select(RefundRequest.stripe_refund_id)).one() is not None


def test_control_without_the_key_four_workers_refund_four_times(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.buy(make_course(unit_amount=9700), user=make_user())
    request_id = wish_refund(shop)
    assert request_id is not None
    pause = Pause(4)
    real_find, real_create = refunds_module.find_refund, refunds_module.create_refund

    def find_early(**values: Any) -> Any:
        found = real_find(**values)
        pause.wait()
        return found

    def create_under_a_key_of_its_own(**values: Any) -> Any:
        return real_create(**{**values, "idempotency_key": f"{values['idempotency_key']}:{threading.get_ident()}"})

    monkeypatch.setattr(refunds_module, "find_refund", find_early)
    monkeypatch.setattr(refunds_module, "create_refund", create_under_a_key_of_its_own)

    run_at_once(shop.app, *[lambda: send_refund(request_id)] * 4)

    assert refunds(shop) == [1000] * 4


@pytest.mark.parametrize("is_forgotten", [False, True], ids=["the error is repeated", "the key is forgotten"])
def test_refund_made_behind_an_error_is_found_and_not_made_again(shop: Shop, *, is_forgotten: bool) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    request_id = wish_refund(shop)
    assert request_id is not None
    shop.control(
        "/levers", {"kind": "api_error", "status": 500, "when": "after", "path": "/v1/refunds", "method": "POST"}
    )
    with pytest.raises(PaymentUnavailable):
        send_refund(request_id)
    shop.remove_levers()
    if is_forgotten:
        shop.control("/levers", {"kind": "forget_idempotency_keys"})

    send_refund_task(request_id)

    assert refunds(shop) == [1000]
    assert db.session.scalars(select(RefundRequest.stripe_refund_id)).one() is not None
    assert shop.order(started).state == "partially_refunded"


def test_two_clicks_on_refund_at_once_are_one_wish(shop: Shop) -> None:
    shop.buy(make_course(unit_amount=9700), user=make_user())

    outcomes = run_at_once(shop.app, *[lambda: wish_refund(shop, amount=9700)] * 4)

    assert kinds(outcomes) == {"int": 1, "NoneType": 3}, outcomes
    assert count(RefundRequest) == 1


def test_two_refunds_of_everything_at_once_never_return_more_than_was_paid(shop: Shop) -> None:
    shop.buy(make_course(unit_amount=9700), user=make_user())

    outcomes = run_at_once(
        shop.app, *[lambda name=f"admin-{number}": wish_refund(shop, name, 9700) for number in range(4)]
    )
    shop.work()

    assert kinds(outcomes) == {"int": 1, "NothingToRefund": 3}, outcomes
    assert refunds(shop) == [9700]


def test_control_a_sum_read_before_the_lock_promises_more_than_was_paid(shop: Shop) -> None:
    shop.buy(make_course(unit_amount=9700), user=make_user())
    pause = Pause(4)

    def wish_after_an_early_sum(name: str) -> Any:
        open_amount = 9700 - (db.session.scalar(select(func.sum(RefundRequest.amount))) or 0)
        pause.wait()
        with transaction() as session:
            order = session.scalars(select(Order)).one()
            charge_id = session.scalars(select(LedgerEntry.stripe_object_id)).one()
            session.add(
                RefundRequest(
                    public_id=name, order_id=order.id, request_key=name, amount=open_amount, currency="usd",
                    stripe_charge_id=charge_id, created_at=clock.now(), next_attempt_at=clock.now(),
                )
            )  # fmt: skip
        return open_amount

    outcomes = run_at_once(shop.app, *[lambda name=f"a{number}": wish_after_an_early_sum(name) for number in range(4)])

    assert outcomes == [9700] * 4


# The first sale of a price


def test_eight_first_buyers_at_once_make_one_product_and_one_price_at_stripe(shop: Shop) -> None:
    course = make_course()

    outcomes = run_at_once(
        shop.app, *[lambda name=f"b{number}": shop.begin(course, browser=name) for number in range(8)]
    )

    assert kinds(outcomes) == {"StartedCheckout": 8}, outcomes
    assert len(shop.stripe("/v1/products")["data"]) == 1
    assert [price["id"] for price in shop.stripe("/v1/prices")["data"]] == [get_price(course).stripe_price_id]
