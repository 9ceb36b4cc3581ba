"""Why a course is open or not, told of teams, gifts, bundles and several purchases: to each only what is theirs."""

from datetime import timedelta

from sqlalchemy import update

from app import clock
from app.checkout.findings import record_finding
from app.db import transaction
from app.enrollment.models import Grant, Seat
from app.formatting import date_long
from app.mail.models import Message
from app.reports.access import explain_access, explain_courses
from tests.checkout.conftest import Shop
from tests.factories import make_course, make_user
from tests.queries import count_queries
from tests.reports.purchases import buy_as_guest, claim, payment_intent
from tests.reports.worlds import (
    add_entry,
    make_gift,
    make_grant,
    make_link_mail,
    make_order,
    make_refund_request,
    make_seat,
    tell,
)


def test_a_seat_that_was_gone_when_the_money_came_is_told(shop: Shop) -> None:
    user, course = make_user(), make_course(title="Knitting")
    order = make_order(course, buyer=user, state="refunded")
    add_entry(order, "refund")
    record_finding(key=f"capacity:{order.public_id}", order_id=order.id, kind="late_payment", detail="late")

    trace = explain_access(course_id=course.id, user_id=user.id)

    assert (trace.verdict.code, trace.verdict.fix) == ("sold_out", "refund")
    assert trace.cause.sentence == "Every seat was taken before the payment arrived"


def test_the_refund_of_one_seat_is_told_to_that_seat_only(shop: Shop) -> None:
    course = make_course(title="Knitting")
    manager, ann, bob = make_user(), make_user(email="ann@example.org"), make_user(email="bob@example.org")
    order = make_order(course, buyer=manager, quantity=3, purpose="team", state="partially_refunded")
    own = make_seat(order, holder=manager)
    lost = make_seat(order, holder=ann, status="revoked")
    kept = make_seat(order, holder=bob)
    moment = clock.now()
    make_grant(manager, course, seat=own)
    make_grant(ann, course, seat=lost, revoked_at=moment)
    make_grant(bob, course, seat=kept)
    request = make_refund_request(order, seat=lost, stripe_refund_id="re_1")
    add_entry(order, "refund", 9700, stripe_object_id="re_1", refund_request_id=request)

    trace = explain_access(course_id=course.id, user_id=ann.id)
    others = [explain_access(course_id=course.id, user_id=each.id) for each in (manager, bob)]

    assert trace.verdict.code == "seat_refunded"
    assert trace.verdict.sentence == "The money for your seat went back to its buyer, so Knitting is closed."
    assert trace.verdict.fix == "contact"
    assert ("refund", "broken", "The money for the seat went back to its buyer") in tell(trace)
    assert not any("$" in step.sentence for step in trace.steps)
    assert [each.verdict.code for each in others] == ["open", "open"]
    assert not any(step.kind == "refund" for each in others for step in each.steps)


def test_a_colleague_reads_nothing_of_the_buyer_or_the_others(shop: Shop) -> None:
    course = make_course(title="Knitting")
    order = make_order(course, email="boss@example.com", quantity=2, purpose="team")
    boss = make_seat(order, email="boss@example.com")
    seat = make_seat(order, email="ann@example.org")
    make_link_mail(boss)
    make_link_mail(seat)

    trace = explain_access(course_id=course.id, seat_public_id=seat.public_id)

    assert trace.verdict.code == "unclaimed"
    end = date_long(clock.now() + timedelta(days=30))
    assert tell(trace) == [
        ("order", "ok", "A seat was ordered for you"),
        ("payment", "ok", "The seat was paid for"),
        ("seat", "ok", "Seat 2 of 2 was set aside for a•••@example.org"),
        ("mail", "ok", "The link was sent to a•••@example.org"),
        ("claim", "missing", f"The link wasn’t used yet; it works until {end}"),
    ]


def test_whoever_had_a_seat_before_learns_nothing_of_who_has_it_now(shop: Shop) -> None:
    course = make_course(title="Knitting")
    ann, bob = make_user(email="ann@example.org"), make_user(email="bob@example.org")
    order = make_order(course, email="boss@example.com", quantity=1, purpose="team", takes_seat=False)
    seat = make_seat(order, holder=bob, claim_version=2)
    make_grant(ann, course, seat=seat, revoked_at=clock.now())
    make_grant(bob, course, seat=seat)

    trace = explain_access(course_id=course.id, user_id=ann.id)

    assert trace.verdict.code == "closed"
    assert trace.verdict.sentence == f"Your access to Knitting was closed on {date_long(clock.now())}."
    assert tell(trace)[2:] == [
        ("grant", "ok", "Course opened"),
        ("seat", "broken", "The seat was given to somebody else"),
        ("grant", "broken", "Access closed"),
    ]
    assert "bob@" not in str(trace)
    assert "b•••" not in str(trace)


def test_a_buyer_who_gave_the_own_seat_away_is_told_to_whom(shop: Shop) -> None:
    course = make_course(title="Knitting")
    order = make_order(course, email="boss@example.com", quantity=2, purpose="team")
    make_seat(order, email="zoe@example.org")

    trace = explain_access(course_id=course.id, order_public_id=order.public_id)

    assert trace.verdict.code == "reassigned"
    assert trace.verdict.sentence == "Your seat in Knitting was given to z•••@example.org."


def test_a_manager_without_a_seat_is_sent_to_the_seats(shop: Shop) -> None:
    manager, course = make_user(), make_course(title="Knitting")
    order = make_order(course, buyer=manager, quantity=2, purpose="team", takes_seat=False)
    make_seat(order)
    make_seat(order, email="ann@example.org")

    trace = explain_access(course_id=course.id, user_id=manager.id)

    assert (trace.verdict.code, trace.verdict.fix) == ("unassigned", "seats")
    assert tell(trace)[-1] == ("seat", "missing", "The seats are yours to give out, and none is set aside for you")


def test_a_gift_is_told_to_its_giver_and_to_its_recipient(shop: Shop) -> None:
    giver, course = make_user(email="gil@example.org"), make_course(title="Knitting")
    day = clock.now() + timedelta(days=40)
    order = make_order(course, buyer=giver, purpose="gift")
    make_gift(order, email="rosa@example.org", send_at=day)
    seat = make_seat(order, email="rosa@example.org")
    make_link_mail(seat, template="gift_seat", send_after=day, sent_at=None, attempt_count=0)

    waiting = explain_access(course_id=course.id, order_public_id=order.public_id)
    with transaction() as session:
        session.execute(update(Message).values(sent_at=clock.now(), send_after=clock.now(), attempt_count=1))
    sent = [explain_access(course_id=course.id, order_public_id=order.public_id)]
    sent.append(explain_access(course_id=course.id, seat_public_id=seat.public_id))
    rosa = make_user(email="rosa@example.org")
    with transaction() as session:
        session.execute(update(Seat).values(claimed_by_id=rosa.id, claimed_at=clock.now()))
    make_grant(rosa, course, seat=seat)
    opened = [explain_access(course_id=course.id, order_public_id=order.public_id)]
    opened.append(explain_access(course_id=course.id, seat_public_id=seat.public_id))

    assert (waiting.verdict.code, waiting.verdict.fix) == ("gift_scheduled", "wait")
    assert waiting.verdict.sentence == f"Knitting goes to r•••@example.org on {date_long(day)}."
    assert waiting.cause.sentence == f"The gift goes to r•••@example.org on {date_long(day)}"
    assert [each.verdict.code for each in sent] == ["gift_unclaimed", "unclaimed"]
    assert [each.verdict.code for each in opened] == ["gift_opened", "open"]
    assert opened[0].verdict.sentence == "Knitting is open in the account of r•••@example.org, to whom you gave it."


def test_grants_by_hand_are_told_without_their_inner_reason(shop: Shop) -> None:
    user, admin, course = make_user(email="maya@example.org"), make_user(), make_course(title="Knitting")
    make_grant(user, course, reason="Board member's niece", granted_by_id=admin.id)

    trace = explain_access(course_id=course.id, user_id=user.id)
    with transaction() as session:
        session.execute(update(Grant).values(revoked_at=clock.now()))
    closed = explain_access(course_id=course.id, user_id=user.id)

    assert trace.verdict.code == "open"
    assert tell(trace) == [("grant", "ok", "Course opened by our team")]
    assert trace.cause.ids["reason"] == "Board member's niece"
    assert (closed.verdict.code, closed.verdict.fix) == ("closed", "contact")
    assert tell(closed)[-1] == ("grant", "broken", "Access closed by our team")


def test_another_purchase_keeps_the_course_open_and_says_so(shop: Shop) -> None:
    user, course = make_user(), make_course()
    first = shop.buy(course, user=user)
    shop.control(f"/refund/{payment_intent(shop, first.order_public_id)}")
    shop.deliver_all()
    second = shop.buy(course, user=user)

    trace = explain_access(course_id=course.id, user_id=user.id)

    assert trace.verdict.code == "open"
    assert trace.order_public_id == second.order_public_id
    assert [step.kind for step in trace.steps].count("order") == 2
    assert trace.cause.strand == f"{second.order_public_id}/1"


def test_a_bundle_is_told_course_by_course_in_one_reading(shop: Shop) -> None:
    user, first, second = make_user(), make_course(), make_course()
    order = make_order(first, second, buyer=user)
    seat = make_seat(order, holder=user)
    make_grant(user, first, seat=seat)
    make_grant(user, second, seat=seat, expires_at=clock.now())

    with count_queries() as one:
        explain_courses(course_ids=[first.id], order_public_id=order.public_id)
    with count_queries() as both:
        traces = explain_courses(order_public_id=order.public_id)

    assert [(each.course_id, each.verdict.code) for each in traces] == [(first.id, "open"), (second.id, "access_ended")]
    assert len(both) == len(one)


def test_an_account_sees_the_course_in_another_account_of_theirs(shop: Shop) -> None:
    course = make_course(title="Knitting")
    order = buy_as_guest(shop, course, email="gia@example.org")
    claim("gia@example.org")
    other = make_user(email="other@example.net")

    trace = explain_access(course_id=course.id, user_id=other.id, order_public_id=order)

    assert (trace.verdict.code, trace.verdict.fix) == ("wrong_account", "switch")
    assert trace.verdict.sentence == (
        "Knitting is in the account of g•••@example.org, and you’re signed in as o•••@example.net."
    )
    assert tell(trace)[-1] == ("account", "broken", "You’re signed in as o•••@example.net")


def test_an_address_that_is_not_proved_opens_no_view_of_its_purchases(shop: Shop) -> None:
    course = make_course(title="Knitting")
    buy_as_guest(shop, course, email="gia@example.org")
    squatter = make_user(email="gia@example.org", confirmed_at=None)

    trace = explain_access(course_id=course.id, user_id=squatter.id)
    for_admins = explain_access(course_id=course.id, email="gia@example.org")

    assert trace.verdict.code == "nothing"
    assert ("account", "missing", "The address g•••@example.org isn’t confirmed yet") in tell(trace)
    assert for_admins.verdict.code == "unclaimed"


def test_an_order_says_nothing_of_an_account_that_only_has_the_same_address(shop: Shop) -> None:
    course = make_course()
    victim = make_user(email="gia@example.org")
    make_grant(victim, course)
    order = buy_as_guest(shop, course, email="gia@example.org")

    trace = explain_access(course_id=course.id, order_public_id=order)

    assert trace.user_id is None
    assert trace.verdict.code == "unclaimed"
