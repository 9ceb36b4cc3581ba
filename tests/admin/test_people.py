"""Learners: found, listed, exported, looked at, and what staff may do to an account."""

import csv
import io
import re

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.accounts.by_staff import NotTheirs, close_account, open_account
from app.accounts.models import User
from app.accounts.services import deactivate_user, grant_role
from app.audit import AuditEntry
from app.catalog.models import Lesson
from app.db import db, transaction
from app.enrollment.manual_grants import give_course
from app.enrollment.services import complete_lesson
from app.paging import PAGE_SIZE
from tests.accounts.people import Browser, list_mails, make_person
from tests.admin.staff import Staff
from tests.checkout.conftest import Shop
from tests.factories import make_course, make_user

LIST = "/admin/people"


def names(page: str) -> list[str]:
    """The people on a page of the list, in its order."""
    found = re.findall(r'<th scope="row" class="main-cell"><a href="[^"]*">([^<]+)</a>', page)
    return [each for each in found if "Person" not in each]


def give(email: str, staff: Staff, **course: str) -> int:
    made = make_course(**course)
    give_course(
        email=email, name="", course_public_id=made.public_id, reason="Speaker", expires_at=None,
        given_by_id=staff.user.id,
    )  # fmt: skip
    return made.id


@pytest.fixture
def people(app: Flask, shop: Shop) -> None:
    """Ana bought signed in, Ben as a guest with his account's address, Cleo was given a course, Dan's is closed,
    Eve never signed in; and a guest without an account bought as well."""
    course = make_course(title="Bought")
    for name in ("Ben", "Cleo"):
        make_user(email=f"{name.lower()}@example.org", name=f"{name} Okafor")
    deactivate_user(user_id=make_person("dan@example.org", name="Dan Lind").id)
    make_person("eve@example.org", name="Eve Lind", is_confirmed=False)
    shop.buy(course, user=make_user(email="ana@example.org", name="Ana Okafor"))
    shop.buy(course, email="ben@example.org")
    guest = shop.begin(course, browser="b2")
    shop.pay(guest, email="zoe@example.org")
    shop.deliver_all()


def test_each_view_holds_its_people(app: Flask, people: None) -> None:
    staff = Staff(app, "support")
    give("cleo@example.org", staff, title="Given")

    views = {
        view: sorted(names(staff.get(f"{LIST}?view={view}").text))
        for view in ("", "bought", "given", "unproved", "closed", "guests")
    }

    assert views == {
        "": ["Ana Okafor", "Ben Okafor", "Cleo Okafor", "Dan Lind", "Eve Lind"],
        "bought": ["Ana Okafor", "Ben Okafor"],
        "given": ["Cleo Okafor"],
        "unproved": ["Eve Lind"],
        "closed": ["Dan Lind"],
        "guests": ["Test Buyer"],
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ana@ex", ["Ana Okafor"]),
        ("okafor", ["Ana Okafor", "Cleo Okafor", "Ben Okafor"]),
        ("NSL-1001", ["Ana Okafor"]),
        ("1002", ["Ben Okafor"]),
        ("100%", []),
        ("usr_none", []),
        ("pi_none", []),
    ],
)
def test_a_person_is_found_by_name_address_or_order(app: Flask, people: None, text: str, found: list[str]) -> None:
    staff = Staff(app, "reader")

    assert names(staff.get(LIST, query_string={"q": text}).text) == found


def test_filters_stand_in_the_url_as_chips_and_the_csv_is_what_they_leave(app: Flask, people: None) -> None:
    staff = Staff(app, "support")
    course_id = give("cleo@example.org", staff, title="Given")
    give_course(
        email="mal@example.org", name='=HYPERLINK("x")', reason="x", expires_at=None, given_by_id=staff.user.id,
        course_public_id=db.session.get_one(type(make_course()), course_id).public_id,
    )  # fmt: skip
    course = re.search(r'<option value="(crs_[^"]+)">Given<', staff.get(LIST).text)
    assert course is not None
    query = f"course={course.group(1)}&sort=name"

    page = staff.get(f"{LIST}?{query}").text
    file = staff.get(f"{LIST}/export.csv?{query}")

    assert "Course: Given" in page
    assert "2 learners" in page
    rows = list(csv.reader(io.StringIO(file.text)))
    assert rows[0][:4] == ["person", "name", "email", "state"]
    assert [row[1:4] for row in rows[1:]] == [
        ['\'=HYPERLINK("x")', "mal@example.org", "unproved"],
        ["Cleo Okafor", "cleo@example.org", "active"],
    ]
    bought = list(csv.reader(io.StringIO(staff.get(f"{LIST}/export.csv?view=bought&sort=email").text)))
    assert [(row[2], row[7], row[8]) for row in bought[1:]] == [
        ("ana@example.org", "1", "97.00 USD"),
        ("ben@example.org", "1", "97.00 USD"),
    ]
    assert names(staff.get(f"{LIST}?since=2999-01-01").text) == []
    assert len(names(staff.get(f"{LIST}?since=2000-01-01&until=9999-12-31").text)) == 2


@pytest.mark.parametrize("sort", ["joined", "-name", "email"])
def test_pages_go_on_where_the_last_row_stood_and_back_again(app: Flask, sort: str) -> None:
    staff = Staff(app, "reader")
    # Names repeat, so that the order of equals decides.
    for place in range(2 * PAGE_SIZE + 5):
        make_user(email=f"p{place:03}@example.org", name=f"Name {place % 7}")
    path, pages = f"{LIST}?sort={sort}&q=name", []
    seen = []

    while path:
        pages.append(path)
        text = staff.get(path).text
        seen.append(re.findall(r"p\d{3}@example\.org", text))
        older = re.search(r'href="([^"]+)" rel="next"', text)
        path = older.group(1).replace("&amp;", "&") if older else ""

    emails = [email for page in seen for email in page]
    assert [len(page) for page in seen] == [50, 50, 5]
    assert len(set(emails)) == 105
    newer = re.search(r'href="([^"]+)" rel="prev"', staff.get(pages[2]).text)
    assert newer is not None
    assert re.findall(r"p\d{3}@example\.org", staff.get(newer.group(1).replace("&amp;", "&")).text) == seen[1]
    assert 'rel="prev"' not in staff.get(pages[0]).text
    assert len(names(staff.get(f"{LIST}?q=name&after=usr_gone").text)) == 50


def test_a_page_tells_what_they_bought_have_and_did(app: Flask, shop: Shop) -> None:
    learner = make_user(email="ana@example.org", name="Ana Okafor")
    learner_id, path = learner.id, f"{LIST}/{learner.public_id}"
    started = shop.buy(make_course(title="Bought"), user=learner)
    shop.buy(make_course(title="As a guest"), email="ana@example.org")
    staff = Staff(app, "admin")
    given = give("ana@example.org", staff, title="Given")
    lesson = db.session.scalars(select(Lesson.id).where(Lesson.course_id == given)).first()
    assert lesson is not None
    complete_lesson(user_id=learner_id, course_id=given, lesson_id=lesson)
    staff.send(f"/admin/orders/{started.order_public_id}/notes", {"text": "Called twice"})
    staff.send(f"{path}/notes", {"text": "Prefers mail"})
    refused = staff.send(f"{path}/notes", {"text": " "})

    page = staff.get(path).text

    assert refused.status_code == 303
    assert "Write the note first." in page
    for part in (
        "Free seat: Speaker (by Admin Person)", ">Order NSL-1001</a>", "As a guest", "waits for this address",
        "$194.00", "NSL-1001: Called twice", "Prefers mail", "Receipt", "Notice of the course given",
        "Not subscribed", "user.note_added by Admin Person<", "/free-seats/new?email=ana@example.org",
    ):  # fmt: skip
        assert part in page, part
    trace = staff.get(f"{path}/access").text
    assert [title in trace for title in ("Bought", "As a guest", "Given")] == [True, True, True]
    assert "This decides." in trace


def test_mails_are_sent_again_from_the_page_and_too_many_are_refused_in_words(app: Flask, shop: Shop) -> None:
    started = shop.buy(make_course(), email="ana@example.org")
    staff, learner = Staff(app, "support"), make_user(email="ana@example.org")
    path = f"{LIST}/{learner.public_id}"
    page = staff.get(path).text
    seat = re.search(r'name="seat" value="([^"]+)"', page)
    assert seat is not None
    order = {"order": started.order_public_id}

    staff.send(f"{path}/receipt", dict(order))
    assert "The receipt goes to ana@example.org once more." in staff.get(path).text
    staff.send(f"{path}/receipt", dict(order))
    assert "It was sent again within this hour." in staff.get(path).text
    answers = [staff.send(f"{path}/claim-link", {**order, "seat": seat.group(1)}) for _ in range(2)]
    for _ in range(6):
        staff.send(f"{path}/sign-in-link")

    assert {answer.headers["Location"] for answer in answers} == {path}
    templates = [mail.template for mail in list_mails("ana@example.org")]
    assert (templates.count("receipt"), templates.count("sign_in_link")) == (2, 5)
    page = staff.get(path).text
    assert "5 links went out within this hour." in page
    sent = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "user.sign_in_link_sent")).all()
    assert {(entry.actor_id, entry.subject_id) for entry in sent} == {(staff.user.public_id, learner.public_id)}
    assert staff.send(f"{path}/receipt", {"order": "ord_none"}).status_code == 404


def test_closing_an_account_asks_signs_out_and_can_be_undone(app: Flask) -> None:
    staff, learner, browser = Staff(app, "support"), make_person(), Browser(app)
    browser.sign_in(learner.email)
    path = f"{LIST}/{learner.public_id}"

    assert "Close the account of Maya Okafor" in staff.get(f"{path}/close").text
    staff.send(f"{path}/close", {"reason": "Asked by phone"})

    assert not browser.is_signed_in()
    page = staff.get(path).text
    assert "The account is closed." in page
    assert f'action="{path}/open"' in page
    staff.send(f"{path}/sign-in-link")
    assert "Open the account first." in staff.get(path).text
    staff.send(f"{path}/close")
    staff.send(f"{path}/open")
    staff.send(f"{path}/open")
    browser.sign_in(learner.email)
    assert browser.is_signed_in()
    rows = db.session.scalars(
        select(AuditEntry).where(AuditEntry.subject_id == learner.public_id).order_by(AuditEntry.id)
    )
    assert [(row.action, row.reason) for row in rows][1:] == [
        ("user.deactivated", "Asked by phone"),
        ("user.reactivated", ""),
    ]


def test_signing_out_ends_every_sign_in_but_not_of_somebody_with_more_rights(app: Flask) -> None:
    staff, owner = Staff(app, "support"), Staff(app, "owner")
    learner, browser = make_person(), Browser(app)
    browser.sign_in(learner.email)

    staff.send(f"{LIST}/{learner.public_id}/sign-out")
    staff.send(f"{LIST}/{owner.user.public_id}/sign-out")

    assert not browser.is_signed_in()
    assert owner.get("/admin/").status_code == 200
    assert "Ask somebody with those rights." in staff.get(LIST).text
    entries = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "user.signed_out")).all()
    assert [(entry.subject_id, entry.before) for entry in entries] == [(learner.public_id, {"sign_ins": 1})]
    assert staff.send(f"{LIST}/{learner.public_id}/sign-out").status_code == 303


def test_staff_are_not_closed_here(app: Flask) -> None:
    owner, other = Staff(app, "owner"), make_person()
    grant_role(user_id=other.id, role_name="owner")

    with pytest.raises(NotTheirs):
        close_account(user_public_id=other.public_id, reason="")
    assert "Close the account…" not in owner.get(f"{LIST}/{other.public_id}").text
    assert open_account(user_public_id=other.public_id) is False


def test_the_search_finds_a_learner_and_the_order_leads_to_them(app: Flask, shop: Shop) -> None:
    staff = Staff(app, "support")
    learner = make_user(email="ana@example.org", name="Ana Okafor")
    without = make_user(email="new@example.org", name="New Lind")
    started = shop.buy(make_course(), user=learner)

    assert staff.get("/admin/search?q=new@example").headers["Location"] == f"{LIST}/{without.public_id}"
    assert staff.get("/admin/search?q=ana@").headers["Location"].endswith(started.order_public_id)
    assert f'href="{LIST}/{learner.public_id}"' in staff.get(f"/admin/orders/{started.order_public_id}").text
    with transaction() as session:
        session.execute(update(User).where(User.id == without.id).values(name="Ana Lind"))
    assert "Ana Lind" in staff.get("/admin/search?q=ana").text
    editor = Staff(app, "editor")
    assert "Nothing found" in editor.get("/admin/search?q=new@example").text


def test_somebody_who_is_not_there_is_404(app: Flask) -> None:
    staff = Staff(app, "owner")

    for path in ("", "/access", "/close"):
        assert staff.get(f"{LIST}/usr_none{path}").status_code == 404
    learner = make_user(email="new@example.org")
    assert "No course to explain" in staff.get(f"{LIST}/{learner.public_id}/access").text
    assert "Nothing was bought" in staff.get(f"{LIST}/{learner.public_id}").text


def test_a_guests_order_leads_to_the_account_of_its_address(app: Flask, shop: Shop) -> None:
    started = shop.buy(make_course(), email="ana@example.org")
    staff = Staff(app, "support")
    order = f"/admin/orders/{started.order_public_id}"

    assert f'href="{LIST}?view=guests&amp;q=ana%40example.org"' in staff.get(f"{LIST}?q=ana@example.org").text
    assert f'href="{LIST}/usr_' not in staff.get(order).text
    learner = make_user(email="ana@example.org")

    assert f'href="{LIST}/{learner.public_id}"' in staff.get(order).text
    assert f'href="{LIST}?q=ana@example.org"' in staff.get("/admin/orders").text
    assert f'href="{LIST}?q=' not in Staff(app, "editor").get("/admin/").text
