"""Everybody at once around one seat or one link; beside each race its control, which goes wrong (see tests/races.py)."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

import app.enrollment.invitations as invitations_module
import app.enrollment.seats as seats_module
import app.enrollment.shared_links as links_module
from app import clock
from app.catalog.models import Lesson
from app.db import db
from app.enrollment.invitations import free_seat, invite_addresses, was_opened
from app.enrollment.models import Grant, Seat, SeatLink
from app.enrollment.seats import claim_seat, claim_seat_into
from app.enrollment.services import list_open_course_ids, open_lesson
from app.enrollment.shared_links import find_shared_link, join_by_mail, join_into, make_join_token, open_shared_link
from tests.enrollment.teams import BUYER, Sold, claim_token, live_grants, mails, sell
from tests.factories import make_user
from tests.races import Pause, kinds, run_at_once

pytestmark = pytest.mark.slow

NIA = "nia@example.org"


def share(sold: Sold, limit: int) -> str:
    open_shared_link(order_item_id=sold.item_id, limit_count=limit)
    link = find_shared_link(order_item_id=sold.item_id)
    assert link is not None
    db.session.rollback()
    return make_join_token(link)


def used_count() -> int:
    db.session.rollback()
    return db.session.query(SeatLink.used_count).scalar()


def take_back(sold: Sold) -> None:
    seat = sold.seat()
    free_seat(
        order_item_id=sold.item_id, seat_public_id=seat.public_id, titles=(sold.course.title,), owner_emails={BUYER}
    )


# One seat, two people


def test_a_seat_wanted_by_two_accounts_goes_to_one(app: Flask) -> None:
    sold, people = sell(quantity=1, takes_seat=True), [make_user() for _ in range(6)]
    token = claim_token(sold.seat())
    ids = [person.id for person in people]
    db.session.rollback()

    outcomes = run_at_once(
        app, *[lambda user_id=user_id: claim_seat_into(token, user_id=user_id) for user_id in ids],
        lambda: claim_seat(token),
    )  # fmt: skip

    assert kinds(outcomes)["SeatTaken"] == 6, outcomes
    holder = sold.seat().claimed_by_id
    assert holder is not None
    assert db.session.query(Grant.user_id).all() == [(holder,)]


def test_control_a_check_before_the_write_gives_one_seat_to_two_accounts(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold, people = sell(quantity=1, takes_seat=True), [make_user() for _ in range(2)]
    token, ids = claim_token(sold.seat()), [person.id for person in people]
    course_id = sold.course.id
    db.session.rollback()
    pause, real = Pause(2), seats_module.get_seat_offer

    def check_early(token: str) -> Any:
        offer = real(token)
        pause.wait()
        return offer

    def write_anyway(*, seat_id: int, user_id: int) -> bool:
        moment = clock.now()
        db.session.execute(update(Seat).where(Seat.id == seat_id).values(claimed_by_id=user_id, claimed_at=moment))
        db.session.add(Grant(user_id=user_id, course_id=course_id, seat_id=seat_id, granted_at=moment))
        return True

    monkeypatch.setattr(seats_module, "get_seat_offer", check_early)
    monkeypatch.setattr(seats_module, "seat_user", write_anyway)

    run_at_once(app, *[lambda user_id=user_id: claim_seat_into(token, user_id=user_id) for user_id in ids])

    assert [live_grants(user_id) for user_id in ids] == [1, 1]


# The last use of a shared link


def join_at_once(app: Flask, sold: Sold, token: str, people: int) -> list[Any]:
    occasion = sold.occasion
    db.session.rollback()
    return run_at_once(
        app,
        *[
            lambda number=number: join_by_mail(token=token, email=f"person{number}@example.org", occasion=occasion)
            for number in range(people)
        ],
    )


def test_the_last_use_of_a_link_is_one_of_eight_peoples(app: Flask) -> None:
    sold = sell(quantity=9)
    token = share(sold, limit=1)

    outcomes = join_at_once(app, sold, token, 8)

    assert kinds(outcomes) == {"NoneType": 1, "LinkFull": 7}, outcomes
    assert (used_count(), len(mails())) == (1, 1)
    assert sum(seat.invited_email is not None for seat in sold.seats()) == 1


def test_eight_people_share_three_free_seats(app: Flask) -> None:
    sold = sell(quantity=3)
    token = share(sold, limit=3)

    outcomes = join_at_once(app, sold, token, 8)

    assert kinds(outcomes) == {"NoneType": 3, "LinkFull": 5}, outcomes
    invited = [seat.invited_email for seat in sold.seats()]
    assert None not in invited
    assert len(set(invited)) == 3
    assert (used_count(), len(mails())) == (3, 3)


def test_a_use_that_finds_every_seat_given_out_is_not_counted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    sold = sell(quantity=3)
    token = share(sold, limit=3)
    invite_addresses(order_item_id=sold.item_id, addresses=[NIA, "tom@example.org"], occasion=sold.occasion)
    pause, real = Pause(2), links_module.get_shared_link

    def look_together(token: str) -> Any:
        link = real(token)
        pause.wait()
        return link

    monkeypatch.setattr(links_module, "get_shared_link", look_together)

    outcomes = join_at_once(app, sold, token, 2)

    assert kinds(outcomes) == {"NoneType": 1, "LinkFull": 1}, outcomes
    assert used_count() == 1


def test_a_kept_seat_that_its_mailed_link_took_first_is_not_taken_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold, user, rival = sell(quantity=2), make_user(email=NIA), make_user()
    token, user_id, rival_id = share(sold, limit=2), user.id, rival.id
    join_by_mail(token=token, email=NIA, occasion=sold.occasion)
    kept = sold.seat_ids[0]

    def find_a_moment_too_late(_order_item_id: int, _email: str) -> int:
        moment = clock.now()
        db.session.execute(update(Seat).where(Seat.id == kept).values(claimed_by_id=rival_id, claimed_at=moment))
        return kept

    monkeypatch.setattr(links_module, "_find_kept_seat", find_a_moment_too_late)

    with pytest.raises(links_module.LinkFull):
        join_into(token=token, user_id=user_id)

    assert live_grants(user_id) == 0


def test_control_a_count_before_the_write_lets_everybody_through(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    sold = sell(quantity=9)
    token = share(sold, limit=1)
    pause, real = Pause(4), links_module.get_shared_link

    def check_early(token: str) -> Any:
        link = real(token)
        pause.wait()
        return link

    def count_anyway(_public_id: str) -> bool:
        return True

    monkeypatch.setattr(links_module, "get_shared_link", check_early)
    monkeypatch.setattr(links_module, "count_use", count_anyway)

    outcomes = join_at_once(app, sold, token, 4)

    assert kinds(outcomes) == {"NoneType": 4}, outcomes
    assert sum(seat.invited_email is not None for seat in sold.seats()) == 4, "four seats for a limit of one"


def test_one_person_in_six_tabs_gets_one_seat(app: Flask) -> None:
    sold, user = sell(quantity=6), make_user(email=NIA)
    token, user_id = share(sold, limit=6), user.id

    run_at_once(app, *[lambda: join_into(token=token, user_id=user_id)] * 6)

    assert sum(seat.claimed_by_id == user_id for seat in sold.seats()) == 1
    assert (used_count(), live_grants(user_id)) == (1, 1)


# One list sent twice


def test_one_list_sent_four_times_at_once_invites_everybody_once(app: Flask) -> None:
    sold = sell(quantity=5)
    people = [f"person{number}@example.org" for number in range(3)]
    item_id, occasion = sold.item_id, sold.occasion
    db.session.rollback()

    reports = run_at_once(
        app, *[lambda: invite_addresses(order_item_id=item_id, addresses=people, occasion=occasion)] * 4
    )

    assert sorted(len(report.invited) for report in reports) == [0, 0, 0, 3], reports
    assert [seat.invited_email for seat in sold.seats()] == [*people, None, None]
    assert len(mails()) == 3


def test_control_a_list_of_the_invited_read_before_the_lock_invites_them_twice(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = sell(quantity=4)
    item_id, occasion = sold.item_id, sold.occasion
    db.session.rollback()
    pause = Pause(2)

    def read_early(_order_item_id: int) -> set[str]:
        return set()

    def invite_late() -> Any:
        pause.wait()
        return invite_addresses(order_item_id=item_id, addresses=[NIA], occasion=occasion)

    monkeypatch.setattr(invitations_module, "list_addresses", read_early)

    run_at_once(app, invite_late, invite_late)

    assert [seat.invited_email for seat in sold.seats()] == [NIA, NIA, None, None]


# Taking back while it is taken


@pytest.mark.parametrize("_turn", range(4))
def test_a_seat_withdrawn_while_it_is_claimed_is_one_or_the_other(app: Flask, _turn: int) -> None:
    sold = sell(quantity=1)
    invite_addresses(order_item_id=sold.item_id, addresses=[NIA], occasion=sold.occasion)
    token = claim_token(sold.seat())
    db.session.rollback()

    claimed, withdrawn = run_at_once(app, lambda: claim_seat(token), lambda: take_back(sold))

    # Withdrawn last in either order, for no lesson was opened: nobody sits there, and nobody may open the course.
    assert withdrawn is None, withdrawn
    seat = sold.seat()
    assert (seat.claimed_by_id, seat.invited_email) == (None, None)
    assert type(claimed).__name__ in {"User", "InvitationReplaced"}, claimed
    if type(claimed).__name__ == "User":
        assert live_grants(claimed.id) == 0


def test_control_without_the_version_a_withdrawn_link_takes_the_seat(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold = sell(quantity=1)
    invite_addresses(order_item_id=sold.item_id, addresses=[NIA], occasion=sold.occasion)
    token = claim_token(sold.seat())
    db.session.rollback()
    real = seats_module.get_seat_offer

    def read_then_withdraw(token: str) -> Any:
        offer = real(token)
        take_back(sold)
        return offer

    monkeypatch.setattr(seats_module, "get_seat_offer", read_then_withdraw)
    with pytest.raises(seats_module.InvitationReplaced):
        claim_seat(token)
    assert sold.seat().claimed_by_id is None

    monkeypatch.setattr(seats_module, "_take", lambda offer, *, user_id: take_without_version(offer, user_id))
    monkeypatch.setattr(seats_module, "get_seat_offer", real)
    invite_addresses(order_item_id=sold.item_id, addresses=[NIA], occasion=sold.occasion)
    token = claim_token(sold.seat())
    db.session.rollback()
    monkeypatch.setattr(seats_module, "get_seat_offer", read_then_withdraw)
    user = claim_seat(token)

    assert sold.seat().claimed_by_id == user.id, "a link that was withdrawn took the seat"


def take_without_version(offer: Any, user_id: int) -> None:
    seats_module.seat_user(seat_id=offer.seat_id, user_id=user_id)


# Taking back while the first lesson opens


def prepare_learner(sold: Sold) -> tuple[int, int]:
    invite_addresses(order_item_id=sold.item_id, addresses=[NIA], occasion=sold.occasion)
    user_id = claim_seat(claim_token(sold.seat())).id
    lesson_id = db.session.query(Lesson.id).filter_by(course_id=sold.course.id, position=1).scalar()
    db.session.rollback()
    return user_id, lesson_id


@pytest.mark.parametrize("_turn", range(4))
def test_a_seat_taken_back_while_its_first_lesson_opens_is_one_or_the_other(app: Flask, _turn: int) -> None:
    sold = sell(quantity=1)
    user_id, lesson_id = prepare_learner(sold)
    course_id = sold.course.id

    opened, taken_back = run_at_once(
        app,
        lambda: open_lesson(user_id=user_id, course_id=course_id, lesson_id=lesson_id),
        lambda: take_back(sold),
    )

    assert opened is None, opened
    is_used = was_used(sold, user_id)
    is_open = course_id in list_open_course_ids(user_id=user_id)
    assert type(taken_back).__name__ in {"NoneType", "SeatUsed"}, taken_back
    assert (is_used, is_open) == ((True, True) if taken_back is not None else (False, False))


def test_control_a_look_before_the_lock_takes_a_used_seat_back(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    sold = sell(quantity=1)
    user_id, lesson_id = prepare_learner(sold)
    course_id = sold.course.id
    seen: list[bool] = []
    pause = Pause(2)

    def look_early(**_values: Any) -> bool:
        return seen[0]

    def look_then_take_back() -> None:
        seen.append(was_used(sold, user_id))
        pause.wait()
        pause.wait()
        take_back(sold)

    def open_between() -> None:
        pause.wait()
        open_lesson(user_id=user_id, course_id=course_id, lesson_id=lesson_id)
        pause.wait()

    monkeypatch.setattr(invitations_module, "was_opened", look_early)
    outcomes = run_at_once(app, look_then_take_back, open_between)

    assert kinds(outcomes) == {"NoneType": 2}, outcomes
    assert live_grants(user_id) == 0, "the learner had opened a lesson and lost the seat all the same"


def was_used(sold: Sold, user_id: int) -> bool:
    seat = sold.seat()
    if seat.claimed_by_id is None:
        return False
    used = was_opened(user_id=user_id, seat=seat)
    db.session.rollback()
    return used
