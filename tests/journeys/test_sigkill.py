"""kill -9 at the worst moments: after a restart everything is there, once."""

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
import requests

from tests.journeys.conftest import remove_levers
from tests.journeys.people import Person, Truth, session_id_of
from tests.running import RunningShop, wait_until

pytestmark = pytest.mark.journey

COURSE = "/courses/ai-lead-engine-accelerator"
PAID_LESSON = f"{COURSE}/lessons/draw-the-whole-path"
ONCE = {"payments": 1, "receipts": 1, "seats": 1, "grants": 1, "enrollments": 1, "orders_of_number": 1}
PATIENCE_SECONDS = 60


def expect_everything_once(person: Person, database: Truth, session_id: str) -> None:
    """One paid order, one learner, one receipt, one number, and nothing left to do."""
    wait_until(lambda: database.order(session_id).state == "paid", PATIENCE_SECONDS)
    person.claim_seat()
    wait_until(lambda: database.unfinished() == 0, PATIENCE_SECONDS)
    assert person.get(PAID_LESSON).status_code == 200
    assert database.counts(session_id) == ONCE
    assert len(person.mails("Your receipt")) == 1
    assert len(person.mails("/seats/claim/")) == 1
    # Numbers have no gap: the last one given out is as many above the first as there are orders with a number.
    last, numbered = database.one(
        "SELECT (SELECT last_number FROM invoice_counters), (SELECT count(number) FROM orders)"
    )
    assert last == 1000 + numbered


def test_sandbox_killed_while_the_buyer_types_the_card(person: Person, database: Truth, shop: RunningShop) -> None:
    session_id = person.begin(COURSE)

    shop.kill("sandbox")
    # Stripe is away: the session that is known is handed out all the same, nothing breaks.
    assert person.begin(COURSE) == session_id
    shop.start("sandbox")
    person.pay(session_id)

    expect_everything_once(person, database, session_id)


def test_web_killed_after_stripe_made_the_session_and_before_we_stored_it(
    person: Person, database: Truth, shop: RunningShop, pull: Callable[..., None]
) -> None:
    # The call is carried out, its answer is held back: the kill lands between Stripe's commit and ours.
    pull("api_hang", path="/v1/checkout/sessions", method="POST", when="after", seconds=20, count=1)
    known = {each["id"] for each in shop.stripe("/v1/checkout/sessions?limit=100")["data"]}

    def list_new() -> list[str]:
        sessions = shop.stripe("/v1/checkout/sessions?limit=100")["data"]
        return [each["id"] for each in sessions if each["id"] not in known]

    def click() -> None:
        with suppress(requests.RequestException):
            person.enroll(COURSE)

    clicking = threading.Thread(target=click)
    clicking.start()
    made = wait_until(list_new)
    shop.kill("web")
    clicking.join(PATIENCE_SECONDS)
    shop.start("web")

    session_id = session_id_of(person.enroll(COURSE))

    # The browser never got an answer, but it has had its cookie since the first leg of the click.
    assert [session_id] == made == list_new()
    person.pay(session_id)
    expect_everything_once(person, database, session_id)


def test_everything_killed_between_the_payment_and_its_webhook(
    person: Person, database: Truth, shop: RunningShop, pull: Callable[..., None]
) -> None:
    pull("webhook_hold")
    session_id = person.begin(COURSE)
    person.pay(session_id)
    assert database.order(session_id).state == "pending"

    for name in ("web", "worker", "sandbox"):
        shop.kill(name)
    shop.start("sandbox", "web", "worker")
    pull("webhook_release")

    expect_everything_once(person, database, session_id)
    delivered = database.one("SELECT count(*) FROM stripe_events WHERE object_id = :id", id=session_id)[0]
    assert delivered == 1


def test_worker_killed_while_it_handles_the_event(
    person: Person, database: Truth, shop: RunningShop, pull: Callable[..., None]
) -> None:
    session_id = person.begin(COURSE)
    pull("api_hang", path="/v1/payment_intents/*", method="GET", seconds=20)
    person.pay(session_id)
    claimed = "SELECT count(*) FROM stripe_events WHERE object_id = :id AND state = 'received' AND attempt_count = 1"
    wait_until(lambda: database.one(claimed, id=session_id)[0] == 1)

    shop.kill("worker")
    remove_levers(shop)
    assert database.order(session_id).state == "pending"
    shop.start("worker")

    expect_everything_once(person, database, session_id)


def test_web_killed_while_it_makes_the_success_page(
    person: Person, database: Truth, shop: RunningShop, pull: Callable[..., None]
) -> None:
    pull("webhook_drop")
    shop.kill("worker")
    session_id = person.begin(COURSE)
    person.pay(session_id)
    pull("api_hang", path="/v1/payment_intents/*", method="GET", seconds=20, count=1)

    def come_back() -> None:
        with suppress(requests.RequestException):
            person.come_back(session_id)

    coming = threading.Thread(target=come_back)
    coming.start()
    wait_until(
        lambda: not any(each["kind"] == "api_hang" for each in shop.control("/levers", method="GET")[1]["levers"])
    )
    shop.kill("web")
    coming.join(PATIENCE_SECONDS)
    assert database.order(session_id).state == "pending"
    shop.start("web", "worker")

    # No webhook ever comes and the buyer does not return: the reconciler finds the payment.
    expect_everything_once(person, database, session_id)


def test_worker_killed_between_the_grant_and_the_mails(person: Person, database: Truth, shop: RunningShop) -> None:
    shop.kill("worker")
    session_id = person.begin(COURSE)
    person.pay(session_id)
    # The success page grants in the web process; the mails are rows that nobody has sent yet.
    assert "is in your library" in person.come_back(session_id).text
    assert person.mails() == []

    shop.start("worker")

    expect_everything_once(person, database, session_id)
