"""Money as integers in the currency's minor unit: exponents, parsing and formatting."""

import re
from decimal import Decimal, InvalidOperation

from babel.numbers import format_currency, get_currency_symbol

# Source of the five tables: Stripe's page on currencies (docs.stripe.com/currencies, read 2026-11).
ZERO_DECIMAL = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
)
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
# Written with two decimals for old times' sake, but charged in whole units only.
WHOLE_UNITS = frozenset(["isk", "ugx"])
# What a charge may be presented in; every code is one of ISO 4217.
CURRENCIES = frozenset([
    "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bhd",
    "bif", "bmd", "bnd", "bob", "brl", "bsd", "bwp", "byn", "bzd", "cad", "cdf", "chf", "clp", "cny",
    "cop", "crc", "cve", "czk", "djf", "dkk", "dop", "dzd", "egp", "etb", "eur", "fjd", "fkp", "gbp",
    "gel", "gip", "gmd", "gnf", "gtq", "gyd", "hkd", "hnl", "htg", "huf", "idr", "ils", "inr", "isk",
    "jmd", "jod", "jpy", "kes", "kgs", "khr", "kmf", "krw", "kwd", "kyd", "kzt", "lak", "lbp", "lkr",
    "lrd", "lsl", "mad", "mdl", "mga", "mkd", "mmk", "mnt", "mop", "mur", "mvr", "mwk", "mxn", "myr",
    "mzn", "nad", "ngn", "nio", "nok", "npr", "nzd", "omr", "pab", "pen", "pgk", "php", "pkr", "pln",
    "pyg", "qar", "ron", "rsd", "rub", "rwf", "sar", "sbd", "scr", "sek", "sgd", "shp", "sle", "sos",
    "srd", "std", "szl", "thb", "tjs", "tnd", "top", "try", "ttd", "twd", "tzs", "uah", "ugx", "usd",
    "uyu", "uzs", "vnd", "vuv", "wst", "xaf", "xcd", "xof", "xpf", "yer", "zar", "zmw",
])  # fmt: skip
# In minor units, for a charge that is paid out in its own currency; Stripe checks one that it converts once more.
MINIMUM_CHARGE = {
    "usd": 50, "aed": 200, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50, "gbp": 30,
    "hkd": 400, "huf": 17_500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "pln": 200,
    "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip
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


def amount_step(currency: str) -> int:
    """What amounts must be a multiple of, in minor units: 10 with three decimals, 100 for whole units only, else 1."""
    code = currency.lower()
    if code in WHOLE_UNITS:
        return 100
    return 10 if code in THREE_DECIMAL else 1


def minimum_charge(currency: str) -> int:
    """The least that Stripe takes in one charge, in minor units; 0 where it names none."""
    return MINIMUM_CHARGE.get(currency.lower(), 0)


def check_currency(currency: str) -> str:
    """The code in lower case. Raises MoneyError for one that Stripe cannot charge."""
    code = currency.lower()
    if code not in CURRENCIES:
        raise MoneyError("There is no such currency. Use a code such as USD or EUR.")
    return code


def check_amount(amount: int, currency: str) -> None:
    """Raises MoneyError for minor units that no card payment of the currency can have, or an unknown currency."""
    step = amount_step(check_currency(currency))
    if amount < 0:
        raise MoneyError("Enter an amount of 0 or more.")
    if amount > LARGEST_AMOUNT:
        raise MoneyError("The amount is larger than a card payment can be.")
    if amount % step:
        if currency.lower() in WHOLE_UNITS:
            raise MoneyError(f"Amounts in {currency.upper()} must be whole, without decimals.")
        raise MoneyError(f"The last decimal of an amount in {currency.upper()} must be 0.")


def check_price(amount: int, currency: str) -> None:
    """check_amount() for what a card is charged: 0 is free, less than Stripe's minimum raises MoneyError too."""
    check_amount(amount, currency)
    least = minimum_charge(currency)
    if 0 < amount < least:
        raise MoneyError(f"A price must be 0 or at least {format_money(least, currency)}: cards take nothing smaller.")


def to_decimal(amount: int, currency: str) -> Decimal:
    """Minor units as a decimal of the currency: 9700 usd -> 97.00, 500 jpy -> 500."""
    return Decimal(amount).scaleb(-exponent(currency))


def parse_amount(text: str, currency: str) -> int:
    """Minor units of what a person typed: "97", "97.00" and "$97" are 9700 in usd.

    Raises MoneyError on anything else: signs, more decimals than the currency has, amounts beyond Stripe's limit,
    an unknown currency.
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
    check_amount(int(scaled), currency)
    return int(scaled)


def parse_price(text: str) -> tuple[int, str]:
    """(minor units, currency) of a text such as "97.00 USD". Raises MoneyError."""
    amount, _, currency = text.strip().rpartition(" ")
    if not re.fullmatch(r"[A-Za-z]{3}", currency):
        raise MoneyError('Write a price as amount and currency, for example "97.00 USD".')
    code = check_currency(currency)
    return parse_amount(amount, code), code


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
