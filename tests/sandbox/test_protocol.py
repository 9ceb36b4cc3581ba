"""Keys, versions, unknown addresses, expansion, idempotency: what holds for every operation."""

import base64
import threading
from typing import Any
from urllib.parse import urlencode

import pytest
import stripe

from tests.sandbox.conftest import KEY, Driver, MakeDriver


@pytest.mark.parametrize("key", ["", "sk_live_abcdefgh", "pk_test_abcdefgh", "secret"])
def test_only_a_test_key_opens_the_api(driver: Driver, key: str) -> None:
    status, answer = driver.api("GET", "/v1/products", headers={"Authorization": f"Bearer {key}" if key else ""})

    assert (status, answer["error"]["type"]) == (401, "invalid_request_error")


def test_a_set_key_is_the_only_one(make_driver: MakeDriver) -> None:
    driver = make_driver(secret_key="sk_test_theonlyone")

    with pytest.raises(stripe.AuthenticationError):
        driver.stripe.v1.products.list()

    assert driver.api("GET", "/v1/products", headers={"Authorization": "Bearer sk_test_theonlyone"})[0] == 200


def test_another_api_version_is_refused(driver: Driver) -> None:
    status, answer = driver.api("GET", "/v1/products", headers={"Stripe-Version": "2020-08-27"})

    assert (status, "2020-08-27" in answer["error"]["message"]) == (400, True)


def test_an_unknown_address_is_stripes_404(driver: Driver) -> None:
    status, answer = driver.api("GET", "/v1/unicorns")

    assert (status, answer["error"]["type"]) == (404, "invalid_request_error")


def test_expansion_goes_four_levels_and_no_further(driver: Driver) -> None:
    session = driver.session()

    found = driver.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": ["line_items.data.price.product"]})

    assert found.line_items is not None
    assert found.line_items.data[0].price.product.name == "AI Lead Engine Accelerator"  # type: ignore[union-attr]
    with pytest.raises(stripe.InvalidRequestError):
        driver.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": ["a.b.c.d.e"]})
    with pytest.raises(stripe.InvalidRequestError):
        driver.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": ["colour"]})


def test_one_key_makes_one_object(driver: Driver) -> None:
    first = driver.stripe.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "k1"})
    again = driver.stripe.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "k1"})

    assert first.id == again.id
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert len(driver.stripe.v1.customers.list().data) == 1


def test_a_key_with_other_parameters_is_an_idempotency_error(driver: Driver) -> None:
    driver.stripe.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "k1"})

    with pytest.raises(stripe.IdempotencyError):
        driver.stripe.v1.customers.create({"email": "b@example.org"}, {"idempotency_key": "k1"})
    with pytest.raises(stripe.IdempotencyError):
        driver.stripe.v1.coupons.create({"percent_off": 5}, {"idempotency_key": "k1"})

    assert len(driver.stripe.v1.customers.list().data) == 1


def test_a_refused_parameter_leaves_the_key_free(driver: Driver) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        driver.stripe.v1.coupons.create({"percent_off": 500}, {"idempotency_key": "k1"})

    assert driver.stripe.v1.coupons.create({"percent_off": 5}, {"idempotency_key": "k1"}).percent_off == 5


def test_a_refusal_by_state_is_kept_for_the_key(driver: Driver) -> None:
    intent = driver.paid()
    params: stripe.params.RefundCreateParams = {"payment_intent": intent.id, "amount": 9701}

    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            driver.stripe.v1.refunds.create(params, {"idempotency_key": "r1"})

    assert refused.value.headers is not None
    assert refused.value.headers["Idempotent-Replayed"] == "true"
    assert driver.stripe.v1.refunds.list().data == []


def test_forgotten_keys_execute_again(driver: Driver) -> None:
    driver.stripe.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "k1"})

    assert driver.control("/levers", {"kind": "forget_idempotency_keys"})[1]["forgotten"] == 1
    driver.stripe.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "k1"})

    assert len(driver.stripe.v1.customers.list().data) == 2


def test_a_key_in_use_is_409_and_executes_once(driver: Driver) -> None:
    driver.control("/levers", {"kind": "api_hang", "seconds": 0.3, "count": 1, "method": "POST"})
    body, headers = urlencode({"email": "a@example.org"}), {"Idempotency-Key": "k1"}
    answers: list[int] = []
    start = threading.Barrier(6)

    def create() -> None:
        start.wait()
        answers.append(driver.api("POST", "/v1/customers", body, headers)[0])

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # Who comes while the first hangs is told so; exactly one executes, later ones get its answer again.
    assert set(answers) <= {200, 409}
    assert 409 in answers
    assert len(driver.stripe.v1.customers.list().data) == 1


def test_basic_authentication_works_too(driver: Driver) -> None:
    status, account = driver.api("GET", "/v1/account", headers={"Authorization": _basic(KEY)})

    assert (status, account["object"]) == (200, "account")


def _basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def test_a_broken_body_is_a_400(driver: Driver) -> None:
    for body in ("a[b=1", "name=a&name[b]=c", "name=%FF", "=x"):
        assert driver.api("POST", "/v1/products", body)[0] == 400


def _create(driver: Driver, body: str, key: str, path: str = "/v1/customers") -> tuple[int, dict[str, Any]]:
    return driver.api("POST", path, body, {"Idempotency-Key": key})


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_the_first_answer_stays_the_answer_even_when_it_is_a_5xx(driver: Driver, status: int) -> None:
    driver.control("/levers", {"kind": "api_error", "status": status, "when": "after", "count": 1, "method": "POST"})

    answers = [_create(driver, "email=a@example.org", "k1") for _ in range(3)]

    assert answers == [answers[0]] * 3
    assert answers[0][0] == status
    assert len(driver.stripe.v1.customers.list().data) == 1


def test_a_stored_5xx_lasts_a_day_and_then_the_key_executes_again(driver: Driver) -> None:
    driver.control("/levers", {"kind": "api_error", "status": 500, "when": "before", "count": 1, "method": "POST"})
    first, _ = _create(driver, "email=a@example.org", "k1")
    second, _ = _create(driver, "email=a@example.org", "k1")

    driver.control("/clock", {"advance_seconds": 24 * 3600})

    assert (first, second, _create(driver, "email=a@example.org", "k1")[0]) == (500, 500, 200)
    assert len(driver.stripe.v1.customers.list().data) == 1


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("email=b@example.org", "/v1/customers"),
        ("email=a@example.org&name=A", "/v1/customers"),
        ("", "/v1/customers"),
        ("name=Course", "/v1/products"),
    ],
)
def test_other_parameters_or_another_address_under_a_used_key_are_refused(driver: Driver, body: str, path: str) -> None:
    _create(driver, "email=a@example.org", "k1")

    status, answer = _create(driver, body, "k1", path)

    assert (status, answer["error"]["type"]) == (400, "idempotency_error")
    assert len(driver.stripe.v1.customers.list().data) == 1
    assert driver.stripe.v1.products.list().data == []


def test_the_order_of_parameters_does_not_matter_for_a_key(driver: Driver) -> None:
    first = _create(driver, "email=a@example.org&name=A", "k1")

    assert _create(driver, "name=A&email=a@example.org", "k1") == first


def test_a_refused_key_keeps_its_first_answer(driver: Driver) -> None:
    first = _create(driver, "email=a@example.org", "k1")
    _create(driver, "email=b@example.org", "k1")

    assert _create(driver, "email=a@example.org", "k1") == first


@pytest.mark.parametrize("body", ["email=nobody", "colour=red", "email=a@example.org&metadata=x"])
def test_what_fails_validation_leaves_the_key_free_for_anything(driver: Driver, body: str) -> None:
    refused = _create(driver, body, "k1")[0]

    assert (refused, _create(driver, "email=a@example.org", "k1")[0]) == (400, 200)


def test_a_conflict_is_not_kept_for_the_key(driver: Driver) -> None:
    driver.control("/levers", {"kind": "api_error", "status": 409, "count": 1, "method": "POST"})

    assert [_create(driver, "email=a@example.org", "k1")[0] for _ in range(3)] == [409, 200, 200]

    assert len(driver.stripe.v1.customers.list().data) == 1


@pytest.mark.parametrize(("length", "status"), [(255, 200), (256, 400)])
def test_a_key_has_at_most_255_characters(driver: Driver, length: int, status: int) -> None:
    assert _create(driver, "email=a@example.org", "k" * length)[0] == status


def test_an_answer_names_version_request_and_key(driver: Driver) -> None:
    made = driver.stripe.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "k1"}).last_response
    again = driver.stripe.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "k1"}).last_response

    assert made is not None
    assert again is not None
    assert made.headers["Stripe-Version"] == "2026-10-28.endive"
    assert made.headers["Idempotency-Key"] == "k1"
    assert again.headers["Original-Request"] == made.headers["Request-Id"]
    assert again.headers["Request-Id"] != made.headers["Request-Id"]
