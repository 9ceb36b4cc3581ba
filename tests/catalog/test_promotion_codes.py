"""Promotion codes: their names in every spelling, their terms, what they take off, and two made at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app import clock
from app.catalog.models import PromotionCode, PromotionCodeProduct
from app.catalog.promotion_codes import (
    ALPHABET,
    MOST_IN_BATCH,
    CodeTaken,
    create_batch,
    create_code,
    disable_code,
    discount_of,
    enable_code,
    find_code,
    get_code,
    get_code_usage,
    list_code_product_ids,
    list_codes,
    normalize_code,
)
from app.catalog.promotion_terms import check_terms, decide_state
from app.db import db, make_public_id, transaction
from app.errors import InvalidInput, NotFound
from app.money import CURRENCIES, LARGEST_AMOUNT, amount_step
from tests.conftest import MovableClock
from tests.factories import get_price, make_course

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _stored() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(PromotionCode.code).order_by(PromotionCode.code)))


@pytest.mark.parametrize(
    "text",
    [
        "LAUNCH-20", "launch-20", " Launch-20\n", "LAUNCH - 20", "launch‑20", "launch–20", "launch−20", "ＬＡＵＮＣＨ－２０",
        "LAUNCH\u00ad-20", "\u200bLAUNCH-20\ufeff", "launch\u00a0-20",
    ],
)  # fmt: skip
def test_a_code_is_one_code_in_every_spelling(text: str) -> None:
    assert normalize_code(text) == "LAUNCH-20"


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "AB", "A" * 41, "A" * 10_000, "-AB", "AB-", "---", "A_B_C", "A.B.C", "ABC!", "20%", "ÉTÉ20", "СКИДКА",
        "lаunch", "straße", "ABC\x00", "A/B/C", "ABC'--", "<b>ABC</b>", "٣٣٣", "ıabc", "İABC", "ﬀ" * 21,
    ],
)  # fmt: skip
def test_what_is_no_code_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        normalize_code(text)

    assert refused.value.field == "code"
    assert refused.value.sentence == (
        "A code has 3 to 40 letters (A to Z), digits and hyphens, with no hyphen at either end."
    )


def test_the_shortest_and_the_longest_code_are_taken() -> None:
    assert (normalize_code("abc"), normalize_code("a" * 40)) == ("ABC", "A" * 40)


@given(st.text(max_size=60))
def test_a_normalized_code_stays_as_it_is(text: str) -> None:
    try:
        code = normalize_code(text)
    except InvalidInput:
        return

    assert normalize_code(code) == code
    assert code.isascii()
    assert 3 <= len(code) <= 40


def test_a_code_is_found_in_any_spelling_and_keeps_its_terms(app: Flask) -> None:
    product_id = get_price(make_course()).product_id

    create_code(
        "launch20", percent_off=20, max_redemptions=100, per_customer_limit=1, minimum_quantity=2,
        starts_at=NOON, ends_at=NOON + timedelta(days=7), product_ids=[product_id, product_id], batch=" Black  Friday ",
    )  # fmt: skip

    db.session.rollback()
    code = find_code(" Launch 20 ")
    assert code is not None
    assert (code.code, code.percent_off, code.amount_off, code.currency) == ("LAUNCH20", 20, None, None)
    assert (code.max_redemptions, code.redeemed_count, code.per_customer_limit, code.minimum_quantity) == (100, 0, 1, 2)
    assert (code.starts_at, code.ends_at) == (NOON, datetime(2026, 11, 27, 12, tzinfo=UTC))
    assert (code.batch, code.is_active, code.public_id[:4]) == ("Black Friday", True, "pro_")
    assert list_code_product_ids(code_id=code.id) == {product_id}


def test_a_code_without_limits_counts_for_all_products(app: Flask) -> None:
    code = create_code("TEN-OFF", amount_off=1000, currency="EUR")

    assert (code.amount_off, code.currency, code.percent_off) == (1000, "eur", None)
    assert (code.max_redemptions, code.per_customer_limit, code.minimum_quantity) == (None, None, 1)
    assert list_code_product_ids(code_id=code.id) == frozenset()


@pytest.mark.parametrize("text", ["NOBODY", "no", "", "x" * 5000, "ABC\x00", "'; DROP TABLE promotion_codes"])
def test_what_is_not_there_is_not_found(app: Flask, text: str) -> None:
    create_code("SOMEBODY", percent_off=10)

    assert find_code(text) is None


def test_asking_for_a_code_that_is_not_there_says_so(app: Flask) -> None:
    with pytest.raises(NotFound) as refused:
        get_code("nobody")

    assert refused.value.sentence == "There is no code NOBODY."


@pytest.mark.parametrize(
    ("terms", "field", "sentence"),
    [
        ({}, "percent_off", "Give either a percentage or an amount that the code takes off."),
        ({"percent_off": 10, "amount_off": 100, "currency": "usd"}, "percent_off", "Give either a percentage"),
        ({"percent_off": 0}, "percent_off", "The percentage must be from 1 to 100."),
        ({"percent_off": -5}, "percent_off", "The percentage must be from 1 to 100."),
        ({"percent_off": 101}, "percent_off", "The percentage must be from 1 to 100."),
        ({"percent_off": 10, "currency": "usd"}, "currency", "A percentage counts in every currency"),
        ({"amount_off": 100}, "currency", "Say the currency of the amount."),
        ({"amount_off": 100, "currency": "xxx"}, "currency", "There is no such currency."),
        ({"amount_off": 0, "currency": "usd"}, "amount_off", "The amount taken off must be more than 0."),
        ({"amount_off": -1, "currency": "usd"}, "amount_off", "The amount taken off must be more than 0."),
        ({"amount_off": 100_000_000, "currency": "usd"}, "amount_off", "The amount is larger than a card payment can be."),
        ({"amount_off": 5125, "currency": "kwd"}, "amount_off", "The last decimal of an amount in KWD must be 0."),
        ({"amount_off": 550, "currency": "isk"}, "amount_off", "Amounts in ISK must be whole, without decimals."),
        ({"starts_at": NOON, "ends_at": NOON}, "ends_at", "The code must end after it starts."),
        ({"starts_at": NOON, "ends_at": NOON - timedelta(1)}, "ends_at", "The code must end after it starts."),
        ({"max_redemptions": 0}, "max_redemptions", "The number of uses must be from 1 to 1,000,000."),
        ({"max_redemptions": 1_000_001}, "max_redemptions", "The number of uses must be from 1 to 1,000,000."),
        ({"per_customer_limit": 0}, "per_customer_limit", "The uses of one customer must be at least 1"),
        ({"per_customer_limit": 3, "max_redemptions": 2}, "per_customer_limit", "The uses of one customer must be"),
        ({"minimum_quantity": 0}, "minimum_quantity", "The smallest number of seats must be from 1 to 100."),
        ({"minimum_quantity": 101}, "minimum_quantity", "The smallest number of seats must be from 1 to 100."),
        ({"batch": "x" * 81}, "batch", "The batch’s name has at most 80 characters."),
        ({"product_ids": [987_654]}, "product_ids", "A product that the code is limited to does not exist."),
    ],
)  # fmt: skip
def test_terms_that_cannot_be_are_refused_and_nothing_is_made(
    app: Flask, terms: dict[str, Any], field: str, sentence: str
) -> None:
    if terms and "amount_off" not in terms:
        terms = {"percent_off": 10, **terms}

    with pytest.raises(InvalidInput) as refused:
        create_code("LAUNCH20", **terms)

    assert refused.value.field == field
    assert refused.value.sentence.startswith(sentence)
    assert _stored() == []


@pytest.mark.parametrize(
    "terms",
    [
        {"percent_off": 1},
        {"percent_off": 100, "max_redemptions": 1, "per_customer_limit": 1, "minimum_quantity": 100},
        {"amount_off": 1, "currency": "USD", "max_redemptions": 1_000_000},
        {"amount_off": LARGEST_AMOUNT, "currency": "jpy"},
        {"percent_off": 5, "starts_at": NOON, "ends_at": NOON + timedelta(microseconds=1)},
        {"percent_off": 5, "per_customer_limit": 2},
    ],
)
def test_the_outermost_terms_are_taken(terms: dict[str, Any]) -> None:
    values = check_terms(terms)  # type: ignore[arg-type]

    assert {key: values[key] for key in terms} == {
        **terms,
        **({"currency": values["currency"]} if "currency" in terms else {}),
    }


def test_a_name_is_given_once_even_when_its_code_is_disabled(app: Flask) -> None:
    create_code("LAUNCH20", percent_off=20)
    disable_code("LAUNCH20")

    with pytest.raises(CodeTaken) as refused:
        create_code("launch 20", percent_off=50)

    assert refused.value.sentence == "The code LAUNCH20 exists already. Choose another one."
    assert get_code("LAUNCH20").percent_off == 20


def test_two_that_make_one_code_at_once_make_it_once(app: Flask) -> None:
    db.session.rollback()
    percents = [10, 20, 30, 40]
    gate = Barrier(len(percents))

    def create(percent: int) -> int | None:
        with app.app_context():
            gate.wait()
            try:
                return create_code("LAUNCH20", percent_off=percent).percent_off
            except CodeTaken:
                return None

    with ThreadPoolExecutor(len(percents)) as pool:
        outcomes = list(pool.map(create, percents))

    made = [percent for percent in outcomes if percent is not None]
    assert len(made) == 1
    db.session.rollback()
    assert db.session.scalars(select(PromotionCode.percent_off)).all() == made


def test_looking_first_instead_loses_the_same_race(app: Flask) -> None:
    """The negative control: all four see that the name is free, and only the database's own word keeps three out."""
    db.session.rollback()
    racers = 4
    gate = Barrier(racers)

    def create(_racer: int) -> str:
        with app.app_context():
            is_free = find_code("LAUNCH20") is None
            db.session.rollback()
            gate.wait()
            if not is_free:
                return "refused in a sentence"
            try:
                with transaction() as session:
                    session.add(
                        PromotionCode(
                            public_id=make_public_id("pro"), code="LAUNCH20", percent_off=10, created_at=clock.now()
                        )
                    )
            except IntegrityError:
                return "crashed"
            return "made"

    with ThreadPoolExecutor(racers) as pool:
        outcomes = list(pool.map(create, range(racers)))

    assert sorted(outcomes) == ["crashed", "crashed", "crashed", "made"]


def test_a_batch_has_codes_of_its_own_that_nobody_can_guess(app: Flask) -> None:
    product_id = get_price(make_course()).product_id

    codes = create_batch(25, "vip", percent_off=100, max_redemptions=1, product_ids=[product_id])

    names = _stored()
    assert names == [code.code for code in codes]
    assert len(set(names)) == 25
    for name in names:
        prefix, *groups = name.split("-")
        assert (prefix, [len(group) for group in groups]) == ("VIP", [4, 4, 4])
        assert set("".join(groups)) <= set(ALPHABET)
    # 75 groups of 31**4: two alike would be a generator that repeats itself.
    assert len({group for name in names for group in name.split("-")[1:]}) > 70
    assert {(code.batch, code.max_redemptions, code.percent_off) for code in codes} == {("VIP", 1, 100)}
    assert [usage.promotion_code.code for usage in list_codes(batch="VIP")] == [
        code.code for code in sorted(codes, key=lambda code: code.id)
    ]
    assert {list_code_product_ids(code_id=code.id) for code in codes} == {frozenset({product_id})}


def test_a_batch_can_be_named(app: Flask) -> None:
    create_batch(2, "X", percent_off=5, batch="Partners 2026")

    assert {usage.promotion_code.batch for usage in list_codes()} == {"Partners 2026"}


@pytest.mark.parametrize(
    ("count", "prefix", "field"),
    [(0, "VIP", "count"), (-1, "VIP", "count"), (MOST_IN_BATCH + 1, "VIP", "count"), (1, "", "prefix"),
     (1, "V!P", "prefix"), (1, "-VIP", "prefix"), (1, "V" * 26, "prefix")],
)  # fmt: skip
def test_a_batch_that_cannot_be_is_refused_whole(app: Flask, count: int, prefix: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        create_batch(count, prefix, percent_off=10)

    assert refused.value.field == field
    assert _stored() == []


def test_a_batch_for_a_product_that_is_not_there_makes_nothing(app: Flask) -> None:
    with pytest.raises(InvalidInput):
        create_batch(3, "VIP", percent_off=10, product_ids=[987_654])

    assert _stored() == []
    assert db.session.scalars(select(PromotionCodeProduct.product_id)).all() == []


def test_the_longest_prefix_gives_the_longest_code(app: Flask) -> None:
    assert len(create_batch(1, "V" * 25, percent_off=10)[0].code) == 40


def test_disabling_and_enabling_are_repeatable(app: Flask) -> None:
    create_code("LAUNCH20", percent_off=20)
    create_code("OTHER", percent_off=20)

    disable_code("launch20")
    disable_code("launch20")
    db.session.rollback()
    assert (get_code("LAUNCH20").is_active, get_code("OTHER").is_active) == (False, True)

    enable_code("launch20")
    enable_code("launch20")
    db.session.rollback()
    assert get_code("LAUNCH20").is_active is True


@pytest.mark.parametrize("change", [disable_code, enable_code])
def test_changing_a_code_that_is_not_there_says_so(app: Flask, change: Any) -> None:
    with pytest.raises(NotFound) as refused:
        change("nobody")

    assert refused.value.sentence == "There is no code NOBODY."


@pytest.fixture
def half_used() -> PromotionCode:
    return PromotionCode(
        code="LAUNCH20",
        is_active=True,
        starts_at=NOON,
        ends_at=NOON + timedelta(days=1),
        max_redemptions=2,
        redeemed_count=1,
    )


@pytest.mark.parametrize(
    ("changes", "moment", "state"),
    [
        ({}, NOON - timedelta(microseconds=1), "scheduled"),
        ({}, NOON, "active"),
        ({}, NOON + timedelta(days=1, microseconds=-1), "active"),
        ({}, NOON + timedelta(days=1), "ended"),
        ({"redeemed_count": 2}, NOON, "used_up"),
        ({"redeemed_count": 2}, NOON + timedelta(days=1), "ended"),
        ({"is_active": False, "redeemed_count": 2}, NOON, "disabled"),
        ({"max_redemptions": None, "redeemed_count": 99}, NOON, "active"),
        ({"starts_at": None, "ends_at": None}, NOON - timedelta(days=9999), "active"),
        ({"starts_at": None, "ends_at": None}, NOON + timedelta(days=9999), "active"),
    ],
)
def test_a_code_counts_in_its_window_until_it_is_used_up(
    half_used: PromotionCode, changes: dict[str, Any], moment: datetime, state: str
) -> None:
    for name, value in changes.items():
        setattr(half_used, name, value)

    assert decide_state(half_used, moment=moment) == state


def test_the_list_tells_use_products_and_state_page_by_page(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(NOON)
    price = get_price(make_course())
    create_code("FIRST", percent_off=10, max_redemptions=1, product_ids=[price.product_id])
    create_code("SECOND", percent_off=10, starts_at=NOON + timedelta(hours=1))
    create_code("THIRD", percent_off=10)
    disable_code("THIRD")
    with transaction() as session:
        session.scalars(select(PromotionCode).where(PromotionCode.code == "FIRST")).one().redeemed_count = 1

    page = list_codes(limit=2)
    rest = list_codes(after=page[-1].promotion_code.id, limit=2)

    assert [(row.promotion_code.code, row.promotion_code.redeemed_count, row.state, len(row.product_ids)) for row in page] == [
        ("FIRST", 1, "used_up", 1), ("SECOND", 0, "scheduled", 0),
    ]  # fmt: skip
    assert [(row.promotion_code.code, row.state) for row in rest] == [("THIRD", "disabled")]
    assert list_codes(batch="nothing") == []
    assert get_code_usage("first") == page[0]


def _percent(percent: int) -> PromotionCode:
    return PromotionCode(code="P", percent_off=percent)


def _amount(amount: int, currency: str) -> PromotionCode:
    return PromotionCode(code="A", amount_off=amount, currency=currency)


@pytest.mark.parametrize(
    ("code", "subtotal", "currency", "discount"),
    [
        (_percent(20), 9700, "usd", 1940),
        (_percent(100), 9700, "usd", 9700),
        (_percent(15), 9990, "usd", 1499),  # 1498.5
        (_percent(15), 9989, "usd", 1498),  # 1498.35
        (_percent(50), 1, "usd", 1),
        (_percent(50), 501, "JPY", 251),
        (_percent(1), 49, "usd", 0),
        (_percent(1), 50, "usd", 1),
        (_percent(33), 5120, "kwd", 1690),  # 1689.6
        (_percent(25), 100, "kwd", 30),  # 25
        (_percent(24), 100, "kwd", 20),
        (_percent(33), 9900, "isk", 3300),  # 3267
        (_percent(50), 0, "usd", 0),
        (_amount(1000, "usd"), 9700, "USD", 1000),
        (_amount(1000, "usd"), 999, "usd", 999),
        (_amount(1000, "usd"), 1000, "usd", 1000),
        (_amount(1000, "usd"), 9700, "eur", 0),
        (_amount(1000, "usd"), 0, "usd", 0),
    ],
)  # fmt: skip
def test_a_discount_is_exact(code: PromotionCode, subtotal: int, currency: str, discount: int) -> None:
    assert discount_of(code, subtotal_amount=subtotal, currency=currency) == discount


CURRENCY = st.sampled_from(sorted(CURRENCIES))
AMOUNT = st.integers(0, LARGEST_AMOUNT)


@given(st.integers(1, 100), AMOUNT, CURRENCY)
def test_a_percentage_is_the_nearest_amount_that_can_be_charged(percent: int, subtotal: int, currency: str) -> None:
    step = amount_step(currency)
    subtotal -= subtotal % step

    discount = discount_of(_percent(percent), subtotal_amount=subtotal, currency=currency)

    assert 0 <= discount <= subtotal
    assert discount % step == 0
    assert (subtotal - discount) % step == 0
    # Half up: above the exact value by at most half a step, below it by less than half a step.
    assert -step * 50 < discount * 100 - subtotal * percent <= step * 50
    if percent == 100:
        assert discount == subtotal


@given(st.integers(1, 100), AMOUNT, AMOUNT)
def test_a_larger_subtotal_never_gets_less_off(percent: int, first: int, second: int) -> None:
    smaller, larger = sorted((first, second))
    code = _percent(percent)

    assert discount_of(code, subtotal_amount=smaller, currency="usd") <= discount_of(
        code, subtotal_amount=larger, currency="usd"
    )


@given(st.integers(1, LARGEST_AMOUNT), AMOUNT, CURRENCY, CURRENCY)
def test_an_amount_comes_off_in_its_own_currency_only(amount: int, subtotal: int, own: str, other: str) -> None:
    discount = discount_of(_amount(amount, own), subtotal_amount=subtotal, currency=other)

    assert discount == (min(amount, subtotal) if own == other else 0)
