"""Withdraw from contract here: the pages, without an account and without a word about what exists."""

import re
from urllib.parse import urlsplit

import pytest
from flask import Flask

from app.checkout.withdrawals import find_withdrawal
from app.mail.rendering import render_message
from tests.accounts.people import SAME_ORIGIN, Browser, list_mails, make_person
from tests.checkout.conftest import Shop
from tests.checkout.test_withdrawals import buy, read_requests, switch_on
from tests.factories import make_course

LINK = "Withdraw from contract here"
CROSS_SITE = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}


def name_order(shop: Shop) -> dict[str, str]:
    order = shop.order(buy(shop))
    return {"number": f"NSL-{order.number}", "email": str(order.email)}


def make_path(shop: Shop) -> str:
    """The page of a paid order."""
    found = find_withdrawal(shop.order(buy(shop)).public_id)
    assert found is not None
    return f"/withdraw/{found[1]}"


def without_time(page: str) -> str:
    return re.sub(r"<time.*?</time>", "", page)


def test_a_shop_without_the_function_has_no_link_and_no_page(app: Flask) -> None:
    visitor = Browser(app)

    assert LINK not in visitor.get("/").text
    assert LINK not in visitor.get("/find-order").text
    assert visitor.get("/withdraw").status_code == 404
    for path in ("/withdraw", "/withdraw/confirm"):
        assert visitor.post(path, {"number": "1", "email": "a@example.org"}, headers=SAME_ORIGIN).status_code == 404


def test_every_page_leads_there_from_the_moment_it_is_switched_on(app: Flask) -> None:
    visitor = Browser(app)
    visitor.get("/")

    switch_on()

    for path in ("/", "/blog", "/pages/terms", "/find-order"):
        assert f'href="/withdraw">{LINK}</a>' in visitor.get(path).text


def test_naming_confirming_and_the_acknowledgment_with_time_and_content(shop: Shop) -> None:
    switch_on(refunds_withdrawals=False)
    named = name_order(shop)
    visitor = Browser(shop.app)
    assert 'name="number"' in visitor.get("/withdraw").text

    asked = visitor.post("/withdraw", named, headers=SAME_ORIGIN)
    assert read_requests() == []
    sent = visitor.post("/withdraw/confirm", named, headers=SAME_ORIGIN)

    assert (asked.status_code, sent.status_code) == (200, 200)
    assert "Confirm withdrawal</span></button>" in asked.text
    assert f'I withdraw from the contract about order <strong class="num">{named["number"]}</strong>' in sent.text
    assert "UTC</time>" in sent.text
    assert read_requests() == [("in_time", "by_hand", False)]
    mail = render_message(next(each for each in list_mails(named["email"]) if each.template == "withdrawal"))
    assert f"order {named['number']}" in mail.subject
    assert re.search(
        r"We received your withdrawal from the contract on \w+ \d+, \d{4}, \d\d:\d\d:\d\d UTC\.", mail.text
    )
    assert "A person looks at it now" in mail.text


def test_the_answer_is_the_same_whether_the_order_exists_or_not(shop: Shop) -> None:
    switch_on()
    named = name_order(shop)
    unknown = {"number": "NSL-999999", "email": named["email"]}
    visitor = Browser(shop.app)

    pages = {}
    for fields in (named, unknown):
        for path in ("/withdraw", "/withdraw/confirm"):
            text = without_time(visitor.post(path, fields, headers=SAME_ORIGIN).text)
            pages.setdefault(path, set()).add(text.replace(fields["number"], "NUMBER"))

    assert {path: len(texts) for path, texts in pages.items()} == {"/withdraw": 1, "/withdraw/confirm": 1}
    assert len(read_requests()) == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"number": "", "email": "maya@example.org"}, "Enter the order number from your receipt"),
        ({"number": "9" * 21, "email": "maya@example.org"}, "Enter the order number from your receipt"),
        ({"number": "NSL-1001", "email": "maya"}, "maya"),
        ({}, "Fix 2 things to go on"),
    ],
)
def test_what_is_missing_is_named_and_what_was_typed_stays(app: Flask, fields: dict[str, str], sentence: str) -> None:
    switch_on()
    visitor = Browser(app)

    for path in ("/withdraw", "/withdraw/confirm"):
        answer = visitor.post(path, fields, headers=SAME_ORIGIN)
        assert answer.status_code == 422
        assert sentence in answer.text
        assert f'value="{fields.get("number", "")}"' in answer.text


def test_another_site_cannot_send_it(shop: Shop) -> None:
    switch_on()
    named = name_order(shop)
    own_path = make_path(shop)
    visitor = Browser(shop.app)

    for path in ("/withdraw", "/withdraw/confirm", own_path):
        assert visitor.post(path, named, headers=CROSS_SITE).status_code == 403

    assert read_requests() == []


def test_ten_an_hour_for_one_address_and_no_more(app: Flask) -> None:
    switch_on()
    visitor = Browser(app)

    statuses = [
        visitor.post("/withdraw", {"number": "1", "email": "maya@example.org"}, headers=SAME_ORIGIN).status_code
        for _ in range(11)
    ]

    assert statuses == [200] * 10 + [429]


def test_the_receipts_link_shows_the_order_and_takes_the_withdrawal(shop: Shop) -> None:
    switch_on()
    order = shop.order(buy(shop))
    receipt = next(each for each in list_mails(order.email) if each.template == "receipt")
    found = re.search(rf"{LINK} until \w+ \d+, \d{{4}}: (\S+)", render_message(receipt).text)
    assert found is not None
    path = urlsplit(found[1]).path
    visitor = Browser(shop.app)

    before = visitor.get(path)
    answer = visitor.post(path, headers=SAME_ORIGIN)
    after = visitor.get(path)
    shop.work()

    assert "You’re within the period" in before.text
    assert "Confirm withdrawal" in before.text
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    assert "We received your withdrawal" in after.text
    assert "Your money is on its way back" in after.text
    assert "Confirm withdrawal" not in after.text
    assert after.headers["Cache-Control"] == "no-store"
    assert read_requests() == [("in_time", "asked", True)]


def test_the_buyers_order_page_leads_there(shop: Shop) -> None:
    switch_on()
    person = make_person("maya@example.org")
    started = shop.begin(make_course(unit_amount=9700), user=person)
    shop.pay(started)
    shop.deliver_all()
    buyer = Browser(shop.app)
    buyer.sign_in("maya@example.org")

    page = buyer.get(f"/account/orders/{started.order_public_id}").text

    found = re.search(rf'href="(/withdraw/[^"]+)">{LINK}', page)
    assert found is not None
    assert buyer.get(found[1]).status_code == 200
    buyer.post(found[1], headers=SAME_ORIGIN)
    assert "You withdrew from the contract" in buyer.get(f"/account/orders/{started.order_public_id}").text


def test_a_link_that_is_not_ours_is_not_found(app: Flask) -> None:
    switch_on()
    visitor = Browser(app)

    assert visitor.get("/withdraw/abc").status_code == 404
    assert visitor.post("/withdraw/abc", headers=SAME_ORIGIN).status_code == 404
