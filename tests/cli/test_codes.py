"""flask codes: one code, a batch, and that a refusal is one sentence and leaves nothing behind."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask import Flask

from app.catalog.models import Price, Product
from app.catalog.promotion_codes import create_code, get_code, list_code_product_ids
from app.config import Settings
from app.db import db, transaction
from tests.cli.runner import dump, run, run_json
from tests.conftest import MovableClock
from tests.factories import get_price, make_course

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_code_is_made_with_all_its_terms(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(NOON)
    make_course(slug="one")
    two = get_price(make_course(slug="two"))

    code, output, error = run(
        app, "codes", "create", "launch20", "--percent", "20", "--course", "two", "--max-uses", "100", "--per-customer", "1",
        "--min-quantity", "2", "--starts", "2026-11-20", "--ends", "2026-11-30", "--batch", "Launch",
    )  # fmt: skip

    assert (code, output, error) == (0, "LAUNCH20\n", "Done: 1 code made, 20 % off.\n")
    assert run_json(app, "codes", "show", "launch20") == {
        "code": "LAUNCH20",
        "state": "active",
        "percent_off": 20,
        "amount_off": None,
        "currency": None,
        "redeemed_count": 0,
        "max_redemptions": 100,
        "per_customer_limit": 1,
        "minimum_quantity": 2,
        "starts_at": "2026-11-20T00:00:00+00:00",
        "ends_at": "2026-12-01T00:00:00+00:00",
        "courses": ["two"],
        "product_ids": [_public_product_id(two)],
        "batch": "Launch",
        "created_at": "2026-11-20T12:00:00+00:00",
    }


def test_an_amount_is_taken_in_its_own_currency(app: Flask) -> None:
    assert run_json(app, "codes", "create", "TEN", "--amount", "10.50 EUR") == {"codes": ["TEN"], "created": 1}

    code = get_code("TEN")
    assert (code.amount_off, code.currency, code.max_redemptions, code.ends_at) == (1050, "eur", None, None)
    assert "€10.50 off" in run(app, "codes", "list")[1]


def test_days_and_moments_are_the_shops_own_time(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "SETTINGS", replace(settings, site_timezone="America/New_York"))

    run(app, "codes", "create", "DAYS", "--percent", "5", "--starts", "2026-10-31", "--ends", "2026-11-01")

    # November 1 is the day the clocks go back: 25 hours long.
    days = get_code("DAYS")
    assert (days.starts_at, days.ends_at) == (
        datetime(2026, 10, 31, 4, tzinfo=UTC),
        datetime(2026, 11, 2, 5, tzinfo=UTC),
    )


def test_a_moment_may_name_its_own_zone(app: Flask) -> None:
    run(
        app,
        "codes",
        "create",
        "HOURS",
        "--percent",
        "5",
        "--starts",
        "2026-07-01T18:00",
        "--ends",
        "2026-07-01T20:00-05:00",
    )

    hours = get_code("HOURS")
    assert (hours.starts_at, hours.ends_at) == (
        datetime(2026, 7, 1, 18, tzinfo=UTC),
        datetime(2026, 7, 2, 1, tzinfo=UTC),
    )


def test_a_batch_is_made_of_codes_for_one_use_each(app: Flask) -> None:
    product_id = get_price(make_course(slug="my-course")).product_id

    code, output, error = run(
        app, "codes", "create", "--count", "5", "--prefix", "vip", "--percent", "100", "--course", "my-course"
    )

    names = output.split()
    assert (code, error) == (0, "Done: 5 codes made, 100 % off.\n")
    assert len(set(names)) == 5
    assert all(re.fullmatch(r"VIP(-[2-9A-HJKMNP-Z]{4}){3}", name) for name in names)
    for name in names:
        made = get_code(name)
        assert (made.max_redemptions, made.batch) == (1, "VIP")
        assert list_code_product_ids(code_id=made.id) == {product_id}
    listed = run_json(app, "codes", "list", "--batch", "VIP")
    assert sorted(row["code"] for row in listed["codes"]) == names
    assert listed["counts"] == {"active": 5}


def test_a_batch_may_be_for_more_uses_and_have_a_name(app: Flask) -> None:
    made = run_json(
        app,
        "codes",
        "create",
        "--count",
        "2",
        "--prefix",
        "P",
        "--percent",
        "10",
        "--max-uses",
        "3",
        "--batch",
        "Partners",
    )

    assert made["created"] == 2
    assert [(row["max_redemptions"], row["batch"]) for row in run_json(app, "codes", "list")["codes"]] == [
        (3, "Partners")
    ] * 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Name one code, or say --count and --prefix."),
        (("LAUNCH20", "--count", "5", "--prefix", "VIP"), "Name one code, or say --count and --prefix."),
        (("--count", "5"), "Name one code, or say --count and --prefix."),
        (("--prefix", "VIP"), "Name one code, or say --count and --prefix."),
        (("LAUNCH20", "--prefix", "VIP"), "Name one code, or say --count and --prefix."),
        (("LAUNCH20",), "Give either a percentage or an amount that the code takes off."),
        (("LAUNCH20", "--percent", "10", "--amount", "10 USD"), "Give either a percentage or an amount"),
        (("LAUNCH20", "--percent", "0"), "The percentage must be from 1 to 100."),
        (("LAUNCH20", "--percent", "101"), "The percentage must be from 1 to 100."),
        (("LAUNCH20", "--amount", "10"), "--amount: Write a price as amount and currency"),
        (("LAUNCH20", "--amount", "10 XXX"), "--amount: There is no such currency."),
        (("LAUNCH20", "--amount", "0 USD"), "The amount taken off must be more than 0."),
        (("A!", "--percent", "10"), "A code has 3 to 40 letters"),
        (("LAUNCH20", "--percent", "10", "--course", "nope"), "There is no course “nope”."),
        (("LAUNCH20", "--percent", "10", "--max-uses", "0"), "The number of uses must be from 1"),
        (("LAUNCH20", "--percent", "10", "--max-uses", "1", "--per-customer", "2"), "The uses of one customer"),
        (("LAUNCH20", "--percent", "10", "--min-quantity", "0"), "The smallest number of seats must be"),
        (("LAUNCH20", "--percent", "10", "--starts", "soon"), "--starts: Write 2026-11-27 or 2026-11-27T18:00."),
        (("LAUNCH20", "--percent", "10", "--ends", "2026-02-30"), "--ends: Write 2026-11-27 or 2026-11-27T18:00."),
        (("LAUNCH20", "--percent", "10", "--ends", "9999-12-31"), "--ends: That day is too far away."),
        (("LAUNCH20", "--percent", "10", "--starts", "2026-11-28", "--ends", "2026-11-27"), "The code must end after"),
        (("--count", "0", "--prefix", "VIP", "--percent", "10"), "Make 1 to 10,000 codes at once."),
        (("--count", "3", "--prefix", "V!P", "--percent", "10"), "A prefix has 1 to 25 letters"),
        (("--count", "3", "--prefix", "VIP", "--percent", "10", "--course", "nope"), "There is no course “nope”."),
    ],
)  # fmt: skip
def test_a_refusal_is_one_sentence_and_makes_nothing(app: Flask, arguments: tuple[str, ...], sentence: str) -> None:
    before = dump()

    code, output, error = run(app, "codes", "create", *arguments)

    assert (code, output) == (1, "")
    assert error.startswith(f"Error: {sentence}"), error
    assert error.count("\n") == 1
    assert dump() == before


def test_a_code_that_exists_is_refused_and_stays(app: Flask) -> None:
    run(app, "codes", "create", "LAUNCH20", "--percent", "20")
    before = dump()

    code, _output, error = run(app, "codes", "create", "launch20", "--percent", "50")

    assert (code, error) == (1, "Error: The code LAUNCH20 exists already. Choose another one.\n")
    assert dump() == before


def test_the_list_shows_use_and_state(app: Flask) -> None:
    make_course(slug="my-course")
    run(app, "codes", "create", "FIRST", "--percent", "20", "--max-uses", "3", "--course", "my-course")
    run(app, "codes", "create", "SECOND", "--percent", "30", "--starts", "2999-01-01")
    run(app, "codes", "disable", "FIRST")
    with transaction():
        get_code("FIRST").redeemed_count = 2

    output = run(app, "codes", "list")[1]

    assert [line.split() for line in output.splitlines()] == [
        ["FIRST", "disabled", "20", "%", "off", "2", "of", "3", "used", "my-course"],
        ["SECOND", "scheduled", "30", "%", "off", "0", "used", "all", "courses"],
        ["2", "codes."],
    ]
    listed = run_json(app, "codes", "list", "--state", "disabled")
    assert [(row["code"], row["redeemed_count"]) for row in listed["codes"]] == [("FIRST", 2)]
    assert listed["counts"] == {"disabled": 1}


def test_the_list_goes_on_past_a_page(app: Flask) -> None:
    run(app, "codes", "create", "--count", "1001", "--prefix", "MANY", "--percent", "1")

    assert len({row["code"] for row in run_json(app, "codes", "list")["codes"]}) == 1001


def test_an_empty_list_says_so(app: Flask) -> None:
    assert run(app, "codes", "list") == (0, "0 codes.\n", "")
    assert run_json(app, "codes", "list") == {"codes": [], "counts": {}}


def test_disabling_and_enabling_tell_what_became_of_it(app: Flask) -> None:
    create_code("LAUNCH20", percent_off=20)

    assert run(app, "codes", "disable", "launch20") == (0, "LAUNCH20 is disabled.\n", "")
    assert run_json(app, "codes", "disable", "launch20") == {"code": "LAUNCH20", "state": "disabled"}
    assert run(app, "codes", "enable", "launch20") == (0, "LAUNCH20 is active.\n", "")
    assert run_json(app, "codes", "enable", "launch20") == {"code": "LAUNCH20", "state": "active"}


@pytest.mark.parametrize("verb", ["show", "disable", "enable"])
def test_a_code_that_is_not_there_is_a_sentence(app: Flask, verb: str) -> None:
    assert run(app, "codes", verb, "nobody") == (1, "", "Error: There is no code NOBODY.\n")
    assert run(app, "codes", verb, "N!")[0] == 1


def test_a_shown_code_reads_as_lines(app: Flask) -> None:
    create_code("LAUNCH20", percent_off=20)

    lines = [line.split() for line in run(app, "codes", "show", "LAUNCH20")[1].splitlines()]

    assert ["percent", "off", "20"] in lines
    assert ["max", "redemptions", "-"] in lines
    assert ["courses", "-"] in lines


@pytest.mark.parametrize("verb", ["create", "list", "show", "disable", "enable"])
def test_help_shows_an_example(app: Flask, verb: str) -> None:
    assert f"flask codes {verb}" in run(app, "codes", verb, "--help")[1].partition("Example:")[2]


def _public_product_id(price: Price) -> str:
    return db.session.get_one(Product, price.product_id).public_id
