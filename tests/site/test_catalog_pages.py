"""The catalog's pages: the given facts, live prices, and who may see what."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.catalog.models import Price
from app.catalog.services import replace_price
from app.db import db
from tests.accounts.people import Browser, make_person
from tests.factories import make_course
from tests.queries import count_queries
from tests.shop import COURSE, course_text, load_course, load_post, load_shop, post_text


def test_the_course_page_says_what_is_promised_and_asked(client: FlaskClient) -> None:
    load_shop()

    page = client.get(f"/courses/{COURSE}").text

    assert "<h1>AI Lead Engine Accelerator</h1>" in page
    # The last two words are marked, so tags stand between the words.
    assert "Launch a smarter AI lead funnel in just 60 days" in re.sub(r"<[^>]+>", "", page)
    assert "Enroll — $97" in page
    assert "USD, one payment" in page
    assert "6 modules, 19 lessons" in page
    assert "The AI Paradox: How Advanced Models" in page
    assert f'<link rel="canonical" href="http://localhost/courses/{COURSE}">' in page


def test_a_new_price_is_on_every_page_at_once(client: FlaskClient) -> None:
    load_shop()
    paths = ["/", "/courses", f"/courses/{COURSE}", f"/blog/{_post_slug(client)}"]
    tags = [client.get(path).headers["ETag"] for path in paths]

    price = db.session.scalars(select(Price).where(Price.status == "active")).one()
    replace_price(product_id=price.product_id, unit_amount=11700, currency="usd")

    for path, tag in zip(paths, tags, strict=True):
        answer = client.get(path, headers={"If-None-Match": tag})
        assert answer.status_code == 200, path
        assert "$117" in answer.text, path
        assert "$97" not in answer.text, path


def test_a_listing_shows_cards_topics_and_its_filters(client: FlaskClient) -> None:
    make_course(slug="cheap", title="Cheap one", unit_amount=1000, level="beginner")
    make_course(slug="dear", title="Dear one", unit_amount=20000, level="advanced")

    page = client.get("/courses?level=advanced&q=one&sort=price").text

    assert "Dear one" in page
    assert "$200" in page
    assert "Cheap one" not in page
    assert "1 course for “one”" in page


def test_pages_keep_their_filters(client: FlaskClient) -> None:
    for _ in range(13):
        make_course(level="advanced")

    page = client.get("/courses?level=advanced").text

    assert 'href="/courses?level=advanced&amp;page=2"' in page
    assert 'href="/courses?level=advanced"' in client.get("/courses?level=advanced&page=2").text
    assert client.get("/courses?page=3").status_code == 404


def test_a_draft_is_404_for_visitors_and_learners_and_a_preview_for_staff(app: Flask) -> None:
    make_course(slug="secret", status="draft")
    make_person("learner@example.org")
    make_person("owner@example.org", role_names=["owner"])
    learner, owner = Browser(app), Browser(app)
    learner.sign_in("learner@example.org")
    owner.sign_in("owner@example.org")

    assert Browser(app).get("/courses/secret").status_code == 404
    assert learner.get("/courses/secret").status_code == 404
    page = owner.get("/courses/secret")
    assert page.status_code == 200
    assert "Only staff and those who have the course can see this page" in page.text


def test_an_archived_course_stays_and_offers_others(client: FlaskClient) -> None:
    make_course(slug="gone", status="archived", title="Gone course")
    make_course(slug="here", title="Present course")

    page = client.get("/courses/gone").text

    assert "no longer sold" in page
    assert "Present course" in page
    assert "Enroll —" not in page
    assert "Gone course" not in client.get("/courses").text


def test_an_old_address_leads_to_the_new_one(client: FlaskClient) -> None:
    load_course(course_text())
    load_course(course_text(slug="new-home", old_slugs="[small-course]"))

    answer = client.get("/courses/small-course")
    lesson = client.get("/courses/small-course/lessons/one")

    assert (answer.status_code, answer.headers["Location"]) == (301, "/courses/new-home")
    assert (lesson.status_code, lesson.headers["Location"]) == (301, "/courses/new-home/lessons/one")


@pytest.mark.parametrize(
    ("path", "most"),
    [("/", 6), ("/courses", 5), ("/courses/small-course", 5), ("/blog", 5), ("/blog/small-post", 6), ("/blog/feed.xml", 3),
     ("/courses/small-course/lessons/one", 4), ("/sitemap.xml", 2), ("/pages/terms", 1)],  # one is for the settings in force
)  # fmt: skip
def test_a_page_takes_a_fixed_number_of_queries(client: FlaskClient, path: str, most: int) -> None:
    load_course(course_text(prices="[20.00 USD, 18.00 EUR, 15.00 GBP]"))
    load_post(post_text(courses="[small-course]"))
    with count_queries() as with_little:
        assert client.get(path).status_code == 200
    for number in range(8):
        make_course()
        load_post(post_text(slug=f"post-{number}", courses="[small-course]"))

    with count_queries() as with_much:
        client.get(path)

    assert len(with_little) == len(with_much) == most


def test_a_course_sold_in_several_currencies_links_to_the_checkout_in_each(client: FlaskClient) -> None:
    load_course(course_text(prices="[97.00 USD, 89.50 EUR, 79.00 GBP]"))
    ids = {price.currency: price.public_id for price in db.session.scalars(select(Price))}

    page = client.get("/courses/small-course").text

    assert f'name="price_id" value="{ids["usd"]}"' in page
    assert re.search(
        f'Also in <a href="/checkout/{ids["eur"]}"[^>]*>€89.50</a> · <a href="/checkout/{ids["gbp"]}"[^>]*>£79</a></p>',
        page,
    )


def test_a_new_price_in_another_currency_is_on_the_page_at_once(client: FlaskClient) -> None:
    load_course(course_text(prices="[97.00 USD, 89.00 EUR]"))
    assert "€89</a>" in client.get("/courses/small-course").text
    product_id = db.session.scalars(select(Price.product_id)).first()
    assert product_id is not None

    replace_price(product_id=product_id, unit_amount=7900, currency="eur")

    page = client.get("/courses/small-course").text
    assert "€79</a>" in page
    assert "€89" not in page


@pytest.mark.parametrize("head", [{"status": "archived"}, {"capacity": "0"}, {"prices": "[0.00 USD, 89.00 EUR]"}])
def test_other_currencies_are_named_only_while_the_course_is_sold(client: FlaskClient, head: dict[str, str]) -> None:
    load_course(course_text(**{"prices": "[97.00 USD, 89.00 EUR]", **head}))

    assert "Also in" not in client.get("/courses/small-course").text


def test_offers_read_as_they_are(client: FlaskClient) -> None:
    make_course(slug="free", unit_amount=0)
    make_course(slug="full", capacity=0)
    make_course(slug="closed", unit_amount=None)

    assert "Enroll for free" in client.get("/courses/free").text
    assert "Sold out" in client.get("/courses/full").text
    assert "Not on sale" in client.get("/courses/closed").text


def test_what_search_engines_read_is_data_that_a_script_tag_cannot_leave(client: FlaskClient) -> None:
    make_course(slug="odd", title="</script><script>alert(1)</script>")

    page = client.get("/courses/odd").text

    assert '<script type="application/ld+json">' in page
    assert "<script>alert(1)" not in page


def _post_slug(client: FlaskClient) -> str:
    found = re.search(r'href="/blog/(the-ai-paradox[^"]+)"', client.get("/blog").text)
    assert found is not None
    return found[1]
