"""From a post to Enroll: the way is written to the order and to Stripe, and readers get no cookie for it."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.blog.models import Post, PostReads
from app.blog.reads import EXTENSION, count_read, write_reads
from app.checkout.models import CheckoutAttempt, Order, TouchPoint
from app.db import db, transaction
from tests.accounts.people import SAME_ORIGIN, Browser
from tests.admin.staff import Staff
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import get_price, make_course
from tests.shop import load_post, post_text

OPENED = {
    "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}  # fmt: skip


class Reader(Browser):
    """A browser as its headers show it."""

    def read(self, path: str, **headers: str) -> Any:
        return self.get(path, headers={**OPENED, **headers})

    def enroll(self, price_id: str, *, on: str, **fields: str) -> None:
        """Press Enroll on the page at that address."""
        headers = {**SAME_ORIGIN, "Referer": f"http://localhost{on}"}
        answer = self.post("/checkout", {"price_id": price_id, **fields}, headers=headers)
        assert answer.status_code == 303, answer.text


@pytest.fixture
def price_id(shop: Shop) -> str:
    """Three posts, a, b and c, and something to enroll in."""
    for slug in ("a", "b", "c"):
        load_post(post_text(title=f"Post {slug}", slug=slug, published="2026-01-02"))
    return get_price(make_course(slug="the-course")).public_id


def list_touches() -> list[tuple[str | None, str, bool, dict[str, str]]]:
    db.session.rollback()
    rows = db.session.execute(
        select(Post.slug, TouchPoint.place, TouchPoint.is_last, TouchPoint.utm)
        .outerjoin(Post, Post.id == TouchPoint.post_id)
        .order_by(TouchPoint.order_id, TouchPoint.position)
    )
    return [(row.slug, row.place, row.is_last, row.utm) for row in rows]


def read_metadata(shop: Shop) -> dict[str, str]:
    """What Stripe keeps with the newest session."""
    session_id = db.session.scalars(
        select(CheckoutAttempt.stripe_checkout_session_id).order_by(CheckoutAttempt.id.desc())
    ).first()
    session = shop.stripe(f"/v1/checkout/sessions/{session_id}")
    metadata: dict[str, str] = session["metadata"]
    return {name: value for name, value in metadata.items() if name not in {"app_id", "order", "attempt"}}


# Without a cookie


@pytest.mark.parametrize("place", ["side", "end"])
def test_enroll_on_a_post_says_which_one_and_where_on_it(app: Flask, shop: Shop, price_id: str, place: str) -> None:
    reader = Reader(app)
    reader.read("/blog/a")

    reader.enroll(price_id, on="/blog/a", post="a", place=place)

    assert list_touches() == [("a", place, True, {})]
    assert read_metadata(shop) == {"post_first": "a", "post_last": "a", "post_count": "1", "post_place": place}


def test_enroll_on_the_course_page_knows_the_post_from_the_pages_address(app: Flask, shop: Shop, price_id: str) -> None:
    reader = Reader(app)
    reader.read("/courses/the-course?from=b.text")
    assert reader.cookie == ""

    reader.enroll(price_id, on="/courses/the-course?from=a,b.text&utm_source=letter&utm_campaign=%20May%20")

    utm = {"utm_source": "letter", "utm_campaign": "May"}
    assert list_touches() == [("a", "", False, {}), ("b", "text", True, utm)]
    assert read_metadata(shop) == {
        "post_first": "a", "post_last": "b", "post_count": "2", "post_place": "text", **utm,
    }  # fmt: skip


def test_our_checkout_page_carries_the_way_on(app: Flask, shop: Shop, price_id: str) -> None:
    reader = Reader(app)
    page = reader.read(f"/checkout/{price_id}", Referer="http://localhost/courses/the-course?from=a.side&utm_source=x")
    assert 'name="came" value="from=a.side&amp;utm_source=x"' in page.text

    reader.enroll(price_id, on=f"/checkout/{price_id}", came="from=a.side&utm_source=x", form_key="k")

    assert list_touches() == [("a", "side", True, {"utm_source": "x"})]


def test_a_campaign_without_a_post_is_kept_too(app: Flask, shop: Shop, price_id: str) -> None:
    Reader(app).enroll(price_id, on="/courses/the-course?utm_source=letter&utm_id=7&utm_medium=")

    assert list_touches() == [(None, "", True, {"utm_source": "letter"})]
    assert read_metadata(shop) == {"utm_source": "letter"}


@pytest.mark.parametrize(
    "query",
    ["from=", "from=not-a-post", "from=../../etc", "from=A.side", "from=" + "x" * 5000, "from=%00", "other=a",
     "from=a b", "from=<script>"],
)  # fmt: skip
def test_an_address_that_makes_no_sense_leaves_no_trace(app: Flask, shop: Shop, price_id: str, query: str) -> None:
    Reader(app).enroll(price_id, on=f"/courses/the-course?{query}")

    assert list_touches() == []
    assert read_metadata(shop) == {}


def test_another_sites_address_is_not_believed(app: Flask, shop: Shop, price_id: str) -> None:
    headers = {**SAME_ORIGIN, "Referer": "http://localhost.example.org/?from=a.side&utm_source=evil"}
    Reader(app).post("/checkout", {"price_id": price_id}, headers=headers)

    assert list_touches() == []
    assert db.session.scalar(select(Order.id)) is not None


def test_a_long_way_keeps_its_first_post_and_the_latest_ones(app: Flask, shop: Shop, price_id: str) -> None:
    Reader(app).enroll(price_id, on="/courses/the-course?from=b,a," + "c,a,b," * 5 + "c.end")

    touches = list_touches()
    assert [slug for slug, *_ in touches] == ["b", "c", "a", "b", "c", "a", "b", "c"]
    assert touches[-1][:3] == ("c", "end", True)


def test_links_of_a_post_say_where_they_stand_and_the_page_stays_everybodys(app: Flask, price_id: str) -> None:
    load_post(
        post_text("Read [the course](/courses/the-course#faq) and [more](/blog/a).", title="D", slug="d", courses="[the-course]")
    )  # fmt: skip

    page = Reader(app).read("/blog/d")

    assert 'href="/courses/the-course?from=d.text#faq"' in page.text
    assert 'href="/courses/the-course?from=d.side"' in page.text
    assert 'name="place" value="side"' in page.text
    assert 'name="place" value="end"' in page.text
    assert 'href="/blog/a?from=d"' in page.text
    assert page.headers["Cache-Control"] == "public, max-age=0, must-revalidate"
    assert "Set-Cookie" not in page.headers
    assert Reader(app).read("/blog/d?from=a").data == page.data


# With the session that is there anyway


def test_a_browser_that_began_a_purchase_keeps_the_posts_it_opens(app: Flask, shop: Shop, price_id: str) -> None:
    reader = Reader(app)
    reader.enroll(price_id, on="/blog/a", post="a", place="side")
    other = get_price(make_course()).public_id

    reader.read("/blog/b?utm_source=letter")
    reader.read("/blog/b")
    reader.read("/blog/c")
    reader.enroll(other, on="/courses/other?from=c.text")

    assert list_touches()[1:] == [
        ("a", "side", False, {}), ("b", "", False, {}), ("c", "text", True, {"utm_source": "letter"}),
    ]  # fmt: skip
    assert read_metadata(shop)["post_first"] == "a"


def test_posts_are_forgotten_after_thirty_days(
    app: Flask, shop: Shop, price_id: str, moving_clock: MovableClock
) -> None:
    reader = Reader(app)
    reader.enroll(price_id, on="/blog/a", post="a", place="side")
    moving_clock.advance(days=30, minutes=1)

    free = get_price(make_course(unit_amount=0)).public_id
    reader.enroll(free, on="/blog/b", post="b", place="end", email="reader@example.org")

    assert list_touches()[1:] == [("b", "end", True, {})]


# Reads


@pytest.fixture(autouse=True)
def _count_from_zero(app: Flask) -> None:
    """What other tests' readers opened is in the process's memory still."""
    app.extensions[EXTENSION].take()


def list_reads() -> dict[str, int]:
    write_reads()
    db.session.rollback()
    rows = db.session.execute(select(Post.slug, PostReads.reads).join(Post, Post.id == PostReads.post_id))
    return dict(rows.all())  # type: ignore[arg-type]


def test_each_opening_counts_also_when_a_cache_has_the_page(app: Flask, price_id: str) -> None:
    reader = Reader(app)
    etag = reader.read("/blog/a").headers["ETag"]

    again = reader.read("/blog/a", **{"If-None-Match": etag})

    assert again.status_code == 304
    assert list_reads() == {"a": 2}
    reader.read("/blog/a")
    assert list_reads() == {"a": 3}


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Dest": ""},
        {"Sec-Fetch-Dest": "image"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        {"User-Agent": "curl/8.5"},
    ],
)
def test_robots_and_prefetching_do_not_count(app: Flask, price_id: str, headers: dict[str, str]) -> None:
    Reader(app).read("/blog/a", **headers)

    assert list_reads() == {}


def test_neither_heads_nor_drafts_nor_staff_count(app: Flask, price_id: str) -> None:
    reader = Reader(app)
    reader.open("/blog/a", method="HEAD", headers=OPENED)
    reader.read("/blog/nothing-here")
    Staff(app, "editor").get("/blog/a", headers=OPENED)

    assert list_reads() == {}


def test_a_day_is_the_shops_and_a_removed_post_does_no_harm(
    app: Flask, price_id: str, moving_clock: MovableClock
) -> None:
    post_id = db.session.scalars(select(Post.id).where(Post.slug == "a")).one()
    count_read(post_id)
    count_read(post_id + 1000)
    moving_clock.advance(days=1)
    count_read(post_id)

    write_reads()

    db.session.rollback()
    days = db.session.execute(select(PostReads.day, PostReads.reads).order_by(PostReads.day)).all()
    assert [row.reads for row in days] == [1, 1]
    assert days[1].day - days[0].day == timedelta(days=1)


def test_what_cannot_be_written_now_is_kept_for_the_next_batch(app: Flask, price_id: str) -> None:
    post_id = db.session.scalars(select(Post.id).where(Post.slug == "a")).one()
    count_read(post_id)
    with transaction() as session:
        session.connection().exec_driver_sql("ALTER TABLE post_reads RENAME TO post_reads_away")
    try:
        write_reads()
    finally:
        with transaction() as session:
            session.connection().exec_driver_sql("ALTER TABLE post_reads_away RENAME TO post_reads")

    assert list_reads() == {"a": 1}
