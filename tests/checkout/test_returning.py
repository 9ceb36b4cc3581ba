"""Coming back while an order is still open: Stripe is asked at once, and not again within a second."""

from app import clock
from app.checkout.returning import settle_for_return
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import make_course


def test_an_open_order_is_asked_about_at_most_once_a_second(shop: Shop, moving_clock: MovableClock) -> None:
    # given: Stripe was asked a moment before the money came
    moving_clock.freeze(clock.now())
    started = shop.begin(make_course())
    settle_for_return(order_public_id=started.order_public_id, session_id=None)
    shop.pay(started)

    # when
    moving_clock.advance(seconds=0.999)
    settle_for_return(order_public_id=started.order_public_id, session_id=None)
    within_the_second = shop.order(started).state
    moving_clock.advance(seconds=0.001)
    settle_for_return(order_public_id=started.order_public_id, session_id=None)

    # then
    assert within_the_second == "pending"
    assert shop.order(started).state == "paid"
