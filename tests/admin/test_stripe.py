"""/admin/stripe: the inbox, an event and its replay, fetching, the comparison, products and the import."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.audit import AuditEntry
from app.catalog.models import Course, Product
from app.db import db
from tests.admin.staff import Staff
from tests.admin.test_home import make_event, text_of
from tests.checkout.conftest import Shop
from tests.factories import make_course, make_user
from tests.ops.conftest import list_entries, post_to_stripe
from tests.ops.test_replay import find_event, give_up, read

ROW = re.compile(r'<a href="/admin/stripe/events/([^"]+)">')


def list_ids(staff: Staff, query: str = "") -> list[str]:
    """The events on the page, in its order."""
    return ROW.findall(staff.get(f"/admin/stripe{query}").text)


def make_events(count: int, **values: object) -> None:
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    for number in range(count):
        at = begin + timedelta(minutes=number // 2)
        make_event(f"evt_{number:03}", received_at=at, **{"state": "handled", **values})


def follow(staff: Staff, path: str, rel: str) -> str:
    """The address behind one of the pager's buttons, "" where it is not there."""
    found = re.search(rf'href="([^"]+)" rel="{rel}"', staff.get(path).text)
    return found[1].replace("&amp;", "&") if found else ""


# The list


def test_the_views_show_the_states_and_count_what_needs_somebody(shop: Shop) -> None:
    staff = Staff(shop.app, "reader")
    for name in ("failed", "handled", "ignored"):
        make_event(f"evt_{name}", state=name)
    make_event("evt_waiting", state="received")

    assert set(list_ids(staff)) == {"evt_failed", "evt_handled", "evt_ignored", "evt_waiting"}
    for view in ("failed", "waiting", "handled", "ignored"):
        assert list_ids(staff, f"?view={view}") == [f"evt_{view}"]
    assert "All Failed 1 Waiting 1 Handled Ignored" in text_of(staff, "/admin/stripe")


def test_pages_follow_each_other_by_the_event_last_seen_and_back(shop: Shop) -> None:
    staff = Staff(shop.app, "reader")
    make_events(120)
    newest_first = [f"evt_{number:03}" for number in reversed(range(120))]

    first = "/admin/stripe"
    second = follow(staff, first, "next")
    third = follow(staff, second, "next")

    pages = [ROW.findall(staff.get(each).text) for each in (first, second, third)]
    assert pages == [newest_first[:50], newest_first[50:100], newest_first[100:]]
    assert (follow(staff, first, "prev"), follow(staff, third, "next")) == ("", "")
    back = follow(staff, third, "prev")
    assert ROW.findall(staff.get(back).text) == newest_first[50:100]
    assert ROW.findall(staff.get(follow(staff, back, "prev")).text) == newest_first[:50]
    make_event("evt_zzz", state="handled", received_at=clock.now())
    assert ROW.findall(staff.get(second).text) == newest_first[50:100]
    assert list_ids(staff, "?after=evt_unknown") == ["evt_zzz", *newest_first[:49]]


def test_type_and_day_narrow_the_list_and_stand_as_chips(shop: Shop) -> None:
    staff = Staff(shop.app, "reader")
    make_event("evt_a", type="charge.refunded", received_at=datetime(2026, 11, 3, 23, 59, tzinfo=UTC))
    make_event("evt_b", type="charge.refunded", received_at=datetime(2026, 11, 4, tzinfo=UTC))
    make_event("evt_c", type="charge.updated", received_at=datetime(2026, 11, 4, 12, tzinfo=UTC))

    assert list_ids(staff, "?type=charge.refunded&day=2026-11-04") == ["evt_b"]
    assert list_ids(staff, "?day=2026-11-03") == ["evt_a"]
    page = staff.get("/admin/stripe?type=charge.updated&day=2026-11-04").text
    assert "Type: charge.updated" in page
    assert "Received on: 2026-11-04" in page
    assert '<option value="charge.updated" selected>' in page
    assert list_ids(staff, "?type=made.up") == ["evt_c", "evt_b", "evt_a"]


def test_an_event_is_found_by_its_id_its_object_and_its_order(shop: Shop) -> None:
    staff = Staff(shop.app, "reader")
    started = shop.buy(make_course(), user=make_user())
    make_event("evt_other", object_id="re_7")

    assert list_ids(staff, "?q=evt_other") == list_ids(staff, "?q=re_7") == ["evt_other"]
    by_session = list_ids(staff, f"?q={started.stripe_checkout_session_id}")
    by_number = list_ids(staff, "?q=nsl-1001")
    assert set(by_session) < set(by_number)
    assert by_number == list_ids(staff, "?q=1001") == list_ids(staff, f"?q={started.order_public_id}")
    assert "evt_other" not in by_number
    assert list_ids(staff, "?q=9999") == []
    assert "Nothing matches" in text_of(staff, "/admin/stripe?q=9999")


@pytest.mark.parametrize(
    "query", ["?after=%27--&before=x", "?day=9999-12-31", "?q=%25%27--", "?view=x&type=%F0%9F%92%A9"]
)
def test_hostile_addresses_answer_a_list(shop: Shop, query: str) -> None:
    assert Staff(shop.app, "reader").get(f"/admin/stripe{query}").status_code == 200


def test_an_empty_inbox_says_what_comes_here(shop: Shop) -> None:
    text = text_of(Staff(shop.app, "reader"), "/admin/stripe")

    assert "No events yet" in text
    assert "The shop has never received an event from Stripe." in text


# One event


def test_an_event_tells_its_state_error_owner_and_payload(shop: Shop) -> None:
    staff = Staff(shop.app, "support")
    started = shop.buy(make_course(), user=make_user())
    event = find_event(shop, "checkout.session.completed")
    give_up(event["id"])

    text = text_of(staff, f"/admin/stripe/events/{event['id']}")

    assert "Failed" in text
    assert "Stripe did not answer when the shop asked about it." in text
    assert "31 tries" in text
    assert "NSL-1001 Paid" in text
    assert event["api_version"] in text
    assert started.stripe_checkout_session_id in text
    assert staff.get("/admin/stripe/events/evt_missing").status_code == 404
    assert "Replay…" not in text
    assert "Replay…" in text_of(Staff(shop.app, "admin"), f"/admin/stripe/events/{event['id']}")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("unknown_order", "It names an order that is not in this shop."),
        ("crashed: KeyError", "Handling it stopped with an error in the program (KeyError)."),
        ("some_new_thing", "Handling it failed: some new thing."),
    ],
)
def test_errors_are_told_in_words(shop: Shop, error: str, words: str) -> None:
    make_event("evt_1", error=error)

    assert words in text_of(Staff(shop.app, "reader"), "/admin/stripe/events/evt_1")


def test_the_dry_run_says_what_would_happen_and_the_replay_does_it(shop: Shop) -> None:
    staff = Staff(shop.app, "admin")
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started)
    event = find_event(shop, "checkout.session.completed")
    shop.send(event)
    give_up(event["id"])

    plan = text_of(staff, f"/admin/stripe/events/{event['id']}/replay")

    assert "Event: Failed → Handled" in plan
    assert "Order Pending → Paid" in plan
    assert "Money $97.00 paid (ch_" in plan
    assert "Mail Receipt" in plan
    assert (read(event["id"]).state, shop.order(started).state) == ("failed", "pending")

    answer = staff.send(f"/admin/stripe/events/{event['id']}/replay", {"replay_count": 0})

    assert (answer.status_code, answer.location) == (303, f"/admin/stripe/events/{event['id']}")
    text = text_of(staff, answer.location)
    assert "Replayed. Order: Pending → Paid; Money: $97.00 paid" in text
    assert f"Replayed by {staff.user.name}" in text
    assert (read(event["id"]).state, list_entries(shop.order(started))) == ("handled", [("payment", 9700)])


@pytest.mark.parametrize("shown", [0, "", "x", "9" * 30])
def test_a_second_person_is_told_that_somebody_replayed_it(shop: Shop, shown: object) -> None:
    first, second = Staff(shop.app, "admin"), Staff(shop.app, "owner")
    shop.buy(make_course(), user=make_user())
    event_id = find_event(shop, "checkout.session.completed")["id"]
    first.send(f"/admin/stripe/events/{event_id}/replay", {"replay_count": 0})

    second.send(f"/admin/stripe/events/{event_id}/replay", {"replay_count": shown})

    told = text_of(second, f"/admin/stripe/events/{event_id}")
    assert "Somebody else replayed this event a moment ago. It was not handled a second time." in told
    assert read(event_id).replay_count == 1


def test_a_replay_that_fails_says_why(shop: Shop) -> None:
    staff = Staff(shop.app, "admin")
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    event = find_event(shop, "checkout.session.completed")
    shop.send(event)
    shop.control("/levers", {"kind": "api_error", "status": 503, "path": "/v1/checkout/sessions/*"})

    plan = text_of(staff, f"/admin/stripe/events/{event['id']}/replay")
    staff.send(f"/admin/stripe/events/{event['id']}/replay", {"replay_count": 0})

    shop.remove_levers()
    assert "Stripe isn’t answering." in plan
    text = text_of(staff, f"/admin/stripe/events/{event['id']}")
    assert "It was replayed, but: Stripe did not answer when the shop asked about it." in text
    assert shop.order(started).state == "pending"


def test_all_that_failed_is_replayed_by_a_worker(shop: Shop) -> None:
    staff = Staff(shop.app, "admin")
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started)
    event = find_event(shop, "checkout.session.completed")
    shop.send(event)
    give_up(event["id"])
    assert "1 event will be handled again by a worker" in text_of(staff, "/admin/stripe/replay-failed")

    staff.send("/admin/stripe/replay-failed")

    assert "1 event will be handled again now." in text_of(staff, "/admin/stripe")
    shop.work()
    assert (read(event["id"]).state, shop.order(started).state) == ("handled", "paid")
    staff.send("/admin/stripe/replay-failed")
    assert "No event is failed any more" in text_of(staff, "/admin/stripe")
    assert "No event is failed." in text_of(staff, "/admin/stripe/replay-failed")


# Fetching


def test_an_event_that_never_came_is_fetched_into_the_inbox(shop: Shop) -> None:
    staff = Staff(shop.app, "admin")
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    event_id = find_event(shop, "checkout.session.completed")["id"]

    answer = staff.send("/admin/stripe", {"id": f" {event_id} "})

    assert (answer.status_code, answer.location) == (303, f"/admin/stripe/events/{event_id}")
    assert "The event is in the inbox now" in text_of(staff, answer.location)
    answer = staff.send("/admin/stripe", {"id": started.stripe_checkout_session_id})
    assert answer.location == f"/admin/orders/{started.order_public_id}"
    assert shop.order(started).state == "paid"


@pytest.mark.parametrize(
    ("typed", "status", "words"),
    [
        ("", 422, "Enter the id of an event or object."),
        ("evt_missing", 422, "it keeps them for 30 days"),
        ("acct_1", 422, "Enter an id that begins with evt_"),
        ("x" * 300, 422, "An id has at most 255 characters."),
    ],
)
def test_what_cannot_be_fetched_keeps_the_input_and_says_why(shop: Shop, typed: str, status: int, words: str) -> None:
    answer = Staff(shop.app, "admin").send("/admin/stripe", {"id": typed})

    assert answer.status_code == status
    assert "Fix 1 thing to fetch from Stripe" in answer.text
    assert words in answer.text
    assert f'value="{typed}"' in answer.text


def test_fetching_while_stripe_does_not_answer_says_so(shop: Shop) -> None:
    shop.control("/levers", {"kind": "api_error", "status": 500})

    answer = Staff(shop.app, "admin").send("/admin/stripe", {"id": "evt_1"})

    shop.remove_levers()
    assert answer.status_code == 503
    assert "Stripe isn’t answering." in answer.text


# The comparison


def test_a_comparison_is_begun_once_and_its_dry_run_shows_the_difference(shop: Shop) -> None:
    staff = Staff(shop.app, "admin")
    started = shop.begin(make_course(unit_amount=9700), user=make_user())
    shop.pay(started)

    staff.send("/admin/stripe/comparison/dry-run")
    staff.send("/admin/stripe/comparison/dry-run")
    assert "One is under way already" in text_of(staff, "/admin/stripe/comparison")
    shop.work()

    text = text_of(staff, "/admin/stripe/comparison")
    assert "Would be healed" in text
    assert "Order Pending → Paid Money $97.00 paid" in text
    assert shop.order(started).state == "pending"
    staff.send("/admin/stripe/comparison")
    shop.work()
    assert "By hand" in text_of(staff, "/admin/stripe/comparison")
    assert shop.order(started).state == "paid"
    assert "No worker has said" in text_of(staff, "/admin/stripe/comparison")


# Products


def test_the_products_say_how_stripe_has_them_and_are_sent_again(shop: Shop) -> None:
    staff = Staff(shop.app, "admin")
    make_course(title="Cloud costs")
    assert "Cloud costs Course Not sent yet" in text_of(staff, "/admin/stripe/products")
    public_id = db.session.scalars(select(Product.public_id)).one()

    staff.send(f"/admin/stripe/products/{public_id}/send")
    db.session.rollback()
    post_to_stripe(shop, f"/v1/products/{db.session.scalars(select(Product.stripe_product_id)).one()}", name="Other")
    staff.send("/admin/stripe/products/compare")

    text = text_of(staff, "/admin/stripe/products?view=attention")
    assert "2 products and prices were compared. 1 of them differ." in text
    assert "Differs name: “Other” at Stripe" in text
    staff.send("/admin/stripe/products/send")
    shop.work()
    staff.send("/admin/stripe/products/compare")
    assert "Everything is in sync" in text_of(staff, "/admin/stripe/products?view=attention")
    assert staff.send("/admin/stripe/products/prd_missing/send").status_code == 404


def test_a_product_that_cannot_be_sent_keeps_its_error_for_both_pages(shop: Shop) -> None:
    staff = Staff(shop.app, "admin")
    course = make_course(title="Cloud costs")
    public_id = db.session.scalars(select(Product.public_id)).one()
    shop.control("/levers", {"kind": "api_error", "status": 500, "stored": False})

    staff.send(f"/admin/stripe/products/{public_id}/send")
    assert "It could not be sent. Stripe isn’t answering." in text_of(staff, "/admin/stripe/products")
    staff.send("/admin/stripe/products/compare")

    shop.remove_levers()
    text = text_of(staff, "/admin/stripe/products")
    assert "Nothing was compared. Stripe isn’t answering." in text
    assert "Sending failed Stripe did not answer." in text
    assert "Last error Stripe did not answer." in text_of(staff, f"/admin/courses/{course.public_id}")


# The import


def test_ticked_products_become_drafts_and_a_second_press_makes_none(shop: Shop) -> None:
    staff = Staff(shop.app, "admin")
    assert "Nothing to import" in text_of(staff, "/admin/stripe/import")
    ids: list[Any] = [
        post_to_stripe(shop, "/v1/products", name=name)["id"] for name in ("Course A", "Bundle B", "Bare")
    ]
    for product_id in ids[:2]:
        post_to_stripe(shop, "/v1/prices", product=product_id, currency="usd", unit_amount=4900)
    text = text_of(staff, "/admin/stripe/import")
    assert "Bare" in text
    assert "It has no price that can be sold here." in text

    data = {"products": ids, f"kind-{ids[1]}": "bundle", f"kind-{ids[0]}": "nonsense"}
    staff.send("/admin/stripe/import", data)

    text = text_of(staff, "/admin/stripe/import")
    assert "Imported as drafts: “Bundle B”, “Course A”." in text
    assert "1 left out: already here, or no longer possible." in text
    assert text.count("It is sold here already.") == 2
    assert db.session.scalars(select(Course.title)).all() == ["Course A"]
    staff.send("/admin/stripe/import", data)
    assert "3 left out" in text_of(staff, "/admin/stripe/import")
    assert sorted(db.session.scalars(select(Product.kind))) == ["bundle", "course"]
    actors = db.session.scalars(select(AuditEntry.actor_id).where(AuditEntry.action.endswith("imported_from_stripe")))
    assert set(actors) == {staff.user.public_id}


def test_an_import_without_ticks_or_without_stripe_says_so(shop: Shop) -> None:
    staff = Staff(shop.app, "admin")
    staff.send("/admin/stripe/import")
    assert "Tick at least one product first." in text_of(staff, "/admin/stripe/import")
    shop.control("/levers", {"kind": "api_error", "status": 500})

    staff.send("/admin/stripe/import", {"products": ["prod_1"]})
    text = text_of(staff, "/admin/stripe/import")

    shop.remove_levers()
    assert "Nothing was imported. Stripe isn’t answering." in text
    assert "Try again" in text
