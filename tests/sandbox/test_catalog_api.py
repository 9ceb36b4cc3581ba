"""Products, prices, coupons, customers: what the API takes, refuses and lists."""

import pytest
import stripe

from tests.sandbox.conftest import Driver


def test_a_price_keeps_its_product_amount_and_lookup_key(driver: Driver) -> None:
    price_id = driver.price(500, "jpy", lookup_key="price:7", metadata={"app_id": "a"})

    found = driver.stripe.v1.prices.list({"lookup_keys": ["price:7"], "expand": ["data.product"]}).data

    assert [(each.id, each.unit_amount, each.currency) for each in found] == [(price_id, 500, "jpy")]
    assert isinstance(found[0].product, stripe.Product)
    assert found[0].product.name == "AI Lead Engine Accelerator"


def test_a_lookup_key_moves_only_when_told(driver: Driver) -> None:
    first = driver.price(lookup_key="course")

    with pytest.raises(stripe.InvalidRequestError) as refused:
        driver.price(lookup_key="course")
    second = driver.price(lookup_key="course", transfer_lookup_key=True)

    assert refused.value.param == "lookup_key"
    assert driver.stripe.v1.prices.retrieve(first).lookup_key is None
    assert driver.stripe.v1.prices.retrieve(second).lookup_key == "course"


def test_a_chosen_product_id_can_be_made_once(driver: Driver) -> None:
    driver.stripe.v1.products.create({"id": "app_prod", "name": "Course"})

    with pytest.raises(stripe.InvalidRequestError) as refused:
        driver.stripe.v1.products.create({"id": "app_prod", "name": "Course"})

    assert refused.value.code == "resource_already_exists"


def test_an_update_merges_metadata_and_tells_what_changed(driver: Driver) -> None:
    product = driver.stripe.v1.products.create({"name": "Old", "metadata": {"a": "1", "b": "2"}})

    driver.stripe.v1.products.update(product.id, {"name": "New", "metadata": {"a": "", "c": "3"}})

    changed = driver.stripe.v1.products.retrieve(product.id)
    assert (changed.name, changed.metadata.to_dict()) == ("New", {"b": "2", "c": "3"})
    event = driver.stripe.v1.events.list({"type": "product.updated"}).data[0]
    assert event.data.previous_attributes["name"] == "Old"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("currency=usd&unit_amount=900&product=prod_none", "resource_missing", "product"),
        ("unit_amount=900", "parameter_missing", "currency"),
        ("currency=usd&unit_amount=9.5&product=x", "parameter_invalid_integer", "unit_amount"),
        ("currency=usd&unit_amount=-1&product=x", "parameter_invalid_integer", "unit_amount"),
        ("currency=usd&unit_amount=900&product=x&colour=red", "parameter_unknown", "colour"),
        ("currency=usd&unit_amount=900&product=", "parameter_invalid_empty", "product"),
        ("currency=xxx&unit_amount=900&product=x", None, "currency"),
        ("currency=usd&unit_amount=900&product_data[title]=x", "parameter_unknown", "product_data[title]"),
        ("currency=kwd&unit_amount=5124&product_data[name]=x", None, "unit_amount"),
        ("currency=usd&currency=eur", None, "currency"),
        ("currency[a]=usd&unit_amount=1", None, "currency"),
    ],
)
def test_a_bad_price_is_refused_as_stripe_does(driver: Driver, body: str, code: str | None, param: str) -> None:
    status, answer = driver.api("POST", "/v1/prices", body)

    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
    assert (answer["error"].get("code"), answer["error"]["param"]) == (code, param)
    assert driver.api("GET", "/v1/prices")[1]["data"] == []


def test_pages_go_forward_and_back_without_gaps(driver: Driver) -> None:
    made = [driver.stripe.v1.customers.create({"email": f"b{n}@example.org"}).id for n in range(7)]

    first = driver.stripe.v1.customers.list({"limit": 3})
    second = driver.stripe.v1.customers.list({"limit": 3, "starting_after": first.data[-1].id})
    back = driver.stripe.v1.customers.list({"limit": 3, "ending_before": second.data[0].id})

    assert [each.id for each in driver.stripe.v1.customers.list({"limit": 2}).auto_paging_iter()] == made[::-1]
    assert ([each.id for each in second.data], second.has_more) == (made[3:0:-1], True)
    assert [each.id for each in back.data] == [each.id for each in first.data]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "starting_after=cus_none", "created[gte]=soon"])
def test_a_bad_page_is_refused(driver: Driver, query: str) -> None:
    assert driver.api("GET", f"/v1/customers?{query}")[0] == 400


def test_lists_filter_by_time(driver: Driver) -> None:
    customer = driver.stripe.v1.customers.create({"email": "b@example.org"})

    assert len(driver.stripe.v1.customers.list({"created": {"gte": customer.created}}).data) == 1
    assert driver.stripe.v1.customers.list({"created": {"gt": customer.created + 5}}).data == []


def test_a_deleted_customer_is_gone(driver: Driver) -> None:
    customer = driver.stripe.v1.customers.create({"email": "b@example.org", "address": {"country": "DE"}})

    assert driver.stripe.v1.customers.delete(customer.id).deleted is True
    with pytest.raises(stripe.InvalidRequestError) as missing:
        driver.stripe.v1.customers.retrieve(customer.id)

    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")


def test_a_product_with_a_price_cannot_be_deleted(driver: Driver) -> None:
    price = driver.stripe.v1.prices.retrieve(driver.price())

    with pytest.raises(stripe.InvalidRequestError):
        driver.stripe.v1.products.delete(str(price.product))

    assert driver.stripe.v1.products.retrieve(str(price.product)).active is True


def test_metadata_has_stripes_limits(driver: Driver) -> None:
    for key, value in (("k" * 41, "v"), ("k", "v" * 501)):
        with pytest.raises(stripe.InvalidRequestError):
            driver.stripe.v1.customers.create({"metadata": {key: value}})
    with pytest.raises(stripe.InvalidRequestError):
        driver.stripe.v1.customers.create({"metadata": {f"k{n}": "v" for n in range(51)}})

    assert driver.stripe.v1.customers.create({"metadata": {"k" * 40: "v" * 500}}).metadata["k" * 40] == "v" * 500


def test_a_coupon_takes_a_percentage_or_an_amount(driver: Driver) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        driver.stripe.v1.coupons.create({"duration": "once"})
    with pytest.raises(stripe.InvalidRequestError):
        driver.stripe.v1.coupons.create({"percent_off": 101})

    assert driver.stripe.v1.coupons.create({"id": "HALF", "percent_off": 50}).percent_off == 50
    assert driver.stripe.v1.coupons.retrieve("HALF").valid is True
