"""A purchase moves to another address: nothing before the proof, all of it with it, and back again in time."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

import app.checkout.moves as moves_module
from app.accounts.models import User
from app.audit import AuditEntry
from app.checkout.choices import GiftWish
from app.checkout.models import Order
from app.checkout.move_models import OrderMove
from app.checkout.moves import (
    MOVE_PURPOSE,
    MoveLinkEnded,
    MoveOver,
    MoveRefused,
    MoveWaiting,
    confirm_move,
    list_moves,
    request_move,
    take_back_move,
)
from app.checkout.orders import get_order_of_link, get_order_of_user
from app.db import db, transaction
from app.enrollment.invitations import AddressHasSeat, reassign_seat
from app.enrollment.models import Grant, Seat
from app.enrollment.seat_mails import Occasion
from app.enrollment.seats import InvitationReplaced, claim_seat, seat_user
from app.enrollment.services import list_open_course_ids
from app.errors import InvalidInput, NotFound
from app.mail.models import Message
from app.mail.rendering import render_message
from app.signing import LinkExpired, LinkInvalid, sign_link
from tests.accounts.people import SAME_ORIGIN, Browser
from tests.checkout.conftest import Shop
from tests.checkout.money import buy_seats, give_back
from tests.factories import make_course, make_user
from tests.races import Pause, kinds, run_at_once

NEW = "new@example.org"


def begin(order_public_id: str, **values: Any) -> str:
    return request_move(
        **{"order_public_id": order_public_id, "to_email": NEW, "proof": "Sent the receipt", "user_id": None, **values}
    )


def read_token(template: str, address: str, part: str) -> str:
    db.session.rollback()
    mail = db.session.scalars(
        select(Message).where(Message.to_address == address, Message.template == template).order_by(Message.id.desc())
    ).first()
    assert mail is not None
    return render_message(mail).text.partition(part)[2].split()[0]


def move_token() -> str:
    return read_token("order_move", NEW, "/orders/move/")


def open_ids(email: str) -> set[int]:
    db.session.rollback()
    user_id = db.session.scalar(select(User.id).where(User.email == email))
    return list_open_course_ids(user_id=user_id) if user_id is not None else set()


def state_of(shop: Shop, started: Any) -> tuple[str | None, int | None]:
    order = shop.order(started)
    return order.email, order.user_id


def test_nothing_changes_hands_before_the_new_address_proves_itself(shop: Shop) -> None:
    buyer, course = make_user(email="old@example.org"), make_course()
    started = shop.buy(course, user=buyer)

    begin(started.order_public_id)

    assert state_of(shop, started) == ("old@example.org", buyer.id)
    assert open_ids("old@example.org") == {course.id}
    assert [move.status for move in list_moves(order_id=shop.order(started).id)] == ["waiting"]
    assert db.session.scalar(select(User.id).where(User.email == NEW)) is None


def test_with_the_proof_order_seat_and_links_move_and_the_old_ones_are_dead(shop: Shop) -> None:
    buyer, course = make_user(email="old@example.org"), make_course(access_days=30)
    started = shop.buy(course, user=buyer)
    ends = db.session.scalars(select(Grant.expires_at)).one()
    old_link = read_token("receipt", "old@example.org", "/orders/")
    begin(started.order_public_id)

    user = confirm_move(move_token())

    assert user.email == NEW
    assert user.confirmed_at is not None
    assert state_of(shop, started) == (NEW, user.id)
    assert (open_ids("old@example.org"), open_ids(NEW)) == (set(), {course.id})
    assert db.session.scalars(select(Grant.expires_at).where(Grant.user_id == user.id)).one() == ends
    with pytest.raises(NotFound):
        get_order_of_link(old_link)
    with pytest.raises(NotFound):
        get_order_of_user(public_id=started.order_public_id, user_id=buyer.id, email="old@example.org")
    assert get_order_of_link(read_token("receipt", NEW, "/orders/")).public_id == started.order_public_id
    told = db.session.scalars(select(Message.to_address).where(Message.template == "order_moved")).all()
    assert told == ["old@example.org"]
    actions = db.session.scalars(
        select(AuditEntry.action).where(AuditEntry.subject_id == started.order_public_id).order_by(AuditEntry.id)
    ).all()
    assert actions == ["order.move_requested", "order.moved"]


def test_a_guests_browser_and_claim_link_keep_nothing(shop: Shop, app: Flask) -> None:
    guest = Browser(app)
    course = make_course()
    with guest.client.session_transaction() as session:
        session["browser"] = "b1"
    started = shop.begin(course, browser="b1")
    shop.pay(started, email="old@example.org")
    shop.deliver_all()
    with guest.client.session_transaction() as session:
        session["orders"] = [started.order_public_id]
    order, seats = f"/account/orders/{started.order_public_id}", f"/account/orders/{started.order_public_id}/seats"
    claim = read_token("claim_seat", "old@example.org", "/seats/claim/")
    access = read_token("receipt", "old@example.org", "/access/")
    assert guest.get(order).status_code == 200
    assert guest.get(f"/access/{access}").status_code == 200
    lesson = f"/courses/{course.slug}/lessons/lesson-2"
    assert guest.get(lesson).status_code == 200

    begin(started.order_public_id)
    confirm_move(move_token())

    assert {guest.get(path).status_code for path in (order, seats, f"/access/{access}")} == {404}
    assert guest.get(lesson).status_code != 200
    with pytest.raises(InvitationReplaced):
        claim_seat(claim)


def test_seats_that_were_given_to_others_stay_theirs(shop: Shop) -> None:
    started = buy_seats(shop, quantity=2, email="old@example.org")
    order = shop.order(started)
    other = make_user(email="colleague@example.org")
    second = db.session.scalars(select(Seat.id).where(Seat.position == 2)).one()
    with transaction():
        seat_user(seat_id=second, user_id=other.id)
    with pytest.raises(AddressHasSeat):
        begin(started.order_public_id, to_email="colleague@example.org")

    begin(started.order_public_id)
    user = confirm_move(move_token())

    holders = db.session.scalars(select(Seat.claimed_by_id).order_by(Seat.position)).all()
    assert holders == [user.id, other.id]
    assert shop.order(started).email != order.email


def test_the_link_works_once_and_not_after_it_was_taken_back(shop: Shop) -> None:
    started = shop.buy(make_course(), user=make_user(email="old@example.org"))
    move = begin(started.order_public_id)
    token = move_token()

    assert take_back_move(order_public_id=started.order_public_id, move_public_id=move) == "withdrawn"

    with pytest.raises(MoveLinkEnded):
        confirm_move(token)
    assert shop.order(started).email == "old@example.org"
    with pytest.raises(MoveOver):
        take_back_move(order_public_id=started.order_public_id, move_public_id=move)
    begin(started.order_public_id)
    confirm_move(move_token())
    with pytest.raises(MoveLinkEnded):
        confirm_move(move_token())


def test_the_link_ends_after_fourteen_days(shop: Shop, moving_clock: Any) -> None:
    started = shop.buy(make_course(), user=make_user(email="old@example.org"))
    begin(started.order_public_id)
    token = move_token()
    moving_clock.advance(days=15)

    with pytest.raises(LinkExpired):
        confirm_move(token)


@pytest.mark.parametrize("days", [6, 8])
def test_the_undo_gives_everything_back_within_seven_days(shop: Shop, moving_clock: Any, days: int) -> None:
    buyer, course = make_user(email="old@example.org"), make_course()
    started = shop.buy(course, user=buyer)
    move = begin(started.order_public_id)
    user = confirm_move(move_token())
    new_link = read_token("receipt", NEW, "/orders/")
    moving_clock.advance(days=days)

    if days > 7:
        with pytest.raises(MoveOver):
            take_back_move(order_public_id=started.order_public_id, move_public_id=move)
        assert state_of(shop, started) == (NEW, user.id)
        return
    assert take_back_move(order_public_id=started.order_public_id, move_public_id=move) == "undone"

    assert state_of(shop, started) == ("old@example.org", buyer.id)
    assert (open_ids("old@example.org"), open_ids(NEW)) == ({course.id}, set())
    with pytest.raises(NotFound):
        get_order_of_link(new_link)
    told = db.session.scalars(select(Message.to_address).where(Message.template == "order_moved")).all()
    assert told == ["old@example.org", NEW]


def test_a_guests_unclaimed_seat_comes_back_with_a_link_of_its_own(shop: Shop) -> None:
    course = make_course()
    started = shop.begin(course, browser="b1")
    shop.pay(started, email="old@example.org")
    shop.deliver_all()
    move = begin(started.order_public_id)
    confirm_move(move_token())

    take_back_move(order_public_id=started.order_public_id, move_public_id=move)

    assert open_ids(NEW) == set()
    claim_seat(read_token("claim_seat", "old@example.org", "/seats/claim/"))
    assert open_ids("old@example.org") == {course.id}


def test_what_cannot_move_is_refused(shop: Shop) -> None:
    pending = shop.begin(make_course(), browser="b9")
    with pytest.raises(MoveRefused):
        begin(pending.order_public_id)
    started = shop.buy(make_course(), user=make_user(email="old@example.org"))
    with pytest.raises(InvalidInput):
        begin(started.order_public_id, to_email="old@example.org")
    with pytest.raises(InvalidInput):
        begin(started.order_public_id, proof=" ")
    with pytest.raises(NotFound):
        begin("ord_none")
    begin(started.order_public_id)
    with pytest.raises(MoveWaiting):
        begin(started.order_public_id, to_email="third@example.org")
    give_back(started)
    with pytest.raises(MoveRefused):
        confirm_move(move_token())
    assert open_ids(NEW) == set()


@pytest.mark.slow
def test_a_move_beside_a_claim_leaves_the_seat_in_one_hand(shop: Shop) -> None:
    course = make_course()
    started = shop.begin(course, browser="b1")
    shop.pay(started, email="old@example.org")
    shop.deliver_all()
    claim = read_token("claim_seat", "old@example.org", "/seats/claim/")
    begin(started.order_public_id)
    token = move_token()

    outcomes = run_at_once(shop.app, lambda: confirm_move(token), lambda: claim_seat(claim))

    assert kinds(outcomes[:1]) == {"User": 1}, outcomes
    assert kinds(outcomes[1:]).keys() <= {"User", "InvitationReplaced"}, outcomes
    assert (open_ids("old@example.org"), open_ids(NEW)) == (set(), {course.id})
    assert db.session.scalars(select(Order.email)).one() == NEW


@pytest.mark.slow
def test_the_link_beside_its_withdrawal_ends_one_way(shop: Shop) -> None:
    course = make_course()
    started = shop.buy(course, user=make_user(email="old@example.org"))
    move = begin(started.order_public_id)
    token = move_token()

    outcomes = run_at_once(
        shop.app,
        lambda: confirm_move(token),
        lambda: take_back_move(order_public_id=started.order_public_id, move_public_id=move),
    )

    status = db.session.scalars(select(OrderMove.status)).one()
    has_it = NEW if status == "moved" else "old@example.org"
    assert status in {"moved", "withdrawn", "undone"}, outcomes
    assert (open_ids(has_it), shop.order(started).email) == ({course.id}, has_it)
    assert len(open_ids("old@example.org")) + len(open_ids(NEW)) == 1


@pytest.mark.slow
def test_a_link_pressed_by_four_at_once_moves_the_order_once(shop: Shop) -> None:
    started = shop.buy(make_course(), user=make_user(email="old@example.org"))
    begin(started.order_public_id)
    token = move_token()

    outcomes = run_at_once(shop.app, *[lambda: confirm_move(token)] * 4)

    assert kinds(outcomes) == {"User": 1, "MoveLinkEnded": 3}, outcomes
    assert shop.order(started).link_version == 2


@pytest.mark.slow
def test_control_without_the_conditional_update_it_moves_four_times(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = shop.buy(make_course(), user=make_user(email="old@example.org"))
    begin(started.order_public_id)
    token = move_token()
    pause, find = Pause(4), moves_module._find_by_link

    def find_together(token: str) -> OrderMove:
        move = find(token)
        pause.wait()
        return move

    def end_anyway(move: OrderMove, *, before: str, status: str) -> bool:
        move.status = status
        return True

    monkeypatch.setattr(moves_module, "_find_by_link", find_together)
    monkeypatch.setattr(moves_module, "_end", end_anyway)

    outcomes = run_at_once(shop.app, *[lambda: confirm_move(token)] * 4)

    assert kinds(outcomes) == {"User": 4}, outcomes
    assert shop.order(started).link_version == 5


def test_an_undo_leaves_a_seat_that_was_given_on(shop: Shop) -> None:
    started = buy_seats(shop, quantity=2)
    move = begin(started.order_public_id)
    user = confirm_move(move_token())
    seat = db.session.scalars(select(Seat).where(Seat.position == 1)).one()
    reassign_seat(
        order_item_id=seat.order_item_id, seat_public_id=seat.public_id, email="next@example.org",
        occasion=Occasion(titles=("Course",), order_number="NSL-1001"), owner_emails=[],
    )  # fmt: skip

    take_back_move(order_public_id=started.order_public_id, move_public_id=move)

    first = db.session.scalars(select(Seat).where(Seat.position == 1).execution_options(populate_existing=True)).one()
    assert (first.claimed_by_id, first.invited_email) == (None, "next@example.org")
    assert shop.order(started).user_id != user.id


def test_a_gifts_seat_stays_with_whom_it_was_given_to(shop: Shop) -> None:
    gift = GiftWish(recipient_email="ana@example.org", recipient_name="Ana", giver_name="Old", message="")
    started = shop.begin(make_course(), user=make_user(email="old@example.org"), purpose="gift", gift=gift)
    shop.pay(started)
    shop.deliver_all()

    begin(started.order_public_id)
    confirm_move(move_token())

    assert db.session.scalars(select(Seat.invited_email)).one() == "ana@example.org"
    assert (open_ids(NEW), shop.order(started).email) == (set(), NEW)


def test_an_undo_is_refused_while_the_money_is_gone_and_for_other_orders(shop: Shop) -> None:
    started = shop.buy(make_course(), user=make_user(email="old@example.org"))
    other = shop.buy(make_course(), user=make_user())
    move = begin(started.order_public_id)
    confirm_move(move_token())
    with pytest.raises(NotFound):
        take_back_move(order_public_id=other.order_public_id, move_public_id=move)
    give_back(started)
    with pytest.raises(MoveRefused):
        take_back_move(order_public_id=started.order_public_id, move_public_id=move)


def test_a_closed_account_takes_nothing_over(shop: Shop) -> None:
    started = shop.buy(make_course(), user=make_user(email="old@example.org"))
    make_user(email=NEW, active=False)
    begin(started.order_public_id)

    with pytest.raises(MoveRefused):
        confirm_move(move_token())

    assert shop.order(started).email == "old@example.org"


def test_a_link_taken_back_at_the_last_moment_moves_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    started = shop.buy(make_course(), user=make_user(email="old@example.org"))
    move = begin(started.order_public_id)
    find = moves_module._find_by_link

    def find_before_staff_is_quicker(token: str) -> OrderMove:
        found = find(token)
        take_back_move(order_public_id=started.order_public_id, move_public_id=move)
        return found

    monkeypatch.setattr(moves_module, "_find_by_link", find_before_staff_is_quicker)

    with pytest.raises(MoveLinkEnded):
        confirm_move(move_token())

    assert shop.order(started).email == "old@example.org"


def test_a_link_that_names_no_move_is_refused(app: Flask) -> None:
    for token in ("nonsense", sign_link(MOVE_PURPOSE, "mov_none"), sign_link("order", "mov_none")):
        with pytest.raises(LinkInvalid):
            confirm_move(token)


def test_the_page_asks_and_its_button_takes_the_purchase_over(shop: Shop, app: Flask) -> None:
    course = make_course(title="Draw the path")
    started = shop.buy(course, user=make_user(email="old@example.org"))
    begin(started.order_public_id)
    path = f"/orders/move/{move_token()}"
    stranger = Browser(app)

    page = stranger.get(path)
    assert page.status_code == 200
    assert "Draw the path" in page.text
    assert open_ids(NEW) == set()
    assert stranger.post(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert stranger.post(path, headers=SAME_ORIGIN).headers["Location"] == "/account/courses"

    assert "Draw the path" in stranger.get("/account/courses").text
    assert stranger.get(path).status_code == 410
    assert open_ids(NEW) == {course.id}


def test_an_order_without_an_address_gives_away_no_seat_that_is_free(shop: Shop) -> None:
    started = buy_seats(shop, quantity=2)
    with transaction() as session:
        order = session.scalars(select(Order)).one()
        order.email = order.user_id = None
        for seat in session.scalars(select(Seat)):
            seat.claimed_by_id = seat.claimed_at = seat.invited_email = seat.invited_at = None
    begin(started.order_public_id)

    user = confirm_move(move_token())

    assert state_of(shop, started) == (NEW, user.id)
    assert db.session.scalars(select(Seat.claimed_by_id)).all() == [None, None]
    assert db.session.scalars(select(Message.id).where(Message.template == "order_moved")).all() == []
