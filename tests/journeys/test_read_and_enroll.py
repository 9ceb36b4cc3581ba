"""A reader comes through a post and presses Enroll: one click, one order, one session, however often it is pressed."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.journeys.people import FormReader, Person, Truth, session_id_of
from tests.running import RunningShop

pytestmark = pytest.mark.journey

POST = "/blog/the-ai-paradox-how-advanced-models-and-job-cuts-are-reshaping-the-future-of-work"
COURSE = "/courses/ai-lead-engine-accelerator"


def test_enroll_on_a_post_leads_to_the_payment_page_with_the_price_that_was_shown(
    person: Person, database: Truth, shop: RunningShop
) -> None:
    page = person.get(POST).text
    assert "Enroll — $97" in page

    session_id = person.begin(POST)

    session = shop.stripe(f"/v1/checkout/sessions/{session_id}")
    assert (session["amount_total"], session["currency"], session["status"]) == (9700, "usd", "open")
    order = database.order(session_id)
    assert (order.state, order.total_amount, order.number) == ("pending", 9700, None)
    assert session["metadata"]["order"] == order.public_id
    touch = database.one(
        "SELECT p.slug FROM touch_points t JOIN posts p ON p.id = t.post_id WHERE t.order_id = :id", id=order.id
    )
    assert f"/blog/{touch.slug}" == POST


def test_second_click_second_tab_and_back_button_open_the_same_session(person: Person, database: Truth) -> None:
    first = person.enroll(POST)
    second = person.enroll(POST)
    # The other tab is on the course's page; it has the same cookies.
    third = person.enroll(COURSE)

    assert {first.status_code, second.status_code, third.status_code} == {303}
    assert first.headers["Location"] == second.headers["Location"] == third.headers["Location"]
    assert database.counts(session_id_of(first))["payments"] == 0
    orders = database.all(
        "SELECT id FROM orders WHERE buyer_key = :key", key=database.order(session_id_of(first)).buyer_key
    )
    assert len(orders) == 1


def test_ten_posts_at_once_with_the_same_cookies_are_one_order_and_one_session(
    person: Person, database: Truth, shop: RunningShop
) -> None:
    fields = next(form for form in FormReader(person.get(COURSE).text).forms if form.action == "/checkout").fields
    # A browser's first click is sent around once for its cookie; here it stops half-way, with the cookie.
    planted = person.http.post(
        shop.url + "/checkout", data=fields, allow_redirects=False, headers={"Sec-Fetch-Mode": "navigate"}, timeout=40
    )
    assert (planted.status_code, "session" in person.http.cookies) == (307, True)

    def click(_number: int) -> requests.Response:
        return requests.post(
            shop.url + "/checkout", data=fields, cookies=person.http.cookies.get_dict(), allow_redirects=False,
            headers=dict(person.http.headers), timeout=60,
        )  # fmt: skip

    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(click, range(10)))

    assert [answer.status_code for answer in answers] == [303] * 10, [answer.text[:300] for answer in answers]
    ids = {session_id_of(answer) for answer in answers}
    assert len(ids) == 1
    order = database.order(ids.pop())
    assert len(database.all("SELECT id FROM orders WHERE buyer_key = :key", key=order.buyer_key)) == 1
    sessions = shop.stripe("/v1/checkout/sessions?limit=100")["data"]
    assert len([each for each in sessions if each["metadata"]["order"] == order.public_id]) == 1


def test_success_page_of_an_unpaid_session_grants_nothing_and_strangers_see_nothing(
    person: Person, make_person, database: Truth
) -> None:
    session_id = person.begin(COURSE)

    own, foreign = person.come_back(session_id), make_person().come_back(session_id)

    assert "is in your library" not in own.text
    assert (foreign.status_code, "AI Lead Engine" in foreign.text) == (404, False)
    assert database.order(session_id).state == "pending"
    assert database.counts(session_id)["seats"] == 0


def test_success_page_of_an_unpaid_session_does_not_congratulate(person: Person) -> None:
    page = person.come_back(person.begin(COURSE))

    assert "You’re in" not in page.text


def test_amounts_that_a_browser_sends_are_not_believed(person: Person, shop: RunningShop) -> None:
    fields = next(form for form in FormReader(person.get(COURSE).text).forms if form.action == "/checkout").fields

    answer = person.press_enroll({**fields, "unit_amount": "1", "total_amount": "1", "currency": "jpy"})

    session = shop.stripe(f"/v1/checkout/sessions/{session_id_of(answer)}")
    assert (session["amount_total"], session["currency"]) == (9700, "usd")
