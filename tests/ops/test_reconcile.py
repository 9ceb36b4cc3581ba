"""flask stripe reconcile: what no webhook told is found by object, healed, and said (faults F09, F12, F46, F80, F97)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app import clock
from app.checkout.models import CheckoutAttempt, Finding, LedgerEntry, Order, OrderItem, RefundRequest
from app.checkout.reconcile_models import ReconcileScan
from app.db import db, transaction
from app.enrollment.services import list_open_course_ids
from app.mail.models import Message
from app.payments.models import StripeEvent
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import make_course, make_user
from tests.ops.conftest import dump_database, list_entries, payment_intent, put_rows, run, sell_elsewhere, take_rows


def test_nothing_differs_in_a_shop_that_heard_everything(shop: Shop) -> None:
    shop.buy(make_course(), user=make_user())
    shop.begin(make_course(), browser="b2")

    ran = run(shop.app, "reconcile")

    assert (ran.code, ran.output.splitlines()[-1]) == (
        0,
        "0 differed: 0 healed, 0 unhealed, 0 unanswered; 0 need attention.",
    )


def test_payment_that_nobody_told_us_of_is_granted(shop: Shop) -> None:
    user, course = make_user(), make_course(unit_amount=9700)
    started = shop.begin(course, user=user)
    shop.pay(started)
    # Events are gone after 30 days (F12): only the objects are left.
    shop.control("/levers", {"kind": "api_forget_events"})

    ran = run(shop.app, "reconcile", "--json")

    assert ran.code == 0
    assert ran.json["counts"] == {"healed": 1, "unhealed": 0, "unanswered": 0}
    difference = ran.json["differed"][0]["difference"]
    assert (difference["state_before"], difference["state_after"]) == ("pending", "paid")
    assert [(entry["kind"], entry["amount"]) for entry in difference["entries"]] == [("payment", 9700)]
    assert [seat["after"] for seat in difference["seats"]] == ["active"]
    assert [mail["template"] for mail in difference["mails"]] == ["receipt"]
    assert shop.order(started).state == "paid"
    assert list_open_course_ids(user_id=user.id) == {course.id}
    assert db.session.scalars(select(Message.template)).all() == ["receipt"]


def test_what_was_healed_is_not_healed_again(shop: Shop) -> None:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    run(shop.app, "reconcile")
    before = dump_database()

    ran = run(shop.app, "reconcile", "--json")

    assert (ran.code, ran.json["differed"]) == (0, [])
    after = dump_database()
    assert {name for name in after if after[name] != before[name]} == {"reconcile_scans"}


def test_text_says_what_differed_and_what_was_done(shop: Shop) -> None:
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started)
    intent = payment_intent(shop, started)
    charge = shop.stripe(f"/v1/payment_intents/{intent}")["latest_charge"]

    lines = [line.strip() for line in run(shop.app, "reconcile").output.splitlines()]

    assert f"healed  {started.order_public_id} (NSL-1001)" in lines
    assert "state pending -> paid" in lines
    assert f"ledger + payment $97.00 ({charge})" in lines
    assert f"mail receipt (receipt:{started.order_public_id})" in lines
    assert lines[-1] == "1 differed: 1 healed, 0 unhealed, 0 unanswered; 0 need attention."


def test_lost_refund_is_found_and_closes_access(shop: Shop) -> None:
    user, course = make_user(), make_course(unit_amount=9700)
    started = shop.buy(course, user=user)
    shop.control(f"/refund/{payment_intent(shop, started)}")

    ran = run(shop.app, "reconcile", "--json")

    assert [row["difference"]["state_after"] for row in ran.json["differed"]] == ["refunded"]
    assert list_entries(shop.order(started)) == [("payment", 9700), ("refund", 9700)]
    assert list_open_course_ids(user_id=user.id) == set()


def test_delayed_payment_of_which_nobody_heard_is_awaited_and_granted_once_it_settled(shop: Shop) -> None:
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started, method="bank_debit")

    first = run(shop.app, "reconcile", "--json")
    again = run(shop.app, "reconcile", "--json")
    assert [row["difference"]["state_after"] for row in first.json["differed"]] == ["processing"]
    assert again.json["differed"] == []
    assert shop.order(started).state == "processing"
    shop.control(f"/settle/{payment_intent(shop, started)}", {"outcome": "succeeded"})

    settled = run(shop.app, "reconcile", "--json")

    assert [row["difference"]["state_after"] for row in settled.json["differed"]] == ["paid"]
    assert list_entries(shop.order(started)) == [("payment", 9700)]


def test_dispute_verdict_missed_for_a_year_is_read_not_inferred(shop: Shop, moving_clock: MovableClock) -> None:
    user, course = make_user(), make_course(unit_amount=9700)
    started = shop.buy(course, user=user)
    _, dispute = shop.control(f"/dispute/{payment_intent(shop, started)}")
    shop.deliver_all()
    assert shop.order(started).state == "disputed"
    moving_clock.advance(days=365)
    # Older than every list that is asked for: found by its own id from our ledger.
    assert run(shop.app, "reconcile", "--json").json["differed"] == []
    assert shop.order(started).state == "disputed"

    shop.control(f"/disputes/{dispute['id']}/close", {"outcome": "won"})
    ran = run(shop.app, "reconcile", "--json")

    assert [row["result"] for row in ran.json["differed"]] == ["healed"]
    assert shop.order(started).state == "paid"
    assert list_open_course_ids(user_id=user.id) == {course.id}


def test_session_whose_answer_was_lost_is_found_by_its_metadata(shop: Shop) -> None:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    with transaction() as session:
        session.execute(update(CheckoutAttempt).values(stripe_checkout_session_id=None, url=None))

    ran = run(shop.app, "reconcile", "--json")

    assert ran.json["differed"][0]["difference"]["found_sessions"] == [started.stripe_checkout_session_id]
    assert shop.order(started).state == "paid"
    assert shop.attempts(started)[0].stripe_checkout_session_id == started.stripe_checkout_session_id


def test_open_session_of_a_closed_order_is_closed_at_stripe(shop: Shop) -> None:
    started = shop.begin(make_course(), user=make_user())
    with transaction() as session:
        session.execute(update(Order).values(state="expired", check_after=None))

    ran = run(shop.app, "reconcile", "--json")

    assert ran.json["differed"][0]["difference"]["closed_sessions"] == [started.stripe_checkout_session_id]
    assert shop.stripe(f"/v1/checkout/sessions/{started.stripe_checkout_session_id}")["status"] == "expired"
    assert run(shop.app, "reconcile", "--json").json["differed"] == []


def test_paid_order_is_not_expired_however_late_it_is_looked_at(shop: Shop, moving_clock: MovableClock) -> None:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    moving_clock.advance(hours=30)

    run(shop.app, "reconcile")

    assert shop.order(started).state == "paid"


def test_object_of_ours_without_an_order_needs_attention_until_the_order_is_back(shop: Shop) -> None:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    shop.control(f"/refund/{payment_intent(shop, started)}")
    # The database is an older backup.
    rows = take_rows(Order, OrderItem, CheckoutAttempt)

    ran = run(shop.app, "reconcile", "--json")

    assert ran.code == 1
    # Told by the session and by the refund, and still one thing.
    [differed] = ran.json["differed"]
    assert (differed["subject"], differed["result"]) == (started.order_public_id, "unhealed")
    assert differed["reason"] == "Stripe names an order that is not here."
    assert [row["key"] for row in ran.json["findings"]] == [f"unknown_order:{started.order_public_id}"]

    put_rows(rows)
    ran = run(shop.app, "reconcile", "--json")

    assert (ran.json["findings"], ran.json["counts"]["healed"]) == ([], 1)
    assert db.session.scalars(select(Finding)).one().resolution == "The order is known now."
    assert shop.order(started).state == "refunded"


def test_objects_of_other_apps_are_left_alone(shop: Shop) -> None:
    session_id = sell_elsewhere(shop, {"app_id": "another_app", "order": "ord_theirs"})
    intent = shop.stripe(f"/v1/checkout/sessions/{session_id}")["payment_intent"]
    shop.control(f"/refund/{intent}", {"amount": 100})
    shop.control(f"/dispute/{intent}")
    sell_elsewhere(shop, {})

    ran = run(shop.app, "reconcile", "--json")

    assert (ran.code, ran.json["differed"], ran.json["findings"]) == (0, [], [])


def test_wrong_amount_is_not_granted_and_stays_unhealed_until_it_agrees(shop: Shop) -> None:
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started)
    with transaction() as session:
        session.execute(update(Order).values(total_amount=9800, subtotal_amount=9800))

    ran = run(shop.app, "reconcile", "--json")

    assert ran.code == 1
    assert ran.json["differed"][0]["reason"].endswith("charged 9700 usd, the order says 9800.")
    assert [row["kind"] for row in ran.json["findings"]] == ["amount_mismatch"]
    assert shop.order(started).state == "pending"

    with transaction() as session:
        session.execute(update(Order).values(total_amount=9700, subtotal_amount=9700))
    assert run(shop.app, "reconcile", "--json").json["findings"] == []
    assert run(shop.app, "reconcile").code == 0


def test_order_whose_payment_stripe_does_not_know_becomes_a_finding_and_others_go_on(shop: Shop) -> None:
    broken = shop.begin(make_course(), browser="b1")
    with transaction() as session:
        session.execute(update(CheckoutAttempt).values(stripe_checkout_session_id="cs_test_gone"))
    paid = shop.begin(make_course(), browser="b2")
    shop.pay(paid)

    ran = run(shop.app, "reconcile", "--json")

    results = {row["subject"]: row["result"] for row in ran.json["differed"]}
    assert results == {broken.order_public_id: "unhealed", paid.order_public_id: "healed"}
    assert [row["key"] for row in ran.json["findings"]] == [f"unreadable:{broken.order_public_id}"]
    assert ran.code == 1


def test_stripe_that_does_not_answer_stops_the_run_without_losing_it(shop: Shop, moving_clock: MovableClock) -> None:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    shop.control("/levers", {"kind": "api_error", "status": 500, "method": "GET"})

    ran = run(shop.app, "reconcile", "--json")

    assert (ran.code, ran.json["complete"]) == (1, False)
    assert {row["result"] for row in ran.json["differed"]} == {"unanswered"}
    assert shop.order(started).state == "pending"

    shop.remove_levers()
    moving_clock.advance(minutes=2)
    ran = run(shop.app, "reconcile", "--json")

    assert (ran.code, ran.json["complete"], ran.json["counts"]["healed"]) == (0, True, 1)
    # The same run went on.
    assert len(db.session.scalars(select(ReconcileScan)).all()) == 4


def test_order_that_stripe_does_not_answer_for_is_asked_about_again_soon(
    shop: Shop, moving_clock: MovableClock
) -> None:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    path = f"/v1/checkout/sessions/{started.stripe_checkout_session_id}"
    shop.control("/levers", {"kind": "api_error", "status": 503, "path": path, "method": "GET"})

    ran = run(shop.app, "reconcile", "--json")

    assert [row["result"] for row in ran.json["differed"]] == ["unanswered"]
    assert ran.code == 1
    shop.remove_levers()
    moving_clock.advance(minutes=2)
    shop.work()
    assert shop.order(started).state == "paid"


def pay_unheard(shop: Shop) -> None:
    shop.pay(shop.begin(make_course(), user=make_user()))


def refund_unheard(shop: Shop) -> None:
    started = shop.buy(make_course(unit_amount=9700), user=make_user())
    shop.control(f"/refund/{payment_intent(shop, started)}", {"amount": 500})


def forget_session(shop: Shop) -> None:
    pay_unheard(shop)
    with transaction() as session:
        session.execute(update(CheckoutAttempt).values(stripe_checkout_session_id=None))


def forget_order(shop: Shop) -> None:
    sell_elsewhere(shop, {"app_id": shop.settings.stripe_app_id, "order": "ord_missing"})


def charge_wrongly(shop: Shop) -> None:
    pay_unheard(shop)
    with transaction() as session:
        session.execute(update(Order).values(total_amount=1))


def stop_before_free_order_is_complete(shop: Shop) -> None:
    shop.begin(make_course(), user=make_user())
    with transaction() as session:
        session.execute(update(Order).values(total_amount=0))
        session.execute(update(CheckoutAttempt).values(stripe_checkout_session_id=None))


@pytest.mark.parametrize(
    ("prepare", "result"),
    [
        (pay_unheard, "would_heal"),
        (refund_unheard, "would_heal"),
        (forget_session, "would_heal"),
        (stop_before_free_order_is_complete, "would_heal"),
        (forget_order, "unhealed"),
        (charge_wrongly, "unhealed"),
    ],
)
def test_dry_run_says_what_would_be_done_and_changes_nothing(
    shop: Shop, prepare: Callable[[Shop], None], result: str
) -> None:
    prepare(shop)
    before, sessions_before = dump_database(), shop.stripe("/v1/checkout/sessions?limit=100")

    ran = run(shop.app, "reconcile", "--dry-run", "--json")

    assert ran.code == 1
    assert [row["result"] for row in ran.json["differed"]] == [result]
    assert dump_database() == before
    assert shop.stripe("/v1/checkout/sessions?limit=100") == sessions_before


def test_dry_run_names_the_mails_and_what_a_real_run_then_does(shop: Shop) -> None:
    started = shop.begin(make_course(unit_amount=9700), browser="b1")
    shop.pay(started, email="maya@example.org")

    planned = run(shop.app, "reconcile", "--dry-run", "--json").json["differed"][0]["difference"]
    done = run(shop.app, "reconcile", "--json").json["differed"][0]["difference"]

    assert sorted(mail["template"] for mail in planned["mails"]) == ["claim_seat", "receipt"]
    assert planned["entries"] == done["entries"]
    assert [mail["template"] for mail in planned["mails"]] == db.session.scalars(
        select(Message.template).order_by(Message.id)
    ).all()


def test_since_leaves_older_objects_alone(shop: Shop, moving_clock: MovableClock) -> None:
    user = make_user()
    started = shop.buy(make_course(unit_amount=9700), user=user)
    shop.control(f"/refund/{payment_intent(shop, started)}")
    moving_clock.advance(days=10)

    assert run(shop.app, "reconcile", "--since", "5", "--json").json["differed"] == []
    ran = run(shop.app, "reconcile", "--since", (clock.now() - timedelta(days=12)).strftime("%Y-%m-%d"), "--json")

    assert [row["difference"]["state_after"] for row in ran.json["differed"]] == ["refunded"]


@pytest.mark.parametrize("since", ["0", "-3", "soon", "99999", "2026-13-01", ""])
def test_since_that_is_no_span_is_refused(shop: Shop, since: str) -> None:
    assert run(shop.app, "reconcile", f"--since={since}").code == 2
    assert db.session.scalars(select(ReconcileScan)).all() == []


def test_second_payment_stays_on_the_list_until_it_is_back(shop: Shop) -> None:
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started)
    run(shop.app, "reconcile")
    first = shop.attempts(started)[0]
    with transaction() as session:
        values = {"order_id": first.order_id, "number": 2, "idempotency_key": "second"}
        session.add(CheckoutAttempt(**values, expires_at=first.expires_at, created_at=first.created_at))
    ours = {"app_id": shop.settings.stripe_app_id, "order": started.order_public_id, "attempt": "2"}
    sell_elsewhere(shop, ours, amount=9700)

    ran = run(shop.app, "reconcile", "--json")

    assert (ran.code, [row["kind"] for row in ran.json["findings"]]) == (1, ["second_payment"])
    assert len(ran.json["differed"][0]["difference"]["refunds"]) == 1

    shop.work()
    ran = run(shop.app, "reconcile", "--json")

    assert (ran.code, ran.json["findings"]) == (0, [])
    assert sorted(list_entries(shop.order(started))) == [("payment", 9700), ("payment", 9700), ("refund", 9700)]


def test_events_are_not_needed(shop: Shop) -> None:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)

    run(shop.app, "reconcile")

    assert db.session.scalars(select(StripeEvent)).all() == []
    assert db.session.scalars(select(LedgerEntry.kind)).all() == ["payment"]
    assert db.session.scalars(select(RefundRequest)).all() == []
    assert shop.order(started).state == "paid"
