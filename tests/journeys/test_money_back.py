"""Money goes back in Stripe's dashboard, where nobody told the shop: the course closes only when all of it is gone."""

from collections.abc import Callable

import pytest
import requests

from tests.journeys.people import Person, Truth
from tests.running import RunningShop, wait_until

pytestmark = pytest.mark.journey

COURSE = "/courses/ai-lead-engine-accelerator"
PAID_LESSON = f"{COURSE}/lessons/draw-the-whole-path"


@pytest.fixture
def learner(person: Person, database: Truth) -> tuple[Person, str]:
    """Somebody who bought the course and took the seat into an account; and the Checkout Session it was paid by."""
    session_id = person.begin(COURSE)
    person.pay(session_id)
    person.claim_seat()
    assert person.get(PAID_LESSON).status_code == 200
    return person, session_id


def refund(shop: RunningShop, session_id: str, amount: str) -> None:
    """What a person does on the dashboard's form: the amount as it is written, empty for all of it."""
    answer = requests.post(
        f"{shop.sandbox_url}/_sandbox/do/refund",
        data={"id": payment_of(shop, session_id), "amount": amount, "currency": "usd"}, allow_redirects=False, timeout=20,
    )  # fmt: skip
    assert answer.status_code in {200, 302, 303}, answer.text[:1000]


def payment_of(shop: RunningShop, session_id: str) -> str:
    return str(shop.stripe(f"/v1/checkout/sessions/{session_id}")["payment_intent"])


def test_part_of_the_money_keeps_the_course_open_and_all_of_it_closes_it(
    learner: tuple[Person, str], database: Truth, shop: RunningShop
) -> None:
    person, session_id = learner

    refund(shop, session_id, "20.00")
    first = wait_until(lambda: person.mails("$20.00 refunded"))
    assert database.order(session_id).state == "partially_refunded"
    assert person.get(PAID_LESSON).status_code == 200

    refund(shop, session_id, "")
    second = wait_until(lambda: person.mails("$77.00 refunded"))

    assert (len(first), len(second)) == (1, 1)
    assert database.order(session_id).state == "refunded"
    assert person.get(PAID_LESSON).status_code == 303
    assert "Enroll — $97" in person.get(COURSE).text
    assert "Your courses stay open" in first[0].get_body(("plain",)).get_content()
    assert "are closed now" in second[0].get_body(("plain",)).get_content()
    entries = database.all(
        "SELECT kind, amount FROM ledger_entries WHERE order_id = :id ORDER BY id", id=database.order(session_id).id
    )
    assert [tuple(entry) for entry in entries] == [("payment", 9700), ("refund", 2000), ("refund", 7700)]


def test_refund_whose_webhooks_are_lost_is_found_by_the_daily_look(
    learner: tuple[Person, str], database: Truth, shop: RunningShop, pull: Callable[..., None]
) -> None:
    person, session_id = learner
    order = database.order(session_id)
    pull("webhook_drop")
    refund(shop, session_id, "")
    assert order.check_after is not None

    # A day goes by.
    with database.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE orders SET check_after = paid_at WHERE id = {order.id}")

    wait_until(lambda: database.order(session_id).state == "refunded", 30)
    assert person.get(PAID_LESSON).status_code == 303


@pytest.mark.parametrize(("outcome", "state", "status"), [("won", "paid", 200), ("lost", "lost", 303)])
def test_dispute_closes_the_course_until_the_bank_has_decided(
    learner: tuple[Person, str], database: Truth, *, outcome: str, state: str, status: int
) -> None:
    person, session_id = learner
    _, dispute = person.shop.control(f"/dispute/{payment_of(person.shop, session_id)}")
    wait_until(lambda: database.order(session_id).state == "disputed")
    assert person.get(PAID_LESSON).status_code == 303

    person.shop.control(f"/disputes/{dispute['id']}/close", {"outcome": outcome})
    wait_until(lambda: database.order(session_id).state == state)

    assert person.get(PAID_LESSON).status_code == status
