"""What another tab, worker or process does in the middle of a checkout, at a chosen place (rules R3, R4; faults F40-F43)."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

import app.checkout.beginning as beginning_module
import app.checkout.closing as closing_module
import app.checkout.refunds as refunds_module
import app.checkout.services as services_module
import app.checkout.sessions as sessions_module
from app import clock
from app.catalog.models import PromotionCode
from app.catalog.prices import retire_price
from app.catalog.promotion_codes import create_code, disable_code
from app.checkout.choices import Buyer, GiftWish
from app.checkout.closing import close_open_order
from app.checkout.errors import AlreadyEnrolled, CheckoutChanged, CodeUnusable, NotOnSale
from app.checkout.models import CheckoutAttempt, Order, RefundRequest, TouchPoint
from app.checkout.reconcile import check_order
from app.checkout.refunds import plan_refund, send_refund
from app.checkout.services import start_checkout
from app.checkout.sessions import open_session
from app.checkout.settle import lock_order
from app.checkout.tasks import send_refund_task
from app.checkout.touches import Origin, Touch
from app.db import db, transaction
from app.errors import InvalidInput
from app.payments.gateway import PaymentRefused, PaymentUnavailable
from tests.checkout.conftest import Shop
from tests.checkout.money import give_back, refunds
from tests.factories import get_price, make_course, make_user
from tests.interleaving import do_before
from tests.shop import load_post, post_text

SESSIONS = "/v1/checkout/sessions"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.001)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.002)


def fail(shop: Shop, *, path: str = SESSIONS, status: int = 500, method: str = "POST") -> None:
    """Let every such call fail before it has an effect, until remove_levers()."""
    lever = {"kind": "api_error", "status": status, "path": path, "method": method, "stored": False}
    assert shop.control("/levers", lever)[0] == 200


def orders() -> list[tuple[str, str]]:
    """(purpose, state) of every order, oldest first."""
    db.session.rollback()
    return [(order.purpose, order.state) for order in db.session.scalars(select(Order).order_by(Order.id))]


def open_sessions(shop: Shop) -> list[str]:
    return [each["id"] for each in shop.stripe(SESSIONS + "?limit=100")["data"] if each["status"] == "open"]


# Two tabs begin


def test_click_that_another_one_overtook_gets_its_order(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    user, course = make_user(), make_course()
    do_before(monkeypatch, services_module, "begin_order", lambda: shop.begin(course, user=user))

    started = shop.begin(course, user=user)

    assert orders() == [("self", "pending")]
    assert open_sessions(shop) == [started.stripe_checkout_session_id]


def test_choice_that_another_one_overtook_is_told_so(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    user, course = make_user(), make_course()
    do_before(monkeypatch, services_module, "begin_order", lambda: shop.begin(course, user=user, quantity=2))

    with pytest.raises(CheckoutChanged):
        shop.begin(course, user=user, quantity=3)

    assert orders() == [("team", "pending")]
    assert len(open_sessions(shop)) == 1


def test_form_that_was_completed_while_it_was_sent_again_is_one_purchase(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, course = make_user(), make_course(unit_amount=0)
    gift = GiftWish(recipient_email="ana@example.org", recipient_name="Ana", giver_name="Maya", message="")

    def send() -> None:
        shop.begin(course, user=user, purpose="gift", gift=gift, form_key="k1")

    do_before(monkeypatch, services_module, "begin_order", send)

    with pytest.raises(AlreadyEnrolled):
        send()

    assert orders() == [("gift", "paid")]


def begin_blindly(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, *, first: Callable[[], Any], then: Callable[[], Any] = lambda: None
) -> None:
    """Let the next click not see the order that first writes, as while it is not committed; then happens before it
    looks again, because the database told it of that order."""
    real, looks = beginning_module.find_open_order, []

    def look(*arguments: Any) -> Order | None:
        looks.append(arguments)
        if len(looks) == 1:
            return None
        if len(looks) == 2:
            then()
        return real(*arguments)

    def start_looking() -> None:
        first()
        monkeypatch.setattr(beginning_module, "find_open_order", look)

    do_before(monkeypatch, services_module, "begin_order", start_looking)


def test_order_that_was_not_committed_yet_is_found_by_the_unique_index(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, course = make_user(), make_course(capacity=1)
    begin_blindly(shop, monkeypatch, first=lambda: shop.begin(course, user=user))

    started = shop.begin(course, user=user)

    assert orders() == [("self", "pending")]
    assert open_sessions(shop) == [started.stripe_checkout_session_id]


@pytest.mark.parametrize(("state", "raised"), [("paid", AlreadyEnrolled), ("expired", CheckoutChanged)])
def test_order_that_ended_while_its_rival_waited_is_answered_by_what_became_of_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, state: str, raised: type[Exception]
) -> None:
    course = make_course()

    def end() -> None:
        with transaction() as session:
            session.execute(update(Order).values(state=state, paid_at=clock.now() if state == "paid" else None))

    begin_blindly(shop, monkeypatch, first=lambda: shop.begin(course), then=end)

    with pytest.raises(raised):
        shop.begin(course)

    assert orders() == [("self", state)]


def test_price_withdrawn_after_the_page_was_read_sells_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    course = make_course()

    price_id = get_price(course).id
    do_before(monkeypatch, services_module, "begin_order", lambda: retire_price(price_id=price_id))

    with pytest.raises(NotOnSale):
        shop.begin(course)

    assert orders() == []


def test_code_switched_off_after_the_price_was_shown_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    course = make_course()
    create_code("LAUNCH20", percent_off=20)
    do_before(monkeypatch, services_module, "begin_order", lambda: disable_code("LAUNCH20"))

    with pytest.raises(CodeUnusable):
        shop.begin(course, code="LAUNCH20")

    assert (orders(), db.session.scalars(select(PromotionCode.redeemed_count)).one()) == ([], 0)


def test_course_that_is_not_published_is_not_sold(shop: Shop) -> None:
    with pytest.raises(NotOnSale):
        shop.begin(make_course(status="draft"))


def test_gift_is_for_one_person(shop: Shop) -> None:
    gift = GiftWish(recipient_email="ana@example.org", recipient_name="Ana", giver_name="Maya", message="")

    with pytest.raises(InvalidInput) as refused:
        shop.begin(make_course(), purpose="gift", gift=gift, quantity=2)

    assert (refused.value.field, orders()) == ("quantity", [])
    assert refused.value.sentence == "A gift is for one person. Buy seats for several."


def test_post_that_led_to_an_order_is_kept_with_it(shop: Shop) -> None:
    price = get_price(make_course())
    post_id = load_post(post_text())

    start_checkout(
        price_public_id=price.public_id,
        buyer=Buyer(user_id=None, browser_key="b1", email=None),
        origin=Origin(touches=[Touch(post_id=post_id, place="article-end-and-much-longer")]),
    )

    touch = db.session.scalars(select(TouchPoint)).one()
    assert (touch.post_id, touch.place, touch.position) == (post_id, "article-end-and-much", 0)


def test_post_without_a_place_is_told_to_stripe_without_one(shop: Shop) -> None:
    load_post(post_text())
    post_id = load_post(post_text(slug="another-post"))

    started = start_checkout(
        price_public_id=get_price(make_course()).public_id,
        buyer=Buyer(user_id=None, browser_key="b1", email=None),
        origin=Origin(touches=[Touch(post_id=post_id, place="")]),
    )

    metadata = shop.stripe(f"/v1/checkout/sessions/{started.stripe_checkout_session_id}")["metadata"]
    told = {name: value for name, value in metadata.items() if name.startswith("post_")}
    assert told == {"post_first": "another-post", "post_last": "another-post", "post_count": "1"}


# Sessions that are being made, lost and left


def test_buyer_who_chose_anew_while_stripe_made_the_session_cannot_pay_on_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = make_course()
    do_before(
        monkeypatch,
        sessions_module,
        "save_session",
        lambda: close_open_order(db.session.scalars(select(Order.id)).one()),
    )

    with pytest.raises(CheckoutChanged):
        shop.begin(course)

    assert orders() == [("self", "expired")]
    assert open_sessions(shop) == []


def test_session_that_comes_while_its_order_is_left_is_not_forgotten(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = make_course()
    fail(shop)
    with pytest.raises(PaymentUnavailable):
        shop.begin(course)
    shop.remove_levers()
    order_id = db.session.scalars(select(Order.id)).one()
    do_before(monkeypatch, closing_module, "_close_unopened", lambda: open_session(order_id=order_id))

    with pytest.raises(CheckoutChanged):
        shop.begin(course, quantity=2)

    assert orders() == [("self", "pending")]
    again = shop.begin(course, quantity=2)
    assert orders() == [("self", "expired"), ("team", "pending")]
    assert open_sessions(shop) == [again.stripe_checkout_session_id]


def test_session_of_a_lost_answer_is_closed_when_the_buyer_chooses_anew(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = make_course()
    first = shop.begin(course)
    with transaction() as session:
        session.execute(update(CheckoutAttempt).values(stripe_checkout_session_id=None, url=None))

    second = shop.begin(course, quantity=2)

    assert orders() == [("self", "expired"), ("team", "pending")]
    assert open_sessions(shop) == [second.stripe_checkout_session_id] != [first.stripe_checkout_session_id]


def test_lost_session_is_told_from_others_by_its_metadata(shop: Shop) -> None:
    course, other = make_course(), make_course()
    started = shop.begin(course)
    shop.begin(other)
    with transaction() as session:
        session.execute(
            update(CheckoutAttempt)
            .where(CheckoutAttempt.order_id == shop.order(started).id)
            .values(stripe_checkout_session_id=None, url=None)
        )
    shop.control("/levers", {"kind": "api_close", "when": "after", "path": SESSIONS, "method": "POST", "count": 4})

    assert shop.begin(course).stripe_checkout_session_id == started.stripe_checkout_session_id


def test_key_whose_answer_stays_an_error_is_left_after_two_minutes(shop: Shop, moving_clock: Any) -> None:
    course = make_course()
    fail(shop)
    with pytest.raises(PaymentUnavailable):
        shop.begin(course)
    assert db.session.scalars(select(CheckoutAttempt.number)).all() == [1]

    moving_clock.advance(minutes=3)
    with pytest.raises(PaymentUnavailable):
        shop.begin(course)
    shop.remove_levers()
    started = shop.begin(course)

    assert [(each.number, each.url is not None) for each in shop.attempts(started)] == [(1, False), (2, True)]
    assert orders() == [("self", "pending")]


def test_session_that_stripe_refuses_to_make_is_refused(shop: Shop) -> None:
    course = make_course()
    fail(shop, status=400)

    with pytest.raises(PaymentRefused):
        shop.begin(course)

    assert orders() == [("self", "pending")]
    shop.remove_levers()
    assert shop.begin(course).url is not None


def test_order_whose_price_stripe_does_not_know_yet_opens_no_session(shop: Shop) -> None:
    course = make_course()
    fail(shop, path="/v1/products")
    with pytest.raises(PaymentUnavailable):
        shop.begin(course)

    with pytest.raises(PaymentRefused):
        open_session(order_id=db.session.scalars(select(Order.id)).one())

    assert open_sessions(shop) == []


def test_session_that_was_opened_is_handed_out_again_while_stripe_is_silent(shop: Shop) -> None:
    course = make_course()
    started = shop.begin(course)
    fail(shop, path=SESSIONS + "/*", method="GET")

    assert shop.begin(course) == started


def test_order_that_is_not_due_is_not_checked(shop: Shop) -> None:
    started = shop.begin(make_course())
    shop.pay(started)
    check_after = shop.order(started).check_after

    check_order(shop.order(started).id)

    assert (shop.order(started).state, shop.order(started).check_after) == ("pending", check_after)


# Refunds


def test_refund_that_another_worker_sent_in_between_is_one_refund(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    fail(shop, path="/v1/refunds")
    give_back(started, amount=500)
    shop.remove_levers()
    request_id = db.session.scalars(select(RefundRequest.id)).one()
    sent: list[int | None] = []
    do_before(monkeypatch, refunds_module, "create_refund", lambda: sent.append(send_refund(request_id)))

    assert [send_refund(request_id), *sent] == [shop.order(started).id] * 2

    assert refunds(shop) == [500]


def test_refund_that_was_sent_is_not_sent_again(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    give_back(started, amount=500)
    request_id = db.session.scalars(select(RefundRequest.id)).one()

    send_refund_task(request_id)

    assert refunds(shop) == [500]


def test_wish_that_another_process_stored_in_between_is_stored_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    order_id = shop.order(started).id

    def plan() -> int | None:
        return plan_refund(lock_order(order_id), request_key="key", amount=500, reason="Paid twice.")

    planned: list[int | None] = []
    do_before(monkeypatch, refunds_module, "list_left", lambda: planned.append(plan()))

    with transaction():
        again = plan()

    assert (again, len(planned)) == (None, 1)
    assert db.session.scalars(select(RefundRequest.id)).all() == planned
