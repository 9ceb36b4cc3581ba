"""Money as integers in the currency's minor unit: exponents, parsing and formatting."""

import re
from decimal import Decimal, InvalidOperation

from babel.numbers import format_currency, get_currency_symbol

# Source: Stripe's list of zero-decimal and three-decimal currencies (docs/currencies, read 2026-11).
ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
# Stripe takes at most eight digits in a charge.
LARGEST_AMOUNT = 99_999_999


class MoneyError(ValueError):
    """The text is no amount of that currency; the message is a sentence for a form."""


def exponent(currency: str) -> int:
    """How many decimal places the currency's minor unit stands for: 0, 2 or 3."""
    code = currency.lower()
    if code in ZERO_DECIMAL:
        return 0
    return 3 if code in THREE_DECIMAL else 2


def to_decimal(amount: int, currency: str) -> Decimal:
    """Minor units as a decimal of the currency: 9700 usd -> 97.00, 500 jpy -> 500."""
    return Decimal(amount).scaleb(-exponent(currency))


def parse_amount(text: str, currency: str) -> int:
    """Minor units of what a person typed: "97", "97.00" and "$97" are 9700 in usd.

    Raises MoneyError on anything else: signs, more decimals than the currency has, amounts beyond Stripe's limit.
    """
    cleaned = re.sub(r"[\s$€£¥]", "", text).replace(",", "")
    if not re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,3})?", cleaned):
        raise MoneyError("Enter an amount such as 97 or 97.00.")
    try:
        scaled = Decimal(cleaned).scaleb(exponent(currency))
    except InvalidOperation as error:
        raise MoneyError("Enter an amount such as 97 or 97.00.") from error
    if scaled != scaled.to_integral_value():
        raise MoneyError(f"{currency.upper()} has {exponent(currency)} decimal places.")
    if scaled > LARGEST_AMOUNT:
        raise MoneyError("The amount is larger than a card payment can be.")
    if exponent(currency) == 3 and int(scaled) % 10:  # noqa: PLR2004 - Stripe wants the last of three decimals to be 0
        raise MoneyError(f"The last decimal of an amount in {currency.upper()} must be 0.")
    return int(scaled)


def parse_price(text: str) -> tuple[int, str]:
    """(minor units, currency) of a text such as "97.00 USD". Raises MoneyError."""
    amount, _, currency = text.strip().rpartition(" ")
    if not re.fullmatch(r"[A-Za-z]{3}", currency):
        raise MoneyError('Write a price as amount and currency, for example "97.00 USD".')
    return parse_amount(amount, currency.lower()), currency.lower()


def format_money(amount: int, currency: str, locale: str = "en_US") -> str:
    """For lists and receipts, always with the currency's decimals: 9700 usd -> "$97.00"."""
    return format_currency(to_decimal(amount, currency), currency.upper(), locale=locale)


def format_money_short(amount: int, currency: str, locale: str = "en_US") -> str:
    """For marketing: whole amounts without decimals, 9700 usd -> "$97", 9750 usd -> "$97.50"."""
    value = to_decimal(amount, currency)
    if value != value.to_integral_value():
        return format_money(amount, currency, locale)
    return format_currency(
        value,
        currency.upper(),
        locale=locale,
        currency_digits=False,
        format="¤#,##0" if locale.startswith("en") else None,
    )


def currency_symbol(currency: str, locale: str = "en_US") -> str:
    """The sign that stands beside an amount field: "$"."""
    return get_currency_symbol(currency.upper(), locale=locale)
