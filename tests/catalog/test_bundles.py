"""Bundles: what is in them, when they are sold, what they save, and two people who save one at once."""

import pytest
from flask import Flask
from sqlalchemy import select

from app.audit import AuditEntry
from app.catalog.bundle_edits import (
    BundleChanged,
    BundleEdit,
    create_bundle,
    get_edited_bundle,
    save_bundle,
)
from app.catalog.bundle_lists import count_bundle_views, list_bundle_rows
from app.catalog.bundles import get_bundle, list_bundles_with_course
from app.catalog.course_states import set_status
from app.catalog.models import Course
from app.catalog.prices import replace_price
from app.db import db
from app.errors import InvalidInput, NotFound
from tests.catalog.bundles import make_bundle
from tests.factories import get_price, make_course
from tests.races import kinds, run_at_once


@pytest.fixture
def pair(app: Flask) -> tuple[Course, Course]:
    return make_course(title="Alpha", unit_amount=9700), make_course(title="Beta", unit_amount=8000)


def test_a_bundle_is_sold_with_what_it_saves(pair: tuple[Course, Course]) -> None:
    make_bundle(*pair, unit_amount=15000)

    bundle = get_bundle(slug="both-at-once")

    assert [course.title for course in bundle.courses] == ["Alpha", "Beta"]
    assert (bundle.offer.state, bundle.offer.unit_amount) == ("on_sale", 15000)
    assert (bundle.separate_amount, bundle.saved_amount) == (17700, 2700)
    assert [found.slug for found in list_bundles_with_course(course_id=pair[1].id)] == ["both-at-once"]


def test_nobody_is_told_a_saving_that_is_none(pair: tuple[Course, Course]) -> None:
    make_bundle(*pair, unit_amount=19900)
    other = make_course(unit_amount=9000, currency="eur")
    make_bundle(pair[0], other, title="Two currencies", unit_amount=5000)

    assert (get_bundle(slug="both-at-once").saved_amount, get_bundle(slug="two-currencies").saved_amount) == (0, 0)
    assert get_bundle(slug="two-currencies").separate_amount is None


def test_a_bundle_is_sold_only_while_all_of_it_is(pair: tuple[Course, Course]) -> None:
    public_id = make_bundle(*pair, unit_amount=None)
    assert get_bundle(slug="both-at-once").offer.state == "not_on_sale"
    replace_price(product_id=get_edited_bundle(public_id=public_id).product_id, unit_amount=0, currency="usd")
    assert get_bundle(slug="both-at-once").offer.state == "free"

    set_status(public_ids=[pair[0].public_id], status="archived")
    db.session.remove()
    assert get_bundle(slug="both-at-once").offer.state == "not_on_sale"
    assert list_bundles_with_course(course_id=pair[1].id) == ()
    set_status(public_ids=[course.public_id for course in pair], status="draft")
    db.session.remove()

    with pytest.raises(NotFound):
        get_bundle(slug="both-at-once")
    with pytest.raises(NotFound):
        get_bundle(slug="never-there")


def test_what_is_in_it_changes_and_every_change_is_written_down(pair: tuple[Course, Course]) -> None:
    third = make_course(title="Gamma")
    public_id = make_bundle(*pair)
    opened = get_edited_bundle(public_id=public_id)
    edit = BundleEdit(title="All of it", summary="More.", course_ids=(third.id, pair[1].id), is_active=False)

    changed = save_bundle(public_id=public_id, version=opened.version, edit=edit)

    assert sorted(changed) == ["course_ids", "is_active", "summary", "title"]
    saved = get_edited_bundle(public_id=public_id)
    # Who was in it keeps their place.
    assert (saved.edit.course_ids, saved.edit.is_active, saved.version) == ((pair[1].id, third.id), False, 2)
    assert saved.slug == "both-at-once"
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "bundle.changed")).one()
    assert entry.before == {
        "title": "Both at once", "summary": "", "courses": ["Alpha", "Beta"], "is_active": True,
    }  # fmt: skip
    assert entry.after == {
        "title": "All of it", "summary": "More.", "courses": ["Beta", "Gamma"], "is_active": False,
    }  # fmt: skip
    assert save_bundle(public_id=public_id, version=99, edit=saved.edit) == []
    assert get_bundle(slug="both-at-once").offer.state == "archived"


@pytest.mark.parametrize(
    ("changes", "slug", "field"),
    [
        ({"title": ""}, "", "title"),
        ({"title": "x" * 161}, "", "title"),
        ({"course_ids": (1,)}, "", "courses"),
        ({"course_ids": (1, 1)}, "", "courses"),
        ({"course_ids": (987, 988)}, "", "courses"),
        ({}, "Not A Slug", "slug"),
    ],
)
def test_what_makes_no_bundle_is_refused(
    pair: tuple[Course, Course], changes: dict[str, object], slug: str, field: str
) -> None:
    values = {"title": "Pair", "summary": "", "course_ids": tuple(course.id for course in pair), **changes}

    with pytest.raises(InvalidInput) as refused:
        create_bundle(BundleEdit(**values), slug=slug)  # type: ignore[arg-type]

    assert refused.value.field == field
    assert count_bundle_views()[""] == 0


def test_an_address_that_is_taken_is_refused(pair: tuple[Course, Course]) -> None:
    make_bundle(*pair)

    with pytest.raises(InvalidInput, match="Another bundle lives at “both-at-once”") as refused:
        make_bundle(*pair)

    assert (refused.value.field, count_bundle_views()) == ("slug", {"": 1, "active": 1, "archived": 0})


def test_of_four_who_save_what_they_opened_one_does(app: Flask, pair: tuple[Course, Course]) -> None:
    public_id = make_bundle(*pair)
    ids = tuple(course.id for course in pair)

    def save(title: str) -> list[str]:
        return save_bundle(
            public_id=public_id, version=1, edit=BundleEdit(title=title, summary="", course_ids=ids)
        )  # fmt: skip

    outcomes = run_at_once(app, *(lambda title=title: save(title) for title in "ABCD"))

    assert kinds(outcomes) == {"list": 1, "BundleChanged": 3}
    assert get_edited_bundle(public_id=public_id).version == 2


def test_control_without_the_version_the_last_of_four_wins_unseen(app: Flask, pair: tuple[Course, Course]) -> None:
    public_id = make_bundle(*pair)
    ids = tuple(course.id for course in pair)

    def save(title: str) -> list[str]:
        while True:
            try:
                version = get_edited_bundle(public_id=public_id).version
                db.session.rollback()
                edit = BundleEdit(title=title, summary="", course_ids=ids)
                return save_bundle(public_id=public_id, version=version, edit=edit)
            except BundleChanged:
                continue

    outcomes = run_at_once(app, *(lambda title=title: save(title) for title in "ABCD"))

    assert kinds(outcomes) == {"list": 4}
    assert get_edited_bundle(public_id=public_id).version == 5


def test_the_list_counts_courses_and_those_that_keep_it_off_sale(pair: tuple[Course, Course]) -> None:
    make_bundle(*pair, make_course(status="draft"))
    make_bundle(*pair, title="Another", unit_amount=None)

    rows = list_bundle_rows().rows

    assert [(row.title, row.course_count, row.hidden_count, row.unit_amount) for row in rows] == [
        ("Another", 2, 0, None), ("Both at once", 3, 1, 15000),
    ]  # fmt: skip
    assert [row.title for row in list_bundle_rows(q="both ONCE").rows] == ["Both at once"]
    assert list_bundle_rows(view="archived").rows == []


def test_a_course_keeps_its_own_price_and_product(pair: tuple[Course, Course]) -> None:
    make_bundle(*pair)

    assert list_bundles_with_course(course_id=make_course().id) == ()
    assert {card.title: card.offer.unit_amount for card in get_bundle(slug="both-at-once").courses} == {
        "Alpha": 9700, "Beta": 8000,
    }  # fmt: skip
    assert get_price(make_course(unit_amount=500)).unit_amount == 500
