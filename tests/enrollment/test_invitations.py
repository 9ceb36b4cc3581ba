"""An owner and their seats: invite, send again, take back, give to somebody else (attack A79)."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app import clock
from app.catalog.models import Lesson
from app.db import db, transaction
from app.enrollment.invitations import (
    MOST_INVITATIONS,
    AddressHasSeat,
    InviteReport,
    MailboxRests,
    NotInvited,
    NotSentYet,
    SeatUsed,
    SeatWorn,
    SentRecently,
    free_seat,
    invite_addresses,
    reassign_seat,
    resend_invitation,
)
from app.enrollment.models import Seat
from app.enrollment.seat_mails import MAILS_PER_ADDRESS
from app.enrollment.seat_views import list_seats
from app.enrollment.seats import InvitationReplaced, SeatClosed, claim_seat, get_seat_offer, set_seat_statuses
from app.enrollment.services import complete_lesson, list_open_course_ids, open_lesson
from app.errors import AppError, NotFound
from tests.conftest import MovableClock
from tests.enrollment.teams import BUYER, Sold, claim_token, live_grants, mails, sell, sell_gift, send_due
from tests.factories import make_course, make_user

MAYA, NIA, TOM, ZOE = (f"{name}@example.org" for name in ("maya", "nia", "tom", "zoe"))


def invite(sold: Sold, *addresses: str) -> InviteReport:
    return invite_addresses(order_item_id=sold.item_id, addresses=addresses, occasion=sold.occasion)


def seat_of(sold: Sold, email: str) -> Seat:
    return next(seat for seat in sold.seats() if seat.invited_email == email)


def resend(sold: Sold, email: str) -> str:
    seat = seat_of(sold, email)
    return resend_invitation(order_item_id=sold.item_id, seat_public_id=seat.public_id, occasion=sold.occasion)


def take_back(sold: Sold, seat: Seat) -> None:
    free_seat(
        order_item_id=sold.item_id, seat_public_id=seat.public_id, titles=(sold.course.title,), owner_emails={BUYER}
    )


def reassign(sold: Sold, seat: Seat, email: str) -> None:
    reassign_seat(
        order_item_id=sold.item_id, seat_public_id=seat.public_id, email=email, occasion=sold.occasion,
        owner_emails={BUYER},
    )  # fmt: skip


def states(sold: Sold) -> list[tuple[str, str]]:
    db.session.rollback()
    return [(seat.state, seat.email) for seat in list_seats(order_item_ids=[sold.item_id])]


def snapshot(sold: Sold) -> list[Any]:
    facts = [
        (seat.invited_email, seat.claimed_by_id, seat.claim_version, seat.claim_expires_at, seat.status)
        for seat in sold.seats()
    ]
    return [facts, [(mail.key, mail.to_address) for mail in mails()]]


# Inviting


def test_everybody_on_the_list_gets_a_seat_and_a_mail(app: Flask) -> None:
    sold = sell(quantity=3)

    report = invite(sold, MAYA, NIA)

    assert report == InviteReport(invited=(MAYA, NIA), already=(), unseated=(), resting=())
    assert states(sold) == [("invited", MAYA), ("invited", NIA), ("free", "")]
    assert [mail.to_address for mail in mails(template="claim_seat")] == [MAYA, NIA]
    assert send_due() == [MAYA, NIA]


def test_the_same_list_twice_invites_nobody_twice(app: Flask) -> None:
    sold = sell(quantity=3)
    invite(sold, MAYA)
    before = snapshot(sold)

    report = invite(sold, MAYA)

    assert report == InviteReport(invited=(), already=(MAYA,), unseated=(), resting=())
    assert snapshot(sold) == before


def test_a_list_longer_than_the_seats_says_who_got_none(app: Flask) -> None:
    sold = sell(quantity=2)

    report = invite(sold, MAYA, NIA, TOM, ZOE)

    assert report == InviteReport(invited=(MAYA, NIA), already=(), unseated=(TOM, ZOE), resting=())
    assert [mail.to_address for mail in mails()] == [MAYA, NIA]


def test_the_buyers_own_seat_is_not_given_away(app: Flask) -> None:
    sold = sell(quantity=2, takes_seat=True)

    report = invite(sold, BUYER, MAYA, NIA)

    assert report == InviteReport(invited=(MAYA,), already=(BUYER,), unseated=(NIA,), resting=())


def test_an_account_that_joined_under_another_address_gets_no_second_seat(app: Flask) -> None:
    sold = sell(quantity=3)
    invite(sold, MAYA)
    claim_seat(claim_token(sold.seat()))

    report = invite(sold, MAYA)

    assert report.already == (MAYA,)


def test_closed_seats_are_not_given_out(app: Flask) -> None:
    sold = sell(quantity=2)
    with transaction():
        set_seat_statuses(order_item_ids=[sold.item_id], status="active", refunded_seat_ids=[sold.seat_ids[0]])

    report = invite(sold, MAYA, NIA)

    assert (report.invited, report.unseated) == ((MAYA,), (NIA,))
    assert states(sold) == [("revoked", ""), ("invited", MAYA)]


def test_one_address_gets_five_invitations_a_day_whoever_sends_them(app: Flask, moving_clock: MovableClock) -> None:
    orders = [sell(quantity=1) for _ in range(MAILS_PER_ADDRESS + 1)]

    reports = [invite(sold, MAYA) for sold in orders]

    assert [report.invited for report in reports] == [(MAYA,)] * 5 + [()]
    assert reports[-1].resting == (MAYA,)
    assert states(orders[-1]) == [("free", "")]
    moving_clock.advance(hours=25)
    assert invite(orders[-1], MAYA).invited == (MAYA,)


# Sending again


def test_an_invitation_is_sent_again_after_ten_minutes_and_not_before(app: Flask, moving_clock: MovableClock) -> None:
    sold = sell(quantity=1)
    invite(sold, MAYA)
    first = claim_token(sold.seat())
    before = snapshot(sold)

    with pytest.raises(SentRecently):
        resend(sold, MAYA)
    assert snapshot(sold) == before
    moving_clock.advance(minutes=10, seconds=1)
    assert resend(sold, MAYA) == MAYA
    with pytest.raises(SentRecently):
        resend(sold, MAYA)

    assert [mail.to_address for mail in mails()] == [MAYA, MAYA]
    assert get_seat_offer(first).email == MAYA


def test_an_expired_invitation_is_renewed_for_thirty_days(app: Flask, moving_clock: MovableClock) -> None:
    sold = sell(quantity=1)
    invite(sold, MAYA)
    old = claim_token(sold.seat())
    moving_clock.advance(days=30, seconds=1)
    assert states(sold) == [("expired", MAYA)]

    resend(sold, MAYA)

    assert states(sold) == [("invited", MAYA)]
    with pytest.raises(AppError, match="Links end after a while"):
        claim_seat(old)
    moving_clock.advance(days=29)
    new = claim_token(sold.seat())
    assert claim_seat(new).email == MAYA


def test_sending_again_counts_towards_the_days_mails(app: Flask, moving_clock: MovableClock) -> None:
    sold = sell(quantity=1)
    invite(sold, MAYA)
    for _ in range(MAILS_PER_ADDRESS - 1):
        moving_clock.advance(minutes=11)
        resend(sold, MAYA)

    moving_clock.advance(minutes=11)
    with pytest.raises(MailboxRests):
        resend(sold, MAYA)

    assert len(mails()) == MAILS_PER_ADDRESS


def test_a_seat_that_was_taken_meanwhile_is_not_sent_again(app: Flask) -> None:
    sold = sell(quantity=1)
    invite(sold, MAYA)
    claim_seat(claim_token(sold.seat()))

    with pytest.raises(NotInvited):
        resend(sold, MAYA)


def test_a_closed_seat_is_not_sent_again(app: Flask) -> None:
    sold = sell(quantity=1)
    invite(sold, MAYA)
    with transaction():
        set_seat_statuses(order_item_ids=[sold.item_id], status="suspended", refunded_seat_ids=())

    with pytest.raises(SeatClosed):
        resend(sold, MAYA)
    assert states(sold) == [("suspended", MAYA)]


def test_a_gift_that_waits_for_its_day_is_not_sent_early(app: Flask) -> None:
    sold = sell_gift(send_at=clock.now() + timedelta(days=3))

    with pytest.raises(NotSentYet):
        resend(sold, NIA)

    assert states(sold) == [("scheduled", NIA)]
    assert send_due() == []


# Taking back


def test_a_withdrawn_invitation_leaves_a_free_seat_and_a_dead_link_and_no_mail(app: Flask) -> None:
    sold = sell(quantity=1)
    invite(sold, MAYA)
    token = claim_token(sold.seat())

    take_back(sold, sold.seat())

    assert states(sold) == [("free", "")]
    with pytest.raises(InvitationReplaced):
        claim_seat(token)
    assert mails() == [], "the invitation had not gone out, and nobody is told about one that was withdrawn"


def test_an_invitation_that_went_out_is_withdrawn_without_a_word(app: Flask) -> None:
    sold = sell(quantity=1)
    invite(sold, MAYA)
    assert send_due() == [MAYA]

    take_back(sold, sold.seat())

    assert [mail.template for mail in mails()] == ["claim_seat"]


def test_taking_back_a_free_seat_changes_nothing(app: Flask) -> None:
    sold = sell(quantity=1)
    before = snapshot(sold)

    take_back(sold, sold.seat())

    assert snapshot(sold) == before


def test_a_learner_who_opened_no_lesson_loses_the_seat_and_is_told(app: Flask) -> None:
    sold = sell(quantity=1)
    invite(sold, MAYA)
    user = claim_seat(claim_token(sold.seat()))
    assert list_open_course_ids(user_id=user.id) == {sold.course.id}

    take_back(sold, sold.seat())

    assert list_open_course_ids(user_id=user.id) == set()
    assert states(sold) == [("free", "")]
    lost = mails(template="seat_lost")
    assert [(mail.to_address, mail.data["cause"]) for mail in lost] == [(MAYA, "reassigned")]


def test_an_owner_who_gives_their_own_seat_away_gets_no_mail_about_it(app: Flask) -> None:
    user = make_user(email=BUYER)
    sold = sell(quantity=1, takes_seat=True, user=user)

    reassign(sold, sold.seat(), MAYA)

    assert live_grants(user.id) == 0
    assert [mail.template for mail in mails()] == ["claim_seat"]


@pytest.mark.parametrize("use", [open_lesson, complete_lesson])
def test_a_seat_that_was_used_stays_with_its_learner(app: Flask, use: Any) -> None:
    sold = sell(quantity=1)
    invite(sold, MAYA)
    user = claim_seat(claim_token(sold.seat()))
    lesson_id = first_lesson_id(sold)
    use(user_id=user.id, course_id=sold.course.id, lesson_id=lesson_id)
    before = snapshot(sold)

    for change in (lambda: take_back(sold, sold.seat()), lambda: reassign(sold, sold.seat(), NIA)):
        with pytest.raises(SeatUsed):
            change()

    assert snapshot(sold) == before
    assert list_open_course_ids(user_id=user.id) == {sold.course.id}
    assert list_seats(order_item_ids=[sold.item_id])[0].is_used


def test_lessons_opened_before_the_seat_was_taken_do_not_count(app: Flask, moving_clock: MovableClock) -> None:
    course = make_course()
    first, second = sell(quantity=1, course=course), sell(quantity=1, course=course)
    invite(first, MAYA)
    user = claim_seat(claim_token(first.seat()))
    open_lesson(user_id=user.id, course_id=course.id, lesson_id=first_lesson_id(first))
    moving_clock.advance(minutes=1)
    invite(second, MAYA)
    claim_seat(claim_token(second.seat()))

    take_back(second, second.seat())

    assert not list_seats(order_item_ids=[second.item_id])[0].is_used
    assert list_open_course_ids(user_id=user.id) == {course.id}, "the first seat keeps the course open"


def test_a_seat_changes_hands_in_one_step(app: Flask) -> None:
    sold = sell(quantity=2)
    invite(sold, MAYA)
    token = claim_token(sold.seat())
    maya = claim_seat(token)

    reassign(sold, sold.seat(), NIA)

    assert states(sold) == [("invited", NIA), ("free", "")]
    with pytest.raises(InvitationReplaced):
        claim_seat(token)
    nia = claim_seat(claim_token(sold.seat()))
    assert (live_grants(maya.id), live_grants(nia.id)) == (0, 1)


def test_a_former_holder_who_gets_the_seat_back_may_open_the_course_again(app: Flask) -> None:
    sold = sell(quantity=1)
    invite(sold, MAYA)
    maya = claim_seat(claim_token(sold.seat()))
    reassign(sold, sold.seat(), NIA)
    reassign(sold, sold.seat(), MAYA)
    assert live_grants(maya.id) == 0

    claim_seat(claim_token(sold.seat()))

    assert live_grants(maya.id) == 1
    assert list_open_course_ids(user_id=maya.id) == {sold.course.id}


def test_passing_a_seat_on_twice_is_one_mail_whose_link_stays_good(app: Flask) -> None:
    sold = sell(quantity=1)
    invite(sold, MAYA)
    reassign(sold, sold.seat(), NIA)
    token = claim_token(sold.seat())
    assert send_due() == [NIA]
    before = snapshot(sold)

    reassign(sold, sold.seat(), NIA)

    assert (snapshot(sold), send_due()) == (before, [])
    nia = claim_seat(token)
    with pytest.raises(AddressHasSeat):
        reassign(sold, sold.seat(), NIA)
    assert live_grants(nia.id) == 1


@pytest.mark.parametrize("email", [MAYA, NIA])
def test_a_seat_cannot_go_to_somebody_who_has_one(app: Flask, email: str) -> None:
    sold = sell(quantity=3)
    invite(sold, MAYA, NIA, TOM)
    claim_seat(claim_token(sold.seat(1)))
    before = snapshot(sold)

    with pytest.raises(AddressHasSeat):
        reassign(sold, sold.seat(3), email)

    assert snapshot(sold) == before


def test_a_seat_cannot_go_to_a_mailbox_that_rests(app: Flask) -> None:
    for _ in range(MAILS_PER_ADDRESS):
        invite(sell(quantity=1), NIA)
    sold = sell(quantity=1)
    invite(sold, MAYA)
    before = snapshot(sold)

    with pytest.raises(MailboxRests):
        reassign(sold, sold.seat(), NIA)

    assert snapshot(sold) == before


def test_a_seat_is_passed_on_twenty_times_at_most(app: Flask) -> None:
    sold = sell(quantity=1)
    for number in range(1, MOST_INVITATIONS):
        invite(sold, f"person{number}@example.org")
        take_back(sold, sold.seat())
    invite(sold, MAYA)

    with pytest.raises(SeatWorn):
        take_back(sold, sold.seat())

    assert states(sold) == [("invited", MAYA)]


def test_a_closed_seat_is_nobodys_to_pass_on(app: Flask) -> None:
    sold = sell(quantity=1)
    invite(sold, MAYA)
    with transaction():
        set_seat_statuses(order_item_ids=[sold.item_id], status="revoked", refunded_seat_ids=())

    with pytest.raises(SeatClosed):
        take_back(sold, sold.seat())


def test_another_orders_seat_does_not_exist(app: Flask) -> None:
    mine, other = sell(quantity=1), sell(quantity=1)
    invite(other, MAYA)
    seat = other.seat()
    before = snapshot(other)

    for change in (
        lambda: resend_invitation(order_item_id=mine.item_id, seat_public_id=seat.public_id, occasion=mine.occasion),
        lambda: take_back(mine, seat),
        lambda: reassign(mine, seat, NIA),
    ):
        with pytest.raises(NotFound):
            change()

    assert snapshot(other) == before


def first_lesson_id(sold: Sold) -> int:
    return db.session.query(Lesson.id).filter_by(course_id=sold.course.id, position=1).scalar()
