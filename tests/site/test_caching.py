"""What caches may keep: the same page for every visitor, nothing of anybody signed in (attack A72)."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.site.static_files import static_url
from tests.accounts.people import Browser, make_person
from tests.shop import course_text, load_course, load_post, post_text

PUBLIC_PAGES = [
    "/", "/courses", "/courses?q=x", "/courses/small-course", "/courses/small-course/lessons/one", "/blog", "/blog/small-post",
    "/blog/category/cloud", "/blog/feed.xml", "/pages/terms", "/sitemap.xml", "/robots.txt", "/api/v1/courses",
    "/api/v1/courses/small-course", "/api/v1/posts", "/api/v1/posts/small-post", "/api/openapi.json",
]  # fmt: skip


@pytest.fixture
def shop(app: Flask) -> Flask:
    load_course(course_text())
    load_post(post_text(courses="[small-course]"))
    return app


@pytest.mark.parametrize("path", PUBLIC_PAGES)
def test_a_visitors_page_is_public_and_is_asked_about_again(shop: Flask, path: str) -> None:
    client = shop.test_client()

    answer = client.get(path)

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.headers.get("Vary", "")
    assert answer.headers["Cache-Control"] == "public, max-age=0, must-revalidate"
    again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert "Set-Cookie" not in again.headers


@pytest.mark.parametrize("path", ["/", "/courses", "/courses/small-course", "/blog/small-post", "/pages/terms"])
def test_two_visitors_get_the_same_bytes(shop: Flask, path: str) -> None:
    headers = {"User-Agent": "another", "Accept-Language": "de", "X-Forwarded-For": "203.0.113.9", "Referer": "x"}

    assert shop.test_client().get(path).data == shop.test_client().get(path, headers=headers).data


@pytest.mark.parametrize("path", ["/", "/courses", "/courses/small-course", "/blog/small-post", "/pages/terms"])
def test_the_page_of_somebody_signed_in_is_kept_by_nobody(shop: Flask, path: str) -> None:
    make_person("maya@example.org")
    browser = Browser(shop)
    browser.sign_in("maya@example.org")
    visitor = shop.test_client().get(path)

    answer = browser.get(path, headers={"If-None-Match": visitor.headers["ETag"]})

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "ETag" not in answer.headers
    assert "Maya Okafor" in answer.text


@pytest.mark.parametrize("path", ["/courses/small-course/x.css", "/courses/nope", "/nope", "/account/profile/x.css"])
def test_what_is_not_there_is_kept_by_nobody(shop: Flask, path: str) -> None:
    answer = shop.test_client().get(path)

    assert answer.status_code == 404
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_forged_session_cookie_shows_a_visitors_page_that_nobody_keeps(shop: Flask) -> None:
    client = shop.test_client()
    client.set_cookie("session", "eyJ1c2VyIjoxfQ.forged.forged")

    answer = client.get("/courses/small-course")

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "Sign in" in answer.text


def test_a_compressed_page_is_answered_304_too(shop: Flask) -> None:
    client = shop.test_client()
    headers = {"Accept-Encoding": "br"}
    answer = client.get("/courses/small-course", headers=headers)
    assert answer.headers["Content-Encoding"] == "br"

    again = client.get("/courses/small-course", headers={**headers, "If-None-Match": answer.headers["ETag"]})

    assert again.status_code == 304


def test_static_files_are_kept_for_a_year_under_an_address_of_their_own(client: FlaskClient) -> None:
    answer = client.get(static_url("css/tuition.css"), headers={"Accept-Encoding": "br"})

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Encoding"] == "br"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.content_type == "text/css; charset=utf-8"
    again = client.get(
        static_url("css/tuition.css"), headers={"Accept-Encoding": "br", "If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304


def test_an_address_of_another_release_gives_the_present_file_for_a_minute(client: FlaskClient) -> None:
    answer = client.get("/static/000000/css/tuition.css")

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "public, max-age=60")


@pytest.mark.parametrize(
    "name", ["../viewer.py", "..%2fviewer.py", "css/../../viewer.py", "nope.css", "css", "%2e%2e/viewer.py"]
)
def test_nothing_else_is_a_static_file(client: FlaskClient, name: str) -> None:
    assert client.get(f"/static/x/{name}").status_code == 404


def test_a_cover_is_drawn_for_any_slug_and_kept(client: FlaskClient) -> None:
    make = client.get("/courses")  # the address as pages write it
    assert make.status_code == 200

    answer = client.get("/covers/small-course.svg")

    assert answer.content_type == "image/svg+xml; charset=utf-8"
    assert answer.text.startswith("<svg")
    for path in ("/covers/Nope!.svg", "/covers/a.svg?ratio=9x1", f"/covers/{'a' * 200}.svg"):
        assert client.get(path).status_code == 404
