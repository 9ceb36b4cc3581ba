"""Why a course is open or not, told of real purchases: the verdict, the chain with its times, and how often it reads."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app import clock
from app.checkout.findings import record_finding
from app.checkout.models import LedgerEntry
from app.db import db, transaction
from app.enrollment.models import Grant, Membership, Seat
from app.enrollment.services import list_open_course_ids
from app.errors import NotFound
from app.formatting import date_long
from app.mail.models import Message
from app.reports.access import explain_access, explain_courses, with_silent_stripe
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import get_price, make_course, make_user
from tests.queries import count_queries
from tests.reports.purchases import buy_as_guest, claim, payment_intent
from tests.reports.worlds import (
    add_entry,
    make_grant,
    make_link_mail,
    make_order,
    make_refund_request,
    make_seat,
    tell,
)

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_a_buyer_with_an_account_sees_the_whole_chain(shop: Shop) -> None:
    user, course = make_user(email="maya@example.org"), make_course(title="Knitting", unit_amount=9700)

    started = shop.buy(course, user=user)
    trace = explain_access(course_id=course.id, user_id=user.id)

    order = shop.order(started)
    assert trace.verdict.code == "open"
    assert trace.verdict.sentence == "Knitting is open in the account of m•••@example.org."
    assert trace.verdict.fix == "open"
    assert tell(trace) == [
        ("order", "ok", "Order placed"),
        ("payment", "ok", "$97.00 paid"),
        ("seat", "ok", "A seat was set aside"),
        ("mail", "ok", "The receipt was sent to m•••@example.org"),
        ("claim", "ok", "The seat went into the account of m•••@example.org"),
        ("grant", "ok", "Course opened"),
    ]
    assert trace.cause is trace.steps[-1]
    paid, seat, mail, grant = (
        db.session.scalars(select(LedgerEntry)).one(),
        db.session.scalars(select(Seat)).one(),
        db.session.scalars(select(Message)).one(),
        db.session.scalars(select(Grant)).one(),
    )
    assert [step.at for step in trace.steps] == [
        order.created_at, paid.occurred_at, seat.created_at, mail.sent_at, seat.claimed_at, grant.granted_at,
    ]  # fmt: skip
    assert trace.steps[1].ids["stripe"] == paid.stripe_object_id
    assert trace.steps[1].ids["amount"] == "9700 usd"
    assert trace.steps[3].ids["message_id"] == mail.message_id
    assert trace.as_json()["steps"][1]["at"] == paid.occurred_at.isoformat()
    assert (trace.order_public_id, trace.order_number) == (order.public_id, f"{trace.order_number[:-4]}{order.number}")


def test_a_guest_is_told_of_the_link_until_it_is_used(shop: Shop) -> None:
    course = make_course(title="Knitting")
    order = buy_as_guest(shop, course)

    before = explain_access(course_id=course.id, order_public_id=order)
    claim("gia@example.org")
    after = explain_access(course_id=course.id, order_public_id=order)

    assert before.user_id is None
    assert before.verdict.code == "unclaimed"
    today, end = date_long(clock.now()), date_long(clock.now() + timedelta(days=30))
    assert before.verdict.sentence == f"Open the link we sent to g•••@example.org on {today}, and Knitting is yours."
    assert tell(before)[-1] == ("claim", "missing", f"The link wasn’t used yet; it works until {end}")
    assert before.cause is before.steps[-1]
    assert after.verdict.code == "open"
    assert after.user_id is not None
    assert list_open_course_ids(user_id=after.user_id) == {course.id}
    assert tell(after)[-2:] == [
        ("claim", "ok", "The link was used: the seat went into the account of g•••@example.org"),
        ("grant", "ok", "Course opened"),
    ]


@pytest.mark.parametrize(
    ("method", "outcome", "told"),
    [
        (None, None, ("unpaid", "missing", "The checkout was begun and isn’t paid yet")),
        ("bank_debit", None, ("processing", "waiting", "The bank confirms the payment within 14 business days")),
        ("bank_debit", "succeeded", ("open", "ok", "$97.00 paid")),
        ("bank_debit", "failed", ("failed", "broken", "The payment failed")),
    ],
)
def test_a_payment_on_its_way_is_told_as_far_as_it_came(
    shop: Shop, method: str | None, outcome: str | None, told: tuple[str, str, str]
) -> None:
    user, course = make_user(), make_course()
    started = shop.begin(course, user=user)
    if method is not None:
        shop.pay(started, method=method)
    if outcome is not None:
        shop.control(f"/settle/{started.stripe_checkout_session_id}", {"outcome": outcome})
    shop.deliver_all()

    trace = explain_access(course_id=course.id, user_id=user.id)

    step = trace.steps[1]
    assert step.kind == "payment"
    assert (trace.verdict.code, step.state, step.sentence.partition(":")[0]) == told


def test_a_checkout_that_ended_unpaid_says_when(shop: Shop) -> None:
    user, course = make_user(), make_course(title="Knitting")
    started = shop.begin(course, user=user)
    shop.expire(started)
    shop.deliver_all()

    trace = explain_access(course_id=course.id, user_id=user.id)

    assert trace.verdict.code == "expired"
    assert tell(trace) == [
        ("order", "ok", "Order placed"),
        ("payment", "broken", "The checkout ended before it was paid"),
    ]
    assert trace.cause.at == shop.order(started).expired_at


def test_an_unpaid_order_is_only_being_confirmed_while_stripe_is_silent(shop: Shop) -> None:
    user, course = make_user(), make_course()
    shop.begin(course, user=user)
    trace = explain_access(course_id=course.id, user_id=user.id)

    silent = with_silent_stripe(trace)

    assert (silent.verdict.code, silent.verdict.fix, silent.verdict.is_open) == ("confirming", "wait", False)
    assert silent.steps == trace.steps
    bought = shop.buy(make_course(), user=user)
    paid = explain_courses(order_public_id=bought.order_public_id)[0]
    assert with_silent_stripe(paid) is paid


def test_a_payment_that_does_not_match_waits_for_a_person(shop: Shop) -> None:
    user, course = make_user(), make_course()
    started = shop.begin(course, user=user)
    record_finding(
        key=f"amount_mismatch:{started.order_public_id}",
        order_id=shop.order(started).id,
        kind="amount_mismatch",
        detail="9600",
    )

    trace = explain_access(course_id=course.id, user_id=user.id)

    assert (trace.verdict.code, trace.verdict.fix) == ("under_review", "contact")
    assert tell(trace)[-1] == (
        "payment", "waiting", "The amount paid doesn’t match the order, so a person is looking at it",
    )  # fmt: skip


def test_money_back_is_told_entry_by_entry(shop: Shop) -> None:
    user, course = make_user(), make_course(title="Knitting", unit_amount=9700)
    started = shop.buy(course, user=user)

    shop.control(f"/refund/{payment_intent(shop, started.order_public_id)}", {"amount": 2000})
    shop.deliver_all()
    part = explain_access(course_id=course.id, user_id=user.id)
    shop.control(f"/refund/{payment_intent(shop, started.order_public_id)}", {"amount": 7700})
    shop.deliver_all()
    full = explain_access(course_id=course.id, user_id=user.id)

    assert part.verdict.code == "open"
    assert ("refund", "ok", "$20.00 refunded") in tell(part)
    assert full.verdict.code == "refunded"
    assert full.verdict.sentence == "$97.00 went back to you, so Knitting is closed."
    assert tell(full)[-4:-2] == [("refund", "broken", "$20.00 refunded"), ("refund", "broken", "$77.00 refunded")]
    assert full.cause is full.steps[-3]
    assert tell(full)[-1] == ("grant", "broken", "Access closed")
    assert full.steps[-1].at == db.session.scalars(select(Grant.revoked_at)).one()


def test_a_refund_that_failed_later_leaves_the_course_open(shop: Shop) -> None:
    user, course = make_user(), make_course()
    started = shop.buy(course, user=user, card="4000000000005126")
    shop.control(f"/refund/{payment_intent(shop, started.order_public_id)}")
    shop.deliver_all()
    closed = explain_access(course_id=course.id, user_id=user.id)
    shop.control("/tick", {"seconds": 3600})
    shop.deliver_all()

    trace = explain_access(course_id=course.id, user_id=user.id)

    assert (closed.verdict.code, trace.verdict.code) == ("refunded", "open")
    assert ("refund", "ok", "The refund of $97.00 failed and came back to us") in tell(trace)
    assert {step.state for step in trace.steps} == {"ok"}


@pytest.mark.parametrize(
    ("outcome", "code", "state"),
    [(None, "disputed", "waiting"), ("won", "open", "ok"), ("lost", "dispute_lost", "broken")],
)
def test_a_dispute_is_told_through_its_life(shop: Shop, outcome: str | None, code: str, state: str) -> None:
    user, course = make_user(), make_course()
    started = shop.buy(course, user=user)
    _, dispute = shop.control(f"/dispute/{payment_intent(shop, started.order_public_id)}")
    if outcome is not None:
        shop.control(f"/disputes/{dispute['id']}/close", {"outcome": outcome})
    shop.deliver_all()

    trace = explain_access(course_id=course.id, user_id=user.id)

    assert trace.verdict.code == code
    disputes = [step for step in trace.steps if step.kind == "dispute"]
    assert {step.state for step in disputes} == {state}
    assert disputes[0].sentence == "Your bank opened a dispute about the payment"
    assert disputes[0].ids["stripe"] == dispute["id"]
    assert trace.cause.kind == ("grant" if outcome == "won" else "dispute")


def test_access_that_ran_out_says_when(shop: Shop, moving_clock: MovableClock) -> None:
    user, course = make_user(), make_course(title="Knitting", access_days=30)
    shop.buy(course, user=user)
    ends_at = db.session.scalars(select(Grant.expires_at)).one()
    assert ends_at is not None
    during = explain_access(course_id=course.id, user_id=user.id)

    moving_clock.freeze(ends_at)
    after = explain_access(course_id=course.id, user_id=user.id)

    assert during.verdict.sentence.endswith(f" until {date_long(ends_at)}.")
    assert after.verdict.code == "access_ended"
    assert after.verdict.sentence == f"Your time with Knitting ran out on {date_long(ends_at)}. Your progress is kept."
    assert (after.cause.sentence, after.cause.at) == ("The time of the access ran out", ends_at)


def test_a_link_ends_30_days_after_it_was_sent(shop: Shop, moving_clock: MovableClock) -> None:
    course = make_course()
    order = buy_as_guest(shop, course)
    sent_at = db.session.scalars(select(Message.sent_at).where(Message.template == "claim_seat")).one()
    assert sent_at is not None

    moving_clock.freeze(sent_at + timedelta(days=30, seconds=-1))
    before = explain_access(course_id=course.id, order_public_id=order)
    moving_clock.advance(seconds=1)
    after = explain_access(course_id=course.id, order_public_id=order)

    assert before.verdict.code == "unclaimed"
    assert (after.verdict.code, after.verdict.fix) == ("link_expired", "resend")
    assert (after.cause.state, after.cause.at) == ("broken", sent_at + timedelta(days=30))


@pytest.mark.parametrize(
    ("values", "code", "sentence"),
    [
        ({"sent_at": None, "attempt_count": 0}, "mail_waiting", "The link is about to go to g•••@example.org"),
        (
            {"sent_at": None, "failed_at": "now", "error": "SMTPRecipientsRefused", "attempt_count": 12},
            "mail_failed",
            "The link couldn’t be delivered to g•••@example.org: the mailbox refused it",
        ),
        (
            {"sent_at": None, "failed_at": "now", "error": "TimeoutError", "attempt_count": 12},
            "mail_failed",
            "The link couldn’t be delivered to g•••@example.org",
        ),
    ],
)
def test_what_became_of_the_mail_is_told(shop: Shop, values: dict[str, Any], code: str, sentence: str) -> None:
    course = make_course()
    order = buy_as_guest(shop, course)
    moment = clock.now()
    with transaction() as session:
        changes = {name: moment if value == "now" else value for name, value in values.items()}
        session.execute(update(Message).where(Message.template == "claim_seat").values(send_after=moment, **changes))

    trace = explain_access(course_id=course.id, order_public_id=order)

    assert trace.verdict.code == code
    assert trace.cause.sentence == sentence
    assert trace.cause.ids.get("error", "") == values.get("error", "")


def test_a_mail_that_is_tried_again_says_when(shop: Shop) -> None:
    course = make_course()
    order = buy_as_guest(shop, course)
    with transaction() as session:
        session.execute(
            update(Message)
            .where(Message.template == "claim_seat")
            .values(sent_at=None, error="TimeoutError", send_after=clock.now() + timedelta(minutes=5))
        )

    trace = explain_access(course_id=course.id, order_public_id=order)

    assert (trace.verdict.code, trace.verdict.fix) == ("mail_waiting", "wait")
    assert trace.cause.sentence.startswith("The link couldn’t be delivered to g•••@example.org yet; we try again ")


def test_somebody_without_anything_is_told_so(shop: Shop) -> None:
    user, course = make_user(email="maya@example.org"), make_course(title="Knitting")

    trace = explain_access(course_id=course.id, user_id=user.id)
    unknown = explain_access(course_id=course.id, email="nobody@example.org")

    assert trace.verdict.code == "nothing"
    assert trace.verdict.sentence == "We know of no order, invitation or gift of Knitting for m•••@example.org."
    assert tell(trace) == [("nothing", "missing", "No order, invitation or gift is known for m•••@example.org")]
    assert (unknown.user_id, unknown.verdict.code) == (None, "nothing")


@pytest.mark.parametrize(
    ("status", "is_active", "fix", "last"),
    [
        ("archived", True, "open", ("course", "ok", "The course is no longer sold; whoever has it keeps it")),
        ("draft", True, "open", ("course", "ok", "The course isn’t public at the moment; whoever has it keeps it")),
        ("published", False, "contact", ("account", "broken", "The account of m•••@example.org is closed")),
    ],
)
def test_what_stands_beside_a_live_grant_is_told(
    shop: Shop, status: str, is_active: bool, fix: str, last: tuple[str, str, str]
) -> None:
    user, course = make_user(email="maya@example.org", active=is_active), make_course(status=status)
    make_grant(user, course)

    trace = explain_access(course_id=course.id, user_id=user.id)

    assert (trace.verdict.code, trace.verdict.fix) == ("open", fix)
    assert tell(trace)[-1] == last


@pytest.mark.parametrize(
    ("values", "code", "sentence", "last"),
    [
        ({}, "open", "Knitting is open in the account of m•••@example.org.", "Course opened by your membership"),
        (
            {"suspended_at": NOON},
            "disputed",
            "Your membership is on hold, and Knitting with it.",
            "Access put on hold with your membership",
        ),
        (
            {"revoked_at": NOON},
            "closed",
            "Your membership closed on November 22, 2026, and Knitting with it. Your progress is kept.",
            "Access closed with your membership",
        ),
        (
            {"expires_at": NOON},
            "access_ended",
            "Your membership ran out on November 22, 2026, and Knitting with it. Your progress is kept.",
            "The time of the access ran out",
        ),
    ],
)
def test_a_membership_is_named_where_it_opened_paused_or_ended(
    shop: Shop, moving_clock: MovableClock, *, values: dict[str, Any], code: str, sentence: str, last: str
) -> None:
    moving_clock.freeze(NOON + timedelta(days=1))
    user, course = make_user(email="maya@example.org"), make_course(title="Knitting")
    with transaction() as session:
        membership = Membership(
            public_id="mem_1", user_id=user.id, product_id=get_price(course).product_id, status="active",
            stripe_subscription_id="sub_1", current_period_ends_at=NOON, created_at=NOON,
        )  # fmt: skip
        session.add(membership)
        session.flush()
        membership_id = membership.id
    make_grant(user, course, membership_id=membership_id, **values)

    trace = explain_access(course_id=course.id, user_id=user.id)

    assert (trace.verdict.code, trace.verdict.sentence) == (code, sentence)
    assert tell(trace)[-1][2] == last


def test_the_number_of_reads_does_not_grow_and_nothing_is_written(shop: Shop) -> None:
    course = make_course()
    user = make_user()

    def read() -> list[str]:
        db.session.rollback()
        with count_queries() as statements:
            explain_access(course_id=course.id, user_id=user.id, email="gia@example.org")
        return statements

    def add_purchase() -> None:
        order = make_order(course, buyer=user, quantity=2, purpose="team", state="partially_refunded")
        seat = make_seat(order, holder=user)
        make_link_mail(make_seat(order, email="gia@example.org"))
        make_grant(user, course, seat=seat)
        make_refund_request(order)
        add_entry(order, "refund", 100)

    add_purchase()
    few = read()
    for _ in range(6):
        add_purchase()
    many = read()

    assert len(many) == len(few) <= 18
    assert {statement.split()[0] for statement in many} == {"SELECT"}


@pytest.mark.parametrize(
    "asked",
    [{"user_id": 2**30}, {"order_public_id": "ord_x"}, {"seat_public_id": "seat_x"}, {"user_id": None, "email": None}],
)
def test_what_does_not_exist_cannot_be_explained(shop: Shop, asked: dict[str, Any]) -> None:
    course = make_course()

    with pytest.raises(ValueError if asked == {"user_id": None, "email": None} else NotFound):
        explain_access(course_id=course.id, **asked)
    with pytest.raises(NotFound):
        explain_access(course_id=course.id + 1, user_id=make_user().id)
