"""/admin: what needs attention with the button that fixes it, the figures, and who sees which of them."""

import re
from datetime import UTC, datetime, timedelta

from flask import Flask
from sqlalchemy import select, update

from app import clock
from app.audit import AuditEntry
from app.checkout.findings import record_finding
from app.checkout.models import Finding, Order
from app.db import db, transaction
from app.mail.models import Message
from app.mail.services import queue_message
from app.payments.models import StripeEvent
from tests.accounts.people import Browser
from tests.admin.staff import Staff
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import make_course, make_user
from tests.reports.ledgers import move, sell

NOTHING = "Nothing needs you right now."
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def text_of(browser: Browser, path: str = "/admin/") -> str:
    """The page's words, one blank between them."""
    page = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", browser.get(path).text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def list_actions() -> list[tuple[str, str]]:
    db.session.rollback()
    rows = db.session.execute(select(AuditEntry.action, AuditEntry.actor_kind).order_by(AuditEntry.id))
    noisy = {"role.granted", "user.created"}
    return [(row.action, row.actor_kind) for row in rows if row.action not in noisy]


def make_event(event_id: str, **values: object) -> None:
    with transaction() as session:
        session.add(
            StripeEvent(
                **{
                    "id": event_id, "type": "checkout.session.expired", "livemode": False, "payload": '{"data": {}}',
                    "state": "failed", "attempt_count": 30, "received_at": clock.now() - timedelta(hours=1),
                    "next_attempt_at": clock.now() + timedelta(hours=1), **values,
                }
            )
        )  # fmt: skip


def test_visitors_are_sent_to_sign_in(app: Flask) -> None:
    answer = Browser(app).get("/admin/")

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/account/login")


def test_nothing_to_do_says_so(app: Flask) -> None:
    assert NOTHING in text_of(Staff(app, "reader"))


# Each with its fix


def test_failed_events_are_retried_and_really_handled(app: Flask, shop: Shop) -> None:
    make_event("evt_1")
    make_event("evt_2", type="payment_intent.succeeded")
    make_event("evt_waiting", state="received", attempt_count=3)
    make_event("evt_fresh", state="received", attempt_count=0, received_at=clock.now(), next_attempt_at=clock.now())
    admin = Staff(app, "admin")
    page = text_of(admin)
    assert "2 Stripe events failed" in page
    assert "Types: checkout.session.expired, payment_intent.succeeded." in page
    assert "1 Stripe event wait for more than five minutes" not in page
    assert "1 Stripe event waits for more than five minutes" in page

    answer = admin.send("/admin/attention/events")
    shop.work()

    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/")
    page = text_of(admin)
    assert "3 events will be handled again now." in page
    assert NOTHING in page
    states = dict(db.session.execute(select(StripeEvent.id, StripeEvent.state)).all())  # type: ignore[arg-type]
    assert set(states.values()) <= {"handled", "ignored"}
    assert list_actions()[-3:] == [("event.retried", "user")] * 3


def test_failed_mails_go_out_once_when_sent_again(app: Flask, shop: Shop) -> None:
    with transaction():
        queue_message(key="x:1", template="password_changed", to_address="a@example.org", data={"name": "A"})
    with transaction() as session:
        session.execute(update(Message).values(failed_at=clock.now(), attempt_count=12, error="connection refused"))
    support = Staff(app, "support")
    assert "1 mail could not be sent The mail server said last: connection refused." in text_of(support)

    support.send("/admin/attention/mails")
    page = text_of(support)
    support.send("/admin/attention/mails")

    assert "1 mail will go out again now." in page
    assert NOTHING in page
    assert "No mail waits." in text_of(support)
    assert list_actions()[-1:] == [("mail.retried", "user")]
    message = db.session.scalars(select(Message).where(Message.key == "x:1")).one()
    assert (message.failed_at, message.attempt_count, message.sent_at) == (None, 0, None)


def test_a_payment_that_waits_is_brought_in_line_by_asking_stripe(app: Flask, shop: Shop) -> None:
    started = shop.begin(make_course(title="Slow course"), user=make_user(name="Johan"))
    shop.pay(started)
    with transaction() as session:
        session.execute(update(Order).values(state="processing", created_at=clock.now() - timedelta(hours=3)))
    support = Staff(app, "support")
    page = text_of(support)
    assert "A payment has been pending for 3 hours" in page
    assert "Slow course, $97.00." in page

    answer = support.send(f"/admin/attention/orders/{started.order_public_id}")

    assert answer.status_code == 303
    page = text_of(support)
    assert "The order was brought in line with Stripe." in page
    assert NOTHING in page
    assert shop.order(started).state == "paid"
    entry = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.action, entry.subject_id) == ("order.compared", started.order_public_id)
    assert (entry.before, entry.after) == ({"state": "processing"}, {"state": "paid"})


def test_asking_about_an_order_that_agrees_or_is_not_there_changes_nothing(app: Flask, shop: Shop) -> None:
    started = shop.buy(make_course(), user=make_user())
    support = Staff(app, "support")

    support.send(f"/admin/attention/orders/{started.order_public_id}")

    assert "Stripe says the same as the shop: nothing had to change." in text_of(support)
    assert support.send("/admin/attention/orders/ord_nothing").status_code == 404


def test_stripe_that_does_not_answer_is_said_and_nothing_is_lost(app: Flask, shop: Shop) -> None:
    started = shop.buy(make_course(), user=make_user())
    lever = {"kind": "api_error", "status": 401, "when": "before", "method": "GET", "count": 3}
    assert shop.control("/levers", lever)[0] == 200
    support = Staff(app, "support")

    support.send(f"/admin/attention/orders/{started.order_public_id}")
    shop.remove_levers()

    assert "Stripe isn’t answering." in text_of(support)
    assert shop.order(started).state == "paid"


def test_a_finding_leads_to_its_page_and_goes_off_the_list_with_a_reason(app: Flask, shop: Shop) -> None:
    order = shop.order(shop.buy(make_course(), user=make_user()))
    key = f"second_payment:{order.public_id}"
    record_finding(key=key, order_id=order.id, kind="second_payment", detail="Paid twice: look at it.")
    support = Staff(app, "support")
    home = support.get("/admin/").text
    assert f"NSL-{order.number}: An order was paid twice" in home
    assert f'href="/admin/attention/findings/{key}"' in home

    empty = support.send(f"/admin/attention/findings/{key}", {"reason": " "})
    answer = support.send(f"/admin/attention/findings/{key}", {"reason": "Refunded at Stripe."})
    again = support.send(f"/admin/attention/findings/{key}", {"reason": "Once more."})

    assert (empty.status_code, answer.status_code, again.status_code) == (422, 303, 303)
    assert "Say why it is solved." in empty.text
    db.session.rollback()
    finding = db.session.scalars(select(Finding)).one()
    assert (finding.resolution, finding.resolved_at is not None) == ("Refunded at Stripe.", True)
    assert list_actions()[-1:] == [("finding.dismissed", "user")]
    assert "Solved" in text_of(support, f"/admin/attention/findings/{key}")
    assert NOTHING in text_of(support)


def test_a_finding_of_no_order_can_be_read_by_a_reader_and_changed_by_none_of_them(app: Flask) -> None:
    record_finding(key="x", order_id=None, kind="unknown_order", detail="Stripe names an order we do not know.")
    reader = Staff(app, "reader")

    assert "Stripe names an order we do not know." in text_of(reader)
    assert "Take it off the list" not in text_of(reader, "/admin/attention/findings/x")
    assert reader.send("/admin/attention/findings/x", {"reason": "No."}).status_code == 403
    assert reader.get("/admin/attention/findings/y").status_code == 404


def test_a_published_course_without_a_price_is_named(app: Flask) -> None:
    course = make_course(title="Priceless", unit_amount=None)
    make_course(title="Hidden", unit_amount=None, status="draft")
    make_course(title="Free", unit_amount=0)
    editor = Staff(app, "editor")

    page = text_of(editor)

    assert "“Priceless” has no active price" in page
    assert page.count("has no active price") == 1
    assert course.status == "published"


# Who sees what


def test_an_editor_sees_no_money(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(NOON)
    sell(make_course(title="Dear course"), at=NOON, amount=123400)
    make_event("evt_1")
    record_finding(key="x", order_id=None, kind="unknown_order", detail="Money.")

    editor, support, reader = (text_of(Staff(app, role)) for role in ("editor", "support", "reader"))

    assert "1,234" not in editor
    assert [words for words in ("Sales", "Recent orders", "Stripe event", "Money.") if words in editor] == []
    assert "Most read posts" in editor
    assert "$1,234.00" in support
    assert "Sales per day" not in support
    assert "Sales per day, last 30 days" in reader
    assert "Retry" not in reader


# Figures


def test_figures_tell_their_change_in_words_and_keep_currencies_apart(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(NOON)
    course = make_course(title="Seller")
    for age in (1, 2, 3):
        sell(course, at=NOON - timedelta(days=age), amount=6400)
    order = sell(course, at=NOON - timedelta(days=40), amount=15000)
    move(order, "refund", 1920, at=NOON)
    sell(make_course(currency="jpy"), at=NOON, amount=5000, currency="jpy")
    reader = Staff(app, "reader")

    page = text_of(reader)

    assert "Sales $192 and ¥5,000 28% up on the 30 days before" in page
    assert "Paid orders 4 3 more than before" in page
    assert "Refunded $19.20 1 order, 10.0% of sales" in page
    assert "New subscribers 0 As many as before" in page
    assert "Seller $192" in page
    assert "Days are those of the shop’s time zone, UTC." in page
    assert "None in the 7 days before" in text_of(reader, "/admin/?period=7d")
    assert "Sales per month, last 12 months" in text_of(reader, "/admin/?period=12m")
    assert "last 30 days" in text_of(reader, "/admin/?period=nonsense&since=2026-99-99")


def test_the_chart_has_a_title_for_each_bar_round_lines_and_a_table(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(NOON)
    sell(make_course(), at=NOON, amount=73000)
    sell(make_course(), at=NOON - timedelta(days=30), amount=5000)

    page = Staff(app, "reader").get("/admin/").text

    assert page.count('class="bar" x=') == 30
    assert "<title>Nov 27: $730.00, before $50.00</title>" in page
    assert re.findall(r"<span>(\$[\d,]+)</span>", page) == ["$800", "$600", "$400", "$200", "$0"]
    chart_x = re.search(r'class="chart-x"[^>]*>(.*?)</div>', page)
    assert chart_x is not None
    assert chart_x.group(1).count("<span>") == 7
    assert '<tr><th scope="row">Nov 27</th><td class="end">$730.00</td><td class="end">$50.00</td></tr>' in page


# A new shop


def test_a_new_shop_has_steps_instead_of_zeros_and_they_tick_themselves(app: Flask, shop: Shop) -> None:
    owner = Staff(app, "owner")

    def told() -> tuple[str, bool]:
        page = text_of(owner)
        found = re.search(r"(\d of 5) done", page)
        return found.group(1) if found else "", "Paid orders" in page

    assert told() == ("1 of 5", False)
    make_course(unit_amount=None)
    assert told() == ("2 of 5", False)
    other = make_course()
    assert told() == ("3 of 5", False)
    shop.buy(other, user=make_user())
    assert told() == ("", True)
