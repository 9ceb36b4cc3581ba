"""Amounts are integers of minor units: 0, 2 and 3 decimals, parsed as people type and written as people read."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.money import (
    LARGEST_AMOUNT,
    THREE_DECIMAL,
    ZERO_DECIMAL,
    MoneyError,
    currency_symbol,
    exponent,
    format_money,
    format_money_short,
    parse_amount,
    parse_price,
    to_decimal,
)

CURRENCIES = sorted({"usd", "eur", "gbp", *ZERO_DECIMAL, *THREE_DECIMAL})


@pytest.mark.parametrize(
    ("currency", "places"), [("usd", 2), ("EUR", 2), ("jpy", 0), ("JPY", 0), ("krw", 0), ("kwd", 3), ("BHD", 3)]
)
def test_a_currency_has_the_decimals_stripe_gives_it(currency: str, places: int) -> None:
    assert exponent(currency) == places


@pytest.mark.parametrize(
    ("amount", "currency", "value"),
    [(9700, "usd", "97.00"), (1, "usd", "0.01"), (500, "jpy", "500"), (5000, "kwd", "5.000"), (0, "eur", "0.00")],
)
def test_minor_units_are_an_exact_decimal(amount: int, currency: str, value: str) -> None:
    assert to_decimal(amount, currency) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("97", "usd", 9700),
        ("97.00", "usd", 9700),
        ("$97", "usd", 9700),
        (" 97.5 ", "usd", 9750),
        ("1,299.99", "usd", 129_999),
        ("0", "usd", 0),
        ("0.01", "usd", 1),
        ("€49", "eur", 4900),
        ("500", "jpy", 500),
        ("¥5,000", "jpy", 5000),
        ("500.00", "jpy", 500),
        ("5", "kwd", 5000),
        ("5.120", "kwd", 5120),
        ("999999.99", "usd", LARGEST_AMOUNT),
    ],
)
def test_amounts_are_read_as_people_type_them(text: str, currency: str, amount: int) -> None:
    assert parse_amount(text, currency) == amount


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("", "usd"),
        (" ", "usd"),
        ("-1", "usd"),
        ("+1", "usd"),
        ("1e3", "usd"),
        ("NaN", "usd"),
        ("Infinity", "usd"),
        ("0x10", "usd"),
        ("٣", "usd"),
        ("1.2.3", "usd"),
        (".5", "usd"),
        ("5.", "usd"),
        ("9.999", "usd"),
        ("500.5", "jpy"),
        ("5.1234", "kwd"),
        ("5.125", "kwd"),
        ("1000000", "usd"),
        ("99999999999999999999", "usd"),
        ("ninety", "usd"),
        ("97 USD", "usd"),
        ("1\x00", "usd"),
    ],
)
def test_what_is_no_amount_is_refused_in_a_sentence(text: str, currency: str) -> None:
    with pytest.raises(MoneyError) as refused:
        parse_amount(text, currency)

    assert str(refused.value).endswith((".", "0."))


@pytest.mark.parametrize(
    ("text", "price"),
    [("97.00 USD", (9700, "usd")), ("500 jpy", (500, "jpy")), ("5.000 KWD", (5000, "kwd")), ("$97 usd", (9700, "usd"))],
)
def test_a_price_is_an_amount_and_a_currency(text: str, price: tuple[int, str]) -> None:
    assert parse_price(text) == price


@pytest.mark.parametrize("text", ["", "97", "USD", "97.00 US", "97.00 DOLLARS", "97.00 12A", "x USD"])
def test_a_price_without_either_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        parse_price(text)


@pytest.mark.parametrize(
    ("amount", "currency", "long", "short"),
    [
        (9700, "usd", "$97.00", "$97"),
        (9750, "usd", "$97.50", "$97.50"),
        (129_999, "usd", "$1,299.99", "$1,299.99"),
        (100_000, "usd", "$1,000.00", "$1,000"),
        (0, "usd", "$0.00", "$0"),
        (500, "jpy", "¥500", "¥500"),
        (4900, "eur", "€49.00", "€49"),
    ],
)
def test_amounts_are_written_in_full_on_receipts_and_short_on_sales_pages(
    amount: int, currency: str, long: str, short: str
) -> None:
    assert (format_money(amount, currency), format_money_short(amount, currency)) == (long, short)


def test_three_decimals_are_all_shown() -> None:
    assert format_money(5120, "kwd").replace("\xa0", "") == "KWD5.120"


def test_the_symbol_is_the_one_beside_an_amount_field() -> None:
    assert (currency_symbol("usd"), currency_symbol("eur")) == ("$", "€")


@given(st.integers(0, LARGEST_AMOUNT), st.sampled_from(CURRENCIES))
def test_what_is_written_is_read_back_exactly(amount: int, currency: str) -> None:
    amount -= amount % 10 if exponent(currency) == 3 else 0

    assert parse_amount(str(to_decimal(amount, currency)), currency) == amount
    assert parse_price(f"{to_decimal(amount, currency)} {currency.upper()}") == (amount, currency)


@given(st.text(max_size=12), st.sampled_from(CURRENCIES))
def test_any_text_is_an_amount_in_bounds_or_refused(text: str, currency: str) -> None:
    try:
        amount = parse_amount(text, currency)
    except MoneyError:
        return

    assert 0 <= amount <= LARGEST_AMOUNT
