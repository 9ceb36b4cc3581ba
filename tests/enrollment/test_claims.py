"""Following a claim link: into the invited account, into another one, too late, twice (policy P12)."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app import clock
from app.accounts.models import User
from app.db import db, transaction
from app.enrollment.models import Enrollment
from app.enrollment.seats import (
    CLAIM_PURPOSE,
    AddressUnproved,
    InvitationReplaced,
    SeatClosed,
    SeatTaken,
    claim_seat,
    claim_seat_into,
    find_seat_of_link,
    get_seat_offer,
    set_seat_statuses,
)
from app.enrollment.services import list_open_course_ids
from app.signing import LinkExpired, LinkInvalid, sign_link
from tests.conftest import MovableClock
from tests.enrollment.teams import BUYER, Sold, claim_token, live_grants, sell, sell_gift, send_due
from tests.factories import make_user


def holder(sold: Sold) -> int | None:
    return sold.seat().claimed_by_id


def test_the_link_makes_an_account_and_opens_the_course(app: Flask) -> None:
    sold = sell(quantity=1, takes_seat=True)

    user = claim_seat(claim_token(sold.seat()))

    assert (user.email, holder(sold)) == (BUYER, user.id)
    assert list_open_course_ids(user_id=user.id) == {sold.course.id}


def test_the_second_use_changes_nothing(app: Flask) -> None:
    sold = sell(quantity=1, takes_seat=True)
    token = claim_token(sold.seat())
    user = claim_seat(token)

    for again in (lambda: claim_seat(token), lambda: claim_seat_into(token, user_id=make_user().id)):
        with pytest.raises(SeatTaken):
            again()

    assert holder(sold) == user.id


def test_the_seat_goes_into_another_account_on_an_explicit_wish(app: Flask) -> None:
    sold, other = sell(quantity=1, takes_seat=True), make_user(email="maya@work.example")

    claim_seat_into(claim_token(sold.seat()), user_id=other.id)

    assert (holder(sold), live_grants(other.id)) == (other.id, 1)
    assert sold.seat().invited_email == BUYER
    assert db.session.scalars(select(User.email)).all() == ["maya@work.example"], "no account for the invited address"


def test_an_account_with_an_unproved_address_gets_no_seat(app: Flask) -> None:
    sold, other = sell(quantity=1, takes_seat=True), make_user(confirmed_at=None)

    with pytest.raises(AddressUnproved):
        claim_seat_into(claim_token(sold.seat()), user_id=other.id)

    assert (holder(sold), live_grants(other.id)) == (None, 0)


@pytest.mark.parametrize("status", ["suspended", "revoked"])
def test_a_closed_seat_is_not_given_out_until_its_money_is_back(app: Flask, status: str) -> None:
    sold = sell(quantity=1, takes_seat=True)
    token = claim_token(sold.seat())
    with transaction():
        set_seat_statuses(order_item_ids=[sold.item_id], status=status, refunded_seat_ids=())

    with pytest.raises(SeatClosed):
        claim_seat(token)
    assert holder(sold) is None
    with transaction():
        set_seat_statuses(order_item_ids=[sold.item_id], status="active", refunded_seat_ids=())

    assert claim_seat(token).email == BUYER


def test_a_link_lasts_thirty_days_from_its_mail(app: Flask, moving_clock: MovableClock) -> None:
    sold = sell(quantity=1, takes_seat=True)
    token = claim_token(sold.seat())

    moving_clock.advance(days=30, seconds=-5)
    assert get_seat_offer(token).email == BUYER
    moving_clock.advance(seconds=10)
    with pytest.raises(LinkExpired):
        claim_seat(token)

    assert holder(sold) is None
    found = find_seat_of_link(token)
    assert found is not None
    assert found.id == sold.seat_ids[0]


def test_a_replaced_link_finds_no_seat_to_renew(app: Flask) -> None:
    sold = sell(quantity=1, takes_seat=True)
    seat = sold.seat()

    assert find_seat_of_link(sign_link(CLAIM_PURPOSE, [seat.public_id, seat.claim_version + 1])) is None
    with pytest.raises(InvitationReplaced):
        get_seat_offer(sign_link(CLAIM_PURPOSE, [seat.public_id, seat.claim_version + 1]))


@pytest.mark.parametrize(
    "value", ["seat", ["seat"], ["seat", 1], [1, 1], [["x"], 1], {"seat": 1}, None, 7, ["a", "b", "c"], []]
)
def test_a_signed_value_of_another_shape_is_no_claim_link(app: Flask, value: object) -> None:
    with pytest.raises(LinkInvalid):
        get_seat_offer(sign_link(CLAIM_PURPOSE, value))


def test_a_seat_and_its_version_are_all_that_a_claim_link_holds(app: Flask) -> None:
    seat = sell(quantity=1, takes_seat=True).seat()

    for value in ([seat.public_id], [seat.public_id, 1, 1]):
        with pytest.raises(LinkInvalid):
            get_seat_offer(sign_link(CLAIM_PURPOSE, value))
    assert get_seat_offer(sign_link(CLAIM_PURPOSE, [seat.public_id, 1])).seat_id == seat.id


@pytest.mark.parametrize("purpose", ["order", "seat-join", "sign-in", "reset-password", "newsletter"])
def test_a_link_for_something_else_takes_no_seat(app: Flask, purpose: str) -> None:
    sold = sell(quantity=1, takes_seat=True)
    seat = sold.seat()

    with pytest.raises(LinkInvalid):
        claim_seat(sign_link(purpose, [seat.public_id, seat.claim_version]))

    assert holder(sold) is None


def test_a_gift_ordered_a_year_ahead_can_be_taken_for_thirty_days_from_its_day(
    app: Flask, moving_clock: MovableClock
) -> None:
    sold = sell_gift(send_at=clock.now() + timedelta(days=365))
    assert send_due() == []
    moving_clock.advance(days=365, minutes=1)
    assert send_due() == ["nia@example.org"]
    token = claim_token(sold.seat())

    moving_clock.advance(days=29, hours=23)
    user = claim_seat(token)

    assert (user.email, holder(sold)) == ("nia@example.org", user.id)
    assert db.session.scalars(select(Enrollment.user_id)).all() == [user.id]
