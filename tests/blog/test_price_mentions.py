"""Amounts beside a course's name or link."""

import pytest

from app.blog.catalog_names import CourseName
from app.blog.price_mentions import PriceMention, find_price_mentions

COURSES = [
    CourseName(course_id=1, slug="lead-engine", title="Lead Engine"),
    CourseName(course_id=2, slug="lead-engine-pro", title="Lead Engine Pro"),
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The Lead Engine costs $97.", [(1, "usd", 9700)]),
        ("For US$97.50 you get the LEAD ENGINE.", [(1, "usd", 9750)]),
        ("Lead Engine: 97 USD", [(1, "usd", 9700)]),
        ("Lead Engine: EUR 1,097", [(1, "eur", 109_700)]),
        ("[Enroll](/courses/lead-engine) for €97 or £80 or ¥9000",
         [(1, "eur", 9700), (1, "gbp", 8000), (1, "jpy", 9000)]),
        ("Lead Engine Pro is $197", [(2, "usd", 19_700)]),
        ("[this](/courses/lead-engine-pro) is $197", [(2, "usd", 19_700)]),
        ("Lead Engine is $97, Lead Engine Pro is $197.", [(1, "usd", 9700), (2, "usd", 19_700)]),
        ("$97 for the Lead Engine, $197 for the Lead Engine Pro", [(1, "usd", 9700), (2, "usd", 19_700)]),
        ("Lead Engine was ~~$147~~ and is $97", [(1, "usd", 9700)]),
        ("- Lead Engine\n- $50 of coffee", []),
        ("| Lead Engine | $97 |\n| Coffee | $5 |", [(1, "usd", 9700)]),
        ("The Lead Engine is here. It made $5,000.", []),
        ("Lead Engine users made $5k and $3 million", []),
        ("Lead Engine: `$97`", []),
        ("Lead Engine\n\n```\n$97\n```", []),
        ("Lead Engine with 12 APIs and 97,00 €", []),
        ("Leading Engine costs $97", []),
        ("Lead Engine " + "and more " * 20 + "$97", []),
        ("$97 for nothing named", []),
    ],
)  # fmt: skip
def test_an_amount_belongs_to_the_course_it_stands_beside(text: str, found: list[tuple[int, str, int]]) -> None:
    mentions = find_price_mentions(text, COURSES, site_currency="usd")

    assert mentions == {PriceMention(course_id=each[0], currency=each[1], amount=each[2]) for each in found}


def test_a_shop_in_another_dollar_means_its_own() -> None:
    mentions = find_price_mentions("Lead Engine for $97", COURSES, site_currency="cad")

    assert mentions == {PriceMention(course_id=1, currency="cad", amount=9700)}
