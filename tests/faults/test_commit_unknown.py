"""The connection is cut at a COMMIT and nobody knows whether it was carried out (F33): asked again, nothing is doubled.

Every COMMIT of beginning, storing an event, settling and refunding is cut once before and once after it took effect.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from app.catalog.models import Product
from app.checkout.models import InvoiceCounter, LedgerEntry, Order, RefundRequest
from app.checkout.services import StartedCheckout
from app.db import db
from app.enrollment.models import Enrollment, Grant, Seat
from app.errors import AppError
from app.mail.models import Message
from app.payments.models import StripeEvent
from tests.checkout.conftest import Shop
from tests.checkout.money import give_back, refunds
from tests.conftest import MovableClock
from tests.databases import DATABASE
from tests.factories import make_course, make_user
from tests.faults.conftest import OpenShop
from tests.faults.cutting_proxy import Cut, CuttingProxy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(DATABASE != "postgresql", reason="SQLite has no connection that could be cut"),
]

BOTH = pytest.mark.parametrize("cut", ["before", "after"])


@pytest.fixture
def proxy(shop: Shop) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(db.engine.url)
    yield proxy
    proxy.close()


@pytest.fixture
def cut_shop(proxy: CuttingProxy, open_shop: OpenShop) -> Shop:
    """The shop, connected through the proxy."""
    return open_shop(proxy.url.render_as_string(hide_password=False))


def count(model: type) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def count_all() -> dict[str, int]:
    """What there must be once for each order that was paid."""
    found = {model.__name__: count(model) for model in (Order, LedgerEntry, Seat, Grant, Enrollment)}
    found["receipts"] = db.session.scalar(select(func.count()).where(Message.key.startswith("receipt:"))) or 0
    found["numbers"] = db.session.scalars(select(InvoiceCounter.last_number)).one() - 1000
    return found


def list_sessions(shop: Shop) -> list[Any]:
    return list(shop.stripe("/v1/checkout/sessions?limit=100")["data"])


def cut_each(proxy: CuttingProxy, cut: Cut, act: Callable[[], Callable[[], None]]) -> int:
    """Let act() prepare and give what is to be cut, once for each COMMIT in it; gives how many there were."""
    number = 0
    while True:
        victim = act()
        number += 1
        proxy.arm(cut, number)
        victim()
        proxy.disarm()
        if not proxy.has_cut:
            return number - 1


@BOTH
def test_click_is_answered_503_and_the_next_one_gets_the_one_order_and_session(
    cut_shop: Shop, proxy: CuttingProxy, cut: Cut
) -> None:
    started: list[StartedCheckout] = []

    def prepare() -> Callable[[], None]:
        user, course = make_user(), make_course(capacity=1)

        def click() -> None:
            try:
                started.append(cut_shop.begin(course, user=user))
            except (OperationalError, AppError):
                db.session.rollback()
                started.append(cut_shop.begin(course, user=user))

        return click

    commits = cut_each(proxy, cut, prepare)

    assert commits >= 3, "the order, Stripe's product and price, the session"
    assert count(Order) == len(started) == len({each.order_public_id for each in started}) == commits + 1
    assert {each["id"] for each in list_sessions(cut_shop)} == {each.stripe_checkout_session_id for each in started}
    assert set(db.session.scalars(select(Product.taken_seats))) == {1}


@BOTH
def test_event_is_refused_and_stored_once_when_stripe_sends_it_again(
    cut_shop: Shop, proxy: CuttingProxy, cut: Cut
) -> None:
    event = {"id": "evt_cut", "object": "event", "type": "customer.created", "livemode": False, "data": {"object": {}}}
    proxy.arm(cut, 1)

    assert (cut_shop.send(event), proxy.has_cut) == (503, True)
    assert count(StripeEvent) == (1 if cut == "after" else 0)

    assert cut_shop.send(event) == 200
    cut_shop.work()
    assert list(db.session.scalars(select(StripeEvent.state))) == ["ignored"]


@BOTH
def test_payment_that_is_settled_again_grants_numbers_and_mails_once(
    cut_shop: Shop, proxy: CuttingProxy, moving_clock: MovableClock, cut: Cut
) -> None:
    def prepare() -> Callable[[], None]:
        cut_shop.control("/reset")
        started = cut_shop.begin(make_course(), user=make_user())
        cut_shop.pay(started)
        [event] = [each for each in cut_shop.events() if each["type"] == "checkout.session.completed"]
        assert cut_shop.send({**event, "id": f"{event['id']}_{started.order_public_id}"}) == 200

        def work() -> None:
            cut_shop.work()
            # Longer than the back-off of the event and the lease of its mail.
            moving_clock.advance(minutes=5)
            cut_shop.work()
            moving_clock.advance(minutes=-5)

        return work

    commits = cut_each(proxy, cut, prepare)

    assert commits >= 4, "claim, settle, mark, and the mail's claim and mark"
    assert count_all() == dict.fromkeys(count_all(), commits + 1)
    assert set(db.session.scalars(select(Order.state))) == {"paid"}
    assert set(db.session.scalars(select(StripeEvent.state))) == {"handled"}
    assert count(Message) == db.session.scalar(select(func.count()).where(Message.sent_at.is_not(None)))


@BOTH
def test_refund_that_is_asked_for_again_gives_the_money_back_once(
    cut_shop: Shop, proxy: CuttingProxy, moving_clock: MovableClock, cut: Cut
) -> None:
    def prepare() -> Callable[[], None]:
        started = cut_shop.buy(make_course(unit_amount=9700), user=make_user())

        def click() -> None:
            try:
                give_back(started, key=started.order_public_id, amount=2000)
            except (OperationalError, AppError):
                db.session.rollback()
                give_back(started, key=started.order_public_id, amount=2000)
            moving_clock.advance(minutes=5)
            cut_shop.work()
            moving_clock.advance(minutes=-5)

        return click

    commits = cut_each(proxy, cut, prepare)

    assert commits >= 3, "the wish, its attempt, what Stripe answered, and the ledger"
    assert refunds(cut_shop) == [2000] * (commits + 1)
    assert count(RefundRequest) == commits + 1
    assert set(db.session.scalars(select(Order.state))) == {"partially_refunded"}
