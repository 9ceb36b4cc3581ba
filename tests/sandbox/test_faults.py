"""The levers on the API: hanging, failing before and after, cut connections, nonsense. And where they don't reach."""

import time
from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import Driver

BODY: Any = {"email": "a@example.org"}
KEYED: Any = {"idempotency_key": "k1"}


def _customers(driver: Driver) -> int:
    return len(driver.stripe.v1.customers.list().data)


def test_a_500_before_commit_changes_nothing_and_is_kept_for_the_key(driver: Driver) -> None:
    driver.control("/levers", {"kind": "api_error", "status": 500, "when": "before", "count": 1, "method": "POST"})

    for _ in range(2):
        with pytest.raises(stripe.APIError):
            driver.stripe.v1.customers.create(BODY, KEYED)

    assert _customers(driver) == 0
    assert driver.stripe.v1.customers.create(BODY).email == "a@example.org"


def test_a_500_that_is_not_stored_lets_the_same_key_succeed(driver: Driver) -> None:
    driver.control("/levers", {"kind": "api_error", "status": 503, "stored": False, "count": 1, "method": "POST"})

    with pytest.raises(stripe.APIError):
        driver.stripe.v1.customers.create(BODY, KEYED)
    driver.stripe.v1.customers.create(BODY, KEYED)

    assert _customers(driver) == 1


def test_a_500_after_commit_has_happened_and_says_500_again(driver: Driver) -> None:
    driver.control("/levers", {"kind": "api_error", "status": 500, "when": "after", "count": 1, "method": "POST"})

    for _ in range(2):
        with pytest.raises(stripe.APIError):
            driver.stripe.v1.customers.create(BODY, KEYED)

    assert _customers(driver) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(429, stripe.RateLimitError), (401, stripe.AuthenticationError), (404, stripe.StripeError)]
)
def test_a_refusal_at_the_door_is_not_kept(driver: Driver, status: int, error: type[Exception]) -> None:
    driver.control("/levers", {"kind": "api_error", "status": status, "count": 1, "method": "POST"})

    with pytest.raises(error):
        driver.stripe.v1.customers.create(BODY, KEYED)
    driver.stripe.v1.customers.create(BODY, KEYED)

    assert _customers(driver) == 1


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_a_cut_connection_is_an_unknown_outcome(driver: Driver, when: str, made: int) -> None:
    driver.control("/levers", {"kind": "api_close", "when": when, "count": 1, "method": "POST"})

    with pytest.raises(stripe.APIConnectionError):
        driver.stripe.v1.customers.create(BODY, KEYED)
    before_retry = _customers(driver)
    driver.stripe.v1.customers.create(BODY, KEYED)

    assert (before_retry, _customers(driver)) == (made, 1)


@pytest.mark.parametrize("body", ["html", "truncated"])
def test_nonsense_comes_after_the_work_is_done(driver: Driver, body: str) -> None:
    driver.control("/levers", {"kind": "api_garbage", "body": body, "count": 1, "method": "POST"})

    with pytest.raises(stripe.APIError):
        driver.stripe.v1.customers.create(BODY, KEYED)

    assert driver.stripe.v1.customers.create(BODY, KEYED).id == driver.stripe.v1.customers.list().data[0].id


def test_a_client_that_gives_up_on_a_hanging_answer_finds_it_by_its_key(driver: Driver) -> None:
    driver.control("/levers", {"kind": "api_hang", "when": "after", "seconds": 1, "count": 1, "method": "POST"})
    impatient = stripe.StripeClient(
        "sk_test_sandboxsandbox",
        base_addresses={"api": driver.server.url},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=0.1),
    )

    with pytest.raises(stripe.APIConnectionError):
        impatient.v1.customers.create(BODY, KEYED)
    again = driver.stripe.v1.customers.create(BODY, KEYED)

    assert [each.id for each in driver.stripe.v1.customers.list().data] == [again.id]


def test_a_lever_acts_only_where_it_is_aimed(driver: Driver) -> None:
    driver.control("/levers", {"kind": "api_error", "status": 500, "method": "GET", "path": "/v1/refunds*"})

    with pytest.raises(stripe.APIError):
        driver.stripe.v1.refunds.list()

    assert driver.stripe.v1.charges.list().data == []


def test_no_lever_reaches_the_page_the_controls_or_the_dashboard(driver: Driver) -> None:
    session = driver.session()
    driver.control("/levers", {"kind": "api_hang", "seconds": 60})
    driver.control("/levers", {"kind": "api_error", "status": 500})
    driver.control("/levers", {"kind": "api_close", "when": "before"})

    started = time.monotonic()
    answers = [driver.server.flask.test_client().get(path).status_code for path in ("/", f"/c/pay/{session.id}")]
    paid = driver.pay(session.id)

    assert (answers, paid["status"]) == ([200, 200], "complete")
    assert time.monotonic() - started < 5
    assert driver.control("/levers", method="DELETE")[1] == {"removed": 3}


def test_events_can_be_forgotten(driver: Driver) -> None:
    driver.paid()
    event = driver.stripe.v1.events.list().data[0]

    driver.control("/levers", {"kind": "api_forget_events"})

    assert driver.stripe.v1.events.list().data == []
    with pytest.raises(stripe.InvalidRequestError):
        driver.stripe.v1.events.retrieve(event.id)


@pytest.mark.parametrize(
    "lever",
    [
        {"kind": "unicorn"},
        {"kind": "api_error", "status": 418},
        {"kind": "webhook_delay", "seconds": -1},
        {"kind": "webhook_drop", "types": "checkout"},
        {"kind": "webhook_drop", "count": 0},
        {"kind": "webhook_hold", "seconds": 3},
        {"kind": "api_hang", "path": 7},
    ],
)
def test_a_lever_that_does_not_exist_is_refused(driver: Driver, lever: dict[str, Any]) -> None:
    status, answer = driver.control("/levers", lever)

    assert (status, list(answer)) == (400, ["error"])
    assert driver.control("/levers", method="GET")[1] == {"levers": []}


def test_levers_are_listed_and_removed_one_by_one(driver: Driver) -> None:
    _, first = driver.control("/levers", {"kind": "webhook_drop", "count": 3})
    _, second = driver.control("/levers", {"kind": "api_hang", "seconds": 2})

    assert driver.control(f"/levers/{first['id']}", method="DELETE")[1] == {"removed": 1}

    assert driver.control("/levers", method="GET")[1] == {"levers": [second]}
    expected = {"kind": "api_hang", "count": None, "method": "", "path": "*", "when": "before", "seconds": 2.0}
    assert second == {"id": second["id"], **expected}
