"""Amounts are integers of minor units: 0, 2 and 3 decimals, parsed as people type and written as people read."""

from decimal import Decimal

import pytest
from babel.numbers import list_currencies
from hypothesis import given
from hypothesis import strategies as st

from app.money import (
    CURRENCIES,
    LARGEST_AMOUNT,
    MINIMUM_CHARGE,
    THREE_DECIMAL,
    WHOLE_UNITS,
    ZERO_DECIMAL,
    MoneyError,
    amount_step,
    check_amount,
    check_currency,
    check_price,
    currency_symbol,
    exponent,
    format_money,
    format_money_short,
    minimum_charge,
    parse_amount,
    parse_price,
    to_decimal,
)

SAMPLE = sorted({"usd", "eur", "gbp", *ZERO_DECIMAL, *THREE_DECIMAL, *WHOLE_UNITS})


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
        ("5", "isk", 500),
        ("5.00", "ugx", 500),
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
        ("5.50", "isk"),
        ("5", "xxx"),
        ("5", ""),
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


@pytest.mark.parametrize(
    "text", ["", "97", "USD", "97.00 US", "97.00 DOLLARS", "97.00 12A", "x USD", "97.00 XXX", "97.00 ABC"]
)
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


def test_every_currency_is_one_of_iso_4217_and_every_table_is_about_them() -> None:
    assert {code.upper() for code in CURRENCIES} <= set(list_currencies())
    assert ZERO_DECIMAL | THREE_DECIMAL | WHOLE_UNITS | set(MINIMUM_CHARGE) <= CURRENCIES
    assert not ZERO_DECIMAL & THREE_DECIMAL
    assert not WHOLE_UNITS & (ZERO_DECIMAL | THREE_DECIMAL)


@pytest.mark.parametrize(("code", "known"), [("USD", "usd"), ("eur", "eur"), ("Jpy", "jpy")])
def test_a_currency_is_kept_in_lower_case(code: str, known: str) -> None:
    assert check_currency(code) == known


@pytest.mark.parametrize("code", ["", "us", "usdt", "xxx", "xau", "btc", "dem", "12a", " usd", "usd\n"])
def test_what_stripe_cannot_charge_in_is_no_currency(code: str) -> None:
    with pytest.raises(MoneyError, match="There is no such currency"):
        check_currency(code)


@pytest.mark.parametrize(("currency", "step"), [("usd", 1), ("JPY", 1), ("kwd", 10), ("ISK", 100), ("ugx", 100)])
def test_amounts_go_in_steps(currency: str, step: int) -> None:
    check_amount(7 * step, currency)

    assert amount_step(currency) == step
    if step > 1:
        with pytest.raises(MoneyError):
            check_amount(7 * step + 1, currency)


@pytest.mark.parametrize("amount", [-1, LARGEST_AMOUNT + 1])
def test_an_amount_has_bounds(amount: int) -> None:
    with pytest.raises(MoneyError):
        check_amount(amount, "usd")


@pytest.mark.parametrize(
    ("currency", "least"),
    [
        ("usd", 50), ("USD", 50), ("aed", 200), ("aud", 50), ("brl", 50), ("cad", 50), ("chf", 50), ("czk", 1500),
        ("dkk", 250), ("eur", 50), ("gbp", 30), ("hkd", 400), ("huf", 17500), ("inr", 50), ("jpy", 50), ("mxn", 1000),
        ("myr", 200), ("nok", 300), ("nzd", 50), ("pln", 200), ("ron", 200), ("sek", 300), ("sgd", 50), ("thb", 1000),
        ("kwd", 0), ("zar", 0),
    ],
)  # fmt: skip
def test_a_price_is_free_or_at_least_what_stripe_charges(currency: str, least: int) -> None:
    assert minimum_charge(currency) == least
    check_price(0, currency)
    check_price(least, currency)
    if least:
        with pytest.raises(MoneyError, match="A price must be 0 or at least"):
            check_price(least - 1, currency)
        with pytest.raises(MoneyError, match="A price must be 0 or at least"):
            check_price(1, currency)


def test_the_sentence_about_the_minimum_names_it() -> None:
    with pytest.raises(MoneyError) as refused:
        check_price(49, "usd")

    assert str(refused.value) == "A price must be 0 or at least $0.50: cards take nothing smaller."


@given(st.integers(0, LARGEST_AMOUNT), st.sampled_from(SAMPLE))
def test_what_is_written_is_read_back_exactly(amount: int, currency: str) -> None:
    amount -= amount % amount_step(currency)

    assert parse_amount(str(to_decimal(amount, currency)), currency) == amount
    assert parse_price(f"{to_decimal(amount, currency)} {currency.upper()}") == (amount, currency)


@given(st.text(max_size=12), st.sampled_from(SAMPLE))
def test_any_text_is_an_amount_in_bounds_or_refused(text: str, currency: str) -> None:
    try:
        amount = parse_amount(text, currency)
    except MoneyError:
        return

    assert 0 <= amount <= LARGEST_AMOUNT
