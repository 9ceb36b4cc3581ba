"""Subscribers in the back-office: listed, exported, and what is done for a person who asks."""

import csv
import io
import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app import clock
from app.audit import AuditEntry
from app.db import db, transaction
from app.mail.rendering import render_message
from app.newsletter.models import Subscriber
from app.newsletter.services import confirm, subscribe
from tests.accounts.people import SAME_ORIGIN, Browser, list_mails, read_link
from tests.admin.staff import Staff
from tests.conftest import MovableClock

LIST = "/admin/newsletter"


def add(email: str, status: str = "confirmed", source: str = "/blog/a-post", *, days: int = 1) -> Subscriber:
    moment = clock.now() - timedelta(days=days)
    with transaction() as session:
        row = Subscriber(
            public_id=f"sub_{email.partition('@')[0]}", email=email, status=status, source=source, requested_at=moment,
            confirmed_at=moment if status != "pending" else None,
            unsubscribed_at=moment if status == "unsubscribed" else None,
        )  # fmt: skip
        session.add(row)
    return row


def find(email: str) -> Subscriber | None:
    db.session.rollback()
    db.session.expire_all()
    return db.session.scalar(select(Subscriber).where(Subscriber.email == email))


def emails(page: str) -> list[str]:
    return re.findall(r'class="main-cell"><a href="[^"]*">([^<]+)</a>', page)


def test_views_search_source_and_csv_hold_the_same_people(app: Flask) -> None:
    staff = Staff(app, "reader")
    add("ana@example.org")
    add("ben@example.org", "pending", "/")
    add("cleo@example.org", "unsubscribed", "=cmd|x")
    add("=dan@example.org")

    page = staff.get(LIST).text
    assert emails(page) == ["=dan@example.org", "cleo@example.org", "ben@example.org", "ana@example.org"]
    assert emails(staff.get(f"{LIST}?view=confirmed&sort=email").text) == ["=dan@example.org", "ana@example.org"]
    assert emails(staff.get(f"{LIST}?view=pending").text) == ["ben@example.org"]
    assert emails(staff.get(f"{LIST}?q=cle").text) == ["cleo@example.org"]
    assert emails(staff.get(f"{LIST}?source=/blog/a-post").text) == ["=dan@example.org", "ana@example.org"]
    file = staff.get(f"{LIST}/export.csv?view=unsubscribed").text + staff.get(f"{LIST}/export.csv?q=%3Ddan").text
    rows = [row for row in csv.reader(io.StringIO(file)) if row[0] != "subscriber"]
    assert [row[1:4] for row in rows] == [
        ["cleo@example.org", "unsubscribed", "'=cmd|x"],
        ["'=dan@example.org", "confirmed", "/blog/a-post"],
    ]


def test_growth_is_counted_by_day_of_confirmation_with_its_table(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(clock.now().replace(hour=12))
    staff = Staff(app, "reader")
    for name, days in (("a", 0), ("b", 0), ("c", 3), ("d", 40)):
        add(f"{name}@example.org", days=days)
    add("e@example.org", "pending", days=0)
    add("f@example.org", "unsubscribed", days=2)

    page = staff.get(LIST).text

    assert "This period 4" in page
    assert "Before 1" in page
    assert "1 left in the same time" in page
    day = clock.now().strftime("%b %-d")
    assert f'<th scope="row">{day}</th><td class="end">2</td>' in page
    assert "This period 5" in staff.get(f"{LIST}?period=90d").text
    assert staff.get(f"{LIST}?since=2026-01-31&until=2026-08-01").status_code == 200


def test_the_confirmation_goes_again_until_the_address_had_enough(app: Flask) -> None:
    staff = Staff(app, "support")
    subscribe(email="ana@example.org", source="/")
    found = find("ana@example.org")
    assert found is not None
    path = f"{LIST}/{found.public_id}"

    for _ in range(3):
        staff.send(f"{path}/confirmation")

    mails = list_mails("ana@example.org")
    assert [mail.template for mail in mails] == ["newsletter_confirm"] * 3
    assert "3 mails went out within a day." in staff.get(path).text
    Browser(app).post(read_link(mails[-1]), headers=SAME_ORIGIN)
    staff.send(f"{path}/confirmation")
    assert "They confirmed, left or were erased meanwhile." in staff.get(path).text


def test_unsubscribing_on_request_is_noted_with_its_reason_and_leaves_the_way_back(app: Flask) -> None:
    staff = Staff(app, "support")
    row = add("ana@example.org")

    for _ in range(2):
        staff.send(f"{LIST}/{row.public_id}/unsubscribe", {"reason": "By phone"})

    found = find("ana@example.org")
    assert found is not None
    assert (found.status, found.unsubscribed_at is not None) == ("unsubscribed", True)
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.subject_id == row.public_id)).one()
    assert (entry.action, entry.before, entry.after, entry.reason) == (
        "subscriber.unsubscribed", {"status": "confirmed"}, {"status": "unsubscribed"}, "By phone",
    )  # fmt: skip
    subscribe(email="ana@example.org", source="/")
    assert len(list_mails("ana@example.org")) == 1


def test_erasing_leaves_a_hash_that_holds_and_nothing_to_read(app: Flask) -> None:
    staff = Staff(app, "support")
    subscribe(email="ana@example.org", source="/blog/x")
    confirm(token=read_link(list_mails("ana@example.org")[0]).rpartition("/")[2])
    welcome = next(word for word in _words("ana@example.org") if "/newsletter/unsubscribe/" in word).removeprefix(
        "http://localhost"
    )
    found = find("ana@example.org")
    assert found is not None
    path = f"{LIST}/{found.public_id}"
    assert "Erase ana@example.org" in staff.get(f"{path}/erase").text

    for _ in range(2):
        staff.send(f"{path}/erase", {"reason": "By mail"})

    assert find("ana@example.org") is None
    assert list_mails("ana@example.org") == []
    kept = db.session.scalars(select(Subscriber)).one()
    assert (kept.status, kept.source, kept.email.startswith("erased:"), "ana" in kept.email) == (
        "erased", "", True, False,
    )  # fmt: skip
    entries = db.session.scalars(select(AuditEntry).where(AuditEntry.subject_type == "subscriber")).all()
    assert [(entry.action, "ana@" in f"{entry.before}{entry.after}") for entry in entries] == [
        ("subscriber.erased", False)
    ]
    assert kept.email not in staff.get(LIST).text + staff.get(path).text + staff.get(f"{LIST}/export.csv").text
    # Whoever types the address in gets the same answer as ever, and no mail goes out.
    answer = Browser(app).post("/newsletter", {"email": "ana@example.org", "source": "/"}, headers=SAME_ORIGIN)
    assert answer.headers["Location"] == "/newsletter/check"
    assert list_mails("ana@example.org") == []
    assert Browser(app).post(welcome).status_code == 303
    assert db.session.scalars(select(Subscriber.status)).one() == "erased"


def _words(email: str) -> list[str]:
    return render_message(list_mails(email)[-1]).text.split()


def test_an_erased_address_is_found_by_its_owner_naming_it_and_may_come_back(app: Flask) -> None:
    staff = Staff(app, "support")
    row = add("ana@example.org")
    staff.send(f"{LIST}/{row.public_id}/erase")

    assert emails(staff.get(f"{LIST}?q=ANA@example.org").text) == ["Erased address"]
    assert emails(staff.get(f"{LIST}?q=ana@example.or").text) == []
    for _ in range(2):
        answer = staff.send(f"{LIST}/{row.public_id}/allow", {"reason": "Wrote to us"})

    assert answer.status_code == 404
    subscribe(email="ana@example.org", source="/")
    assert [mail.template for mail in list_mails("ana@example.org")] == ["newsletter_confirm"]


def test_readers_see_no_buttons_and_nobody_sees_who_is_not_there(app: Flask) -> None:
    reader = Staff(app, "reader")
    row = add("ana@example.org")

    page = reader.get(f"{LIST}/{row.public_id}").text

    assert "Erase" not in page
    assert "Unsubscribe<" not in page
    assert reader.get(f"{LIST}/sub_none").status_code == 404


@pytest.mark.parametrize("query", ["view=nothing&sort=x&after=sub_none", "q=%25&source=%27", "before=sub_none"])
def test_what_the_url_cannot_mean_is_left_out(app: Flask, query: str) -> None:
    staff = Staff(app, "reader")
    add("ana@example.org")

    assert staff.get(f"{LIST}?{query}").status_code == 200
