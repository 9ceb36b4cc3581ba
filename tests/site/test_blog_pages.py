"""The blog's pages, its feed, and the pages machines read."""

from xml.etree import ElementTree as ET

import pytest
from flask.testing import FlaskClient

from tests.factories import make_course
from tests.shop import COURSE, POST, POST_TITLE, course_text, load_course, load_post, load_shop, post_text


def test_the_post_page_says_the_given_facts(client: FlaskClient) -> None:
    load_shop()

    page = client.get(f"/blog/{POST}").text

    assert f'<h1 id="post-title">{POST_TITLE}</h1>' in page
    assert "AI &amp; Automation" in page
    assert "April 25, 2026" in page
    assert "8 min read" in page
    assert "AI Lead Engine Accelerator" in page
    assert "Launch a smarter AI lead funnel in just 60 days" in page
    assert page.count("Enroll — $97") >= 2
    assert f'<input type="hidden" name="post" value="{POST}">' in page
    assert 'href="#two-stories-that-are-both-true"' in page
    assert "Updated" not in page
    assert "linkedin.com/sharing" in page


@pytest.mark.parametrize("head", [{"status": "draft"}, {"published": "2099-01-01"}, {"status": "archived"}])
def test_what_is_not_published_is_nowhere(client: FlaskClient, head: dict[str, str]) -> None:
    load_course(course_text())
    load_post(post_text(title="Hidden words", courses="[small-course]", **head))

    assert client.get("/blog/small-post").status_code == 404
    for path in ("/", "/blog", "/blog/category/cloud", "/blog/feed.xml", "/sitemap.xml", "/courses/small-course"):
        assert "Hidden words" not in client.get(path).text, path
        assert "small-post" not in client.get(path).text, path


def test_an_old_address_leads_to_the_new_one(client: FlaskClient) -> None:
    load_post(post_text())
    load_post(post_text(slug="new-home", old_slugs="[small-post]"))

    answer = client.get("/blog/small-post")

    assert (answer.status_code, answer.headers["Location"]) == (301, "/blog/new-home")


def test_a_topic_lists_its_posts_only(client: FlaskClient) -> None:
    load_post(post_text(title="About clouds"))
    load_post(post_text(title="About growth", slug="growth", category="Digital Growth"))

    page = client.get("/blog/category/cloud").text

    assert "About clouds" in page
    assert "About growth" not in page
    assert client.get("/blog/category/nope").status_code == 404


def test_a_revised_post_says_when(client: FlaskClient) -> None:
    load_post(post_text(revised="2026-02-03"))

    assert "Updated" in client.get("/blog/small-post").text
    assert "February 3, 2026" in client.get("/blog/small-post").text


def test_the_feed_is_valid_rss(client: FlaskClient) -> None:
    load_post(post_text(title="Fish & <chips>", excerpt="Short & sweet"))

    answer = client.get("/blog/feed.xml")

    assert answer.content_type == "application/rss+xml; charset=utf-8"
    channel = ET.fromstring(answer.data).find("channel")
    assert channel is not None
    assert channel.findtext("link") == "http://localhost/blog"
    item = channel.find("item")
    assert item is not None
    assert {element.tag: element.text for element in item} == {
        "title": "Fish & <chips>",
        "link": "http://localhost/blog/small-post",
        "description": "Short & sweet",
        "category": "Cloud",
        "guid": item.findtext("guid"),
        "pubDate": "Fri, 02 Jan 2026 00:00:00 +0000",
    }


def test_the_sitemap_names_every_public_page(client: FlaskClient) -> None:
    load_shop()
    make_course(slug="draft", status="draft")
    make_course(slug="gone", status="archived")

    tree = ET.fromstring(client.get("/sitemap.xml").data)

    addresses = {element.text for element in tree.iter() if element.tag.endswith("loc")}
    assert {f"http://localhost/courses/{COURSE}", f"http://localhost/blog/{POST}", "http://localhost/"} <= addresses
    assert not [address for address in addresses if "draft" in str(address) or "gone" in str(address)]
    assert not [address for address in addresses if "/lessons/" in str(address)]


def test_robots_are_told_where_the_map_is(client: FlaskClient) -> None:
    text = client.get("/robots.txt").text

    assert "Sitemap: http://localhost/sitemap.xml" in text
    assert "Disallow: /account" in text


@pytest.mark.parametrize("name", ["refund-policy", "privacy", "terms", "contact"])
def test_every_standing_page_is_there(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/pages/{name}")

    assert answer.status_code == 200
    assert answer.text.count("<h1>") == 1


@pytest.mark.parametrize("name", ["nope", "..%2f..%2fREADME", "terms.md", ".", "%00"])
def test_no_other_file_is_a_page(client: FlaskClient, name: str) -> None:
    assert client.get(f"/pages/{name}").status_code in {400, 404}


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_says_ok_and_nothing_else(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.text) == (200, "ok\n")
