"""What a click on Enroll and a payment write down, column by column, and what two visits of Stripe agree on."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.catalog.models import Price, Product, PromotionCode
from app.catalog.promotion_codes import create_code
from app.checkout.choices import Buyer, GiftWish, get_choice
from app.checkout.errors import AlreadyEnrolled
from app.checkout.findings import record_finding
from app.checkout.models import (
    CheckoutAttempt,
    Gift,
    LedgerEntry,
    Order,
    OrderItem,
    OrderNote,
    PromotionRedemption,
    RefundRequest,
)
from app.checkout.orders import list_guest_course_ids
from app.checkout.ownership import find_ownership
from app.checkout.reconcile_models import ReconcileScan
from app.checkout.reconcile_objects import Suspicion, compare
from app.checkout.reconcile_orders import list_orders_to_read
from app.checkout.reconcile_pages import KINDS, read_page
from app.checkout.reconcile_scans import begin_run, list_scans, work_on_page
from app.checkout.services import StartedCheckout
from app.db import Base, db
from app.enrollment.invitations import reassign_seat
from app.enrollment.models import Seat
from app.enrollment.seat_mails import Occasion
from app.payments.listing import list_page
from tests.checkout.conftest import Shop
from tests.checkout.money import give_back, payment_intent
from tests.conftest import MovableClock
from tests.factories import get_price, make_course, make_user


@pytest.fixture
def still_clock(moving_clock: MovableClock) -> MovableClock:
    """Time stands, on a whole second, until a test moves it."""
    moving_clock.freeze(clock.now().replace(microsecond=0))
    return moving_clock


def read_row(model: type[Base], *without: str) -> dict[str, Any]:
    """The only row of a table, without the columns that chance decides."""
    db.session.rollback()
    row = db.session.execute(select(model.__table__)).mappings().one()
    return {name: value for name, value in row.items() if name not in without}


def test_click_on_enroll_writes_the_order_its_item_its_hold_and_its_attempt(
    shop: Shop, still_clock: MovableClock
) -> None:
    user, course = make_user(email="maya@example.org"), make_course(unit_amount=1000, access_days=90, capacity=5)
    price, code = get_price(course), create_code("LAUNCH20", percent_off=20)
    now = clock.now()

    started = shop.begin(course, user=user, quantity=2, code="launch20")

    order = shop.order(started)
    attempt = shop.attempts(started)[0]
    assert started == StartedCheckout(
        order_public_id=order.public_id,
        url=attempt.url,
        stripe_checkout_session_id=attempt.stripe_checkout_session_id,
        expires_at=now + timedelta(minutes=60, seconds=30),
        total_amount=1600,
        currency="usd",
        state="pending",
    )
    assert read_row(Order, "id", "public_id", "choice_digest") == {
        "number": None,
        "buyer_key": f"user:{user.id}",
        "choice_key": db.session.scalars(select(Product.public_id)).one(),
        "purpose": "team",
        "takes_seat": True,
        "user_id": user.id,
        "email": "maya@example.org",
        "customer_name": "",
        "country": None,
        "link_version": 1,
        "withdrawal_days": None,
        "livemode": False,
        "currency": "usd",
        "subtotal_amount": 2000,
        "discount_amount": 400,
        "tax_amount": 0,
        "is_tax_included": False,
        "total_amount": 1600,
        "state": "pending",
        "failure_reason": None,
        "payment_method_label": "",
        "stripe_payment_intent_id": None,
        "stripe_customer_id": None,
        "stripe_invoice_id": None,
        "attention": None,
        "read_started_at": None,
        "check_after": now + timedelta(seconds=900),
        "created_at": now,
        "paid_at": None,
        "expired_at": None,
    }
    assert read_row(OrderItem, "id") == {
        "order_id": order.id,
        "product_id": price.product_id,
        "price_id": price.id,
        "title": course.title,
        "currency": "usd",
        "unit_amount": 1000,
        "quantity": 2,
        "held_quantity": 2,
        "subtotal_amount": 2000,
        "discount_amount": 400,
        "tax_amount": 0,
        "total_amount": 1600,
        "courses": [{"course_id": course.id, "title": course.title, "access_days": 90}],
        "refund_days": 14,
    }
    assert read_row(CheckoutAttempt, "id", "url", "stripe_checkout_session_id") == {
        "order_id": order.id,
        "number": 1,
        "idempotency_key": f"checkout:{order.public_id}:1",
        "expires_at": now + timedelta(minutes=60, seconds=30),
        "created_at": now,
    }
    assert read_row(PromotionRedemption) == {
        "order_id": order.id,
        "promotion_code_id": code.id,
        "customer_key": "email:maya@example.org",
        "amount": 400,
        "status": "reserved",
        "created_at": now,
    }
    assert db.session.scalars(select(Product.taken_seats)).one() == 2
    assert db.session.scalars(select(PromotionCode.redeemed_count)).one() == 1
    assert db.session.scalars(select(Price.stripe_price_id)).one() is not None
    assert db.session.scalars(select(Product.stripe_product_id)).one() is not None


def test_guests_gift_is_written_with_everything_about_it(shop: Shop, still_clock: MovableClock) -> None:
    day = clock.now() + timedelta(days=3)
    gift = GiftWish(
        recipient_email=" NIA@example.org",
        recipient_name=" Nia\nExample ",
        giver_name="Maya",
        message=" Hi ",
        send_at=day,
    )

    started = shop.begin(make_course(unit_amount=1000), email="maya@example.org", purpose="gift", gift=gift)

    order = shop.order(started)
    assert (order.purpose, order.takes_seat, order.user_id, order.email) == ("gift", False, None, "maya@example.org")
    assert order.buyer_key == "browser:b1"
    assert read_row(Gift) == {
        "order_id": order.id,
        "recipient_email": "nia@example.org",
        "recipient_name": "Nia Example",
        "giver_name": "Maya",
        "message": "Hi",
        "send_at": day,
    }


def test_order_that_costs_nothing_is_complete_at_once(shop: Shop, still_clock: MovableClock) -> None:
    started = shop.begin(make_course(unit_amount=0, currency="eur"), user=make_user())

    order = shop.order(started)
    assert started == StartedCheckout(
        order_public_id=order.public_id,
        url=None,
        stripe_checkout_session_id=None,
        expires_at=None,
        total_amount=0,
        currency="eur",
        state="paid",
    )
    assert read_row(LedgerEntry, "id") == {
        "order_id": order.id,
        "kind": "payment",
        "stripe_object_id": order.public_id,
        "related_stripe_object_id": None,
        "refund_request_id": None,
        "amount": 0,
        "currency": "eur",
        "status": "no_payment_required",
        "occurred_at": clock.now(),
        "recorded_at": clock.now(),
    }
    assert (order.number, order.paid_at, order.check_after) == (1001, clock.now(), None)


def test_payment_and_refund_are_written_with_their_objects_and_times(shop: Shop, still_clock: MovableClock) -> None:
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started, name="Maya Okafor")
    shop.deliver_all()

    intent = shop.stripe(f"/v1/payment_intents/{payment_intent(shop, started)}")
    order = shop.order(started)
    assert (order.customer_name, order.stripe_payment_intent_id) == ("Maya Okafor", intent["id"])
    assert (order.read_started_at, order.check_after) == (clock.now(), clock.now() + timedelta(hours=23))
    assert order.livemode is False
    entry = read_row(LedgerEntry, "id", "occurred_at")
    assert entry == {
        "order_id": order.id,
        "kind": "payment",
        "stripe_object_id": intent["latest_charge"],
        "related_stripe_object_id": intent["id"],
        "refund_request_id": None,
        "amount": 9700,
        "currency": "usd",
        "status": "succeeded",
        "recorded_at": clock.now(),
    }

    outcome = give_back(started, amount=500)

    [refund] = outcome.refunds
    assert (refund.amount, refund.status, refund.seat, refund.line) == (500, "done", None, None)
    assert (outcome.order_public_id, outcome.currency, outcome.amount, outcome.state) == (
        order.public_id,
        "usd",
        500,
        "partially_refunded",
    )
    assert outcome.is_done
    stored = read_row(RefundRequest, "id", "next_attempt_at")
    assert stored == {
        "public_id": refund.public_id,
        "order_id": order.id,
        "order_item_id": None,
        "seat_id": None,
        "request_key": "click-1:1",
        "amount": 500,
        "currency": "usd",
        "reason": "Asked for it",
        "requested_by_id": None,
        "stripe_charge_id": intent["latest_charge"],
        "stripe_refund_id": refund.stripe_refund_id,
        "error": None,
        "attempt_count": 1,
        "created_at": clock.now(),
    }
    assert refund.stripe_refund_id == shop.stripe("/v1/refunds")["data"][0]["id"]
    db.session.rollback()
    notes = db.session.scalars(select(OrderNote).order_by(OrderNote.id)).all()
    assert [(each.order_id, each.kind, each.text, each.actor_id) for each in notes] == [
        (order.id, "paid", "paid", None),
        (order.id, "refund_wanted", "Asked for it", None),
        (order.id, "partially_refunded", "partially_refunded", None),
    ]


# Two visits of Stripe


def test_objects_that_our_books_know_are_not_suspected(shop: Shop) -> None:
    since = clock.now() - timedelta(hours=1)
    bought = shop.buy(make_course(), user=make_user())
    shop.control(f"/refund/{payment_intent(shop, bought)}", {"amount": 500})
    shop.control(f"/dispute/{payment_intent(shop, bought)}")
    shop.begin(make_course(), browser="b2")
    ended = shop.begin(make_course(), browser="b3")
    shop.expire(ended)

    def suspected(kind: Any) -> list[Suspicion | None]:
        db.session.rollback()
        return [compare(each) for each in list_page(kind, created_since=since, after=None).objects]

    order_id = shop.order(bought).id
    ended_suspicion = Suspicion(
        order_id=shop.order(ended).id, session_id=ended.stripe_checkout_session_id
    )  # fmt: skip
    assert suspected("sessions") == [ended_suspicion, None, None]
    assert suspected("refunds") == [Suspicion(order_id=order_id)]
    assert suspected("disputes") == [Suspicion(order_id=order_id)]
    shop.deliver_all()
    assert [suspected(kind) for kind in ("sessions", "refunds", "disputes")] == [[None] * 3, [None], [None]]


def test_scan_rests_a_minute_where_stripe_is_silent_and_goes_on_behind_what_it_saw(
    shop: Shop, still_clock: MovableClock
) -> None:
    shop.begin(make_course(), user=make_user())
    since = clock.now() - timedelta(hours=1)
    run_key = begin_run(since=since)
    scans = {scan.kind: scan.id for scan in list_scans(run_key)}
    assert list(scans) == list(KINDS)
    assert run_key.startswith("run_")
    shop.control("/levers", {"kind": "api_error", "status": 500, "path": "/v1/refunds", "method": "GET"})

    assert [work_on_page(scans[kind]) for kind in ("refunds", "refunds", "sessions")] == [
        "unavailable",
        "busy",
        "worked",
    ]

    found = {scan.kind: scan for scan in list_scans(run_key)}
    refunds, sessions = found["refunds"], found["sessions"]
    assert (refunds.lease_expires_at, refunds.finished_at, refunds.cursor) == (
        clock.now() + timedelta(minutes=1),
        None,
        None,
    )
    assert (sessions.lease_expires_at, sessions.finished_at) == (None, clock.now())
    assert (sessions.seen_count, sessions.healed_count, sessions.unhealed_count, sessions.outcomes) == (1, 0, 0, [])
    page = read_page("sessions", since=since, read_before=clock.now(), after=None)
    assert (sessions.cursor, page.has_more) == (page.items[-1].cursor, False)
    assert db.session.scalars(select(ReconcileScan.since)).all() == [since] * len(KINDS)
    still_clock.advance(seconds=60)
    assert work_on_page(scans["refunds"]) == "busy"
    shop.remove_levers()
    still_clock.advance(seconds=1)
    assert work_on_page(scans["refunds"]) == "worked"


def test_orders_to_read_are_open_new_disputed_or_found_fault_with_and_not_read_lately(
    shop: Shop, moving_clock: MovableClock
) -> None:
    def dispute(started: StartedCheckout) -> str:
        answer = shop.control(f"/dispute/{payment_intent(shop, started)}")[1]
        return str(answer["id"])

    decided, disputed, faulty, quiet = (shop.buy(make_course(), user=make_user()) for _ in range(4))
    opened = shop.begin(make_course(), user=make_user())
    shop.control(f"/disputes/{dispute(decided)}/close", {"outcome": "lost"})
    dispute(disputed)
    shop.deliver_all()
    disputed_id, faulty_id, quiet_id, opened_id = (shop.order(each).id for each in (disputed, faulty, quiet, opened))
    record_finding(key="x", order_id=faulty_id, kind="unreadable", detail="Something.")
    later = clock.now() + timedelta(days=30)

    def list_orders(**given: Any) -> list[int]:
        db.session.rollback()
        return list_orders_to_read(**{"since": later, "read_before": later, "after": None, "limit": 10, **given})

    assert list_orders() == [opened_id, faulty_id, disputed_id]
    assert list_orders(limit=2) == [opened_id, faulty_id]
    assert list_orders(after=str(faulty_id)) == [disputed_id]
    # Whose creation is exactly the beginning is among the new ones.
    assert list_orders(since=shop.order(quiet).created_at) == [
        opened_id,
        quiet_id,
        faulty_id,
        disputed_id,
    ]
    # The open order was never read.
    assert list_orders(read_before=clock.now() - timedelta(days=1)) == [opened_id]


# Whose it is


def test_browser_of_a_guest_opens_nothing_once_their_own_seat_is_somebody_elses(shop: Shop) -> None:
    course = make_course()
    started = shop.begin(course, quantity=2)
    shop.pay(started, email="guest@example.org")
    shop.deliver_all()
    own = [started.order_public_id]
    assert list_guest_course_ids(order_public_ids=own) == {course.id}
    seat = db.session.scalars(select(Seat).order_by(Seat.position)).first()
    assert seat is not None

    reassign_seat(
        order_item_id=seat.order_item_id,
        seat_public_id=seat.public_id,
        email="nia@example.org",
        occasion=Occasion(titles=(course.title,), order_number="NSL-1001"),
        owner_emails={"guest@example.org"},
    )

    assert list_guest_course_ids(order_public_ids=own) == set()


def test_guest_who_bought_today_buys_again_only_for_others_or_tomorrow(shop: Shop, moving_clock: MovableClock) -> None:
    course = make_course()
    first = shop.begin(course)
    shop.pay(first, email="guest@example.org")
    shop.deliver_all()

    with pytest.raises(AlreadyEnrolled) as refused:
        shop.begin(course)
    team = shop.begin(course, quantity=2)

    assert refused.value.order_public_id == first.order_public_id
    assert shop.order(team).takes_seat is False
    choice, buyer = get_choice(get_price(course).public_id), Buyer(user_id=None, browser_key="b1", email=None)
    paid_at = shop.order(first).paid_at
    assert paid_at is not None
    moving_clock.freeze(paid_at + timedelta(hours=24, microseconds=-1))
    owned = find_ownership(choice, buyer)
    assert owned is not None
    assert owned.order_public_id == first.order_public_id
    moving_clock.freeze(paid_at + timedelta(hours=24))
    assert find_ownership(choice, buyer) is None


def test_learner_whose_access_ran_out_buys_again(shop: Shop, moving_clock: MovableClock) -> None:
    user, course = make_user(), make_course(access_days=1)
    shop.buy(course, user=user)
    choice, buyer = get_choice(get_price(course).public_id), Buyer(user_id=user.id, browser_key="", email=None)

    assert find_ownership(choice, buyer) is not None
    moving_clock.advance(days=1, seconds=1)
    assert find_ownership(choice, buyer) is None
