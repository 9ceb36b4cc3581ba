"""Seats at the very moment a limit is reached, mails about them whole, and the neighbors that nothing happens to."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app import clock
from app.catalog.models import Lesson
from app.db import db, transaction
from app.enrollment.invitations import SeatUsed, SentRecently, free_seat, invite_addresses, resend_invitation
from app.enrollment.models import Grant
from app.enrollment.seat_mails import Occasion, may_mail, queue_invitation
from app.enrollment.seat_views import SeatView, list_seats
from app.enrollment.seats import SeatOffer, claim_seat, get_seat_offer
from app.enrollment.services import (
    NO_PROGRESS,
    Progress,
    complete_lesson,
    get_progress,
    list_open_course_ids,
    open_lesson,
    reopen_lesson,
)
from app.enrollment.shared_links import (
    SharedLink,
    find_shared_link,
    get_shared_link,
    join_by_mail,
    make_join_token,
    open_shared_link,
)
from app.signing import LinkExpired
from tests.conftest import MovableClock
from tests.enrollment.teams import Sold, claim_token, mails, sell, sell_gift
from tests.factories import make_course

MAYA, NIA = "maya@example.org", "nia@example.org"


@pytest.fixture
def still_clock(moving_clock: MovableClock) -> MovableClock:
    """Time stands, on a whole second, until a test moves it."""
    moving_clock.freeze(clock.now().replace(microsecond=0))
    return moving_clock


def invite(sold: Sold, *addresses: str) -> None:
    invite_addresses(order_item_id=sold.item_id, addresses=addresses, occasion=sold.occasion)


def claim_url(sold: Sold, *, version: int = 1) -> dict[str, Any]:
    return {
        "path": "/seats/claim/{token}",
        "purpose": "seat-claim",
        "value": [sold.seat().public_id, version],
    }


# Mails


def test_invitation_says_what_it_is_for_and_from_whom(app: Flask) -> None:
    sold = sell(quantity=2)
    invite(sold, NIA)

    [mail] = mails(NIA)
    assert (mail.key, mail.template) == (f"claim:{sold.seat().public_id}:1", "claim_seat")
    assert mail.data == {
        "titles": [sold.course.title],
        "from_name": "Maya Okafor",
        "days": 30,
        "claim_url": claim_url(sold),
        "order_number": "NSL-1",
    }


def test_gift_says_for_whom_it_is_and_what_was_written(app: Flask) -> None:
    sold = sell_gift(message="Happy birthday!")

    [mail] = mails(NIA)
    assert (mail.key, mail.template) == (f"claim:{sold.seat().public_id}:1", "gift_seat")
    assert mail.data == {
        "titles": [sold.course.title],
        "from_name": "Maya Okafor",
        "days": 30,
        "claim_url": claim_url(sold),
        "recipient_name": "Nia",
        "message": "Happy birthday!",
    }


def test_mail_about_a_seat_that_is_gone_says_why(app: Flask) -> None:
    sold = sell(quantity=2)
    invite(sold, NIA)
    claim_seat(claim_token(sold.seat()))

    free_seat(
        order_item_id=sold.item_id, seat_public_id=sold.seat().public_id, titles=("One", "Two"), owner_emails=set()
    )

    [mail] = mails(NIA, "seat_lost")
    assert mail.key == f"seat-lost:{sold.seat().public_id}:2:reassigned"
    assert mail.data == {
        "titles": ["One", "Two"],
        "cause": "reassigned",
        "courses_url": {"path": "/account/courses", "purpose": "", "value": ""},
    }


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("  Maya\n Okafor ", "Maya Okafor"),
        ("x" * 81, "x" * 80),
        ("Dr. Maya", "Dr. Maya"),
        ("evil.example", ""),
        ("a/b", ""),
        ("a:b", ""),
        ("a@b", ""),
        ("<b>", ""),
        ("b>", ""),
    ],
)
def test_name_in_a_mail_is_one_line_and_no_link(app: Flask, name: str, shown: str) -> None:
    sold = sell(quantity=2)
    occasion = Occasion(titles=("One",), order_number="NSL-1", from_name=name)
    invite_addresses(order_item_id=sold.item_id, addresses=[NIA], occasion=occasion)

    assert [mail.data["from_name"] for mail in mails(NIA)] == [shown]


# Limits


def test_invitation_may_be_sent_again_at_ten_minutes_and_gets_thirty_days_from_then(
    app: Flask, still_clock: MovableClock
) -> None:
    sold = sell(quantity=1)
    invite(sold, NIA)
    seat = sold.seat()

    def resend() -> str:
        return resend_invitation(order_item_id=sold.item_id, seat_public_id=seat.public_id, occasion=sold.occasion)

    still_clock.advance(minutes=9, seconds=59)
    with pytest.raises(SentRecently):
        resend()
    still_clock.advance(seconds=1)

    assert resend() == NIA
    assert sold.seat().claim_expires_at == clock.now() + timedelta(days=30)
    assert sold.seat().invited_at == clock.now() - timedelta(minutes=10)
    assert [mail.key for mail in mails(NIA)][1] == f"claim:{seat.public_id}:1:{clock.now():%Y%m%d%H%M%S}"


def test_link_of_a_seat_ends_after_its_last_second(app: Flask, still_clock: MovableClock) -> None:
    sold = sell(quantity=1)
    invite(sold, NIA)
    token = claim_token(sold.seat())

    still_clock.advance(days=30)
    assert get_seat_offer(token) == SeatOffer(
        seat_id=sold.seat().id,
        email=NIA,
        course_ids=(sold.course.id,),
        is_taken=False,
        is_closed=False,
        order_item_id=sold.item_id,
        claim_version=1,
        claimed_by_id=None,
    )
    still_clock.advance(seconds=1)
    with pytest.raises(LinkExpired):
        get_seat_offer(token)


def test_mailbox_rests_after_five_invitations_until_the_first_is_a_day_old(
    app: Flask, still_clock: MovableClock
) -> None:
    for _ in range(4):
        invite(sell(quantity=1), NIA)
    assert may_mail(NIA)
    sell_gift()
    assert not may_mail(NIA)
    assert may_mail(MAYA)

    still_clock.advance(hours=23, minutes=59, seconds=59)
    assert not may_mail(NIA)
    still_clock.advance(seconds=1)
    assert may_mail(NIA)


def test_shared_link_ends_at_its_thirtieth_day_to_the_second(app: Flask, still_clock: MovableClock) -> None:
    sold = sell(quantity=3)
    open_shared_link(order_item_id=sold.item_id, limit_count=2)
    link = find_shared_link(order_item_id=sold.item_id)
    assert link is not None
    join_by_mail(token=make_join_token(link), email=NIA, occasion=sold.occasion)

    still_clock.advance(days=29, hours=23, minutes=59, seconds=59)
    shown = get_shared_link(make_join_token(link))
    assert shown == SharedLink(
        public_id=link.public_id,
        order_item_id=sold.item_id,
        limit_count=2,
        used_count=1,
        left=1,
        expires_at=clock.now() + timedelta(seconds=1),
        course_ids=(sold.course.id,),
    )
    assert not shown.is_expired
    still_clock.advance(seconds=1)
    assert shown.is_expired
    with pytest.raises(LinkExpired) as caught:
        get_shared_link(make_join_token(link))
    assert caught.value.sentence == "Ask the person who sent it to you. They can make a new one."


def test_grant_ends_at_its_moment(app: Flask, still_clock: MovableClock) -> None:
    course = make_course()
    sold = sell(quantity=1, course=course)
    invite(sold, NIA)
    user = claim_seat(claim_token(sold.seat()))
    with transaction() as session:
        session.scalars(select(Grant)).one().expires_at = clock.now() + timedelta(seconds=1)

    assert list_open_course_ids(user_id=user.id) == {course.id}
    still_clock.advance(seconds=1)
    assert list_open_course_ids(user_id=user.id) == set()


# What an owner sees


def test_seats_are_shown_with_every_time_and_state(app: Flask, still_clock: MovableClock) -> None:
    begun = clock.now()
    sold = sell(quantity=3)
    invite(sold, MAYA, NIA)
    still_clock.advance(days=1)
    user = claim_seat(claim_token(sold.seat(1)))
    one, two, three = (seat.public_id for seat in sold.seats())
    common: dict[str, Any] = {"order_item_id": sold.item_id, "sends_at": None, "is_used": False}

    assert list_seats(order_item_ids=[sold.item_id]) == [
        SeatView(
            **common, public_id=one, position=1, state="taken", email=MAYA, invited_at=begun,
            expires_at=None, claimed_at=clock.now(), claimed_by_id=user.id,
        ),
        SeatView(
            **common, public_id=two, position=2, state="invited", email=NIA, invited_at=begun,
            expires_at=begun + timedelta(days=30), claimed_at=None, claimed_by_id=None,
        ),
        SeatView(
            **common, public_id=three, position=3, state="free", email="", invited_at=None,
            expires_at=None, claimed_at=None, claimed_by_id=None,
        ),
    ]  # fmt: skip
    still_clock.advance(days=29)
    assert [seat.state for seat in list_seats(order_item_ids=[sold.item_id])] == ["taken", "expired", "free"]


def test_gift_is_scheduled_until_its_day(app: Flask, still_clock: MovableClock) -> None:
    day = clock.now() + timedelta(days=3)
    sold = sell_gift(send_at=day)

    [view] = list_seats(order_item_ids=[sold.item_id])
    assert (view.state, view.sends_at, view.expires_at) == ("scheduled", day, day + timedelta(days=30))
    still_clock.advance(days=3)
    [view] = list_seats(order_item_ids=[sold.item_id])
    assert (view.state, view.sends_at, view.expires_at) == ("invited", None, day + timedelta(days=30))


def test_lesson_opened_in_the_second_the_seat_was_taken_counts_as_use(app: Flask, still_clock: MovableClock) -> None:
    sold = sell(quantity=1)
    invite(sold, NIA)
    user = claim_seat(claim_token(sold.seat()))
    lesson = db.session.scalars(select(Lesson).where(Lesson.course_id == sold.course.id).order_by(Lesson.id)).first()
    assert lesson is not None

    open_lesson(user_id=user.id, course_id=sold.course.id, lesson_id=lesson.id)

    assert [seat.is_used for seat in list_seats(order_item_ids=[sold.item_id])] == [True]
    with pytest.raises(SeatUsed):
        free_seat(order_item_id=sold.item_id, seat_public_id=sold.seat().public_id, titles=(), owner_emails=set())


# Neighbors


def test_progress_is_ones_own_and_of_the_lesson_that_was_named(app: Flask, still_clock: MovableClock) -> None:
    course, other = make_course(), make_course()
    users = []
    for email in (MAYA, NIA):
        sold, more = sell(quantity=1, course=course), sell(quantity=1, course=other)
        invite(sold, email)
        invite(more, email)
        users.append(claim_seat(claim_token(sold.seat())))
        claim_seat(claim_token(more.seat()))
    first, second = db.session.scalars(select(Lesson.id).where(Lesson.course_id == course.id).order_by(Lesson.id))
    maya, nia = (user.id for user in users)
    for user_id in (maya, nia):
        for lesson_id in (first, second):
            complete_lesson(user_id=user_id, course_id=course.id, lesson_id=lesson_id)
    open_lesson(user_id=maya, course_id=course.id, lesson_id=second)

    reopen_lesson(user_id=maya, course_id=course.id, lesson_id=first)

    assert get_progress(user_id=maya, course_ids=[course.id, other.id]) == {
        course.id: Progress(done_lesson_ids=frozenset({second}), last_lesson_id=second, last_opened_at=clock.now()),
        other.id: NO_PROGRESS,
    }
    assert get_progress(user_id=nia, course_ids=[course.id]) == {
        course.id: Progress(done_lesson_ids=frozenset({first, second}), last_lesson_id=None, last_opened_at=None)
    }


def test_nothing_of_one_order_touches_the_seats_of_another(app: Flask) -> None:
    sold, neighbor = sell(quantity=2), sell(quantity=2)
    for each in (sold, neighbor):
        invite(each, MAYA)
        open_shared_link(order_item_id=each.item_id, limit_count=2)
    claim_seat(claim_token(neighbor.seat()))
    with transaction():
        queue_invitation(seat_id=neighbor.seat_ids[0], occasion=neighbor.occasion, again="later")
    before = [(seat.invited_email, seat.claimed_by_id, seat.claim_version) for seat in neighbor.seats()]
    queued = [mail.key for mail in mails() if neighbor.seat().public_id in mail.key]

    free_seat(order_item_id=sold.item_id, seat_public_id=sold.seat().public_id, titles=(), owner_emails=set())
    open_shared_link(order_item_id=sold.item_id, limit_count=1)

    assert [(seat.invited_email, seat.claimed_by_id, seat.claim_version) for seat in neighbor.seats()] == before
    assert [mail.key for mail in mails() if neighbor.seat().public_id in mail.key] == queued
    assert [mail.key for mail in mails() if sold.seat().public_id in mail.key] == []
    found = [find_shared_link(order_item_id=each.item_id) for each in (sold, neighbor)]
    assert [(link.limit_count, link.used_count, link.left) for link in found if link is not None] == [
        (1, 0, 1),
        (2, 0, 1),
    ]


def test_buyers_own_seat_comes_from_nobody_and_a_gift_to_oneself_from_its_giver(app: Flask) -> None:
    sell(quantity=2, takes_seat=True, email=MAYA)
    sell_gift(email=NIA)

    assert [mail.data["from_name"] for mail in mails(MAYA)] == [""]
    assert [mail.data["from_name"] for mail in mails(NIA)] == ["Maya Okafor"]
