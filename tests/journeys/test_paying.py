"""From the payment to the open course, whatever becomes of the webhooks and of the buyer."""

from collections.abc import Callable

import pytest

from tests.journeys.people import Person, Truth
from tests.running import RunningShop, wait_until

pytestmark = pytest.mark.journey

COURSE = "/courses/ai-lead-engine-accelerator"
PAID_LESSON = f"{COURSE}/lessons/draw-the-whole-path"
ONCE = {"payments": 1, "receipts": 1, "seats": 1, "grants": 0, "enrollments": 0, "orders_of_number": 1}


def test_webhook_and_worker_grant_without_the_buyer_coming_back(person: Person, database: Truth) -> None:
    session_id = person.begin(COURSE)

    person.pay(session_id)

    wait_until(lambda: database.order(session_id).state == "paid")
    receipt = wait_until(lambda: person.mails("Your receipt"))
    assert "$97.00" in receipt[0]["Subject"]
    wait_until(lambda: person.mails("/seats/claim/"))
    assert database.counts(session_id) == ONCE


def test_success_page_grants_at_once_when_every_webhook_is_lost(
    person: Person, database: Truth, pull: Callable[..., None]
) -> None:
    pull("webhook_drop")
    session_id = person.begin(COURSE)
    person.pay(session_id)

    page = person.come_back(session_id)

    assert page.status_code == 200
    assert "is in your library" in page.text
    assert page.elapsed.total_seconds() < 5
    assert (database.order(session_id).state, database.counts(session_id)) == ("paid", ONCE)


def test_reconciler_grants_when_webhooks_are_lost_and_nobody_comes_back(
    person: Person, database: Truth, pull: Callable[..., None]
) -> None:
    pull("webhook_drop")
    session_id = person.begin(COURSE)

    person.pay(session_id)

    wait_until(lambda: database.order(session_id).state == "paid", 30)
    assert database.counts(session_id) == ONCE
    wait_until(lambda: person.mails("Your receipt"))


def test_duplicates_second_ids_and_disorder_end_as_one_receipt_and_one_number(
    person: Person, database: Truth, pull: Callable[..., None]
) -> None:
    pull("webhook_duplicate", times=3)
    pull("webhook_second_id")
    pull("webhook_reorder")
    session_id = person.begin(COURSE)

    person.pay(session_id)
    person.come_back(session_id)

    delivered = (
        "SELECT count(*), count(DISTINCT id) FROM stripe_events WHERE object_id = :session AND delivery_count > 1"
    )
    wait_until(lambda: database.one(delivered, session=session_id)[0] >= 1)
    wait_until(lambda: database.unfinished() == 0)
    assert len(database.all("SELECT id FROM stripe_events WHERE object_id = :session", session=session_id)) == 2
    assert (database.order(session_id).state, database.counts(session_id)) == ("paid", ONCE)
    assert len(person.mails("Your receipt")) == 1


def test_button_after_paying_says_it_is_yours_and_the_guest_may_read_in_this_browser(
    person: Person, make_person: Callable[[], Person], database: Truth
) -> None:
    session_id = person.begin(COURSE)
    price_id = database.one(
        "SELECT public_id FROM prices WHERE id = (SELECT price_id FROM order_items WHERE order_id = :order)",
        order=database.order(session_id).id,
    )[0]
    fields = {"price_id": price_id}
    person.pay(session_id)

    again = person.press_enroll(fields)

    assert (again.status_code, again.headers["Location"]) == (303, COURSE)
    assert "You already have this course" in person.get(COURSE).text
    assert person.get(PAID_LESSON).status_code == 200
    assert make_person().get(PAID_LESSON).status_code == 303
    assert len(database.all("SELECT id FROM orders WHERE buyer_key = :k", k=database.order(session_id).buyer_key)) == 1


def test_delayed_payment_opens_nothing_until_the_money_is_there(
    person: Person, database: Truth, shop: RunningShop
) -> None:
    session_id = person.begin(COURSE)
    person.pay(session_id, method="bank_debit")
    wait_until(lambda: database.order(session_id).state == "processing")
    assert database.counts(session_id)["seats"] == 0

    # The bank answers by itself after SANDBOX_ASYNC_SECONDS.
    wait_until(lambda: database.order(session_id).state == "paid")

    wait_until(lambda: database.unfinished() == 0)
    assert database.counts(session_id) == ONCE
