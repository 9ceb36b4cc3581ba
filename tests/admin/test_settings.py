"""Settings in the browser: each one has its effect at once, is refused as the environment would, and can be undone."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import pytest
from flask import Flask
from sqlalchemy import select

from app.audit import AuditEntry
from app.catalog.models import Price
from app.checkout.models import OrderConsent, OrderItem
from app.config import Settings, current_settings, forget_settings
from app.db import db
from app.mail.rendering import render_message
from app.mail.services import list_due_message_ids
from app.queue import run_sweeps
from app.settings.services import change_section, get_section
from tests.accounts.people import Browser, list_mails, make_person
from tests.admin.staff import Staff
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import make_course, make_user
from tests.media.images import make_image

BRAND = {"site_name": "Corner School", "site_tagline": "Learn it here.", "accent_color": "#8a2c0d"}
REGION = {"site_currency": "usd", "site_locale": "en_US", "site_timezone": "UTC"}
WITHDRAWAL = {"has_withdrawal": "y", "withdrawal_days": "14", "refunds_withdrawals": "y"}


@pytest.fixture
def owner(app: Flask) -> Staff:
    return Staff(app, "owner")


def save(owner: Staff, section: str, **values: object) -> None:
    """Open the section and save it with these values, as a person does."""
    opened = owner.get(f"/admin/settings/{section}").text
    version = re.search(r'name="version"[^>]*value="(\d+)"', opened)
    assert version is not None
    answer = owner.send(f"/admin/settings/{section}", {"version": version[1], **values})
    assert answer.status_code == 303, answer.text
    in_force()


def in_force() -> Settings:
    """What counts now: the tests' own context outlives the requests, so it has to look anew."""
    db.session.rollback()
    forget_settings()
    return current_settings()


def list_actions() -> list[str]:
    db.session.rollback()
    rows = db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id))
    return [each for each in rows if each.startswith(("settings.", "mail.", "picture."))]


# Brand


def test_the_name_and_tagline_stand_on_every_page_and_mail_at_once(app: Flask, owner: Staff) -> None:
    visitor = Browser(app)
    assert "Corner School" not in visitor.get("/").text

    save(owner, "brand", **BRAND)

    page = visitor.get("/").text
    assert "<span>Corner School</span></a>" in page
    assert "<p>Learn it here.</p>" in page
    assert "<title>Corner School blog</title>" in visitor.get("/blog/feed.xml").text.replace("\n", "")
    visitor.post("/newsletter", {"email": "nia@example.org"}, headers={"Sec-Fetch-Site": "same-origin"})
    assert render_message(list_mails("nia@example.org")[0]).subject == "Confirm your subscription to Corner School"


def test_an_accent_is_a_style_sheet_of_its_own_address(app: Flask, owner: Staff) -> None:
    visitor = Browser(app)
    assert "/brand/" not in visitor.get("/").text
    assert visitor.get("/brand/2a48d7.css").status_code == 404

    save(owner, "brand", **BRAND)

    assert '<link rel="stylesheet" href="/brand/8a2c0d.css">' in visitor.get("/").text
    assert '<link rel="stylesheet" href="/brand/8a2c0d.css">' in owner.get("/admin/settings").text
    sheet = visitor.get("/brand/8a2c0d.css")
    assert sheet.text.startswith(":root{--accent:light-dark(#8a2c0d,")
    assert sheet.content_type == "text/css; charset=utf-8"
    assert visitor.get("/brand/000000.css").status_code == 404


def test_a_logo_is_made_anew_shown_everywhere_and_taken_away_again(app: Flask, owner: Staff) -> None:
    visitor = Browser(app)
    picture = (BytesIO(make_image(size=(640, 320))), "logo.png")

    saved = owner.send("/admin/settings/brand/logo", {"picture": picture})
    shown = re.search(r'<img class="logo" src="(/media/[0-9a-f]{64}/480\.webp)"', visitor.get("/").text)
    assert shown is not None
    assert visitor.get(shown[1]).status_code == 200
    assert "Your own" in owner.get("/admin/settings/brand").text
    owner.send("/admin/settings/brand/logo/remove")

    assert saved.status_code == 303
    assert 'class="logo"' not in visitor.get("/").text
    assert list_actions() == ["picture.uploaded", "settings.changed", "settings.reset"]


@pytest.mark.parametrize("content", [b"", b"<svg onload=alert(1)>"])
def test_what_is_no_picture_is_no_logo(owner: Staff, content: bytes) -> None:
    owner.send("/admin/settings/brand/logo", {"picture": (BytesIO(content), "logo.png")})

    assert "Choose a picture in JPEG, PNG or WebP format." in owner.get("/admin/settings/brand").text
    assert in_force().logo_path == ""


# Currency and region


def test_the_currency_decides_which_price_is_shown_and_changes_none(app: Flask, owner: Staff) -> None:
    course = make_course(unit_amount=9700)
    price = db.session.scalars(select(Price)).one()
    with db.engine.connect().execution_options(is_write=True) as other, other.begin():
        values = {column.name: getattr(price, column.name) for column in Price.__table__.columns}
        other.execute(
            Price.__table__.insert().values(
                **{**values, "id": 999, "public_id": "prc_eur", "currency": "eur", "unit_amount": 9000}
            )
        )
    other_course = make_course(unit_amount=5000)
    visitor = Browser(app)
    assert "Enroll — $97" in visitor.get(f"/courses/{course.slug}").text

    save(owner, "region", **{**REGION, "site_currency": "eur"})

    assert "Enroll — €90" in visitor.get(f"/courses/{course.slug}").text
    assert "Enroll — $50" in visitor.get(f"/courses/{other_course.slug}").text
    assert "It does not change: prices that exist" in owner.get("/admin/settings/region").text


def test_the_locale_writes_amounts_and_dates(app: Flask, owner: Staff) -> None:
    course = make_course(unit_amount=123450)
    visitor = Browser(app)

    save(owner, "region", **{**REGION, "site_locale": "de_DE"})

    assert "1.234,50\xa0$" in visitor.get(f"/courses/{course.slug}").text


def test_the_time_zone_says_what_day_it_is(owner: Staff, moving_clock: MovableClock) -> None:
    moving_clock.freeze(datetime(2026, 11, 27, 13, 30, tzinfo=UTC))
    save(owner, "region", **{**REGION, "site_timezone": "Pacific/Auckland"})

    assert "Time zone: Pacific/Auckland" in owner.get("/admin/codes/new").text
    assert ">Nov 28, 02:30</time>" in owner.get("/admin/settings/region").text


# Refunds, tax, invoices, consents


def test_the_refund_window_is_shown_and_kept_by_the_order(shop: Shop, owner: Staff) -> None:
    course = make_course(unit_amount=9700)
    visitor = Browser(shop.app)
    first = shop.buy(course, user=make_user())

    save(owner, "refunds", refund_days="30")
    second = shop.buy(course, user=make_user())

    assert "30-day money-back guarantee." in visitor.get(f"/courses/{course.slug}").text
    assert "within 30 days of your purchase" in visitor.get("/pages/refund-policy").text
    days = {
        started.order_public_id: db.session.scalars(
            select(OrderItem.refund_days).where(OrderItem.order_id == shop.order(started).id)
        ).one()
        for started in (first, second)
    }
    assert list(days.values()) == [14, 30]


def test_tax_goes_to_stripe_with_the_next_checkout(shop: Shop, owner: Staff) -> None:
    save(owner, "tax", is_tax_enabled="y", tax_behavior="inclusive", collects_tax_ids="y")
    course = make_course(unit_amount=10_000)
    started = shop.begin(course, user=make_user())
    session = shop.stripe(f"/v1/checkout/sessions/{started.stripe_checkout_session_id}")
    shop.pay(started, country="DE", postal_code="10115")
    shop.deliver_all()

    assert (session["automatic_tax"]["enabled"], session["tax_id_collection"]["enabled"]) == (True, True)
    order = shop.order(started)
    assert (order.tax_amount, order.is_tax_included, order.charged_amount) == (1597, True, 10_000)
    page = Browser(shop.app).get(f"/checkout/{db.session.scalars(select(Price.public_id)).one()}?full=1").text
    assert "<dt>Tax</dt><dd>Included</dd>" in page


def test_invoices_are_made_from_then_on(shop: Shop, owner: Staff) -> None:
    before = shop.buy(make_course(), user=make_user())
    save(owner, "invoices", makes_invoices="y")
    after = shop.buy(make_course(), user=make_user())

    assert shop.order(before).stripe_invoice_id is None
    assert shop.order(after).stripe_invoice_id is not None


def test_consents_are_asked_in_the_shops_words_and_kept_with_their_version(shop: Shop, owner: Staff) -> None:
    own = "I read the terms of Corner School and agree."
    save(owner, "consents", asks_terms="y", terms_text=own, asks_waiver="y", waiver_text="")
    course = make_course(unit_amount=9700)
    price = db.session.scalars(select(Price.public_id)).one()

    page = Browser(shop.app).get(f"/checkout/{price}").text
    shop.begin(course, user=make_user(), consents=("terms", "eu_waiver"))

    assert own in page
    assert 'name="consent_eu_waiver"' in page
    rows = db.session.execute(
        select(OrderConsent.kind, OrderConsent.text, OrderConsent.text_version).order_by(OrderConsent.id)
    ).all()
    assert [(row.kind, row.text == own) for row in rows] == [("terms", True), ("eu_waiver", False)]
    assert re.fullmatch(r"own-[0-9a-f]{8}", rows[0].text_version)
    assert rows[1].text_version == "2026-11"
    assert rows[0].text_version in owner.get("/admin/settings/consents").text


# EU withdrawal


def test_the_withdrawal_function_appears_with_its_days(shop: Shop, owner: Staff) -> None:
    save(owner, "withdrawal", **{**WITHDRAWAL, "withdrawal_days": "20"})
    order = shop.order(shop.buy(make_course(), user=make_user()))

    assert order.withdrawal_days == 20
    assert "Withdraw from contract here" in Browser(shop.app).get("/").text
    assert in_force().refunds_withdrawals is True


# Mail


def test_mails_come_from_the_name_and_address(app: Flask, owner: Staff) -> None:
    save(owner, "mail", mail_from_name="Ana, of Läden & Co", mail_from="ana@example.org")
    make_person("nia@example.org")
    Browser(app).post("/newsletter", {"email": "maya@example.org"}, headers={"Sec-Fetch-Site": "same-origin"})

    assert list_due_message_ids() != []
    run_sweeps()

    folder = app.config["SETTINGS"].instance_path / "mail"
    newest = max(folder.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns).read_text()
    assert re.search(r"^From: =\?utf-8\?\S+\?= <ana@example\.org>", newest, re.MULTILINE)


# How a section is saved


@pytest.mark.parametrize(
    ("section", "values", "field", "sentence"),
    [
        ("brand", {**BRAND, "site_name": " "}, "site_name", "Use 1 to 80 characters."),
        ("brand", {**BRAND, "accent_color": "#ffe000"}, "accent_color", "This color is too pale to be read on white"),
        ("region", {**REGION, "site_currency": "xxx"}, "site_currency", "Stripe takes no such currency"),
        ("region", {}, "site_timezone", "There is no such time zone"),
        ("brand", {}, "site_name", "Use 1 to 80 characters."),
        ("refunds", {"refund_days": "366"}, "refund_days", "Use a number of days from 0 to 365."),
        ("refunds", {"refund_days": "1_0"}, "refund_days", "Enter a whole number."),
        ("refunds", {}, "refund_days", "Enter a whole number."),
        ("tax", {"tax_behavior": "both"}, "tax_behavior", "Use exclusive or inclusive."),
        ("tax", {}, "tax_behavior", "Use exclusive or inclusive."),
        ("mail", {}, "mail_from", "Use an email address"),
        ("withdrawal", {**WITHDRAWAL, "withdrawal_days": "7"}, "withdrawal_days", "Use a number of days from 14 to 365."),
        ("consents", {"terms_text": "x" * 601}, "terms_text", "Use at most 600 characters."),
        ("mail", {"mail_from_name": "", "mail_from": "nobody"}, "mail_from", "Use an email address"),
        ("mail", {"mail_from_name": "x" * 501, "mail_from": "a@example.org"}, "mail_from_name", "500 characters"),
    ],
)  # fmt: skip
def test_what_may_not_be_is_named_and_nothing_changes(
    owner: Staff, section: str, values: dict[str, str], field: str, sentence: str
) -> None:
    answer = owner.send(f"/admin/settings/{section}", {"version": "0", **values})

    assert answer.status_code == 422
    assert sentence in answer.text
    assert re.search(rf'<a href="#{field}(-0)?">', answer.text)
    assert list_actions() == []


def test_two_owners_at_once_end_as_one_change_and_a_message_with_both_sides(app: Flask, owner: Staff) -> None:
    save(owner, "brand", **BRAND)

    late = owner.send("/admin/settings/brand", {**BRAND, "version": "0", "site_name": "Another School"})

    assert late.status_code == 409
    assert "Somebody saved these settings after you had opened them." in late.text
    assert 'value="Another School"' in late.text
    assert "<dd>Corner School" in late.text
    assert in_force().site_name == "Corner School"
    version = re.search(r'name="version"[^>]*value="(\d+)"', late.text)
    assert version is not None
    again = owner.send("/admin/settings/brand", {**BRAND, "version": version[1], "site_name": "Another School"})
    assert again.status_code == 303
    assert in_force().site_name == "Another School"


@pytest.mark.parametrize("version", ["", "abc", "-1", "9" * 10])
def test_a_version_nobody_was_given_changes_nothing(owner: Staff, version: str) -> None:
    answer = owner.send("/admin/settings/brand", {**BRAND, "version": version})

    assert answer.status_code in {409, 422}
    assert list_actions() == []


def test_an_undo_and_a_reset_are_one_click_each(app: Flask, owner: Staff) -> None:
    save(owner, "brand", **BRAND)
    save(owner, "brand", **{**BRAND, "site_name": "Another School"})
    page = owner.get("/admin/settings/brand").text
    assert "Brand saved." in page or "Undo the last change" in page

    owner.send("/admin/settings/brand/undo", {"version": "2"})
    assert in_force().site_name == "Corner School"
    stale = owner.send("/admin/settings/brand/undo", {"version": "2"})
    assert in_force().site_name == "Corner School"
    owner.send("/admin/settings/brand/reset", {"version": "2"})
    assert "saved by somebody else since you opened them" in owner.get("/admin/settings/brand").text
    owner.send("/admin/settings/brand/reset", {"version": "3"})

    assert stale.status_code == 303
    assert in_force() == app.config["SETTINGS"]
    assert list_actions() == ["settings.changed", "settings.changed", "settings.undone", "settings.reset"]


def test_saving_what_is_there_changes_nothing(owner: Staff) -> None:
    save(owner, "refunds", refund_days="14")

    assert "Nothing was different, so nothing changed." in owner.get("/admin/settings/refunds").text
    assert list_actions() == []


def test_the_list_tells_what_counts_and_what_only_the_environment_decides(app: Flask, owner: Staff) -> None:
    save(owner, "refunds", refund_days="30")

    page = owner.get("/admin/settings").text

    assert "Refund window: 30 days" in page
    assert page.count("Changed here") == 1
    assert "<code>STRIPE_SECRET_KEY</code>" in page
    assert app.config["SETTINGS"].stripe_secret_key not in page
    assert "The environment says: 14 days, " in owner.get("/admin/settings/refunds").text
    assert owner.get("/admin/settings/secrets").status_code == 404
    assert owner.send("/admin/settings/secrets", {"version": "0"}).status_code == 404


def test_a_setting_of_the_environment_in_production_shows_no_password(app: Flask, owner: Staff) -> None:
    before = app.config["SETTINGS"]
    app.config["SETTINGS"] = replace(before, mail_url="smtp://user:secret@mail.example.org:587")
    try:
        page = owner.get("/admin/settings").text
    finally:
        app.config["SETTINGS"] = before

    assert "mail.example.org" in page
    assert "secret" not in page.replace("Secrets and addresses", "")


def test_the_withdrawals_list_shows_order_time_and_outcome(shop: Shop, owner: Staff) -> None:
    assert "No withdrawals yet" in owner.get("/admin/orders/withdrawals").text
    change_section(section="withdrawal", values={"has_withdrawal": True}, version=get_section("withdrawal").version)
    order = shop.order(shop.buy(make_course(title="Small course"), user=make_user()))
    visitor = Browser(shop.app)
    named = {"number": str(order.number), "email": str(order.email)}
    visitor.post("/withdraw/confirm", named, headers={"Sec-Fetch-Site": "same-origin"})

    page = owner.get("/admin/orders/withdrawals").text
    of_order = owner.get(f"/admin/orders/{order.public_id}").text

    assert f"NSL-{order.number}" in page
    assert ("A person decides" in page, "By number and address" in page, "In time" in page) == (True, True, True)
    assert "Withdrawn from the contract by the buyer" in of_order
    assert "The buyer withdrew from the contract in time." in of_order
    assert "Nothing here" in owner.get("/admin/orders/withdrawals?view=late").text
    assert f"NSL-{order.number}" in owner.get("/admin/orders/withdrawals?view=open").text
    assert "Withdrawals" in owner.get("/admin/orders").text
