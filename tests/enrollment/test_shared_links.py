"""One link for a team: never more seats than its limit, than are free, or than one for each person."""

import pytest
from flask import Flask

from app.db import db, transaction
from app.enrollment.invitations import AddressHasSeat, invite_addresses
from app.enrollment.models import SeatLink
from app.enrollment.seat_mails import MAILS_PER_ADDRESS
from app.enrollment.seats import AddressUnproved, claim_seat, set_seat_statuses
from app.enrollment.shared_links import (
    JOIN_PURPOSE,
    AlreadyJoined,
    LinkFull,
    SharedLink,
    close_shared_link,
    find_shared_link,
    get_shared_link,
    join_by_mail,
    join_into,
    make_join_token,
    open_shared_link,
)
from app.errors import InvalidInput, NotFound
from app.signing import LinkExpired, LinkInvalid, sign_link
from tests.conftest import MovableClock
from tests.enrollment.teams import Sold, claim_token, live_grants, mails, sell
from tests.factories import make_user

NIA, TOM, ZOE = "nia@example.org", "tom@example.org", "zoe@example.org"


def share(sold: Sold, limit: int = 2) -> str:
    open_shared_link(order_item_id=sold.item_id, limit_count=limit)
    return make_join_token(link_of(sold))


def link_of(sold: Sold) -> SharedLink:
    db.session.rollback()
    link = find_shared_link(order_item_id=sold.item_id)
    assert link is not None
    return link


def join(sold: Sold, token: str, email: str) -> None:
    join_by_mail(token=token, email=email, occasion=sold.occasion)


def invited(sold: Sold) -> list[str | None]:
    return [seat.invited_email for seat in sold.seats()]


def test_whoever_types_an_address_gets_a_seat_and_its_mail(app: Flask) -> None:
    sold = sell(quantity=3)
    token = share(sold)

    join(sold, token, NIA)

    assert invited(sold) == [NIA, None, None]
    assert [mail.to_address for mail in mails(template="claim_seat")] == [NIA]
    assert (link_of(sold).used_count, link_of(sold).left) == (1, 1)
    assert claim_seat(claim_token(sold.seat())).email == NIA


def test_one_person_uses_the_link_once(app: Flask) -> None:
    sold = sell(quantity=3)
    token = share(sold)
    join(sold, token, NIA)

    join(sold, token, NIA)
    claim_seat(claim_token(sold.seat()))
    join(sold, token, NIA)

    assert invited(sold) == [NIA, None, None]
    assert link_of(sold).used_count == 1
    assert len(mails()) == 1


def test_the_limit_holds(app: Flask) -> None:
    sold = sell(quantity=3)
    token = share(sold, limit=1)
    join(sold, token, NIA)

    with pytest.raises(LinkFull):
        join(sold, token, TOM)

    assert invited(sold) == [NIA, None, None]
    assert link_of(sold).used_count == 1


def test_no_more_people_join_than_seats_are_free(app: Flask) -> None:
    sold = sell(quantity=2)
    token = share(sold, limit=2)
    invite_addresses(order_item_id=sold.item_id, addresses=[ZOE], occasion=sold.occasion)
    join(sold, token, NIA)

    with pytest.raises(LinkFull):
        join(sold, token, TOM)

    assert invited(sold) == [ZOE, NIA]
    assert link_of(sold).used_count == 1, "the use that found no seat is not counted"


def test_a_refunded_seat_is_not_given_out(app: Flask) -> None:
    sold = sell(quantity=1)
    token = share(sold, limit=1)
    with transaction():
        set_seat_statuses(order_item_ids=[sold.item_id], status="revoked", refunded_seat_ids=())

    with pytest.raises(LinkFull):
        join(sold, token, NIA)


def test_a_signed_in_person_takes_the_seat_at_once(app: Flask) -> None:
    sold, user = sell(quantity=2), make_user(email=NIA)
    token = share(sold)

    join_into(token=token, user_id=user.id)

    assert (sold.seat().claimed_by_id, sold.seat().invited_email, live_grants(user.id)) == (user.id, NIA, 1)
    assert link_of(sold).used_count == 1
    assert mails() == []
    with pytest.raises(AlreadyJoined):
        join_into(token=token, user_id=user.id)
    assert link_of(sold).used_count == 1


def test_a_seat_kept_for_somebody_is_the_one_they_take(app: Flask) -> None:
    sold, user = sell(quantity=2), make_user(email=NIA)
    token = share(sold)
    join(sold, token, NIA)

    join_into(token=token, user_id=user.id)

    assert [seat.claimed_by_id for seat in sold.seats()] == [user.id, None]
    assert link_of(sold).used_count == 1


def test_somebody_whose_seat_is_closed_gets_no_second_one(app: Flask) -> None:
    sold, user = sell(quantity=2), make_user(email=NIA)
    token = share(sold)
    join_into(token=token, user_id=user.id)
    with transaction():
        set_seat_statuses(order_item_ids=[sold.item_id], status="active", refunded_seat_ids=[sold.seat_ids[0]])

    with pytest.raises(AddressHasSeat):
        join_into(token=token, user_id=user.id)

    assert link_of(sold).used_count == 1


def test_an_unproved_account_takes_no_seat(app: Flask) -> None:
    sold, user = sell(quantity=1), make_user(confirmed_at=None)
    token = share(sold, limit=1)

    with pytest.raises(AddressUnproved):
        join_into(token=token, user_id=user.id)

    assert invited(sold) == [None]


def test_a_mailbox_that_rests_is_kept_a_seat_without_a_mail(app: Flask) -> None:
    for _ in range(MAILS_PER_ADDRESS):
        other = sell(quantity=1)
        invite_addresses(order_item_id=other.item_id, addresses=[NIA], occasion=other.occasion)
    sold = sell(quantity=1)
    token = share(sold, limit=1)

    join(sold, token, NIA)

    assert invited(sold) == [NIA]
    assert len(mails(NIA)) == MAILS_PER_ADDRESS


def test_a_link_ends_after_thirty_days_or_when_it_is_switched_off(app: Flask, moving_clock: MovableClock) -> None:
    sold = sell(quantity=3)
    token = share(sold)
    moving_clock.advance(days=30, seconds=1)
    assert link_of(sold).is_expired
    with pytest.raises(LinkExpired):
        join(sold, token, NIA)

    token = share(sold)
    close_shared_link(order_item_id=sold.item_id)
    close_shared_link(order_item_id=sold.item_id)
    with pytest.raises(LinkExpired):
        join(sold, token, NIA)

    assert find_shared_link(order_item_id=sold.item_id) is None
    assert invited(sold) == [None, None, None]


def test_a_renewed_link_replaces_the_old_one(app: Flask) -> None:
    sold = sell(quantity=3)
    old = share(sold, limit=1)
    join(sold, old, NIA)

    new = share(sold, limit=1)

    with pytest.raises(LinkExpired):
        join(sold, old, TOM)
    join(sold, new, TOM)
    assert invited(sold) == [NIA, TOM, None]


@pytest.mark.parametrize("limit", [-1, 0, 4, 10**9])
def test_a_limit_makes_sense(app: Flask, limit: int) -> None:
    sold = sell(quantity=3)

    with pytest.raises(InvalidInput, match=r"^Enter a number from 1 to 3\.$") as refused:
        open_shared_link(order_item_id=sold.item_id, limit_count=limit)

    assert refused.value.field == "limit"
    assert db.session.query(SeatLink).count() == 0


def test_a_link_needs_seats(app: Flask) -> None:
    with pytest.raises(NotFound):
        open_shared_link(order_item_id=10**6, limit_count=1)


@pytest.mark.parametrize("value", [7, None, ["slk"], {"a": 1}, "slk_unknown"])
def test_a_signed_value_of_another_shape_is_no_link(app: Flask, value: object) -> None:
    with pytest.raises(LinkInvalid):
        get_shared_link(sign_link(JOIN_PURPOSE, value))


def test_a_claim_link_opens_no_shared_link(app: Flask) -> None:
    sold = sell(quantity=1, takes_seat=True)

    with pytest.raises(LinkInvalid):
        get_shared_link(claim_token(sold.seat()))
