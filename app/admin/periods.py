"""Period and currency in the URL, the links that choose them, and days as charts write them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from babel.dates import format_date
from flask import request

from app.catalog.offers import site_currency
from app.config import current_settings
from app.money import CURRENCIES
from app.reports.periods import DEFAULT, LABELS, Bucket, Period, make_period


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A link of a row of links; is_current marks the one in force."""

    label: str
    url: str
    is_current: bool


def read_period(default: str = DEFAULT) -> Period:
    """What ?period= or ?since= and ?until= ask for, else the default; what cannot be read is the 30 days."""
    return make_period(
        request.args.get("period", default),
        first_day=_read_day(request.args.get("since", "")),
        last_day=_read_day(request.args.get("until", "")),
    )


def read_currency() -> str:
    """What ?currency= asks for, else the shop's own."""
    wanted = request.args.get("currency", "").lower()
    return wanted if wanted in CURRENCIES else site_currency()


def list_period_choices(period: Period) -> list[Choice]:
    """7, 30, 90 days and 12 months; the currency stays."""
    return [Choice(label=label, url=make_url(key), is_current=key == period.key) for key, label in LABELS.items()]


def list_currency_choices(currencies: Sequence[str], period: Period) -> list[Choice]:
    """A link for each currency; none where there is only one."""
    current = read_currency()
    every = sorted({*currencies, current, site_currency()}, key=lambda each: (each != site_currency(), each))
    if len(every) == 1:
        return []
    return [
        Choice(
            label=each.upper(), url=request.path + _query({**period_params(period), "currency": each}),
            is_current=each == current,
        )
        for each in every
    ]  # fmt: skip


def make_url(key: str) -> str:
    """This page with another period."""
    params = {"period": key} if key != DEFAULT else {}
    if read_currency() != site_currency():
        params["currency"] = read_currency()
    return request.path + _query(params)


def period_params(period: Period) -> dict[str, Any]:
    """The period as parameters of an address, {} for the default."""
    if not period.key:
        return {"since": period.first_day.isoformat(), "until": period.last_day.isoformat()}
    return {} if period.key == DEFAULT else {"period": period.key}


def page_params(period: Period) -> dict[str, Any]:
    """Period and currency as parameters of an address, what is the default left out."""
    currency = read_currency()
    return period_params(period) | ({} if currency == site_currency() else {"currency": currency})


def write_bucket(bucket: Bucket, period: Period) -> str:
    """A day as "Nov 22", a month as "Nov 2026", in the shop's language."""
    return write_day(bucket.first_day, "MMM y" if period.is_monthly else "MMM d")


def write_day(day: date, pattern: str = "MMM d, y") -> str:
    """A day as "Nov 22, 2026", in the shop's language."""
    settings = current_settings()
    return format_date(day, pattern, locale=settings.site_locale)


def _query(params: dict[str, Any]) -> str:
    return f"?{urlencode(params)}" if params else ""


def _read_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-01-31") else None
    except ValueError:
        return None
