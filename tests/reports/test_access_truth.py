"""The verdict is open exactly when the course is open, whatever was bought, given, returned and ended."""

from datetime import timedelta
from typing import Any

from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app import clock
from app.db import db
from app.enrollment.services import list_open_course_ids
from app.reports.access import explain_access
from app.reports.access_words import VERDICTS
from tests.conftest import empty_database
from tests.factories import make_course, make_user
from tests.reports.worlds import add_entry, make_gift, make_grant, make_link_mail, make_order, make_seat

MONEY = {
    "paid": (),
    "partially_refunded": (("refund", 2000),),
    "refunded": (("refund", 9700),),
    "disputed": (("dispute_opened", 9700),),
    "lost": (("dispute_opened", 9700), ("dispute_lost", 0)),
}
UNPAID = ("pending", "processing", "failed", "expired")
SPANS = st.sampled_from([None, timedelta(days=-1), timedelta(0), timedelta(days=1)])

purchases = st.fixed_dictionaries(
    {
        "state": st.sampled_from([*MONEY, *UNPAID]),
        "purpose": st.sampled_from(["self", "team", "gift"]),
        "takes_seat": st.booleans(),
        "buyer": st.sampled_from(["person", "other", "guest", "same address"]),
        "has_seat": st.booleans(),
        "seat_status": st.sampled_from(["active", "active", "suspended", "revoked"]),
        "holder": st.sampled_from(["person", "other", "nobody"]),
        "mail": st.sampled_from(["none", "queued", "sent", "failed", "long ago"]),
        "is_granted": st.booleans(),
        "expires_in": SPANS,
        "is_suspended": st.booleans(),
        "is_revoked": st.booleans(),
        "is_bundle": st.booleans(),
    }
)
hand_grants = st.fixed_dictionaries({"expires_in": SPANS, "is_revoked": st.booleans()})


@given(
    bought=st.lists(purchases, max_size=3),
    by_hand=st.lists(hand_grants, max_size=1),
    status=st.sampled_from(["published", "archived", "draft"]),
)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
def test_open_means_open(app: Flask, bought: list[dict[str, Any]], by_hand: list[dict[str, Any]], status: str) -> None:
    # given
    db.session.rollback()
    empty_database()
    course, bundled = make_course(status=status), make_course()
    person, other = make_user(), make_user()
    tokens = []
    for each in bought:
        buyer = {"person": person, "other": other}.get(each["buyer"])
        email = {"guest": "guest@example.org", "same address": person.email}.get(each["buyer"])
        is_paid = each["state"] in MONEY
        order = make_order(
            *([bundled, course] if each["is_bundle"] else [course]),
            buyer=buyer, email=email, state=each["state"], purpose=each["purpose"], takes_seat=each["takes_seat"],
            **({} if is_paid else {"number": None, "paid_at": None}),
        )  # fmt: skip
        for kind, amount in MONEY.get(each["state"], ()):
            add_entry(order, kind, amount, stripe_object_id=f"{kind.partition('_')[0]}_{order.id}")
        if each["purpose"] == "gift":
            make_gift(order, email="rosa@example.org")
        tokens.append(order.public_id)
        if not (is_paid and each["has_seat"]):
            continue
        holder = {"person": person, "other": other}.get(each["holder"])
        seat = make_seat(order, holder=holder, email="rosa@example.org", status=each["seat_status"])
        add_mail(seat, each["mail"])
        if holder is not None and each["is_granted"]:
            make_grant(holder, course, seat=seat, **grant_values(each))
    for each in by_hand:
        make_grant(person, course, **grant_values({**each, "is_suspended": False}))

    # when
    open_ids = list_open_course_ids(user_id=person.id)
    traces = [
        explain_access(course_id=course.id, user_id=person.id),
        explain_access(course_id=course.id, email=person.email),
    ]
    by_order = [explain_access(course_id=course.id, order_public_id=token) for token in tokens]
    as_person = [explain_access(course_id=course.id, order_public_id=token, user_id=person.id) for token in tokens]

    # then
    for trace in (*traces, *as_person):
        assert trace.user_id == person.id
        assert trace.verdict.is_open is (course.id in open_ids)
    for trace in by_order:
        own_ids = list_open_course_ids(user_id=trace.user_id) if trace.user_id is not None else set()
        assert trace.verdict.is_open is (course.id in own_ids)
    for trace in (*traces, *by_order, *as_person):
        assert trace.verdict.code in VERDICTS
        assert trace.verdict.is_open is (trace.verdict.code == "open")
        assert trace.cause in trace.steps
        assert (trace.cause.state == "ok") is (trace.verdict.code in {"open", "gift_opened"}), trace
        assert "{" not in trace.verdict.sentence
        assert trace.verdict.sentence[-1] == "."


def grant_values(each: dict[str, Any]) -> dict[str, Any]:
    moment = clock.now()
    return {
        "expires_at": moment + each["expires_in"] if each["expires_in"] is not None else None,
        "suspended_at": moment if each["is_suspended"] else None,
        "revoked_at": moment if each["is_revoked"] else None,
    }


def add_mail(seat: Any, fate: str) -> None:
    moment = clock.now()
    if fate == "queued":
        make_link_mail(seat, sent_at=None, attempt_count=0)
    elif fate == "sent":
        make_link_mail(seat)
    elif fate == "failed":
        make_link_mail(seat, sent_at=None, failed_at=moment, error="SMTPRecipientsRefused", attempt_count=12)
    elif fate == "long ago":
        make_link_mail(seat, sent_at=moment - timedelta(days=31))
