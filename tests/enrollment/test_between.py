"""A seat, a link or a lesson that somebody else took between the look and the write: once each, without threads."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update

import app.enrollment.seats as seats_module
import app.enrollment.shared_links as links_module
from app import clock
from app.db import db, transaction
from app.enrollment.invitations import free_seat, invite_addresses
from app.enrollment.models import Enrollment, LessonProgress, Seat, SeatLink
from app.enrollment.seats import InvitationReplaced, SeatTaken, claim_seat, seat_user
from app.enrollment.services import complete_lesson, list_open_course_ids, open_lesson
from app.enrollment.shared_links import LinkFull, join_by_mail, join_into, make_join_token, open_shared_link
from app.errors import NotFound
from tests.enrollment.teams import Sold, claim_token, live_grants, mails, sell
from tests.factories import make_user
from tests.interleaving import do_before

NIA, TOM = "nia@example.org", "tom@example.org"


def invite(sold: Sold, *addresses: str) -> None:
    invite_addresses(order_item_id=sold.item_id, addresses=list(addresses), occasion=sold.occasion)


def share(sold: Sold, limit: int) -> str:
    open_shared_link(order_item_id=sold.item_id, limit_count=limit)
    link = links_module.find_shared_link(order_item_id=sold.item_id)
    assert link is not None
    return make_join_token(link)


def used_count() -> int:
    db.session.rollback()
    return db.session.scalars(select(SeatLink.used_count)).one()


def take(seat_id: int, user_id: int) -> None:
    with transaction():
        assert seat_user(seat_id=seat_id, user_id=user_id)


def test_link_whose_seat_was_taken_back_while_it_was_opened_takes_none(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = sell(quantity=2)
    invite(sold, NIA)
    token, seat = claim_token(sold.seat()), sold.seat()
    do_before(
        monkeypatch,
        seats_module,
        "get_or_create_confirmed_user",
        lambda: free_seat(order_item_id=sold.item_id, seat_public_id=seat.public_id, titles=(), owner_emails=()),
    )

    with pytest.raises(InvitationReplaced):
        claim_seat(token)

    assert (sold.seat().claimed_by_id, sold.seat().invited_email) == (None, None)


def test_link_whose_seat_was_taken_while_it_was_opened_takes_none(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    sold, rival = sell(quantity=2), make_user()
    invite(sold, NIA)
    token = claim_token(sold.seat())
    do_before(monkeypatch, seats_module, "get_or_create_confirmed_user", lambda: take(sold.seat_ids[0], rival.id))

    with pytest.raises(SeatTaken):
        claim_seat(token)

    assert sold.seat().claimed_by_id == rival.id
    assert live_grants(rival.id) == 1


def test_shared_link_whose_last_use_went_to_somebody_else_keeps_no_seat(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = sell(quantity=3)
    token = share(sold, limit=1)
    do_before(
        monkeypatch,
        links_module,
        "lock_item",
        lambda: db.session.execute(update(SeatLink).values(used_count=1)),
    )

    with pytest.raises(LinkFull):
        join_by_mail(token=token, email=TOM, occasion=sold.occasion)

    assert [seat.invited_email for seat in sold.seats()] == [None, None, None]
    assert mails() == []


def test_shared_link_that_finds_every_seat_given_out_counts_no_use(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    sold = sell(quantity=1)
    token = share(sold, limit=1)
    do_before(
        monkeypatch,
        links_module,
        "reserve_seat",
        lambda: db.session.execute(update(Seat).values(invited_email=NIA, invited_at=clock.now())),
    )

    with pytest.raises(LinkFull):
        join_by_mail(token=token, email=TOM, occasion=sold.occasion)

    assert (used_count(), mails()) == (0, [])


def test_kept_seat_that_somebody_took_in_the_same_moment_is_not_taken_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold, user, rival = sell(quantity=2), make_user(email=NIA), make_user()
    token = share(sold, limit=2)
    join_by_mail(token=token, email=NIA, occasion=sold.occasion)
    do_before(
        monkeypatch,
        links_module,
        "seat_user",
        lambda: db.session.execute(
            update(Seat).where(Seat.id == sold.seat_ids[0]).values(claimed_by_id=rival.id, claimed_at=clock.now())
        ),
    )

    with pytest.raises(LinkFull):
        join_into(token=token, user_id=user.id)

    assert live_grants(user.id) == 0


def test_lesson_of_a_course_that_is_not_open_leaves_no_trace(app: Flask) -> None:
    sold, user = sell(quantity=1), make_user()
    lesson_id = 1
    take(sold.seat_ids[0], user.id)
    with transaction() as session:
        session.execute(update(Seat).values(status="revoked"))
        session.execute(update(seats_module.Grant).values(revoked_at=clock.now() - timedelta(minutes=1)))
    stranger = make_user()

    for person in (user, stranger):
        open_lesson(user_id=person.id, course_id=sold.course.id, lesson_id=lesson_id)
        with pytest.raises(NotFound):
            complete_lesson(user_id=person.id, course_id=sold.course.id, lesson_id=lesson_id)

        assert list_open_course_ids(user_id=person.id) == set()
    assert list(db.session.scalars(select(Enrollment.last_opened_at))) == [None]
    assert db.session.scalar(select(func.count()).select_from(LessonProgress)) == 0
