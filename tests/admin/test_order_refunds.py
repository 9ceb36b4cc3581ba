"""The refund page: what would happen is shown first, the button names the amount, and nothing runs twice."""

import html
import re
from typing import Any

from flask import Flask

from app.enrollment.manual_grants import give_course
from tests.admin.staff import Staff
from tests.checkout.conftest import Shop
from tests.checkout.money import buy_seats, give_back, refunds, seat_statuses
from tests.factories import make_course, make_user


def read_fields(page: str) -> dict[str, str]:
    """The hidden fields that the page's form carries."""
    fields = {}
    for tag in re.findall(r"<input[^>]+type=\"hidden\"[^>]*>", page):
        name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name is not None:
            fields[name.group(1)] = html.unescape(value.group(1)) if value is not None else ""
    return {name: value for name, value in fields.items() if name in {"key", "shown", "left", "what"}}


def read_text(page: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def open_page(staff: Staff, path: str, **query: Any) -> tuple[str, dict[str, Any]]:
    """The page's text, and what pressing its button would send."""
    answer = staff.get(path, query_string=query)
    assert answer.status_code == 200
    amount = re.search(r'name="amount"[^>]*value="([^"]*)"', answer.text)
    sent: dict[str, Any] = {"amount": amount.group(1) if amount else "", "reason": "Requested by customer", **query}
    return read_text(answer.text), sent | read_fields(answer.text)


def test_the_page_begins_with_all_that_is_left_and_names_it_on_the_button(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course(title="Draw the path", unit_amount=9700), user=make_user(email="maya@example.org"))
    give_back(started, amount=2000)
    staff = Staff(app, "support")
    path = f"/admin/orders/{started.order_public_id}/refund"

    text, sent = open_page(staff, path)

    assert sent["amount"] == "77.00"
    assert "Up to $77.00 of $97.00 is left to refund." in text
    assert "Refund $77.00" in text
    assert "maya@example.org loses Draw the path." in text
    assert "Stripe keeps its $3.11 fee." in text
    assert "in 5–10 days" in text

    answer = staff.send(path, sent)

    assert (answer.status_code, refunds(shop)) == (303, [2000, 7700])
    assert seat_statuses() == ["revoked"]
    assert "$77.00 is on its way back." in staff.get(answer.headers["Location"]).text


def test_a_part_closes_nothing_and_says_what_is_left(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course(unit_amount=9700))
    staff = Staff(app, "support")
    path = f"/admin/orders/{started.order_public_id}/refund"

    text, sent = open_page(staff, path, what="amount", amount="20")

    assert "Refund $20.00" in text
    assert "1 seat stays open." in text
    assert "$77.00 can still be refunded afterwards." in text
    assert "loses" not in text
    staff.send(path, sent)
    assert (refunds(shop), seat_statuses()) == ([2000], ["active"])


def test_who_keeps_the_course_by_another_grant_is_told(shop: Shop, app: Flask) -> None:
    buyer = make_user(email="maya@example.org")
    course = make_course(title="Draw the path", unit_amount=9700)
    started = shop.buy(course, user=buyer)
    staff = Staff(app, "support")
    give_course(
        email="maya@example.org", name="", course_public_id=course.public_id, reason="Courtesy", expires_at=None,
        given_by_id=staff.user.id,
    )  # fmt: skip

    text, _ = open_page(staff, f"/admin/orders/{started.order_public_id}/refund")

    assert "maya@example.org keeps Draw the path by another grant." in text


def test_seats_are_chosen_one_by_one(shop: Shop, app: Flask) -> None:
    started = buy_seats(shop, quantity=3, unit_amount=3333)
    staff = Staff(app, "support")
    path = f"/admin/orders/{started.order_public_id}/refund"

    text, sent = open_page(staff, path, what="seats", seats=["2", "3"])

    assert "Refund $66.66" in text
    assert "Seat 2 closes: nobody yet loses" in text
    assert "2 places can be sold again." in text
    assert "as 2 refunds" in text
    staff.send(path, sent)
    assert (refunds(shop), seat_statuses()) == ([3333, 3333], ["active", "revoked", "revoked"])


def test_the_button_never_refunds_what_was_not_shown(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course(unit_amount=9700))
    staff = Staff(app, "support")
    path = f"/admin/orders/{started.order_public_id}/refund"
    _, sent = open_page(staff, path)

    answer = staff.send(path, {**sent, "amount": "20"})

    assert (answer.status_code, refunds(shop)) == (422, [])
    text = read_text(answer.text)
    assert "You changed what goes back." in text
    assert "Refund $20.00" in text
    assert staff.send(path, {**sent, **read_fields(answer.text), "amount": "20"}).status_code == 303
    assert refunds(shop) == [2000]


def test_pressing_twice_refunds_once(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course(unit_amount=9700))
    staff = Staff(app, "support")
    path = f"/admin/orders/{started.order_public_id}/refund"
    _, sent = open_page(staff, path, what="amount", amount="20")

    statuses = [staff.send(path, sent).status_code for _ in range(3)]

    assert (statuses, refunds(shop)) == ([303, 303, 303], [2000])


def test_the_second_admin_hears_who_was_faster_and_refunds_nothing(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course(unit_amount=9700))
    path = f"/admin/orders/{started.order_public_id}/refund"
    ana, ben = Staff(app, "admin"), Staff(app, "support")
    _, of_ana = open_page(ana, path, what="amount", amount="20")
    _, of_ben = open_page(ben, path, what="amount", amount="20")

    assert ana.send(path, of_ana).status_code == 303
    answer = ben.send(path, of_ben)

    assert (answer.status_code, refunds(shop)) == (409, [2000])
    text = read_text(answer.text)
    assert "Admin Person refunded $20.00 of this order on" in text
    assert "$77.00 is left. Nothing more was refunded." in text
    assert "Refund $77.00" in text


def test_when_nothing_is_left_the_page_says_so(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course(unit_amount=9700))
    path = f"/admin/orders/{started.order_public_id}/refund"
    ana, ben = Staff(app, "admin"), Staff(app, "support")
    _, of_ben = open_page(ben, path)
    _, of_ana = open_page(ana, path)
    ana.send(path, of_ana)

    late = ben.send(path, of_ben)

    assert (late.status_code, refunds(shop)) == (409, [9700])
    assert "Admin Person refunded $97.00" in read_text(late.text)
    assert "Nothing is left to refund" in read_text(ben.get(path).text)
    assert "Refund…" not in ben.get(f"/admin/orders/{started.order_public_id}").text


def test_wrong_amounts_keep_what_was_typed_and_name_the_problem(shop: Shop, app: Flask) -> None:
    started = shop.buy(make_course(unit_amount=9700))
    staff = Staff(app, "support")
    path = f"/admin/orders/{started.order_public_id}/refund"
    _, sent = open_page(staff, path)

    for typed, said in (("ninety", "Enter an amount such as 97 or 97.00."), ("1.234", "USD has 2 decimal places.")):
        answer = staff.send(path, {**sent, "amount": typed})
        assert answer.status_code == 422
        assert f'value="{typed}"' in answer.text
        assert said in read_text(answer.text)
    too_much, _ = open_page(staff, path, what="amount", amount="97.01")
    assert "Choose an amount up to what is left of the payment." in too_much
    for data in ({"what": "seats"}, {"what": "line-9"}, {"what": "line-x"}, {"key": "short"}, {"what": ""}):
        assert staff.send(path, {**sent, **data}).status_code == 422, data
    assert refunds(shop) == []


def test_stripe_away_keeps_the_refund_and_says_so(shop: Shop, app: Flask, monkeypatch: Any) -> None:
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.001)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.002)
    started = shop.buy(make_course(unit_amount=9700))
    staff = Staff(app, "support")
    path = f"/admin/orders/{started.order_public_id}/refund"
    _, sent = open_page(staff, path)
    shop.control("/levers", {"kind": "api_error", "path": "/v1/refunds", "method": "POST", "status": 503})

    answer = staff.send(path, sent)
    shop.remove_levers()

    assert answer.status_code == 303
    assert "Stripe hasn’t answered yet." in staff.get(answer.headers["Location"]).text
    assert "Refund of $97.00 asked for by Support Person" in read_text(
        staff.get(f"/admin/orders/{started.order_public_id}").text
    )
