"""Codes, team seats and changed minds, all at once; each race has a control that fails without the database's decision."""

from typing import Any

import pytest
from sqlalchemy import func, select, update

import app.checkout.holds as holds_module
import app.checkout.services as services_module
from app.catalog.models import Product, PromotionCode
from app.catalog.promotion_codes import create_code
from app.checkout.models import Order, PromotionRedemption
from app.db import db
from app.enrollment.models import Seat
from tests.checkout.conftest import Shop
from tests.factories import make_course, make_user
from tests.races import Pause, kinds, run_at_once

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.02)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.05)


def uses() -> tuple[int, int]:
    """What the code's row says, and how many orders hold a use."""
    db.session.rollback()
    held = select(func.count()).where(PromotionRedemption.status.in_(("reserved", "redeemed")))
    return db.session.scalars(select(PromotionCode.redeemed_count)).one(), db.session.scalar(held) or 0


def open_sessions(shop: Shop) -> list[str]:
    found = shop.stripe("/v1/checkout/sessions?limit=100")["data"]
    return [each["id"] for each in found if each["status"] == "open"]


def reserve_last_use_at_once(shop: Shop, buyers: int) -> list[Any]:
    course = make_course()
    create_code("LAST", percent_off=50, max_redemptions=1)
    return run_at_once(
        shop.app, *[lambda name=f"b{number}": shop.begin(course, browser=name, code="LAST") for number in range(buyers)]
    )


def test_last_use_of_a_code_is_reserved_for_one_of_eight(shop: Shop) -> None:
    outcomes = reserve_last_use_at_once(shop, 8)

    assert kinds(outcomes) == {"StartedCheckout": 1, "CodeUnusable": 7}, outcomes
    assert uses() == (1, 1)
    assert len(open_sessions(shop)) == 1


def test_control_a_code_counted_in_python_is_used_four_times(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    pause, real = Pause(4), services_module.make_quote

    def look_early(*arguments: Any, **options: Any) -> Any:
        quote = real(*arguments, **options)
        pause.seen.count = quote.promotion_code.redeemed_count
        pause.wait()
        return quote

    def write_anyway(promotion_code_id: int, *, is_new: bool) -> PromotionCode:
        db.session.execute(update(PromotionCode).values(redeemed_count=pause.seen.count + 1))
        return db.session.get_one(PromotionCode, promotion_code_id, populate_existing=True)

    monkeypatch.setattr(services_module, "make_quote", look_early)
    monkeypatch.setattr(holds_module, "_take_use", write_anyway)

    outcomes = reserve_last_use_at_once(shop, 4)

    assert kinds(outcomes) == {"StartedCheckout": 4}, outcomes
    assert uses() == (1, 4)


def spend_one_persons_use_at_once(shop: Shop, courses: int) -> list[Any]:
    user = make_user()
    create_code("ONCE", percent_off=50, per_customer_limit=1)
    chosen = [make_course() for _ in range(courses)]
    return run_at_once(
        shop.app, *[lambda course=course: shop.begin(course, user=user, code="ONCE") for course in chosen]
    )


def test_one_person_uses_a_code_once_though_six_tabs_try(shop: Shop) -> None:
    outcomes = spend_one_persons_use_at_once(shop, 6)

    assert kinds(outcomes) == {"StartedCheckout": 1, "CodeUnusable": 5}, outcomes
    assert uses() == (1, 1)


def test_control_counting_a_persons_uses_before_the_write_lets_three_through(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause, real = Pause(3), services_module.make_quote

    def count_early(*arguments: Any, **options: Any) -> Any:
        quote = real(*arguments, **options)
        assert uses() == (0, 0)
        pause.wait()
        return quote

    def take_without_limit(promotion_code_id: int, *, is_new: bool) -> PromotionCode:
        code = db.session.get_one(PromotionCode, promotion_code_id, populate_existing=True)
        db.session.expunge(code)
        code.per_customer_limit = None
        return code

    monkeypatch.setattr(services_module, "make_quote", count_early)
    monkeypatch.setattr(holds_module, "_take_use", take_without_limit)

    outcomes = spend_one_persons_use_at_once(shop, 3)

    assert kinds(outcomes) == {"StartedCheckout": 3}, outcomes
    assert uses()[1] == 3


def test_teams_that_want_the_last_seats_never_get_more_than_there_are(shop: Shop) -> None:
    course = make_course(capacity=7)

    outcomes = run_at_once(
        shop.app, *[lambda name=f"b{number}": shop.begin(course, browser=name, quantity=3) for number in range(5)]
    )

    assert kinds(outcomes) == {"StartedCheckout": 2, "SoldOut": 3}, outcomes
    assert db.session.scalars(select(Product.taken_seats)).one() == 6


def test_two_tabs_that_choose_differently_never_leave_two_payable_sessions(shop: Shop) -> None:
    user, course = make_user(), make_course(capacity=20)

    outcomes = run_at_once(
        shop.app, *[lambda seats=seats: shop.begin(course, user=user, quantity=seats) for seats in (1, 2, 3, 4)]
    )

    assert set(kinds(outcomes)) <= {"StartedCheckout", "CheckoutChanged"}, outcomes
    db.session.rollback()
    pending = db.session.scalars(select(Order).where(Order.state == "pending")).all()
    assert len(pending) <= 1
    assert len(open_sessions(shop)) <= 1
    taken = db.session.scalars(select(Product.taken_seats)).one()
    assert taken == sum(seats_of(order) for order in pending)


def seats_of(order: Order) -> int:
    return order.total_amount // 9700


def test_free_seats_by_a_code_are_given_once_though_ten_clicks_come(shop: Shop) -> None:
    user, course = make_user(), make_course()
    create_code("FRIEND", percent_off=100, max_redemptions=5)

    outcomes = run_at_once(shop.app, *[lambda: shop.begin(course, user=user, code="FRIEND")] * 10)

    assert set(kinds(outcomes)) <= {"StartedCheckout", "AlreadyEnrolled"}, outcomes
    db.session.rollback()
    assert db.session.scalars(select(Order.state)).all() == ["paid"]
    assert db.session.scalar(select(func.count()).select_from(Seat)) == 1
    assert uses() == (1, 1)


def test_expiry_and_a_new_reservation_at_once_keep_the_count_right(shop: Shop) -> None:
    course = make_course()
    create_code("LAST", percent_off=50, max_redemptions=1)
    started = shop.begin(course, browser="b0", code="LAST")
    shop.expire(started)
    events = [event for event in shop.events() if event["type"] == "checkout.session.expired"]

    def give_back() -> int:
        other = Shop(shop.app, shop.settings, shop.app.test_client(), shop.sandbox)
        status = other.send(events[0])
        other.work()
        return status

    outcomes = run_at_once(
        shop.app,
        give_back,
        give_back,
        *[lambda name=f"b{number}": shop.begin(course, browser=name, code="LAST") for number in range(1, 5)],
    )

    assert outcomes[:2] == [200, 200]
    assert set(kinds(outcomes[2:])) <= {"StartedCheckout", "CodeUnusable"}, outcomes
    row, held = uses()
    assert row == held <= 1
