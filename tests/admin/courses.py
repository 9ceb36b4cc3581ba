"""Courses as the back-office's tests need them, and their editor's form as a browser would send it."""

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

from app.catalog.models import Course
from app.db import db
from tests.accounts.people import SAME_ORIGIN
from tests.admin.staff import Staff
from tests.shop import course_text, load_course


class FormReader(HTMLParser):
    """The values of one form, by the name of each field, as a browser would send them."""

    def __init__(self, form_id: str) -> None:
        super().__init__()
        self.form_id, self.inside, self.values = form_id, False, dict[str, list[str]]()
        self.area = self.select = ""

    def handle_starttag(self, tag: str, pairs: list[tuple[str, str | None]]) -> None:
        given = dict(pairs)
        name = given.get("name") or ""
        if tag == "form":
            self.inside = given.get("id") == self.form_id
        if not self.inside or (given.get("form") or self.form_id) != self.form_id:
            return
        if tag == "textarea":
            self.area = name
            self.values.setdefault(name, []).append("")
        elif tag == "select":
            self.select = name
        elif tag == "option" and self.select and ("selected" in given or self.select not in self.values):
            self.values[self.select] = [given.get("value") or ""]
        elif tag == "input" and name and self.is_sent(given):
            self.values.setdefault(name, []).append(given.get("value") or "")

    def is_sent(self, given: dict[str, str | None]) -> bool:
        kind = given.get("type")
        return kind not in {"submit", "file"} and (kind != "checkbox" or "checked" in given)

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "form"
        self.area = "" if tag == "textarea" else self.area
        self.select = "" if tag == "select" else self.select

    def handle_data(self, data: str) -> None:
        if self.area:
            # The first line end after the tag is no part of the value.
            whole = self.values[self.area][-1] + data
            self.values[self.area][-1] = whole.removeprefix("\r\n") if whole == data else whole


def read_form(page: str, form_id: str = "course-form") -> dict[str, Any]:
    """What sending the form unchanged would send."""
    reader = FormReader(form_id)
    reader.feed(page)
    return dict(reader.values)


def make_small_course(**head: str) -> str:
    """The small course of the shop's tests; gives its public id."""
    course_id = load_course(course_text(**head))
    return read_course(course_id).public_id


def read_course(course: int | str) -> Course:
    """The course as the database has it, in a fresh session."""
    db.session.remove()
    condition = Course.id == course if isinstance(course, int) else Course.public_id == course
    return db.session.query(Course).filter(condition).one()


def save(staff: Staff, public_id: str, *, form: dict[str, Any] | None = None, **changes: Any) -> Any:
    """Open the editor, change some fields, and send the form (or the one that was opened before)."""
    path = f"/admin/courses/{public_id}"
    values = form or read_form(staff.get(path).text)
    answer = staff.post(path, {**values, **changes}, headers=SAME_ORIGIN)
    # What the test read before is of another moment.
    db.session.remove()
    return answer


def list_said(page: str) -> list[str]:
    """The sentences a page begins with: banners, toasts and errors."""
    found = re.findall(r'<div class="(?:flash|toast)[^>]*>(.*?)</div>', page, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split()) for text in found]
