"""What the sections are called, and how their values read."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import current_app

from app.config import SANDBOX_SECRET_KEY, Settings
from app.setting_rules import SECTIONS
from app.settings.services import SectionView

YES_NO = {True: "On", False: "Off"}
EMPTY = {
    "accent_color": "The design’s own",
    "logo_path": "The drawn one",
    "terms_text": "Our words",
    "waiver_text": "Our words",
    "mail_from_name": "The shop’s name",
    "consents": "None",
}
WORDS = {
    "exclusive": "Tax comes on top",
    "inclusive": "The price holds the tax",
    "terms": "Terms",
    "eu_waiver": "Withdrawal right",
}
IN_DAYS = {"refund_days", "withdrawal_days"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Title:
    """A section's name, its icon, and what it decides."""

    name: str
    icon: str
    about: str


TITLES = {
    "brand": Title(name="Brand", icon="image", about="The name, color and logo that visitors see."),
    "region": Title(name="Currency and region", icon="card", about="How amounts, dates and days are written."),
    "refunds": Title(name="Refunds", icon="undo", about="How long a buyer may ask for their money back."),
    "tax": Title(name="Tax", icon="chart", about="Whether Stripe adds tax, and whether prices hold it."),
    "invoices": Title(name="Invoices", icon="file", about="Whether a paid order gets an invoice."),
    "consents": Title(name="Consents", icon="check", about="The boxes a buyer ticks before paying."),
    "withdrawal": Title(name="EU withdrawal", icon="shield", about="The button that EU law asks for since June 2026."),
    "mail": Title(name="Mail", icon="mail", about="Whom mails come from, and a test of the mail server."),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A setting as it is: in force, what the environment says under which variable, and whether they differ."""

    label: str
    value: str
    base: str
    variable: str
    is_changed: bool


def describe(view: SectionView) -> list[Line]:
    """The lines of a section."""
    return [
        Line(
            label=setting.label,
            value=write_value(setting.name, view.values[setting.name]),
            base=write_value(setting.name, view.base[setting.name]),
            variable=setting.variable,
            is_changed=setting.name in view.changed,
        )
        for setting in SECTIONS[view.section]
    ]


def write_value(name: str, value: Any) -> str:
    """A setting's value as people read it."""
    if isinstance(value, bool):
        return YES_NO[value]
    if name in IN_DAYS:
        return f"{value} day{'' if value == 1 else 's'}"
    if name == "site_currency":
        return str(value).upper()
    if name == "logo_path" and value:
        return "Your own"
    if isinstance(value, tuple):
        return ", ".join(WORDS[each] for each in value) or EMPTY[name]
    return WORDS.get(value, value) or EMPTY.get(name, "None")


def list_fixed() -> list[tuple[str, str, str]]:
    """What only the environment decides: (label, value without secrets, variable)."""
    settings: Settings = current_app.config["SETTINGS"]
    is_sandbox = settings.stripe_secret_key == SANDBOX_SECRET_KEY
    stripe = "Offline sandbox" if is_sandbox else "Live key" if settings.is_livemode else "Test key"
    mail = urlsplit(settings.mail_url or "")
    return [
        ("Web address", settings.public_url, "PUBLIC_URL"),
        ("Stripe", stripe, "STRIPE_SECRET_KEY"),
        ("Mail server", mail.hostname or "None: mails become files", "MAIL_URL"),
        ("Database", urlsplit(settings.database_url).scheme.partition("+")[0], "DATABASE_URL"),
        ("A checkout stays open", f"{settings.checkout_expires_minutes} minutes", "CHECKOUT_EXPIRES_MINUTES"),
    ]
