"""The settings that a shop's own people may change: their names, their variables, and what each must be.

One rule for both doors: the environment is refused at the start and a form in the browser with the same sentence.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError

from app.colors import HEX, contrast, mix
from app.money import CURRENCIES

LONGEST_NAME = 80
LONGEST_TAGLINE = 120
LONGEST_CONSENT = 600
LONGEST_ADDRESS = 254
MOST_REFUND_DAYS = 365
# The law's own fourteen (Directive 2011/83/EU, article 9) may be made longer, not shorter.
FEWEST_WITHDRAWAL_DAYS = 14
TAX_BEHAVIORS = ("exclusive", "inclusive")
ADDRESS = re.compile(r"[^@\s<>\"',;:]+@[^@\s<>\"',;:]+")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
READABLE = 4.5  # WCAG 2.2, 1.4.3: text on its ground
WHITE, SOFT_SHARE = "#ffffff", 0.9

Check = Callable[[Any], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShopSetting:
    """One setting. name: the attribute of Settings; variable: the environment's, "" where it has none.

    check gives the sentence that says what is wrong with a value, "" for a good one.
    """

    name: str
    variable: str
    label: str
    check: Check


def list_problems(values: dict[str, Any]) -> Iterator[tuple[ShopSetting, str]]:
    """Each setting among the values that is not as it must be, with its sentence."""
    for setting in SETTINGS.values():
        sentence = setting.check(values[setting.name]) if setting.name in values else ""
        if sentence:
            yield setting, sentence


def soften(accent: str) -> str:
    """The pale ground that goes with an accent color on white."""
    return mix(accent, WHITE, SOFT_SHARE)


def _line(longest: int, *, fewest: int = 0) -> Check:
    def check(value: str) -> str:
        if CONTROL.search(value):
            return "Keep it to one line."
        if not fewest <= len(value.strip()) <= longest:
            return f"Use {fewest} to {longest} characters." if fewest else f"Use at most {longest} characters."
        return ""

    return check


def _number(fewest: int, most: int) -> Check:
    return lambda value: "" if fewest <= value <= most else f"Use a number of days from {fewest} to {most}."


def _good(_value: object) -> str:
    return ""


def _accent(value: str) -> str:
    if not value:
        return ""
    if not HEX.fullmatch(value):
        return "Write the color as # and six digits or letters a to f, such as #2a48d7."
    if contrast(value, soften(value)) < READABLE:
        return "This color is too pale to be read on white: choose a darker one."
    return ""


def _currency(value: str) -> str:
    return "" if value in CURRENCIES else "Stripe takes no such currency: use a code such as usd or eur."


@lru_cache(maxsize=64)
def _locale(value: str) -> str:
    try:
        Locale.parse(value)
    except (ValueError, UnknownLocaleError):
        return "Use a language and a country such as en_US or de_DE."
    return ""


@lru_cache(maxsize=64)
def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return "There is no such time zone: use a name such as Europe/Berlin or UTC."
    return ""


def _behavior(value: str) -> str:
    return "" if value in TAX_BEHAVIORS else "Use exclusive or inclusive."


def _address(value: str) -> str:
    is_address = len(value) <= LONGEST_ADDRESS and ADDRESS.fullmatch(value)
    return "" if is_address else "Use an email address such as hello@example.org."


def _make(name: str, variable: str, label: str, check: Check) -> ShopSetting:
    return ShopSetting(name=name, variable=variable, label=label, check=check)


SECTIONS: dict[str, tuple[ShopSetting, ...]] = {
    "brand": (
        _make("site_name", "SITE_NAME", "Shop name", _line(LONGEST_NAME, fewest=1)),
        _make("site_tagline", "SITE_TAGLINE", "Tagline", _line(LONGEST_TAGLINE)),
        _make("accent_color", "SITE_ACCENT", "Accent color", _accent),
        _make("logo_path", "", "Logo", _good),
    ),
    "region": (
        _make("site_currency", "SITE_CURRENCY", "Currency", _currency),
        _make("site_locale", "SITE_LOCALE", "Language and country", _locale),
        _make("site_timezone", "SITE_TIMEZONE", "Time zone", _zone),
    ),
    "refunds": (_make("refund_days", "REFUND_DAYS", "Refund window", _number(0, MOST_REFUND_DAYS)),),
    "tax": (
        _make("is_tax_enabled", "TAX_ENABLED", "Automatic tax", _good),
        _make("tax_behavior", "TAX_BEHAVIOR", "Prices and tax", _behavior),
        _make("collects_tax_ids", "TAX_ID_COLLECTION", "Tax numbers", _good),
    ),
    "invoices": (_make("makes_invoices", "STRIPE_INVOICES", "Invoices", _good),),
    "consents": (
        _make("consents", "CONSENTS", "Boxes to tick", _good),
        _make("terms_text", "CONSENT_TERMS_TEXT", "Text of the terms box", _line(LONGEST_CONSENT)),
        _make("waiver_text", "CONSENT_WAIVER_TEXT", "Text of the withdrawal box", _line(LONGEST_CONSENT)),
    ),
    "withdrawal": (
        _make("has_withdrawal", "EU_WITHDRAWAL", "Withdrawal function", _good),
        _make("withdrawal_days", "EU_WITHDRAWAL_DAYS", "Withdrawal period",
              _number(FEWEST_WITHDRAWAL_DAYS, MOST_REFUND_DAYS)),
        _make("refunds_withdrawals", "EU_WITHDRAWAL_REFUNDS", "Refund by itself", _good),
    ),
    "mail": (
        _make("mail_from_name", "MAIL_FROM_NAME", "Sender’s name", _line(LONGEST_NAME)),
        _make("mail_from", "MAIL_FROM", "Sender’s address", _address),
    ),
}  # fmt: skip
SETTINGS = {setting.name: setting for section in SECTIONS.values() for setting in section}
