"""Bundles in the back-office: listed, made, changed, archived."""

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.audit import AuditEntry
from app.catalog.bundle_edits import BundleEdit, get_edited_bundle, save_bundle
from app.catalog.models import Course, Product
from app.db import db
from tests.admin.courses import read_form
from tests.admin.staff import Staff
from tests.admin.test_prices import confirm, words
from tests.catalog.bundles import make_bundle
from tests.factories import make_course


@pytest.fixture
def admin(app: Flask) -> Staff:
    return Staff(app, "admin")


@pytest.fixture
def pair(app: Flask) -> tuple[Course, Course]:
    return make_course(title="Alpha", unit_amount=9700), make_course(title="Beta", unit_amount=8000)


def save(admin: Staff, public_id: str, **changes: object) -> TestResponse:
    """Open the editor, change something, send the form as a browser would."""
    values = read_form(admin.get(f"/admin/bundles/{public_id}").text, "bundle-form")
    values.pop("csrf_token")
    answer = admin.send(f"/admin/bundles/{public_id}", {**values, **changes})
    db.session.remove()
    return answer


def test_a_bundle_is_made_and_priced_and_then_on_sale(admin: Staff, pair: tuple[Course, Course]) -> None:
    assert "No bundles yet" in admin.get("/admin/bundles").text

    answer = admin.send("/admin/bundles/new", {
        "title": "Both at once", "slug": "", "summary": "Better together.",
        "courses": [str(course.id) for course in pair],
    })  # fmt: skip

    product = db.session.scalars(select(Product).where(Product.kind == "bundle")).one()
    public_id = product.public_id
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/admin/prices/{public_id}/change")
    assert (product.slug, product.summary) == ("both-at-once", "Better together.")
    assert "Now set its price" in words(admin.get(answer.headers["Location"]).text)
    assert "Nobody can buy it: it has no price yet." in admin.get(f"/admin/bundles/{public_id}").text
    query = {"kind": "now", "currency": "usd", "amount": "150", "seen": ""}
    page = admin.get(f"/admin/prices/{public_id}/change", query_string=query).text
    confirm(admin, f"/admin/prices/{public_id}", page)

    editor = words(admin.get(f"/admin/bundles/{public_id}").text)
    assert "Saves $27.00 against buying each of them." in editor
    assert "Both at once /bundles/both-at-once 2 $150.00 On sale" in words(admin.get("/admin/bundles?q=both").text)
    assert "No bundle fits" in admin.get("/admin/bundles?q=none").text
    assert "Nothing in this view" in admin.get("/admin/bundles?view=archived").text
    actions = db.session.scalars(select(AuditEntry.action).where(AuditEntry.subject_id == public_id)).all()
    assert list(actions) == ["bundle.created"]


def test_what_makes_no_bundle_is_named_and_what_was_typed_stays(admin: Staff, pair: tuple[Course, Course]) -> None:
    answer = admin.send("/admin/bundles/new", {"title": "", "summary": "Kept", "courses": [str(pair[0].id)]})
    assert answer.status_code == 422
    assert '<a href="#title">Give it a name.</a>' in answer.text
    answer = admin.send("/admin/bundles/new", {"title": "One", "summary": "Kept", "courses": [str(pair[0].id)]})

    assert answer.status_code == 422
    assert '<a href="#courses">Choose at least two courses' in answer.text
    assert ">Kept</textarea>" in answer.text.replace("\r\n", "")
    assert db.session.scalar(select(Product.id).where(Product.kind == "bundle")) is None


def test_a_bundle_is_renamed_and_archived(admin: Staff, pair: tuple[Course, Course]) -> None:
    public_id = make_bundle(*pair)

    assert save(admin, public_id, title="Renamed").status_code == 303
    assert "“Renamed” is saved." in words(admin.get(f"/admin/bundles/{public_id}").text)
    save(admin, public_id)
    assert "Nothing had changed." in admin.get(f"/admin/bundles/{public_id}").text
    save(admin, public_id, is_active=[])

    saved = get_edited_bundle(public_id=public_id)
    assert (saved.edit.title, saved.edit.is_active, saved.slug, saved.version) == ("Renamed", False, "both-at-once", 3)
    assert saved.edit.course_ids == (pair[0].id, pair[1].id)
    assert save(admin, public_id, courses=[str(pair[0].id)]).status_code == 422
    assert save(admin, public_id, title="").status_code == 422


def test_two_who_save_at_once_are_one_save_and_one_clear_message(admin: Staff, pair: tuple[Course, Course]) -> None:
    public_id = make_bundle(*pair)
    form = read_form(admin.get(f"/admin/bundles/{public_id}").text, "bundle-form")
    form.pop("csrf_token")
    ids = tuple(course.id for course in pair)
    save_bundle(public_id=public_id, version=1, edit=BundleEdit(title="Theirs", summary="", course_ids=ids))

    refused = admin.send(f"/admin/bundles/{public_id}", {**form, "title": "Mine"})

    assert refused.status_code == 409
    assert "Somebody else saved this bundle since you opened it." in refused.text
    assert "It says now: “Theirs”, 2 courses, on sale." in refused.text
    assert 'value="Mine"' in refused.text
    assert get_edited_bundle(public_id=public_id).edit.title == "Theirs"
    again = read_form(refused.text, "bundle-form")
    again.pop("csrf_token")
    assert admin.send(f"/admin/bundles/{public_id}", again).status_code == 303
    db.session.remove()
    assert get_edited_bundle(public_id=public_id).edit.title == "Mine"


def test_who_only_reads_prices_sees_the_bundle_and_no_button(app: Flask, pair: tuple[Course, Course]) -> None:
    public_id = make_bundle(*pair)

    page = Staff(app, "editor").get(f"/admin/bundles/{public_id}").text

    assert '<fieldset class="bare" disabled>' in page
    assert ">Save<" not in page
    assert ">Replace<" not in page


def test_a_bundle_that_is_not_there_is_404(admin: Staff, pair: tuple[Course, Course]) -> None:
    assert admin.get("/admin/bundles/prd_none").status_code == 404
    assert admin.get("/admin/prices/prd_none").status_code == 404
