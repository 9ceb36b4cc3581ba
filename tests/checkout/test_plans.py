"""Plans and views compared whole: a refund before it is made, an order's seats, a listed object, a replayed event."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app import clock
from app.catalog.models import Product
from app.catalog.promotion_codes import create_code
from app.checkout.choices import GiftWish
from app.checkout.models import OrderItem, RefundRequest
from app.checkout.refund_plans import ClosingSeat, RefundPlan, RefundScope, preview_refund
from app.checkout.refunds import RefundPart, list_unsent_refund_ids, send_refund
from app.checkout.replay import Replay, plan_replay, replay_event
from app.checkout.seat_orders import (
    GiftView,
    SeatItem,
    SeatOrder,
    SeatSummary,
    find_occasion,
    find_price_for_more,
    get_seat_order,
    summarize_seats,
)
from app.db import db, transaction
from app.enrollment.models import Grant, Seat
from app.enrollment.seat_mails import Occasion
from app.enrollment.seat_views import list_seats
from app.payments.facts import read_refund, read_session
from app.payments.gateway import StripeObjectMissing
from app.payments.listing import ListedObject, ListedPage, list_page
from app.payments.models import StripeEvent
from tests.checkout.conftest import Shop
from tests.checkout.money import buy_seats, payment_intent, pull_refund_lever
from tests.conftest import MovableClock
from tests.enrollment.teams import sell, sell_gift
from tests.factories import get_price, make_course, make_user


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.001)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.002)


# Refunds


def test_plan_of_a_refund_says_which_money_which_seats_and_what_becomes_free(shop: Shop) -> None:
    create_code("LAUNCH20", percent_off=20)
    started = buy_seats(shop, quantity=3, unit_amount=1000, code="LAUNCH20")
    order = shop.order(started)
    item = db.session.scalars(select(OrderItem)).one()
    title = item.title
    seats = db.session.scalars(select(Seat).order_by(Seat.position)).all()
    charge_id = shop.stripe(f"/v1/payment_intents/{payment_intent(shop, started)}")["latest_charge"]
    with transaction() as session:
        session.add(
            Grant(
                user_id=seats[0].claimed_by_id, course_id=item.courses[0]["course_id"], reason="By hand",
                granted_at=clock.now(), expires_at=clock.now() + timedelta(days=1),
            )
        )  # fmt: skip

    def closing(number: int, holder: str = "", kept: tuple[str, ...] = ()) -> ClosingSeat:
        return ClosingSeat(number=number, line=1, holder=holder, titles=(title,), kept_titles=kept)

    def plan(**scope: object) -> RefundPlan:
        return preview_refund(order_public_id=started.order_public_id, scope=RefundScope(**scope))  # type: ignore[arg-type]

    common = {
        "order_public_id": order.public_id,
        "order_number": "NSL-1001",
        "currency": "usd",
        "left_amount": 2400,
    }
    first = closing(1, str(order.email), (title,))
    assert plan(seats=(2,)) == RefundPlan(
        **common,
        amount=800,
        state_after="partially_refunded",
        parts=(RefundPart(amount=800, stripe_charge_id=charge_id, order_item_id=item.id, seat_id=seats[1].id),),
        closing=(closing(2),),
        staying_seats=2,
        freed_capacity=1,
        freed_code="",
    )
    assert plan(line=1) == RefundPlan(
        **common,
        amount=2400,
        state_after="refunded",
        parts=(RefundPart(amount=2400, stripe_charge_id=charge_id, order_item_id=item.id),),
        closing=(first, closing(2), closing(3)),
        staying_seats=0,
        freed_capacity=3,
        freed_code="LAUNCH20",
    )
    assert plan(amount=2399) == RefundPlan(
        **common,
        amount=2399,
        state_after="partially_refunded",
        parts=(RefundPart(amount=2399, stripe_charge_id=charge_id),),
        closing=(),
        staying_seats=3,
        freed_capacity=0,
        freed_code="",
    )
    assert plan() == RefundPlan(
        **common,
        amount=2400,
        state_after="refunded",
        parts=(RefundPart(amount=2400, stripe_charge_id=charge_id),),
        closing=(first, closing(2), closing(3)),
        staying_seats=0,
        freed_capacity=3,
        freed_code="LAUNCH20",
    )


def test_refund_that_stripe_does_not_answer_is_asked_again_at_ever_longer_times(
    shop: Shop, moving_clock: MovableClock
) -> None:
    moving_clock.freeze(clock.now().replace(microsecond=0))
    course = make_course(capacity=1)
    late = shop.begin(course, user=make_user())
    with transaction() as session:
        session.scalars(select(OrderItem)).one().held_quantity = 0
        session.scalars(select(Product)).one().taken_seats = 1
    shop.pay(late)
    pull_refund_lever(shop, kind="api_error", status=500, when="before")
    shop.deliver_all()
    waits = []

    for _ in range(10):
        db.session.rollback()
        request = db.session.scalars(select(RefundRequest)).one()
        waits.append((request.attempt_count, round((request.next_attempt_at - clock.now()).total_seconds())))
        moving_clock.freeze(request.next_attempt_at - timedelta(microseconds=1))
        assert list_unsent_refund_ids() == []
        moving_clock.freeze(request.next_attempt_at)
        [request_id] = list_unsent_refund_ids()
        db.session.rollback()
        with pytest.raises(Exception, match="Stripe isn’t answering"):
            send_refund(request_id)

    assert waits == [(number, min(10 * 2 ** (number - 1), 3600)) for number in range(1, 11)]


# Seats


def test_seats_side_of_an_order_is_what_was_bought_and_whose_it_is(shop: Shop) -> None:
    user, course = make_user(email="maya@example.org"), make_course()
    sold = sell(quantity=3, user=user, email="team@example.org", course=course)
    neighbor = sell(quantity=2, course=course)

    order = get_seat_order(order_id=sold.order_id)

    occasion = Occasion(titles=(course.title,), order_number=order.number, from_name="Maya Okafor")
    assert order == SeatOrder(
        id=sold.order_id,
        number=order.number,
        purpose="team",
        state="paid",
        user_id=user.id,
        owner_emails=frozenset({"maya@example.org", "team@example.org"}),
        items=(
            SeatItem(
                id=sold.item_id,
                title=course.title,
                quantity=3,
                product_id=sold.price.product_id,
                currency="usd",
                occasion=occasion,
            ),
        ),
        gift=None,
    )
    assert order.number.startswith("NSL-2")
    assert find_occasion(order_item_id=sold.item_id, email="nia@example.org") == occasion
    assert find_occasion(order_item_id=sold.item_id, email="team@example.org").from_name == ""
    assert find_price_for_more(order.items[0]) == get_price(course).public_id
    assert set(summarize_seats(order_ids=[sold.order_id])) == {sold.order_id}
    assert summarize_seats(order_ids=[sold.order_id, neighbor.order_id])[neighbor.order_id] == SeatSummary(
        purpose="team", total=2, free=2, invited=0, taken=0, closed=0, gift_seat=None
    )


def test_summary_counts_each_seat_where_it_is(shop: Shop) -> None:
    sold, learner = sell(quantity=6, takes_seat=True, email="maya@example.org"), make_user()
    with transaction() as session:
        seats = [session.get_one(Seat, seat_id) for seat_id in sold.seat_ids]
        seats[1].claimed_by_id, seats[1].claimed_at = learner.id, clock.now()
        seats[2].status, seats[3].status = "suspended", "revoked"
        seats[4].invited_email, seats[4].claim_expires_at = "nia@example.org", clock.now() - timedelta(days=1)

    assert summarize_seats(order_ids=[sold.order_id]) == {
        sold.order_id: SeatSummary(purpose="team", total=6, free=1, invited=2, taken=1, closed=2, gift_seat=None)
    }


def test_gift_is_shown_to_its_giver_with_its_seat(shop: Shop) -> None:
    day = clock.now() + timedelta(days=3)
    sold = sell_gift(send_at=day, message="Enjoy")

    order = get_seat_order(order_id=sold.order_id)

    assert order.gift == GiftView(recipient_email="nia@example.org", recipient_name="Nia", message="Enjoy", send_at=day)
    assert (order.user_id, order.owner_emails) == (None, frozenset({"buyer@example.org"}))
    assert order.items[0].occasion == Occasion(
        titles=(sold.course.title,),
        order_number=order.number,
        from_name="Maya Okafor",
        is_gift=True,
        recipient_name="Nia",
        message="Enjoy",
    )
    [seat] = list_seats(order_item_ids=[sold.item_id])
    assert summarize_seats(order_ids=[sold.order_id]) == {
        sold.order_id: SeatSummary(purpose="gift", total=1, free=0, invited=1, taken=0, closed=0, gift_seat=seat)
    }


# Stripe's lists


def test_listed_objects_carry_the_metadata_of_their_payment_and_every_id_they_name(shop: Shop) -> None:
    since = clock.now() - timedelta(hours=1)
    started = shop.buy(make_course(), user=make_user())
    intent_id = payment_intent(shop, started)
    shop.control(f"/refund/{intent_id}", {"amount": 500})
    metadata = {"app_id": shop.settings.stripe_app_id, "order": started.order_public_id, "attempt": "1"}
    refund = shop.stripe("/v1/refunds")["data"][0]
    session = shop.stripe(f"/v1/checkout/sessions/{started.stripe_checkout_session_id}")

    assert list_page("refunds", created_since=since, after=None) == ListedPage(
        objects=(
            ListedObject(
                id=refund["id"],
                metadata=metadata,
                stripe_ids=(refund["id"], intent_id, refund["charge"]),
                facts=read_refund(refund),
            ),
        ),
        has_more=False,
    )
    assert list_page("sessions", created_since=since, after=None) == ListedPage(
        objects=(
            ListedObject(
                id=session["id"],
                metadata=metadata,
                stripe_ids=(session["id"], intent_id),
                facts=read_session(session),
            ),
        ),
        has_more=False,
    )
    first = list_page("refunds", created_since=since, after=None, limit=1)
    assert list_page("refunds", created_since=since, after=first.objects[-1].id).objects == ()


# Events


def test_replay_of_each_kind_of_event_says_what_it_did(shop: Shop) -> None:
    started = shop.buy(make_course(), user=make_user())
    completed = next(event for event in shop.events() if event["type"] == "checkout.session.completed")
    foreign = {**completed, "id": "evt_foreign", "data": {"object": {"id": "cs_other", "object": "checkout.session"}}}
    shop.send(foreign)
    shop.send({**completed, "id": "evt_live", "livemode": True})
    shop.send({**completed, "id": "evt_other", "type": "customer.created"})
    common = {"type": "checkout.session.completed", "has_failed": False}

    known = Replay(
        **common,
        event_id=completed["id"],
        state_before="handled",
        state_after="handled",
        order_public_id=started.order_public_id,
        note="The order agrees with Stripe.",
    )
    assert plan_replay(completed["id"]) == known
    assert replay_event(completed["id"]) == known
    assert plan_replay("evt_foreign") == Replay(
        **common,
        event_id="evt_foreign",
        state_before="received",
        state_after="ignored",
        note="It belongs to another app.",
    )
    no_effect = "Events of this type, or of this mode, have no effect."
    assert plan_replay("evt_live") == Replay(
        **common, event_id="evt_live", state_before="received", state_after="ignored", note=no_effect
    )
    assert replay_event("evt_other") == Replay(
        event_id="evt_other",
        type="customer.created",
        state_before="received",
        state_after="ignored",
        has_failed=False,
        note=no_effect,
    )


def test_event_that_could_not_be_looked_at_and_then_could_is_told_as_it_ended(shop: Shop) -> None:
    started = shop.buy(make_course(), user=make_user())
    completed = next(event for event in shop.events() if event["type"] == "checkout.session.completed")
    silence = {"kind": "api_error", "status": 500, "path": "/v1/checkout/sessions/*", "method": "GET", "stored": False}
    shop.control("/levers", {**silence, "count": 2})

    ended = replay_event(completed["id"])

    assert (ended.state_before, ended.state_after, ended.has_failed) == ("handled", "handled", False)
    assert ended.order_public_id == started.order_public_id


def test_event_whose_payment_stripe_does_not_tell_of_stays_due(shop: Shop) -> None:
    refund = {"id": "re_1", "object": "refund", "payment_intent": "pi_unknown"}
    shop.send(
        {"id": "evt_1", "object": "event", "type": "refund.created", "livemode": False, "data": {"object": refund}}
    )
    with transaction() as session:
        session.get_one(StripeEvent, "evt_1").state = "failed"

    assert plan_replay("evt_1") == Replay(
        event_id="evt_1",
        type="refund.created",
        state_before="failed",
        state_after="received",
        has_failed=True,
        note=StripeObjectMissing.sentence,
    )


def test_gift_of_a_wish_is_the_gift_that_is_shown(shop: Shop) -> None:
    wish = GiftWish(recipient_email="nia@example.org", recipient_name="Nia", giver_name="Maya", message="Hi")
    started = shop.begin(make_course(), user=make_user(), purpose="gift", gift=wish)
    shop.pay(started)
    shop.deliver_all()

    assert get_seat_order(order_id=shop.order(started).id).gift == GiftView(
        recipient_email="nia@example.org", recipient_name="Nia", message="Hi", send_at=None
    )
