"""Pages that are made once for the same facts."""

from flask import Flask

from app.catalog.services import list_course_cards
from app.site.remembered import PageMemory
from tests.accounts.people import Browser, make_person
from tests.factories import make_course


def test_equal_facts_find_the_page_and_others_do_not() -> None:
    memory = PageMemory()
    page = memory.keep(("course.html", "/courses/a", (1, "x")), "<p>a</p>")

    assert memory.find(("course.html", "/courses/a", (1, "x"))) is page
    assert memory.find(("course.html", "/courses/a", (2, "x"))) is None
    assert memory.find(("course.html", "/courses/b", (1, "x"))) is None


def test_the_page_not_used_for_longest_goes_first() -> None:
    memory = PageMemory(size=2)
    memory.keep("a", "a")
    memory.keep("b", "b")
    memory.find("a")

    memory.keep("c", "c")

    assert [name for name in "abc" if memory.find(name)] == ["a", "c"]


def test_a_course_read_twice_is_the_same_fact(app: Flask) -> None:
    course = make_course()

    assert list_course_cards([course.id]) == list_course_cards([course.id])
    assert len({list_course_cards([course.id]), list_course_cards([course.id])}) == 1


def test_a_signed_in_page_is_never_remembered(app: Flask) -> None:
    make_course(slug="a")
    make_person("maya@example.org")
    browser = Browser(app)
    browser.sign_in("maya@example.org")
    assert "Maya Okafor" in browser.get("/courses/a").text

    assert "Maya Okafor" not in app.test_client().get("/courses/a").text
