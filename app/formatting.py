"""Money, times and addresses as people read them; the filters that pages and mails share."""

from datetime import datetime
from typing import Any

from babel.dates import format_date, format_datetime, get_timezone

from app.config import Settings, current_settings
from app.money import format_money, format_money_short


def _settings() -> Settings:
    return current_settings()


def money(amount: int, currency: str) -> str:
    """Minor units as "$97.00"."""
    return format_money(amount, currency, _settings().site_locale)


def money_short(amount: int, currency: str) -> str:
    """Minor units as "$97" where no cents are lost."""
    return format_money_short(amount, currency, _settings().site_locale)


def date_long(moment: datetime | str | None) -> str:
    """A moment as "April 25, 2026" in the shop's time zone; ISO text is taken too, "" for none."""
    return _format(moment, "long")


def datetime_short(moment: datetime | str | None) -> str:
    """A moment as "Nov 22, 16:48" in the shop's time zone."""
    return _format(moment, "MMM d, HH:mm")


def datetime_full(moment: datetime | str | None) -> str:
    """A moment with its year and zone, for tooltips: "Nov 22, 2026, 16:48:05 UTC"."""
    return _format(moment, "MMM d, y, HH:mm:ss z")


def mask_email(email: str) -> str:
    """ "maya@example.org" as "m•••@example.org"; "your email address" while none is known."""
    name, _, domain = email.partition("@")
    return f"{name[:1]}•••@{domain}" if domain else "your email address"


def _format(moment: datetime | str | None, pattern: str) -> str:
    if moment is None or moment == "":
        return ""
    settings = _settings()
    aware = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    zone = get_timezone(settings.site_timezone)
    if pattern == "long":
        return format_date(aware.astimezone(zone), "long", locale=settings.site_locale)
    return format_datetime(aware, pattern, tzinfo=zone, locale=settings.site_locale)


FILTERS: dict[str, Any] = {
    "money": money,
    "money_short": money_short,
    "date_long": date_long,
    "datetime": datetime_short,
    "datetime_full": datetime_full,
}
