"""Seats follow their money one by one; so do their learners' access, their links and the mails still to go out."""

from datetime import timedelta

import pytest
from flask import Flask

from app import clock
from app.checkout.fulfillment import fulfill, tell_about_lost_seats
from app.checkout.models import Order
from app.checkout.seat_orders import change_gift
from app.db import db, transaction
from app.enrollment.invitations import MailboxRests, NotInvited, SeatWorn, free_seat, invite_addresses, reassign_seat
from app.enrollment.models import Seat
from app.enrollment.seat_mails import CLAIM_LIFETIME, MAILS_PER_ADDRESS, queue_invitation
from app.enrollment.seats import (
    InvitationReplaced,
    SeatClosed,
    claim_seat,
    get_seat_offer,
    issue_seats,
    seat_user,
    set_seat_statuses,
)
from app.enrollment.services import list_open_course_ids
from app.errors import InvalidInput, NotFound
from tests.conftest import MovableClock
from tests.enrollment.teams import BUYER, Sold, claim_token, live_grants, mails, sell, sell_gift, send_due
from tests.factories import make_course, make_user

NIA, TOM = "nia@example.org", "tom@example.org"


def move(sold: Sold, status: str = "active", refunded: list[int] | None = None) -> int:
    with transaction():
        return set_seat_statuses(order_item_ids=[sold.item_id], status=status, refunded_seat_ids=refunded or [])


def statuses(sold: Sold) -> list[str]:
    return [seat.status for seat in sold.seats()]


def take(sold: Sold, *emails: str) -> list[int]:
    invite_addresses(order_item_id=sold.item_id, addresses=emails, occasion=sold.occasion)
    return [claim_seat(claim_token(seat)).id for seat in sold.seats() if seat.invited_email in emails]


def tell(sold: Sold) -> None:
    with transaction() as session:
        order = session.get_one(Order, sold.order_id)
        session.refresh(order, ["items"])
        tell_about_lost_seats(order)


def test_a_refunded_seat_closes_for_its_learner_only(app: Flask) -> None:
    sold = sell(quantity=3)
    nia, tom = take(sold, NIA, TOM)

    changed = move(sold, refunded=[sold.seat_ids[1]])

    assert changed == 1
    assert statuses(sold) == ["active", "revoked", "active"]
    assert (live_grants(nia), live_grants(tom)) == (1, 0)


def test_the_same_reading_twice_changes_nothing(app: Flask) -> None:
    sold = sell(quantity=3)
    move(sold, refunded=[sold.seat_ids[0]])

    assert move(sold, refunded=[sold.seat_ids[0]]) == 0


def test_a_refund_that_failed_opens_the_seat_again(app: Flask) -> None:
    sold = sell(quantity=2)
    (nia,) = take(sold, NIA)
    move(sold, refunded=[sold.seat_ids[0]])

    assert move(sold) == 1

    assert statuses(sold) == ["active", "active"]
    assert live_grants(nia) == 1


def test_a_dispute_suspends_every_seat_but_the_refunded_one(app: Flask) -> None:
    sold = sell(quantity=3)
    nia, tom = take(sold, NIA, TOM)

    move(sold, "suspended", refunded=[sold.seat_ids[0]])

    assert statuses(sold) == ["revoked", "suspended", "suspended"]
    assert (live_grants(nia), live_grants(tom)) == (0, 0)
    move(sold, "active", refunded=[sold.seat_ids[0]])
    assert (live_grants(nia), live_grants(tom)) == (0, 1)


def test_another_orders_seats_stay_as_they_are(app: Flask) -> None:
    course = make_course()
    sold, other = sell(quantity=1, course=course), sell(quantity=1, course=course)
    (nia,) = take(other, NIA)
    take(sold, NIA)

    move(sold, refunded=[sold.seat_ids[0], other.seat_ids[0]])

    assert (statuses(sold), statuses(other)) == (["revoked"], ["active"])
    assert list_open_course_ids(user_id=nia) == {course.id}, "the other seat keeps the course open"


def test_a_former_learner_stays_out_when_the_seat_comes_back(app: Flask) -> None:
    sold = sell(quantity=1)
    (nia,) = take(sold, NIA)
    reassign_seat(
        order_item_id=sold.item_id, seat_public_id=sold.seat().public_id, email=TOM, occasion=sold.occasion,
        owner_emails={BUYER},
    )  # fmt: skip
    tom = claim_seat(claim_token(sold.seat())).id

    move(sold, refunded=[sold.seat_ids[0]])
    move(sold)

    assert (live_grants(nia), live_grants(tom)) == (0, 1)


def test_a_closed_seat_cannot_be_taken_by_anybody(app: Flask) -> None:
    sold, user = sell(quantity=1), make_user()
    move(sold, refunded=sold.seat_ids)

    with transaction():
        is_seated = seat_user(seat_id=sold.seat_ids[0], user_id=user.id)

    assert (is_seated, live_grants(user.id)) == (False, 0)


def test_fulfilling_twice_makes_no_seat_and_no_mail_twice(app: Flask) -> None:
    sold = sell(quantity=3, takes_seat=True)

    with transaction() as session:
        order = session.get_one(Order, sold.order_id)
        session.refresh(order, ["items"])
        fulfill(order)

    assert len(sold.seats()) == 3
    assert [mail.to_address for mail in mails()] == [BUYER]


def test_access_ends_when_it_was_sold_to_end(app: Flask, moving_clock: MovableClock) -> None:
    sold, user = sell(quantity=1), make_user()
    with transaction():
        db.session.get_one(Seat, sold.seat_ids[0]).courses = [{"course_id": sold.course.id, "access_days": 10}]
        db.session.flush()
        seat_user(seat_id=sold.seat_ids[0], user_id=user.id)

    moving_clock.advance(days=9)
    assert list_open_course_ids(user_id=user.id) == {sold.course.id}
    moving_clock.advance(days=2)

    assert list_open_course_ids(user_id=user.id) == set()


def test_seats_for_nobody_have_no_link(app: Flask) -> None:
    sold = sell(quantity=2)

    with transaction():
        again = issue_seats(
            order_item_id=sold.item_id, product_id=sold.price.product_id, courses=[], invited_emails=[NIA, TOM]
        )

    assert again == sold.seat_ids
    assert [(seat.invited_email, seat.claim_expires_at) for seat in sold.seats()] == [(None, None)] * 2
    with pytest.raises(ValueError, match=r"^nobody is invited to this seat$"), transaction():
        queue_invitation(seat_id=sold.seat_ids[0], occasion=sold.occasion)


# Who is told


def test_a_learner_whose_seat_was_refunded_is_told_once(app: Flask) -> None:
    sold = sell(quantity=2)
    take(sold, NIA)
    move(sold, refunded=[sold.seat_ids[0]])

    tell(sold)
    tell(sold)

    assert [(mail.to_address, mail.data["cause"]) for mail in mails(template="seat_lost")] == [(NIA, "refunded")]


def test_neither_the_buyer_nor_somebody_who_never_joined_is_told(app: Flask) -> None:
    user = make_user(email="maya@work.example")
    sold = sell(quantity=3, takes_seat=True, user=user)
    invite_addresses(order_item_id=sold.item_id, addresses=[NIA], occasion=sold.occasion)
    guest_order = sell(quantity=1, takes_seat=True)
    claim_seat(claim_token(guest_order.seat()))
    for each in (sold, guest_order):
        move(each, "revoked")

        tell(each)

    assert mails(template="seat_lost") == []


# Gifts


def test_a_gift_goes_out_at_once_or_on_its_day(app: Flask, moving_clock: MovableClock) -> None:
    now, later = sell_gift(), sell_gift(send_at=clock.now() + timedelta(days=3))

    assert send_due() == [NIA]
    moving_clock.advance(days=3, seconds=1)
    assert send_due() == [NIA]

    assert [mail.template for mail in mails()] == ["gift_seat", "gift_seat"]
    assert [sold.seat().gift_message for sold in (now, later)] == ["Happy birthday!"] * 2


def test_a_gift_refunded_before_its_day_never_goes_out(app: Flask, moving_clock: MovableClock) -> None:
    sold = sell_gift(send_at=clock.now() + timedelta(days=3))

    move(sold, "revoked")
    moving_clock.advance(days=400)

    assert send_due() == []


@pytest.mark.parametrize("status", ["suspended", "revoked"])
def test_a_gift_whose_refund_failed_goes_out_on_its_day(app: Flask, moving_clock: MovableClock, status: str) -> None:
    sold = sell_gift(send_at=clock.now() + timedelta(days=3))
    move(sold, status)

    move(sold)
    moving_clock.advance(days=2)
    assert send_due() == []
    moving_clock.advance(days=1, seconds=1)

    assert send_due() == [NIA]


def test_a_gift_restored_after_its_day_goes_out_at_once_with_thirty_days(
    app: Flask, moving_clock: MovableClock
) -> None:
    sold = sell_gift(send_at=clock.now() + timedelta(days=3))
    move(sold, "revoked")
    moving_clock.advance(days=50)

    move(sold)

    assert send_due() == [NIA]
    expires_at = sold.seat().claim_expires_at
    assert expires_at is not None
    assert timedelta(seconds=-30) < expires_at - (clock.now() + CLAIM_LIFETIME) < timedelta(seconds=30)


def test_a_gift_that_went_out_is_not_sent_again_by_a_refund_and_its_failure(app: Flask) -> None:
    sold = sell_gift()
    assert send_due() == [NIA]

    move(sold, "revoked")
    move(sold)

    assert send_due() == []


def test_a_giver_corrects_address_and_day(app: Flask, moving_clock: MovableClock) -> None:
    day = clock.now() + timedelta(days=3)
    sold = sell_gift(send_at=day)
    old = claim_token(sold.seat())

    assert change_gift(order_id=sold.order_id, recipient_email=TOM, send_at=day + timedelta(days=1))

    with pytest.raises(InvitationReplaced):
        get_seat_offer(old)
    moving_clock.advance(days=3, hours=1)
    assert send_due() == []
    moving_clock.advance(days=1)
    assert send_due() == [TOM]
    assert [mail.to_address for mail in mails()] == [TOM], "the mail to the wrong address was taken back"
    assert claim_seat(claim_token(sold.seat())).email == TOM


def test_a_gift_that_went_to_the_wrong_address_goes_to_the_right_one_at_once(app: Flask) -> None:
    sold = sell_gift()
    assert send_due() == [NIA]
    old = claim_token(sold.seat())

    change_gift(order_id=sold.order_id, recipient_email=TOM, send_at=None)

    assert send_due() == [TOM]
    with pytest.raises(InvitationReplaced):
        claim_seat(old)


def test_saving_a_gift_unchanged_sends_nothing(app: Flask) -> None:
    sold = sell_gift()
    send_due()

    assert not change_gift(order_id=sold.order_id, recipient_email=NIA, send_at=None)
    assert not change_gift(order_id=sold.order_id, recipient_email=NIA, send_at=clock.now() - timedelta(days=1))

    assert len(mails()) == 1


def test_a_taken_gift_stays_where_it_is(app: Flask) -> None:
    sold = sell_gift()
    user = claim_seat(claim_token(sold.seat()))

    with pytest.raises(NotInvited, match=r"^The gift has been taken already, so nothing was changed\.$"):
        change_gift(order_id=sold.order_id, recipient_email=TOM, send_at=None)

    assert (sold.seat().claimed_by_id, sold.seat().invited_email) == (user.id, NIA)
    assert [mail.to_address for mail in mails()] == [NIA]


def test_what_is_no_gift_any_more_is_not_changed(app: Flask) -> None:
    closed, team = sell_gift(), sell(quantity=1)
    move(closed, "revoked")

    with pytest.raises(SeatClosed):
        change_gift(order_id=closed.order_id, recipient_email=TOM, send_at=None)
    with pytest.raises(NotFound):
        change_gift(order_id=team.order_id, recipient_email=TOM, send_at=None)
    with pytest.raises(InvalidInput, match=r"^Choose a day within the next year\.$") as refused:
        change_gift(order_id=closed.order_id, recipient_email=TOM, send_at=clock.now() + timedelta(days=367))
    assert refused.value.field == "gift_on"

    assert closed.seat().invited_email == NIA


def test_a_gift_is_no_way_to_fill_a_mailbox(app: Flask) -> None:
    sold = sell_gift(send_at=clock.now() + timedelta(days=3))
    for number in range(MAILS_PER_ADDRESS):
        other = sell(quantity=1)
        invite_addresses(order_item_id=other.item_id, addresses=[TOM], occasion=other.occasion)
        assert len(mails(TOM)) == number + 1

    with pytest.raises(MailboxRests):
        change_gift(order_id=sold.order_id, recipient_email=TOM, send_at=None)

    assert sold.seat().invited_email == NIA
    assert len(mails(NIA)) == 1, "the refused change took nothing back"


def test_a_gift_changes_its_address_nineteen_times_at_most(app: Flask) -> None:
    sold = sell_gift()
    for number in range(1, 20):
        change_gift(order_id=sold.order_id, recipient_email=f"person{number}@example.org", send_at=None)

    with pytest.raises(SeatWorn):
        change_gift(order_id=sold.order_id, recipient_email=TOM, send_at=None)


def test_names_that_look_like_addresses_are_left_out_of_mails(app: Flask) -> None:
    for name in ("https://evil.example/", "evil.example", "x@evil.example", "<b>Maya</b>", "a/b"):
        sold = sell(quantity=1, customer_name=name)
        occasion = sold.occasion.__class__(titles=("Course",), order_number="NSL-1", from_name=name)
        invite_addresses(order_item_id=sold.item_id, addresses=[f"p{sold.item_id}@example.org"], occasion=occasion)

    assert {mail.data["from_name"] for mail in mails()} == {""}


def test_a_seat_that_was_never_invited_is_given_back_silently(app: Flask) -> None:
    sold = sell(quantity=1)

    free_seat(order_item_id=sold.item_id, seat_public_id=sold.seat().public_id, titles=(), owner_emails=())

    assert sold.seat().claim_version == 1
